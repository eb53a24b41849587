"""Earnings, payouts and payments, and what spec 003 tells of them."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.domain.events import name_order_stream
from chalicelib.domain.messaging.wakeups import RelayDue
from chalicelib.domain.money.earnings import MonthlyRecord
from chalicelib.domain.money.wallets import Wallet
from chalicelib.domain.orders.commands import Deliver
from chalicelib.domain.orders.model import Order
from chalicelib.errors import PostFailed
from chalicelib.store.orders import OrderTable
from chalicelib.store.wallets import WalletTable
from tests.builders import DEPOT, north_of
from tests.faults import Crash, CrashingProxy
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.feeds import a_feed, a_profile, types_of
from tests.functional.test_feed_delivery import deliver
from tests.functional.world import Answer, Someone, World
from tests.ledgers import list_bookings

SECRET = "what-the-provider-and-we-know"
EARNINGS = ("earning_recorded", "bonus_earned", "wallet_updated")
PAYMENTS = ("payment_initiated", "payment_completed", "payment_failed")
FAR = dict(zip(("dropoff_lat", "dropoff_lng"), north_of(DEPOT, 5000), strict=True))


@pytest.fixture
def paying(make_world: MakeWorld) -> World:
    """A world whose payment provider has a secret."""
    return make_world(settings={"payment_webhook_secret": SECRET})


def ledger_of(world: World, courier_id: str) -> list[int]:
    """The amounts in a courier's ledger."""
    store = WalletTable(world.engine.connection)
    return [booking.amount_minor for booking in list_bookings(store, courier_id, 100)]


def balance_of(world: World, courier_id: str) -> int:
    """A courier's balance in minor units; it must be what the ledger adds up to."""
    balance = WalletTable(world.engine.connection).get_wallet(courier_id).balance_minor
    assert balance == sum(ledger_of(world, courier_id)) >= 0
    return balance


def pay(world: World, by: Someone, order_id: str, **changes: Any) -> Answer:
    """Begin a payment."""
    body = {"order_id": order_id, "method": "upi", "upi_id": "cara@bank", **changes}
    return world.post("/v1/payments", body, by)


def webhook(world: World, payment_id: str, /, age_s: int = 0, **said: Any) -> Answer:
    """What the provider says, signed; `payment_id` is the URL's unless said, None leaves it out."""
    body = {"payment_id": payment_id, **said}
    body = {name: value for name, value in body.items() if value is not None}
    raw, signed_at = json.dumps(body).encode(), int(world.clock.now.timestamp()) - age_s
    mac = hmac.new(SECRET.encode(), b"%d." % signed_at + raw, hashlib.sha256).hexdigest()
    header = {"X-Waybill-Signature": f"t={signed_at},v1={mac}"}
    return world.call("POST", f"/v1/payments/{payment_id}/webhook", raw, headers={**header})


# Earnings


def test_a_courier_hears_of_an_earning_and_of_the_balance(world: World) -> None:
    """S3-11, S3-15: 5 km earn 50 + 25."""
    dan, cara = a_profile(world, world.courier("dan")), world.customer("cara")
    socket = a_feed(world, dan, *EARNINGS)
    order_id = deliver(world, cara, dan, **FAR)
    earned, updated = socket.take()
    assert (earned["event_type"], earned["event_level"]) == ("earning_recorded", "medium")
    assert earned["data"] == {
        "amount": 75,
        "delivery_id": order_id,
        "breakdown": {"base": 50, "distance_bonus": 25, "on_time_bonus": 0, "rating_bonus": 0},
        "new_balance": 75,
        "timestamp": "2031-05-06T07:08:09.000Z",
    }
    assert (updated["event_type"], updated["event_level"]) == ("wallet_updated", "medium")
    assert updated["data"] == {
        "previous_balance": 0,
        "new_balance": 75,
        "change": 75,
        "change_reason": "earning_recorded",
        "timestamp": "2031-05-06T07:08:09.000Z",
    }
    assert balance_of(world, "dan") == 75_00


class Killed(BaseException):
    """The process is gone."""


def die() -> None:
    """Be killed."""
    raise Killed


class InterruptedOrders(OrderTable):
    """An orders table where something else happens right after a commit, once it is told to."""

    then: Callable[[], None] | None = None

    def commit_order(self, stored: Order | None, order: Order, **how: Any) -> bool:
        is_leased = super().commit_order(stored, order, **how)
        then, self.then = self.then, None
        if then:
            then()
        return is_leased


def test_an_earning_survives_a_death_right_after_the_commit(
    make_world: MakeWorld, dynamo: Engine
) -> None:
    """The wakeup that was sent before finds the delivered order."""
    orders = InterruptedOrders(dynamo.connection)
    world = make_world(orders=orders)
    dan, cara = a_profile(world, world.courier("dan")), world.customer("cara")
    order_id = world.place(cara)["id"]
    for verb in ("accept", "arrived", "picked"):
        world.step(verb, order_id, dan)
    world.pass_time(60)
    orders.then = die
    with pytest.raises(Killed):
        world.waybill.courier_orders.take_step(dan.actor, int(order_id), Deliver())
    assert ledger_of(world, "dan") == []
    world.pass_time(60)
    assert ledger_of(world, "dan") == [50_00]
    assert types_of(a_feed(world, dan, *EARNINGS).frames) == ["earning_recorded", "wallet_updated"]


def test_one_who_comes_late_to_book_finds_that_others_did(
    make_world: MakeWorld, dynamo: Engine
) -> None:
    """Frozen between the delivery and its earning, while the wakeup booked that and another."""

    orders = InterruptedOrders(dynamo.connection)
    world = make_world(orders=orders)
    dan, cara = a_profile(world, world.courier("dan")), world.customer("cara")
    order_id = world.place(cara)["id"]
    for verb in ("accept", "arrived", "picked"):
        world.step(verb, order_id, dan)

    def meanwhile() -> None:
        world.pass_time(30)
        assert ledger_of(world, "dan") == [50_00]
        deliver(world, cara, dan)

    orders.then = meanwhile
    world.step("delivered", order_id, dan)
    world.pass_time(60)
    assert ledger_of(world, "dan") == [50_00, 50_00]
    assert balance_of(world, "dan") == 100_00


@pytest.mark.parametrize("why", ["a step was told late", "the first try failed"])
def test_an_earlier_wakeup_and_the_deliverer_book_an_earning_once(
    make_world: MakeWorld, dynamo: Engine, why: str
) -> None:
    """It comes while the deliverer still tells the customer: of a step whose telling failed, or of
    a delivery that armed it and then could not be written."""
    orders = CrashingProxy(OrderTable(dynamo.connection))
    world = make_world(orders=orders)
    dan, cara = a_profile(world, world.courier("dan")), world.customer("cara")
    hers, order_id = world.connect(cara), world.place(cara)["id"]
    for verb in ("accept", "arrived"):
        world.step(verb, order_id, dan)
    world.pass_time(60)
    if why == "a step was told late":
        world.gateway.fail(hers.id, *[PostFailed("429")] * 2)
    world.step("picked", order_id, dan)
    if why == "the first try failed":
        world.pass_time(60)
        orders.crash_at("before", "commit_order")
        with pytest.raises(Crash):
            world.step("delivered", order_id, dan)
    world.clock.advance(4.9)

    def meanwhile(connection_id: str, frame: str) -> None:
        world.gateway.before_post = lambda connection_id, frame: None
        world.clock.advance(0.3)
        world.pump()
        assert ledger_of(world, "dan") == [50_00]

    world.gateway.before_post = meanwhile
    assert world.step("delivered", order_id, dan).status == 200
    world.pass_time(120)
    assert balance_of(world, "dan") == 50_00
    wallet = WalletTable(world.engine.connection).get_wallet("dan")
    assert wallet.months == {"2031-05": MonthlyRecord(1, 1)}
    assert types_of(a_feed(world, dan, *EARNINGS).frames) == ["earning_recorded", "wallet_updated"]


def test_the_twentieth_punctual_delivery_of_a_month_earns_a_bonus_once(world: World) -> None:
    """S3-12."""
    dan, cara = a_profile(world, world.courier("dan")), world.customer("cara")
    nineteen = Wallet("dan", version=1, months={"2031-05": MonthlyRecord(19, 19)})
    WalletTable(world.engine.connection).commit_wallet(Wallet("dan"), nineteen)
    socket = a_feed(world, dan, "bonus_earned")
    for _ in range(2):
        deliver(world, cara, dan)
    (bonus,) = socket.take()
    assert bonus["event_level"] == "high"
    assert bonus["data"] == {
        "amount": 50,
        "bonus_type": "on_time",
        "trigger": "95% on-time deliveries",
        "period": "2031-05",
        "new_balance": 100,
    }
    assert balance_of(world, "dan") == 3 * 50_00


def test_an_earning_is_booked_once_by_however_many_at_once(make_engine_world: MakeWorld) -> None:
    """Two Lambdas may find the same delivered order."""
    world = make_engine_world()
    dan, cara = world.courier("dan"), world.customer("cara")
    wakeups = [RelayDue(name_order_stream(int(deliver(world, cara, dan)))) for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(world.waybill.wakeup_handler.handle_wakeup, wakeups * 4))
    assert balance_of(world, "dan") == 100_00


# Payouts


def test_a_payout_is_reserved_approved_and_completed(world: World) -> None:
    """S3-13, S3-14, S3-15."""
    dan, cara = a_profile(world, world.courier("dan")), world.customer("cara")
    deliver(world, cara, dan)
    socket = a_feed(world, dan)
    socket.say({"type": "subscribe", "events": ["payout_approved", "payout_completed"]})
    socket.say({"type": "subscribe", "events": ["wallet_updated"]})
    asked = world.post("/v1/payouts", {"amount": 20.5, "bank_account": "DE89 3704 1234"}, dan)
    assert (asked.status, asked.body["amount"], asked.body["bank_account"]) == (
        201,
        20.5,
        "****1234",
    )
    (updated,) = socket.take()
    assert updated["data"]["change"] == -20.5
    assert updated["data"]["change_reason"] == "payout_requested"
    path, ada = f"/v1/admin/payouts/{asked.body['id']}", world.admin()
    for _ in range(2):
        assert world.post(f"{path}/approve", {}, ada).body["status"] == "approved"
    for _ in range(2):
        done = world.post(f"{path}/complete", {"transaction_id": "txn_1"}, ada)
        assert (done.status, done.body["status"]) == (200, "completed")
    approved, completed = socket.take()
    assert approved["event_level"] == completed["event_level"] == "high"
    assert approved["data"] == {
        "payout_id": asked.body["id"],
        "amount": 20.5,
        "bank_account": "****1234",
        "estimated_transfer_date": "2031-05-07",
        "estimated_transfer_time": "18:00:00",
    }
    assert completed["data"] == {
        "payout_id": asked.body["id"],
        "amount": 20.5,
        "transaction_id": "txn_1",
        "bank_account": "****1234",
        "transferred_at": "2031-05-06T07:08:09.000Z",
    }
    assert balance_of(world, "dan") == 29_50


def test_more_than_the_balance_is_refused_and_nothing_is_written(world: World) -> None:
    dan = world.courier("dan")
    deliver(world, world.customer("cara"), dan)
    body = {"amount": 50.01, "bank_account": "12345678"}
    answer = world.post("/v1/payouts", body, dan)
    assert (answer.status, answer.body["error"]) == (409, "balance_too_low")
    assert ledger_of(world, "dan") == [50_00]


def test_payouts_at_once_never_overdraw_a_wallet(make_engine_world: MakeWorld) -> None:
    """A balance never goes negative, whatever races."""
    world = make_engine_world()
    dan = world.courier("dan")
    deliver(world, world.customer("cara"), dan)

    def ask(_: int) -> int:
        return world.post("/v1/payouts", {"amount": 20, "bank_account": "12345678"}, dan).status

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(ask, range(6)))
    assert sorted(statuses) == [201, 201, 409, 409, 409, 409]
    assert balance_of(world, "dan") == 10_00


def test_a_payout_is_not_completed_before_it_is_approved_nor_twice_differently(
    world: World,
) -> None:
    """Ambiguity p."""
    dan, ada = world.courier("dan"), world.admin()
    deliver(world, world.customer("cara"), dan)
    id_ = world.post("/v1/payouts", {"amount": 1, "bank_account": "12345678"}, dan).body["id"]
    path = f"/v1/admin/payouts/{id_}"
    assert world.post(f"{path}/complete", {"transaction_id": "t1"}, ada).status == 409
    world.post(f"{path}/approve", {}, ada)
    world.post(f"{path}/complete", {"transaction_id": "t1"}, ada)
    assert world.post(f"{path}/complete", {"transaction_id": "t2"}, ada).status == 409
    assert world.post(f"{path}/approve", {}, ada).body["status"] == "completed"


BAD_PAYOUTS: list[dict[str, Any]] = [
    {},
    {"amount": 0, "bank_account": "12345678"},
    {"amount": -5, "bank_account": "12345678"},
    {"amount": 1.001, "bank_account": "12345678"},
    {"amount": True, "bank_account": "12345678"},
    {"amount": "5", "bank_account": "12345678"},
    {"amount": 5, "bank_account": "123"},
    {"amount": 5, "bank_account": "1234\u00e9678"},
    {"amount": 5, "bank_account": 12345678},
]


def test_a_payout_that_makes_no_sense_is_a_400(world: World) -> None:
    dan = world.courier("dan")
    for body in BAD_PAYOUTS:
        assert world.post("/v1/payouts", body, dan).status == 400, body


def test_only_couriers_ask_for_payouts_and_only_admins_approve_them(world: World) -> None:
    dan, cara = world.courier("dan"), world.customer("cara")
    body = {"amount": 1, "bank_account": "12345678"}
    assert world.post("/v1/payouts", body, cara).status == 403
    assert world.post("/v1/payouts", body).status == 401
    for by, status in ((dan, 403), (None, 401), (world.admin(), 404)):
        assert world.post("/v1/admin/payouts/payout_1/approve", {}, by).status == status
        assert (
            world.post("/v1/admin/payouts/x/complete", {"transaction_id": "t"}, by).status == status
        )


# Payments


def test_a_payment_is_initiated_and_completed(paying: World) -> None:
    """S3-23, S3-24."""
    cara = a_profile(paying, paying.customer("cara"))
    socket = a_feed(paying, cara, *PAYMENTS)
    order_id = paying.place(cara)["id"]
    begun = pay(paying, cara, order_id)
    assert (begun.status, begun.body["status"]) == (201, "initiated")
    done = webhook(paying, begun.body["id"], status="completed", transaction_id="txn_1")
    assert (done.status, done.body["status"]) == (200, "completed")
    initiated, completed = socket.take()
    assert initiated["event_level"] == completed["event_level"] == "high"
    assert initiated["data"] == {
        "payment_id": begun.body["id"],
        "order_id": order_id,
        "amount": 0,
        "currency": "INR",
        "method": "upi",
        "initiated_at": "2031-05-06T07:08:09.000Z",
    }
    assert completed["data"] == {
        "payment_id": begun.body["id"],
        "order_id": order_id,
        "amount": 0,
        "method": "upi",
        "upi_id": "cara@bank",
        "transaction_id": "txn_1",
        "completed_at": "2031-05-06T07:08:09.000Z",
    }


def test_a_payment_that_failed_is_critical_and_may_be_tried_again(paying: World) -> None:
    """S3-25."""
    cara = a_profile(paying, paying.customer("cara"))
    socket = a_feed(paying, cara, *PAYMENTS)
    order_id = paying.place(cara)["id"]
    first = pay(paying, cara, order_id).body["id"]
    webhook(paying, first, status="failed", error="Insufficient balance")
    second = pay(paying, cara, order_id)
    assert second.status == 201
    assert second.body["id"] != first
    _, failed, again = socket.take()
    assert (failed["event_type"], failed["event_level"]) == ("payment_failed", "critical")
    assert failed["data"] == {
        "payment_id": first,
        "order_id": order_id,
        "amount": 0,
        "method": "upi",
        "error": "Insufficient balance",
        "failed_at": "2031-05-06T07:08:09.000Z",
        "retry_available": True,
    }
    assert again["event_type"] == "payment_initiated"


def test_a_webhook_that_is_repeated_changes_nothing_and_one_that_contradicts_is_a_409(
    paying: World,
) -> None:
    """Ambiguity p."""
    cara = a_profile(paying, paying.customer("cara"))
    payment = pay(paying, cara, paying.place(cara)["id"]).body["id"]
    said: dict[str, Any] = {"status": "completed", "transaction_id": "txn_1"}
    assert webhook(paying, payment, **said).body == webhook(paying, payment, **said).body
    assert webhook(paying, payment, status="failed").status == 409
    assert webhook(paying, payment, status="completed", transaction_id="txn_2").status == 409
    assert types_of(a_feed(paying, cara, *PAYMENTS).frames) == [
        "payment_initiated",
        "payment_completed",
    ]


def test_a_webhook_counts_only_with_a_fresh_signature(paying: World) -> None:
    cara = paying.customer("cara")
    payment = pay(paying, cara, paying.place(cara)["id"]).body["id"]
    assert webhook(paying, payment, age_s=301, status="completed").status == 401
    assert webhook(paying, payment, age_s=-301, status="completed").status == 401
    path, now = f"/v1/payments/{payment}/webhook", int(paying.clock.now.timestamp())
    for header in ("", "nonsense", f"t={now},v1=00", f"t={now}", "t=x,v1=00", f"t={now},v1=\u00e9"):
        sent = {"X-Waybill-Signature": header}
        answer = paying.call("POST", path, b'{"status": "completed"}', headers=sent)
        assert answer.status == 401, header
    assert paying.call("POST", path, b'{"status": "completed"}').status == 401
    assert webhook(paying, payment, age_s=299, status="completed").status == 200


def test_a_signed_body_settles_the_payment_that_it_names_and_no_other(paying: World) -> None:
    """The URL is not signed."""
    cara = paying.customer("cara")
    one, other = (pay(paying, cara, paying.place(cara)["id"]).body["id"] for _ in range(2))
    for named in (one, one.upper(), f"{other}x", f"{other}/", f"{other}\n{one}"):
        answer = webhook(paying, other, payment_id=named, status="completed")
        assert (answer.status, answer.body["error"]) == (401, "unauthenticated"), named
    assert webhook(paying, other, status="completed").body["status"] == "completed"
    assert webhook(paying, one, status="failed").body["status"] == "failed"


@pytest.mark.parametrize(
    "named", [None, "", " ", "\u200b", 5, True, [], {}, ["pay_1_1"], "x" * 129]
)
def test_a_signed_body_that_names_no_payment_is_a_400(paying: World, named: Any) -> None:
    cara = paying.customer("cara")
    payment = pay(paying, cara, paying.place(cara)["id"]).body["id"]
    answer = webhook(paying, payment, payment_id=named, status="completed")
    assert (answer.status, answer.body.get("details")) == (400, {"field": "payment_id"})
    unsigned = paying.call("POST", f"/v1/payments/{payment}/webhook", b"{}")
    assert unsigned.status == 401


def test_without_a_secret_no_webhook_counts(world: World) -> None:
    cara = world.customer("cara")
    payment = pay(world, cara, world.place(cara)["id"]).body["id"]
    assert webhook(world, payment, status="completed").status == 401


def test_a_webhook_of_no_payment_is_a_404_and_one_of_no_verdict_a_400(paying: World) -> None:
    cara = paying.customer("cara")
    order_id = paying.place(cara)["id"]
    payment = pay(paying, cara, order_id).body["id"]
    for unknown in (f"pay_{order_id}_2", "pay_x_y", "x", "pay_1_1"):
        assert webhook(paying, unknown, status="completed").status == 404
    assert webhook(paying, payment, status="initiated").status == 400
    assert webhook(paying, payment).status == 400


def test_an_order_is_paid_once_by_its_customer(paying: World) -> None:
    cara, eve = paying.customer("cara"), paying.customer("eve")
    order_id = paying.place(cara)["id"]
    assert pay(paying, eve, order_id).status == 404
    assert pay(paying, paying.courier("dan"), order_id).status == 403
    assert pay(paying, cara, order_id, method=None).status == 400
    assert pay(paying, cara, order_id, method="no word").status == 400
    assert pay(paying, cara, order_id).status == 201
    assert pay(paying, cara, order_id).status == 409
    cancelled = paying.place(cara)["id"]
    paying.post(f"/v1/orders/{cancelled}/cancel", {}, cara)
    assert pay(paying, cara, cancelled).status == 409


def test_payments_at_once_begin_one(make_engine_world: MakeWorld) -> None:
    world = make_engine_world()
    cara = world.customer("cara")
    order_id = world.place(cara)["id"]
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda _: pay(world, cara, order_id).status, range(6)))
    assert sorted(statuses) == [201, 409, 409, 409, 409, 409]


@pytest.mark.parametrize(("verdict", "status"), [("completed", "paid"), ("failed", "failed")])
def test_a_completed_delivery_says_how_it_is_paid(paying: World, verdict: str, status: str) -> None:
    """S3-19, ambiguity n."""
    dan, cara = paying.courier("dan"), a_profile(paying, paying.customer("cara"))
    socket = a_feed(paying, cara, "delivery_completed")
    deliver(paying, cara, dan)
    order_id = paying.place(cara)["id"]
    webhook(paying, pay(paying, cara, order_id).body["id"], status=verdict)
    for verb in ("accept", "arrived", "picked", "delivered"):
        paying.step(verb, order_id, dan)
    assert [frame["data"]["payment_status"] for frame in socket.take()] == ["pending", status]
