"""Several orders a courier: never more than COURIER_MAX_ORDERS, whatever races or gets lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from itertools import count

import pytest

from chalicelib import wiring
from chalicelib.domain.details import Place
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Courier, HeldOrder
from chalicelib.store.courier_rows import decode_courier
from chalicelib.store.tables import CourierRow, OrderRow
from infra.erase.rows import stop_showing
from tests.builders import DEPOT, a_job, north_of
from tests.faults import WRITES, Weather
from tests.functional.conftest import Engine, MakeWorld, _on_moto
from tests.functional.feeds import a_feed, a_profile, types_of
from tests.functional.hails import driver, hail, pending, types
from tests.functional.test_ghosts import listed
from tests.functional.test_races import at_once, failures
from tests.functional.world import Answer, Someone, World

DOOR = dict(zip(("dropoff_lat", "dropoff_lng"), north_of(DEPOT, 800), strict=True))
TWO = {"courier_max_orders": 2}
STEPS = ("accept", "arrived", "picked", "delivered")
BUSY = "courier_busy"


@pytest.fixture
def stacking(make_world: MakeWorld) -> World:
    """A world in which a courier may have two orders."""
    return make_world(settings=TWO)


def place(world: World, who: str) -> str:
    return str(world.place(world.customer(who), **DOOR)["id"])


def held(courier_id: str) -> list[int]:
    """The orders that a courier's row names, and that there is one by one no more of them."""
    row = CourierRow.get(courier_id)
    first = [] if row.order_id is None else [int(row.order_id)]
    found = first + [int(text.partition("@")[0]) for text in row.others or ()]
    assert len(set(found)) == len(found)
    assert first or not found, "others without a first one"
    return found


def take(world: World, order_id: str, courier: Someone, until: str = "accept") -> None:
    for verb in STEPS[: STEPS.index(until) + 1]:
        answer = world.step(verb, order_id, courier)
        assert answer.status == 200, answer


def test_a_courier_takes_two_orders_and_no_third(stacking: World) -> None:
    world = stacking
    dan, ada = world.courier(), world.admin()
    first, second = place(world, "cara"), place(world, "cleo")
    assert held("dan") == [int(first), int(second)]
    assert not listed("dan")
    assert world.order(place(world, "carl")).status is Status.UNSERVED
    world.courier("eve", north_of(DEPOT, 300))
    third = place(world, "chad")
    assert held("eve") == [int(third)]
    assert listed("eve")
    refused = world.post(f"/v1/admin/orders/{third}/assign", {"courier_id": "dan"}, ada)
    assert (refused.status, refused.body["error"]) == (409, BUSY)
    take(world, first, dan, "delivered")
    assert held("dan") == [int(second)]
    assert listed("dan")
    given = world.post(f"/v1/admin/orders/{third}/assign", {"courier_id": "dan"}, ada)
    assert given.status == 200
    assert (held("dan"), held("eve")) == ([int(second), int(third)], [])


def test_each_customer_sees_the_courier_and_no_other(stacking: World) -> None:
    world = stacking
    dan = world.courier()
    ears = {
        who: a_feed(world, a_profile(world, world.customer(who)), "location_updated")
        for who in ("cara", "cleo", "carl")
    }
    orders = [place(world, who) for who in ("cara", "cleo")]
    for order in orders:
        take(world, order, dan, "picked")
    heard = Counter[str]()
    for n in range(12):  # two minutes and a half, a fix every 13 s
        world.clock.advance(13)
        lat, lng = north_of(DEPOT, 50 * n)
        world.post("/v1/courier/location", {"lat": lat, "lng": lng}, dan)
        for who, socket in ears.items():
            heard[who] += types_of(socket.take()).count("location_updated")
    assert heard["carl"] == 0
    assert heard["cara"] >= 4
    assert heard["cleo"] >= 4
    assert max(heard.values()) <= 6  # two a minute at most
    shown = json.loads(CourierRow.get("dan").seen)
    assert {shown["order_id"], *(one["order_id"] for one in shown["others"])} == set(
        map(int, orders)
    )


def test_each_rider_follows_their_driver_live(stacking: World) -> None:
    """Rides show every fix to their rider: so does the second one."""
    held_of = Courier("dan", order_id=1, visible_to="rita", others=(HeldOrder(2, "rob"),))
    assert [(one.order_id, one.visible_to) for one in held_of.list_by_order()] == [
        (1, "rita"),
        (2, "rob"),
    ]
    row = CourierRow("dan", order_id=1, shown_to="rita", others=["2@rob", "3@"])
    assert decode_courier(row, stacking.clock()).held == (
        HeldOrder(1, "rita"),
        HeldOrder(2, "rob"),
        HeldOrder(3),
    )


def test_going_off_duty_declines_each_open_offer(stacking: World) -> None:
    world = stacking
    dan = world.courier()
    first, second, third = place(world, "cara"), place(world, "cleo"), ""
    world.courier("eve", north_of(DEPOT, 300))
    world.post("/v1/courier/availability", {"available": False}, dan)
    assert held("dan") == []
    assert held("eve") == [int(first), int(second)]
    assert not listed("dan")
    assert third == ""


def test_going_off_duty_declines_an_offer_beside_an_order_that_is_done(stacking: World) -> None:
    """Whoever delivered that one died before the release."""
    world = stacking
    dan = world.courier()
    first = place(world, "cara")
    take(world, first, dan, "delivered")
    second = place(world, "cleo")
    row = CourierRow.get("dan")
    row.order_id, row.others = int(first), [f"{second}@"]
    row.save()
    world.courier("eve", north_of(DEPOT, 300))
    world.post("/v1/courier/availability", {"available": False}, dan)
    assert (held("dan"), held("eve")) == ([], [int(second)])


def test_who_comes_back_hears_of_each_open_offer(stacking: World) -> None:
    world = stacking
    dan = world.courier()
    orders = [place(world, who) for who in ("cara", "cleo")]
    for _ in range(2):
        frames = world.connect(dan).take()
        assert [frame["event"] for frame in frames] == ["order.assigned"] * 2
        assert [frame["data"]["order_id"] for frame in frames] == orders
    take(world, orders[0], dan)
    (frame,) = world.connect(dan).take()
    assert frame["data"]["order_id"] == orders[1]


def test_a_driver_who_polls_is_shown_each_open_offer(stacking: World) -> None:
    world = stacking
    dan, socket = driver(world, "5")
    orders = [hail(world, world.customer(who))["id"] for who in ("cara", "cleo")]
    assert [one["id"] for one in pending(world, dan)] == orders
    assert types(socket) == ["new_order"] * 2
    greeting = world.connect(dan, "drivers").take()[1]
    assert [one["id"] for one in greeting["orders"]] == orders


@pytest.mark.parametrize("gap_s", [13, 30, 45])
def test_no_customer_waits_for_the_other_ones_turn(stacking: World, gap_s: float) -> None:
    """However seldom the courier reports, each report is shown to both if it is time to."""
    world = stacking
    dan = world.courier()
    ears = [
        a_feed(
            world, a_profile(world, world.customer(who)), "location_updated", "delivery_in_transit"
        )
        for who in ("cara", "cleo")
    ]
    for who in ("cara", "cleo"):
        take(world, place(world, who), dan, "picked")
    for n in range(8):
        world.clock.advance(gap_s)
        lat, lng = north_of(DEPOT, 50 * n)
        world.post("/v1/courier/location", {"lat": lat, "lng": lng}, dan)
    heard = [Counter(types_of(socket.take())) for socket in ears]
    assert heard[0] == heard[1]
    assert heard[0]["location_updated"] == (8 if gap_s >= 30 else 3)


def test_who_arrives_for_two_orders_arrives_for_both(make_world: MakeWorld) -> None:
    world = make_world(settings={**TWO, "auto_arrive": "do"})
    dan = world.courier()
    orders = [place(world, who) for who in ("cara", "cleo")]
    for order in orders:
        take(world, order, dan)
    for verb, at in (("picked", DEPOT), ("delivered", north_of(DEPOT, 800))):
        for _ in range(2):
            world.clock.advance(40)
            world.post("/v1/courier/location", {"lat": at[0], "lng": at[1]}, dan)
        assert [is_there(world.order(order)) for order in orders] == [True, True]
        for order in orders:
            assert world.step(verb, order, dan).status == 200


def is_there(order: Order) -> bool:
    return order.status is Status.AT_PICKUP or "reached" in order.timeline


def test_a_courier_of_several_orders_that_are_done_is_released_by_whoever_reads(
    stacking: World,
) -> None:
    """Whoever delivered them died before the release."""
    world = stacking
    dan = world.courier()
    orders = [place(world, who) for who in ("cara", "cleo")]
    before = CourierRow.get("dan")
    for order in orders:
        take(world, order, dan, "delivered")
    row = CourierRow.get("dan")
    row.order_id, row.others, row.free_shard = before.order_id, before.others, None
    row.save()
    third = place(world, "carl")
    assert world.order(third).status is Status.UNSERVED
    world.post("/v1/courier/availability", {"available": True}, dan)
    assert held("dan") == []
    assert listed("dan")


def test_of_eight_orders_at_once_no_courier_has_three(make_engine_world: MakeWorld) -> None:
    world = make_engine_world(settings=TWO)
    for n in range(3):
        world.courier(f"d{n}", north_of(DEPOT, 100 * n))
    jobs = [a_job(customer_id=f"c{n}", pickup=Place("here", *DEPOT)) for n in range(8)]
    outcomes = at_once([partial(world.waybill.customer_orders.place_order, job) for job in jobs])
    assert not failures(outcomes)
    stored = [world.order(placed.order.id) for placed in outcomes]
    assert Counter(order.occupied_courier_id for order in stored) == Counter(
        {"d0": 2, "d1": 2, "d2": 2, None: 2}
    )
    for n in range(3):
        mine = {order.id for order in stored if order.occupied_courier_id == f"d{n}"}
        assert set(held(f"d{n}")) == mine
        assert not listed(f"d{n}")


def test_of_a_release_and_a_claim_at_once_both_count(make_engine_world: MakeWorld) -> None:
    world = make_engine_world(settings=TWO)
    dan = world.courier()
    first, second = place(world, "cara"), place(world, "cleo")
    take(world, first, dan, "picked")
    take(world, second, dan)
    jobs = [a_job(customer_id=f"c{n}", pickup=Place("here", *DEPOT)) for n in range(2)]
    services, cleo = world.waybill, world.customer("cleo").actor
    step = services.courier_orders.take_step
    deliver = partial(step, dan.actor, int(first), commands.Deliver())
    cancel = partial(services.customer_orders.cancel_order, cleo, int(second), None)
    placing = [partial(world.waybill.customer_orders.place_order, job) for job in jobs]
    outcomes = at_once([deliver, cancel, *placing])
    assert not failures(outcomes)
    world.pass_time(10)  # the release after a delivery may be the wakeup's
    stored = [world.order(int(row.order_id)) for row in OrderRow.scan(consistent_read=True)]
    mine = {order.id for order in stored if order.occupied_courier_id == "dan"}
    assert set(held("dan")) == mine
    assert listed("dan") == (len(mine) < 2)


def test_with_fewer_allowed_than_they_have_nobody_is_given_another(dynamo: Engine) -> None:
    """COURIER_MAX_ORDERS from 2 to 1, and back."""
    world = World(dynamo, TWO)
    dan = world.courier()
    orders = [place(world, who) for who in ("cara", "cleo")]
    clock = world.clock
    world = World(dynamo, clock=clock)
    for order in orders:
        take(world, order, dan)
    assert world.order(place(world, "carl")).status is Status.UNSERVED
    take_rest(world, orders[0], dan)
    assert held("dan") == [int(orders[1])]
    assert not listed("dan")
    assert world.order(place(world, "chad")).status is Status.UNSERVED
    world = World(dynamo, TWO, clock=clock)
    world.post("/v1/courier/availability", {"available": True}, dan)
    assert listed("dan")  # room again: the next sign of life says so
    more = place(world, "chas")
    assert held("dan") == [int(orders[1]), int(more)]
    world = World(dynamo, clock=clock)
    take_rest(world, orders[1], dan)
    take(world, more, dan, "delivered")
    assert held("dan") == []
    assert listed("dan")
    assert CourierRow.get("dan").others is None
    wiring.use(None)


def take_rest(world: World, order_id: str, courier: Someone) -> None:
    for verb in STEPS[1:]:
        assert world.step(verb, order_id, courier).status == 200


# Lost answers


@contextmanager
def a_scene(*verbs: str) -> Iterator[tuple[World, Someone, list[str]]]:
    """dan with two orders, the first so many steps on; eve, who has none."""
    numbers = count(1_000_000)
    with _on_moto() as engine:
        world = World(engine, TWO, ids=lambda: next(numbers), pause=lambda seconds: None)
        dan = world.courier()
        world.courier("eve", north_of(DEPOT, 3000))  # dan is quicker
        orders = [place(world, "cara")]
        for verb in verbs:
            world.step(verb, orders[0], dan)
        yield world, dan, orders
        wiring.use(None)


def facts() -> object:
    return (
        {row.order_id: row.version for row in OrderRow.scan(consistent_read=True)},
        {
            row.courier_id: (row.order_id, row.others, row.shown_to, row.free_shard, row.spot)
            for row in CourierRow.scan(consistent_read=True)
        },
    )


ACTS: dict[str, Callable[[World, Someone, list[str]], object]] = {
    "claim": lambda world, dan, orders: place(world, "cleo"),
    "accept": lambda world, dan, orders: world.step("accept", orders[1], dan),
    "deliver": lambda world, dan, orders: world.step("delivered", orders[0], dan),
    "decline": lambda world, dan, orders: world.step("decline", orders[1], dan),
    "assign": lambda world, dan, orders: world.post(
        f"/v1/admin/orders/{orders[1]}/assign", {"courier_id": "eve"}, world.admin()
    ),
}


@pytest.mark.parametrize("name", ACTS)
def test_a_lost_answer_changes_nothing(name: str) -> None:
    """The same rows as if it had not been lost, for every write on couriers and orders."""
    expected: object = None
    for lost in count(-1):
        with a_scene(*STEPS[:3]) as (world, dan, orders):
            if name != "claim":
                orders.append(place(world, "cleo"))
            client = world.engine.connection.client
            with Weather(client, WRITES, but=("mailboxes", "events"), lose=lost) as weather:
                ACTS[name](world, dan, orders)
            if lost >= 0 and not weather.lost:
                assert lost
                return
            expected = expected or facts()
            assert facts() == expected, weather.lost


# Whom to ask


def ask(world: World, who: str, at_m: float, to_m: float, **more: object) -> str | None:
    """Who is asked for an order from and to so many metres north of the depot."""
    (lat, lng), (far_lat, far_lng) = north_of(DEPOT, at_m), north_of(DEPOT, to_m)
    where = {"pickup_lat": lat, "pickup_lng": lng, "dropoff_lat": far_lat, "dropoff_lng": far_lng}
    placed = world.place(world.customer(who), **where, **more)
    return world.order(placed["id"]).courier_id


def on_the_road(world: World, id_: str, at_m: float) -> Someone:
    courier = world.courier(id_, north_of(DEPOT, at_m))
    world.connect(courier)
    return courier


def test_who_passes_by_is_asked_before_who_has_to_come(stacking: World) -> None:
    on_the_road(stacking, "dan", 0)
    assert ask(stacking, "cara", 0, 3000) == "dan"
    on_the_road(stacking, "eve", 2500)
    assert ask(stacking, "cleo", 100, 3000) == "dan"  # within his room, and soonest there
    assert ask(stacking, "carl", 100, 3000) == "eve"


def test_who_is_free_and_near_is_asked_before_who_is_busy(stacking: World) -> None:
    on_the_road(stacking, "dan", 0)
    assert ask(stacking, "cara", 0, 3000) == "dan"
    on_the_road(stacking, "eve", 800)
    assert ask(stacking, "cleo", 700, 3000) == "eve"


def test_nobody_is_asked_whose_customer_would_wait_too_long(make_world: MakeWorld) -> None:
    world = make_world(settings={**TWO, "stack_extra": timedelta(minutes=1)})
    dan = on_the_road(world, "dan", 0)
    assert ask(world, "cara", 0, 3000) == "dan"
    order = str(held("dan")[0])
    take(world, order, dan, "picked")
    assert ask(world, "cleo", -2000, -2500) == "dan"  # once cara has hers
    world.post(f"/v1/orders/{held('dan')[1]}/cancel", {}, world.customer("cleo"))
    assert held("dan") == [int(order)]
    # Now whoever brings cara's first is too late for nobody: hers is never later by a minute.
    on_the_road(world, "eve", -4000)
    assert ask(world, "carl", -2000, -2500) == "eve"


def test_of_those_with_orders_the_one_at_the_same_merchant_is_asked_first(
    make_world: MakeWorld,
) -> None:
    world = make_world(settings={**TWO, "dispatch_radius_m": 9000.0})
    on_the_road(world, "dan", 400)
    assert ask(world, "cara", 500, 3000) == "dan"
    on_the_road(world, "eve", -300)
    assert ask(world, "cleo", 0, 3000) == "eve"
    assert ask(world, "carl", 500, 3100) == "dan"


# Where to go


def stops_of(answer: Answer) -> list[tuple[str, str]]:
    return [(stop["order_id"], stop["kind"]) for stop in answer.body["stops"]]


def test_a_courier_is_told_their_stops_in_order(stacking: World) -> None:
    world = stacking
    dan = on_the_road(world, "dan", 0)
    assert world.get("/v1/courier/orders", dan).body == {"orders": [], "stops": []}
    assert ask(world, "cara", 0, 3000) == ask(world, "cleo", 1000, 2000) == "dan"
    first, second = map(str, held("dan"))
    offered = world.get("/v1/courier/orders", dan).body
    assert [one["id"] for one in offered["orders"]] == [first, second]
    assert offered["stops"] == []  # nothing is accepted yet
    take(world, first, dan)
    shown = world.get("/v1/courier/active-order", dan).body["order"]
    assert shown["id"] == second  # it awaits an answer
    take(world, second, dan)
    listed_ = world.get("/v1/courier/orders", dan)
    expected = [(first, "pickup"), (second, "pickup"), (second, "dropoff"), (first, "dropoff")]
    assert stops_of(listed_) == expected
    stop = listed_.body["stops"][0]
    assert (stop["lat"], stop["lng"], stop["address"]) == (*DEPOT, "1 Depot Road")
    etas = [one["eta"] for one in listed_.body["stops"]]
    assert etas == sorted(etas)
    for order_id, verb in ((first, "arrived"), (first, "picked"), (second, "arrived")):
        assert world.get("/v1/courier/active-order", dan).body["order"]["id"] == order_id
        assert world.step(verb, order_id, dan).status == 200
        if verb == "picked":
            expected = expected[1:]
        assert stops_of(world.get("/v1/courier/orders", dan)) == expected
    world.clock.advance(600)
    assert "eta" not in world.get("/v1/courier/orders", dan).body["stops"][0]  # a fix of long ago


def test_with_one_order_the_stops_are_its_own(world: World) -> None:
    dan = world.courier()
    order = str(world.place(world.customer("cara"))["id"])
    take(world, order, dan)
    listed_ = world.get("/v1/courier/orders", dan)
    assert stops_of(listed_) == [(order, "pickup"), (order, "dropoff")]
    assert listed_.body["stops"][1]["lat"] is None
    assert "eta" in listed_.body["stops"][0]
    assert "eta" not in listed_.body["stops"][1]
    assert listed_.body["orders"] == [world.get("/v1/courier/active-order", dan).body["order"]]
    assert CourierRow.get("dan").others is None
    assert world.get("/v1/courier/orders", world.customer()).status == 403


def test_whoever_is_erased_sees_nobody_any_more(stacking: World) -> None:
    world = stacking
    world.courier()
    row = CourierRow.get("dan")
    row.order_id, row.shown_to, row.others = 1, "cleo", ["2@cara", "3@cleo"]
    row.save()
    stop_showing(row, "cara")
    after = CourierRow.get("dan")
    assert (after.shown_to, list(after.others)) == ("cleo", ["2@", "3@cleo"])
    stop_showing(after, "cleo")
    after = CourierRow.get("dan")
    assert [*after.others, after.shown_to] == ["2@", "3@", None]
