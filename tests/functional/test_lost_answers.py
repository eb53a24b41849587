"""Every write of every request, its answer lost: the SDK sends the write again, and what was done
knows itself. And every call, never answered: 503, and what is stored is still sound."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.messaging.event_stats import EventCount
from chalicelib.domain.rate_limits import RateLimit
from chalicelib.store.allowances import AllowanceTable
from chalicelib.store.counters import CounterTable
from chalicelib.store.orders import _decode_order as order_of
from chalicelib.store.tables import (
    MODELS,
    AllowanceRow,
    CourierHistoryRow,
    CourierRow,
    LedgerRow,
    OrderRow,
    PaymentRow,
    PayoutRow,
    PersonRow,
    RatingRow,
)
from chalicelib.store.wallets import WalletTable
from tests.builders import DEPOT, NOW, a_fix, north_of
from tests.faults import READS, WRITES, Weather
from tests.functional.conftest import _on_moto
from tests.functional.feeds import a_feed, a_profile
from tests.functional.test_money import SECRET, pay, webhook
from tests.functional.world import Answer, Someone, World
from tests.ledgers import list_bookings

TOLD = ("mailboxes", "events")  # whose writes tests/functional/test_crash_points.py looks after
FAR = dict(zip(("dropoff_lat", "dropoff_lng"), north_of(DEPOT, 5000), strict=True))
Act = Callable[[], Answer]


class Scene:
    """cara, who orders; dan and eve, who drive. With `ears`, cara and dan have a feed, and dan a
    socket of spec 000."""

    def __init__(self, world: World, ears: bool) -> None:
        self.world = world
        self.cara, self.ada = world.customer(), world.admin()
        self.dan, self.eve = (
            world.courier(id_, north_of(DEPOT, far)) for id_, far in (("dan", 0), ("eve", 200))
        )
        if ears:
            world.connect(self.dan)
            for one in (self.cara, self.dan):
                a_feed(world, a_profile(world, one), *EVENTS)

    def post(self, path: str, body: Any, by: Someone) -> Act:
        return lambda: self.world.post(path, body, by)

    def order(self, *verbs: str) -> str:
        """An order of cara's, offered to dan, and so many steps of his later."""
        order_id = str(self.world.place(self.cara, **FAR)["id"])
        for verb in verbs:
            assert self.world.step(verb, order_id, self.dan).status == 200
        return order_id

    def step(self, *verbs: str) -> Act:
        """The last of these steps."""
        order_id = self.order(*verbs[:-1])
        return lambda: self.world.step(verbs[-1], order_id, self.dan)

    def wealth(self) -> None:
        """Let dan have delivered one."""
        self.order(*STEPS)


EVENTS = (
    "order_created",
    "delivery_accepted",
    "delivery_completed",
    "earning_recorded",
    "wallet_updated",
    "payment_initiated",
    "payment_completed",
    "payout_approved",
)
STEPS = ("accept", "arrived", "picked", "delivered")


def to_place(scene: Scene) -> Act:
    return lambda: Answer(201, scene.world.place(scene.cara), {}, "")


def to_place_in_vain(scene: Scene) -> Act:
    for one in (scene.dan, scene.eve):
        scene.world.post("/v1/courier/availability", {"available": False}, one)
    return to_place(scene)


def to_place_with_a_restaurant(scene: Scene) -> Act:
    body = {"items": [{"name": "Soup", "quantity": 2, "price": 4.5}], "deliveryAddress": "there"}
    return scene.post("/v1/restaurants/789/orders", body, scene.cara)


def to_cancel(scene: Scene) -> Act:
    return scene.post(f"/v1/orders/{scene.order('accept')}/cancel", {}, scene.cara)


def to_assign(scene: Scene) -> Act:
    path = f"/v1/admin/orders/{scene.order('accept')}/assign"
    return scene.post(path, {"courier_id": "eve"}, scene.ada)


def to_pause(scene: Scene) -> Act:
    return scene.post("/v1/admin/couriers/dan/pause", {"reason": "break"}, scene.ada)


def to_go_off_duty(scene: Scene) -> Act:
    scene.order()
    return scene.post("/v1/courier/availability", {"available": False}, scene.dan)


def to_come_on_duty(scene: Scene) -> Act:
    scene.world.post("/v1/courier/availability", {"available": False}, scene.dan)
    lat, lng = DEPOT
    body = {"available": True, "lat": lat, "lng": lng}
    return scene.post("/v1/courier/availability", body, scene.dan)


def to_move(scene: Scene) -> Act:
    scene.order("accept", "arrived", "picked")
    scene.world.clock.advance(5)
    lat, lng = north_of(DEPOT, 50)
    return scene.post("/v1/courier/location", {"lat": lat, "lng": lng}, scene.dan)


def to_pay(scene: Scene) -> Act:
    order_id = scene.order()
    return lambda: pay(scene.world, scene.cara, order_id)


def to_be_paid(scene: Scene) -> Act:
    payment = pay(scene.world, scene.cara, scene.order()).body["id"]
    return lambda: webhook(scene.world, payment, status="completed", transaction_id="t1")


def to_ask_for_money(scene: Scene) -> Act:
    scene.wealth()
    return scene.post("/v1/payouts", {"amount": 20, "bank_account": "12345678"}, scene.dan)


def a_payout(scene: Scene) -> str:
    payout = to_ask_for_money(scene)().body["id"]
    return f"/v1/admin/payouts/{payout}"


def to_complete(scene: Scene) -> Act:
    path = a_payout(scene)
    scene.world.post(f"{path}/approve", {}, scene.ada)
    return scene.post(f"{path}/complete", {"transaction_id": "t1"}, scene.ada)


def to_rate(scene: Scene) -> Act:
    order_id = scene.order(*STEPS)
    body = {"ride_id": order_id, "rating": 5}
    return scene.post("/v1/riders/rate/driver", body, scene.cara)


def to_introduce_oneself(scene: Scene) -> Act:
    body = {"name": "Daniel", "phone": "+911111111111", "vehicle_type": "bike"}
    return lambda: scene.world.call("PUT", "/v1/me", body, scene.dan)


REQUESTS: dict[str, Callable[[Scene], Act]] = {
    "place": to_place,
    "place, nobody there": to_place_in_vain,
    "place with a restaurant": to_place_with_a_restaurant,
    "accept": lambda scene: scene.step("accept"),
    "decline": lambda scene: scene.step("decline"),
    "deliver": lambda scene: scene.step(*STEPS),
    "cancel": to_cancel,
    "assign": to_assign,
    "pause": to_pause,
    "go off duty": to_go_off_duty,
    "come on duty": to_come_on_duty,
    "move": to_move,
    "pay": to_pay,
    "be paid": to_be_paid,
    "ask for money": to_ask_for_money,
    "complete": to_complete,
    "rate": to_rate,
    "introduce oneself": to_introduce_oneself,
}


@contextmanager
def a_scene(ears: bool = True) -> Iterator[Scene]:
    """A scene in which ids come in turn."""
    numbers = count(1_000_000)
    with _on_moto() as engine:
        ids = lambda: next(numbers)  # noqa: E731
        settings = {"payment_webhook_secret": SECRET}
        yield Scene(World(engine, settings, ids=ids, pause=lambda seconds: None), ears)
        wiring.use(None)


def facts(scene: Scene) -> dict[str, Any]:
    """What is stored, less the tokens of writes."""
    world, wallets = scene.world, WalletTable(scene.world.engine.connection)
    orders = [order_of(row) for row in OrderRow.scan(consistent_read=True)]
    couriers = list(CourierRow.scan(consistent_read=True))
    counts = world.waybill.event_history.list_counts(NOW.date()).events
    return {
        "orders": {o.id: (o.status, o.courier_id, o.version, o.offers_made) for o in orders},
        "couriers": {
            c.courier_id: (c.available, c.order_id, c.free_shard, c.vehicle_type, len(c.track))
            for c in couriers
        },
        "by hand": sorted(
            (row.courier_id, json.loads(row.doc)["step"]) for row in CourierHistoryRow.scan()
        ),
        "wallet": (wallets.get_wallet("dan").balance_minor, wallets.get_wallet("dan").months),
        "ledger": [(b.key, b.balance_minor) for b in list_bookings(wallets, "dan", 100)],
        "put away": LedgerRow.count("dan"),
        "payments": [json.loads(row.doc).get("status", "initiated") for row in PaymentRow.scan()],
        "payouts": [json.loads(row.doc).get("status", "requested") for row in PayoutRow.scan()],
        "ratings": [json.loads(row.doc)["stars"] for row in RatingRow.scan()],
        "people": {row.person_id: (row.version, row.doc) for row in PersonRow.scan()},
        "counts": sorted((c.type, c.shard, c.logged, c.delivered) for c in counts),
        "uses": [len(row.uses) for row in AllowanceRow.scan()],
    }


def heard(scene: Scene) -> dict[str, list[str]]:
    """The frames of each socket."""
    gateway = scene.world.gateway
    return {id_: gateway.frames(id_) for id_, _ in gateway.posted}


def check_sound(scene: Scene) -> None:
    """What must hold whatever failed: no courier is held by a finished or another's order, and a
    balance is the sum of its ledger."""
    found = facts(scene)
    orders = {row.order_id: order_of(row) for row in OrderRow.scan(consistent_read=True)}
    holders = {o.occupied_courier_id: id_ for id_, o in orders.items() if o.occupied_courier_id}
    held = {id_: of[1] for id_, of in found["couriers"].items() if of[1] is not None}
    assert held == holders
    bookings = list_bookings(WalletTable(scene.world.engine.connection), "dan", 100)
    assert found["wallet"][0] == sum(booking.amount_minor for booking in bookings)
    earned = sum(booking.key.startswith("earning#") for booking in bookings)
    delivered = sum(o.status.value == "done" for o in orders.values())
    assert sum(month.deliveries for month in found["wallet"][1].values()) == earned == delivered


@pytest.mark.parametrize("name", REQUESTS)
def test_a_lost_answer_changes_nothing(name: str) -> None:
    """The same answer, the same rows, the same frames at once, as if it had not been lost."""
    with a_scene() as scene:
        act = REQUESTS[name](scene)
        with Weather(scene.world.engine.connection.client, WRITES, but=TOLD) as weather:
            answer = act()
        expected = answer.status, answer.text, facts(scene), heard(scene)
        calls = list(weather.seen)
    assert answer.status in (200, 201)
    assert calls
    for nth, call in enumerate(calls):
        with a_scene() as scene:
            act = REQUESTS[name](scene)
            client = scene.world.engine.connection.client
            with Weather(client, WRITES, but=TOLD, lose=nth) as weather:
                answer = act()
            (lost,) = weather.lost  # of calls side by side another may be the nth
            assert lost in calls
            found = answer.status, answer.text, facts(scene), heard(scene)
            assert found == expected, call


SILENT = ("accept", "deliver", "move", "pay", "ask for money")


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("name", SILENT)
def test_without_an_answer_it_is_a_503_and_all_is_sound(name: str, done: bool) -> None:
    """Whichever call the engine never answers, done or not; asked again, it is done once."""
    operations = WRITES if done else WRITES + READS
    for nth in count():
        with a_scene(ears=False) as scene:
            act = REQUESTS[name](scene)
            client = scene.world.engine.connection.client
            with Weather(client, operations, but=TOLD, silence=nth, done=done) as weather:
                answer = _answered(act)
            if not weather.lost:
                assert nth
                return
            assert answer.status in (200, 201, 503), (weather.lost, answer)
            if answer.status == 503:
                assert answer.body["error"] == "unavailable"
                wrote = weather.lost[0][0] in WRITES
                assert answer.body.get("details") == ({"written": "unknown"} if wrote else None)
            scene.world.pass_time(40)
            assert _answered(act).status < 500
            scene.world.pass_time(40)
            check_sound(scene)
            assert scene.world.queue.dead == []


def _answered(act: Act) -> Answer:
    """An answer, whatever it says: `World.place` takes none but a success."""
    try:
        return act()
    except AssertionError as error:
        (answer,) = error.args
        assert isinstance(answer, Answer)
        return answer


# Lost, and before it is sent again another changes the same row: nothing of the write is left there
# to be known by, so that whoever sent it has to look.


def weather(scene: Scene, call: tuple[str, str], meanwhile: Callable[[], object]) -> Weather:
    """The answer to the next write of a kind gets lost, and this happens then."""
    others = tuple(sorted(set(ALL_TABLES) - {call[1]}))
    client = scene.world.engine.connection.client
    return Weather(client, (call[0],), but=others, lose=0, meanwhile=lambda: void(meanwhile()))


ALL_TABLES = tuple(model.Meta.table_name.rpartition("-")[2] for model in MODELS)


def void(_: object) -> None:
    """Nothing comes of it."""


def test_a_payment_that_is_paid_before_its_answer_comes_is_still_ones_own() -> None:
    with a_scene(ears=False) as scene:
        order_id = scene.order()
        id_ = f"pay_{order_id}_1"
        done = lambda: webhook(scene.world, id_, status="completed")  # noqa: E731
        with weather(scene, ("PutItem", "payments"), done) as lost:
            answer = pay(scene.world, scene.cara, order_id)
        assert lost.lost
        assert (answer.status, answer.body["id"], answer.body["status"]) == (201, id_, "completed")


def test_a_payout_that_another_follows_is_booked_once() -> None:
    """Though the balance would not be enough for it any more."""
    with a_scene(ears=False) as scene:
        act = to_ask_for_money(scene)
        ask = scene.world.waybill.payouts.request_payout
        another = lambda: ask(scene.dan.actor, 50_00, "12345678")  # noqa: E731
        with weather(scene, ("TransactWriteItems", "wallets"), another) as lost:
            answer = act()
        assert (lost.lost != [], answer.status) == (True, 201)
        check_sound(scene)
        assert [amount for _, amount in facts(scene)["ledger"]] == [75_00, 55_00, 5_00]


def test_an_earning_that_a_payout_follows_is_booked_once() -> None:
    with a_scene(ears=False) as scene:
        scene.wealth()
        act = scene.step(*STEPS)
        ask = scene.world.waybill.payouts.request_payout
        another = lambda: ask(scene.dan.actor, 20_00, "12345678")  # noqa: E731
        with weather(scene, ("PutItem", "wallets"), another) as lost:
            assert act().status == 200
        assert lost.lost
        scene.world.pass_time(60)
        check_sound(scene)
        assert facts(scene)["wallet"][0] == 75_00 + 75_00 - 20_00


def test_an_order_that_is_changed_before_its_answer_comes_is_not_placed_twice() -> None:
    with a_scene(ears=False) as scene:
        act = to_place_in_vain(scene)

        def retry() -> None:
            (row,) = OrderRow.scan()
            scene.world.post(f"/v1/orders/{int(row.order_id)}/retry", {}, scene.cara)

        with weather(scene, ("PutItem", "orders"), retry) as lost:
            answer = act()
        assert lost.lost
        (only,) = OrderRow.scan()
        assert answer.body["id"] == str(int(only.order_id))


def test_a_position_that_a_newer_one_overtakes_is_no_ones_fault() -> None:
    with a_scene(ears=False) as scene:
        world, act = scene.world, to_move(scene)

        def newer() -> None:
            world.clock.advance(5)
            world.waybill.courier_status.record_fix(scene.dan.actor, a_fix(at=world.clock.now))

        with weather(scene, ("UpdateItem", "couriers"), newer) as lost:
            assert act().status == 200
        assert lost.lost


def test_an_id_that_is_taken_is_drawn_again() -> None:
    """Of 4,096 a millisecond, two payouts may draw the same."""
    with a_scene(ears=False) as scene:
        scene.wealth()
        drawn = iter([7, 7, 8, 9])
        with world_of(scene, lambda: next(drawn)) as world:
            for _ in range(2):
                body = {"amount": 10, "bank_account": "12345678"}
                assert world.post("/v1/payouts", body, scene.dan).status == 201
        check_sound(scene)
        assert [key for key, _ in facts(scene)["ledger"]][1:] == [
            "payout#payout_7",
            "payout#payout_8",
        ]
        assert facts(scene)["wallet"][0] == 75_00 - 20_00


@contextmanager
def world_of(scene: Scene, ids: Callable[[], int]) -> Iterator[World]:
    """The same tables, and other ids."""
    yield World(scene.world.engine, ids=ids, clock=scene.world.clock, pause=lambda seconds: None)
    wiring.use(scene.world.waybill)


def test_what_is_counted_is_counted_once_though_others_count_meanwhile() -> None:
    """As long as no other took the very place where the write's token is kept."""
    with a_scene(ears=False) as scene:
        counters, day = CounterTable(ThreadPoolExecutor(1)), NOW.date()
        client = scene.world.engine.connection.client
        one = [EventCount(day, "order_placed", 3, logged=2, delivered=1)]
        with Weather(client, WRITES, lose=0) as lost:
            counters.add_counts(one)
        assert lost.lost == [("UpdateItem", "counters")]
        (found,) = (c for c in counters.list_counts(day).events if c.shard == 3)
        assert (found.logged, found.delivered) == (2, 1)
        counters.add_counts(one)
        (found,) = (c for c in counters.list_counts(day).events if c.shard == 3)
        assert (found.logged, found.delivered) == (4, 2)


def test_a_limit_is_used_once_however_often_the_write_is_sent() -> None:
    """The use that begins a window, one within it, and the last one that there is."""
    with a_scene(ears=False) as scene:
        allowances, limit = AllowanceTable(), RateLimit(3, timedelta(minutes=1))
        client = scene.world.engine.connection.client
        for nth in range(3):
            with Weather(client, WRITES, lose=0 if nth else 1) as lost:
                assert allowances.try_use("dan", limit, NOW)
            assert lost.lost
        assert not allowances.try_use("dan", limit, NOW)
        assert allowances.try_use("dan", limit, NOW + limit.window)
