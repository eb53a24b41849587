"""What is still due: an order that costs more in the end than was paid for it, and prices that
change in the moment when they are paid."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.domain.money.payments import Payment
from chalicelib.domain.orders.model import Order
from chalicelib.domain.request_keys import RequestKey
from chalicelib.store.orders import OrderTable
from chalicelib.store.payments import PaymentTable
from tests.builders import DEPOT, north_of
from tests.functional import rides
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.feeds import a_feed, a_profile
from tests.functional.schedules import later
from tests.functional.test_amending import ENDS, FAR, amend, quote
from tests.functional.test_fees import cancel
from tests.functional.test_money import SECRET, balance_of, pay, webhook
from tests.functional.test_refunds import a_quoted_order
from tests.functional.world import Answer, Someone, World

SETTINGS = {
    "waiting_per_minute": 2_00,
    "return_fee_percent": 50,
    "payment_webhook_secret": SECRET,
}


@pytest.fixture
def charging(make_world: MakeWorld) -> World:
    """A world where waiting costs something, and a provider is heard."""
    return make_world(settings=SETTINGS)


def complete(world: World, payment_id: str, status: str = "completed") -> None:
    """The provider's word on a payment, and what follows from it."""
    assert webhook(world, payment_id, status=status).status == 200
    world.pass_time(60)


def bring_slowly(world: World, order_id: str, dan: Someone) -> None:
    """All steps of a courier who waits five minutes at the pickup, two of them for 2.00 each."""
    assert world.step("arrived", order_id, dan).status == 200
    world.pass_time(300)
    for verb in ("picked", "delivered"):
        assert world.step(verb, order_id, dan).status == 200
    world.pass_time(60)


def view(world: World, order_id: str, by: Someone) -> Any:
    return world.get(f"/v1/orders/{order_id}", by).body


@pytest.mark.parametrize("paid_first", [True, False])
def test_what_an_end_adds_to_a_paid_price_is_due_until_it_is_paid(
    charging: World, paid_first: bool
) -> None:
    """The courier has it at once; the customer is told, and pays by another payment."""
    dan, cara = charging.courier("dan"), a_profile(charging, charging.customer("cara"))
    feed = a_feed(charging, cara, "payment_due", "refund_due")
    order_id = a_quoted_order(charging, cara, dan)
    first = pay(charging, cara, order_id).body
    if paid_first:
        complete(charging, first["id"])
    assert pay(charging, cara, order_id).status == 409
    bring_slowly(charging, order_id, dan)
    assert balance_of(charging, "dan") == 75_00 + 4_00
    if not paid_first:
        assert "due" not in view(charging, order_id, cara)
        complete(charging, first["id"])
    shown = view(charging, order_id, cara)
    assert shown["due"] == {"amount": 4}
    assert shown["price"]["total"] == first["amount"] + 4
    (told,) = feed.take()
    assert (told["event_type"], told["event_level"]) == ("payment_due", "high")
    assert told["data"] == {"order_id": order_id, "amount": 4}
    failed = pay(charging, cara, order_id)
    assert (failed.status, failed.body["amount"]) == (201, 4)
    assert pay(charging, cara, order_id).status == 409
    complete(charging, failed.body["id"], "failed")
    assert view(charging, order_id, cara)["due"] == {"amount": 4}
    complete(charging, pay(charging, cara, order_id).body["id"])
    shown = view(charging, order_id, cara)
    assert not {"due", "refund_due", "refunded"} & set(shown)
    assert pay(charging, cara, order_id).status == 409
    assert feed.take() == []
    assert balance_of(charging, "dan") == 75_00 + 4_00


def test_bringing_back_what_was_paid_is_due_and_before_the_end_nothing_is(charging: World) -> None:
    dan, cara = charging.courier("dan"), charging.customer("cara")
    order_id = a_quoted_order(charging, cara, dan)
    complete(charging, pay(charging, cara, order_id).body["id"])
    for verb in ("arrived", "picked"):
        charging.step(verb, order_id, dan)
    failed = {"order_id": order_id, "reason": "refused", "then": "return"}
    assert charging.post("/v1/courier/orders/failed", failed, dan).status == 200
    assert pay(charging, cara, order_id).status == 409
    charging.post("/v1/courier/orders/returned", {"order_id": order_id}, dan)
    charging.pass_time(60)
    shown = view(charging, order_id, cara)
    fee = shown["price"]["lines"][-1]
    assert (fee["kind"], shown["due"]) == ("return_fee", {"amount": fee["amount"]})
    assert balance_of(charging, "dan") == round(fee["amount"] * 100)


def test_a_ride_that_became_longer_is_paid_to_its_end(charging: World) -> None:
    """By the payment of its own contract, whichever of the two amounts its client names."""
    rider, dora = rides.a_rider(charging), rides.a_driver(charging)
    ride_id = rides.request(rider)
    dora.did("accept_ride", ride_id=ride_id)
    first = pay(charging, rider.person, ride_id).body
    complete(charging, first["id"])
    rides.locate(dora, DEPOT)
    dora.did("start_ride", ride_id=ride_id)
    charging.clock.advance(3600)
    rides.locate(dora, north_of(DEPOT, 20_000))
    fare = dora.did("complete_ride", ride_id=ride_id)["ride_data"]["fare"]
    charging.pass_time(60)
    rest = round(fare - first["amount"], 2)
    assert rest > 0
    ride = charging.get(f"/v1/rides/{ride_id}", rider.person).body
    assert ride["due"] == {"amount": rest}

    def pay_ride(amount: Any) -> Answer:
        body = {"ride_id": ride_id, "method": "cash", "amount": amount}
        return charging.post("/v1/riders/payment", body, rider.person)

    assert pay_ride(round(rest + 1, 2)).status == 400
    begun = pay_ride(fare)
    assert (begun.status, begun.body["amount"]) == (201, rest)
    again = pay_ride(rest)
    assert (again.status, again.body["id"]) == (200, begun.body["id"])
    complete(charging, begun.body["id"])
    assert "due" not in charging.get(f"/v1/rides/{ride_id}", rider.person).body
    assert pay_ride(fare).body["id"] == begun.body["id"]


def test_a_scheduled_order_that_was_paid_and_is_called_off_is_paid_back(charging: World) -> None:
    """In silence, as nobody has heard of it."""
    cara = charging.customer("cara")
    socket, order = charging.connect(cara), a_scheduled_order(charging, cara)
    payment = pay(charging, cara, order["id"]).body
    complete(charging, payment["id"])
    assert cancel(charging, order["id"], cara).status == 200
    charging.pass_time(60)
    due = {"payment_id": payment["id"], "amount": payment["amount"]}
    assert view(charging, order["id"], cara)["refund_due"] == due
    assert socket.frames == []


def test_the_rest_is_begun_once_by_however_many(make_engine_world: MakeWorld) -> None:
    world = make_engine_world(settings=SETTINGS)
    dan, cara = world.courier("dan"), world.customer("cara")
    order_id = a_quoted_order(world, cara, dan)
    complete(world, pay(world, cara, order_id).body["id"])
    bring_slowly(world, order_id, dan)
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: pay(world, cara, order_id), range(5)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409]


def test_a_payment_that_completes_while_the_due_is_written_leaves_none(
    make_world: MakeWorld, dynamo: Engine
) -> None:
    """Its wakeup comes and finds nothing to change, just before the due is there."""
    orders = Interrupted(OrderTable(dynamo.connection))
    world = make_world(settings=SETTINGS, orders=orders)
    dan, cara = world.courier("dan"), world.customer("cara")
    order_id = a_quoted_order(world, cara, dan)
    complete(world, pay(world, cara, order_id).body["id"])
    world.step("arrived", order_id, dan)
    world.pass_time(300)
    for verb in ("picked", "delivered"):
        world.step(verb, order_id, dan)
    rest = []

    def meanwhile() -> None:
        rest.append(pay(world, cara, order_id).body)
        assert webhook(world, rest[0]["id"], status="completed").status == 200
        world.queue.waiting.clear()  # its wakeup came, and found no due

    orders.before("commit_order", meanwhile)
    world.pass_time(60)
    assert [payment["amount"] for payment in rest] == [4]
    assert "due" not in view(world, order_id, cara)


# A price that changes in the moment when it is paid


class Interrupted:
    """A store where something else happens right before one call, once it is told to."""

    def __init__(self, part: Any) -> None:
        self._part = part
        self._call = ""
        self._then: Callable[[], None] | None = None

    def before(self, call: str, then: Callable[[], None]) -> None:
        self._call, self._then = call, then

    def __getattr__(self, name: str) -> Callable[..., Any]:
        found = getattr(self._part, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if name == self._call and self._then:
                then, self._then = self._then, None
                then()
            return found(*args, **kwargs)

        return call


def a_scheduled_order(world: World, cara: Someone) -> Any:
    """A scheduled order that has a price."""
    start = later(world, 60)
    body = {**ENDS, "pickup_from": start, "quote_id": quote(world, cara, start)}
    return world.place(cara, **body)


def shorten(world: World, order: Any, cara: Someone) -> Answer:
    """Give an order a lower price."""
    nearer = north_of(DEPOT, 3000)
    start = order["pickup_from"].replace(".000Z", "+00:00")
    id_ = quote(world, cara, start, nearer)
    return amend(world, order, cara, dropoff_lat=nearer[0], quote_id=id_)


def test_a_payment_that_is_overtaken_by_another_price_is_of_that(
    make_engine_world: MakeWorld, engine: Engine
) -> None:
    payments = Interrupted(PaymentTable(engine.connection))
    world = make_engine_world(payments=payments)
    cara = world.customer("cara")
    order = a_scheduled_order(world, cara)
    amended: list[Answer] = []
    payments.before("commit_payment", lambda: amended.append(shorten(world, order, cara)))
    paying = pay(world, cara, order["id"])
    assert [answer.status for answer in amended] == [200]
    assert paying.body["amount"] == amended[0].body["price"]["total"] < order["price"]["total"]


@pytest.mark.parametrize("has_failed", [False, True])
def test_a_price_that_is_overtaken_by_a_payment_stays(
    make_engine_world: MakeWorld, engine: Engine, has_failed: bool
) -> None:
    orders = Interrupted(OrderTable(engine.connection))
    world = make_engine_world(orders=orders, settings=SETTINGS)
    cara = world.customer("cara")
    order = a_scheduled_order(world, cara)
    if has_failed:
        complete(world, pay(world, cara, order["id"]).body["id"], "failed")
    paying: list[Answer] = []
    orders.before("commit_order", lambda: paying.append(pay(world, cara, order["id"])))
    assert shorten(world, order, cara).status == 409
    assert paying[0].body["amount"] == order["price"]["total"]
    assert view(world, order["id"], cara)["price"] == order["price"]


def test_a_price_and_a_payment_side_by_side_agree(make_engine_world: MakeWorld) -> None:
    world = make_engine_world()
    cara = world.customer("cara")
    found = [a_scheduled_order(world, cara) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        paid = [pool.submit(pay, world, cara, order["id"]) for order in found]
        amended = [pool.submit(shorten, world, order, cara) for order in found]
    for order, paying, change in zip(found, paid, amended, strict=True):
        assert paying.result().status == 201
        assert change.result().status in (200, 409)
        total = view(world, order["id"], cara)["price"]["total"]
        assert paying.result().body["amount"] == total


def test_another_price_that_makes_an_order_active_is_checked_too(
    make_engine_world: MakeWorld, engine: Engine
) -> None:
    """There the courier is claimed in the same transaction."""
    orders = Interrupted(OrderTable(engine.connection))
    world = make_engine_world(orders=orders)
    world.courier("dan")
    cara = world.customer("cara")
    order = a_scheduled_order(world, cara)
    paying: list[Answer] = []
    orders.before("commit_order", lambda: paying.append(pay(world, cara, order["id"])))
    changes: dict[str, Any] = {"pickup_from": None, "dropoff_lat": FAR[0] - 0.1, "quote_id": None}
    assert amend(world, order, cara, **changes).status == 409
    assert paying[0].body["amount"] == view(world, order["id"], cara)["price"]["total"]
    assert amend(world, order, cara, notes="x").status == 200


class SlowPayments(PaymentTable):
    """A payments table where a write is done, and not answered until something has happened."""

    meanwhile: Callable[[], None] | None = None

    def commit_payment(
        self,
        before: Payment | None,
        after: Payment,
        key: RequestKey | None = None,
        order_version: int | None = None,
    ) -> None:
        super().commit_payment(before, after, key, order_version)
        then, self.meanwhile = self.meanwhile, None
        if then:
            then()
            super().commit_payment(before, after, key, order_version)


def test_a_payment_whose_answer_was_lost_knows_itself_though_the_order_went_on(
    make_engine_world: MakeWorld, engine: Engine
) -> None:
    payments = SlowPayments(engine.connection)
    world = make_engine_world(payments=payments)
    cara = world.customer("cara")
    order = a_scheduled_order(world, cara)
    payments.meanwhile = lambda: _assert_ok(amend(world, order, cara, notes="x"))
    paying = pay(world, cara, order["id"])
    assert (paying.status, paying.body["id"]) == (201, f"pay_{order['id']}_1")
    stored: Order = world.order(order["id"])
    assert (stored.version, stored.unpaid_attempt) == (2, None)


def _assert_ok(answer: Answer) -> None:
    assert answer.status == 200, answer
