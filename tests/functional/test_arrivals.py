"""Arrivals by positions: who is told, what is done, once, and nothing of it by default."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.builders import DEPOT, north_of
from tests.functional.conftest import MakeWorld
from tests.functional.feeds import a_feed, a_profile, types_of
from tests.functional.hails import be_at, hail
from tests.functional.hails import driver as hail_driver
from tests.functional.kitchen import Kitchen, Plain
from tests.functional.kitchen import a_driver as a_food_driver
from tests.functional.rides import a_driver, a_ride, a_rider
from tests.functional.test_locations import a_point
from tests.functional.test_rides_cost import counting
from tests.functional.world import World

LOCATION, LOCATIONS = "/v1/courier/location", "/v1/courier/locations"
TYPES = ("courier_near", "courier_left", "arrival_suggested", "delivery_arrived")
DOOR_M = 4000
DOOR = dict(zip(("dropoff_lat", "dropoff_lng"), north_of(DEPOT, DOOR_M), strict=True))


class Town:
    """cara, dan, their feeds and their sockets of spec 000; an order that dan has accepted."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cara = a_profile(world, world.customer())
        self.dan = a_profile(world, world.courier())
        self.feeds = [a_feed(world, who, *TYPES) for who in (self.cara, self.dan)]
        self.stock = [world.connect(self.cara), world.connect(self.dan)]
        self.order = str(world.place(self.cara, **DOOR)["id"])
        self.step("accept")
        for socket in (*self.feeds, *self.stock):
            socket.take()

    def step(self, verb: str) -> None:
        assert self.world.step(verb, self.order, self.dan).status == 200

    def be_at(self, metres: float, after_s: float = 130, **more: Any) -> None:
        self.world.clock.advance(after_s)
        point = a_point(self.world, metres, **more)
        assert self.world.post(LOCATION, point, self.dan).status == 200

    def told(self) -> list[list[str]]:
        return [types_of(feed.take()) for feed in self.feeds]

    def state(self) -> str:
        return str(self.world.order(self.order).status.value)

    def history(self) -> list[tuple[str, str]]:
        body = self.world.get(f"/v1/orders/{self.order}/history", self.world.admin()).body
        return [(one["step"], one["actor"]["role"]) for one in body["history"]]


@pytest.fixture
def town(make_world: MakeWorld, request: pytest.FixtureRequest) -> Town:
    return Town(make_world(settings={"auto_arrive": request.param}))


suggest = pytest.mark.parametrize("town", ["suggest"], indirect=True)
do = pytest.mark.parametrize("town", ["do"], indirect=True)


@pytest.mark.parametrize("town", ["off"], indirect=True)
def test_by_default_there_is_nothing_of_it(town: Town) -> None:
    for metres in (250, 10, 10, 10, 500):
        town.be_at(metres, 20)
    assert (town.told(), town.state()) == ([[], []], "accepted")


@suggest
def test_near_is_told_once_to_both_and_an_arrival_is_suggested_to_the_courier(town: Town) -> None:
    town.be_at(900)
    town.be_at(250)
    assert town.told() == [["courier_near"], ["courier_near"]]
    for _ in range(4):
        town.be_at(10, 15)
    assert town.told() == [[], ["arrival_suggested"]]
    assert town.state() == "accepted"
    assert [socket.take() for socket in town.stock] == [[], []]
    for verb in ("arrived", "picked"):
        town.step(verb)
    for socket in town.feeds:
        socket.take()
    for metres in (DOOR_M - 200, DOOR_M - 20, DOOR_M - 20, DOOR_M - 20):
        town.be_at(metres, 60)
    assert town.told() == [["courier_near"], ["courier_near", "arrival_suggested"]]


@do
def test_the_step_is_taken_as_the_system_with_the_clock_of_one_by_hand(town: Town) -> None:
    town.be_at(20)
    town.be_at(20, 11)
    order = town.world.order(town.order)
    assert order.status.value == "at_pickup"
    assert order.no_show_at == order.timeline["at_pickup"] + order_wait(town)
    assert town.history()[-1] == ("arrive", "system")
    (frame,) = town.stock[0].take()
    assert frame["data"]["status"] == "arrived"  # spec 000's own word, as by hand
    town.step("arrived")  # a repeat, which changes nothing
    assert town.world.order(town.order).version == order.version
    town.step("picked")
    town.told()
    town.be_at(DOOR_M)
    town.be_at(DOOR_M, 20)
    assert town.told()[0] == ["courier_near", "delivery_arrived"]
    assert town.history()[-1] == ("reach", "system")


def order_wait(town: Town) -> Any:
    return town.world.settings.no_show_after_pickup


@pytest.mark.parametrize("by_hand", [True, False])
@do
def test_who_leaves_stops_the_clock_and_who_comes_back_starts_it(town: Town, by_hand: bool) -> None:
    town.be_at(20)
    town.be_at(20, 11)
    town.told()
    town.be_at(150, 60)
    assert town.told() == [["courier_left"], ["courier_left"]]
    order = town.world.order(town.order)
    assert (order.status.value, order.no_show_at) == ("at_pickup", None)
    no_show = {"order_id": town.order}
    assert town.world.post("/v1/courier/orders/no-show", no_show, town.dan).status == 409
    if by_hand:
        town.step("arrived")
    else:
        town.be_at(20, 60)
        town.be_at(20, 20)
    again = town.world.order(town.order)
    assert again.no_show_at is not None
    assert town.history()[-2:] == [
        ("leave_stop", "system"),
        ("arrive", "courier" if by_hand else "system"),
    ]
    town.step("picked")


@suggest
def test_after_a_release_it_is_told_anew(town: Town) -> None:
    town.be_at(200)
    assert town.told() == [["courier_near"], ["courier_near"]]
    town.world.courier("eve", north_of(DEPOT, 900))
    why = {"order_id": town.order, "reason": "vehicle"}
    assert town.world.post("/v1/courier/orders/release", why, town.dan).status == 200
    eve = town.world.someone(town.dan.role, "eve")
    assert town.world.step("accept", town.order, eve).status == 200
    town.world.clock.advance(130)
    assert town.world.post(LOCATION, a_point(town.world, 200), eve).status == 200
    assert "courier_near" in town.told()[0]


@do
def test_fixes_at_once_tell_and_do_it_once(town: Town) -> None:
    town.be_at(20, 130)
    town.told()
    town.world.clock.advance(20)
    start = town.world.clock.now

    def report(n: int) -> int:
        body = {"points": [{**a_point(town.world, 20), "ts": start.timestamp() + n / 1000}]}
        return town.world.post(LOCATIONS, body, town.dan).status

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(report, range(4)))[0] == 200
    assert [step for step, _ in town.history()].count("arrive") == 1


def points(town: Town, *seen: tuple[float, float]) -> None:
    """Report positions by one call: each so far from the depot, so long ago; at a time that is no
    whole number of milliseconds, as most are."""
    town.world.clock.advance(130.000789)
    body = {"points": [a_point(town.world, metres, ago_s) for metres, ago_s in seen]}
    answer = town.world.post(LOCATIONS, body, town.dan)
    assert {point["verdict"] for point in answer.body["points"]} == {"kept"}


@do
def test_who_drives_past_has_not_arrived_whichever_position_says_so(town: Town) -> None:
    """Each of the two has to be slow, as far as the phone tells."""
    for speed in (3, 0, 9, 2.9, 3):
        town.be_at(20, 15, speed=speed)
        assert town.state() == "accepted"
    for _ in range(2):
        town.be_at(20, 15, speed=2.9, accuracy=50)
    assert town.state() == "at_pickup"


@do
def test_positions_that_come_together_tell_what_they_tell_one_by_one(town: Town) -> None:
    points(town, (20, 12), (15, 6), (10, 0))
    assert town.state() == "at_pickup"
    points(town, (500, 0))
    assert town.told() == [["courier_near", "courier_left"]] * 2


@suggest
def test_who_leaves_in_a_report_of_many_has_left(town: Town) -> None:
    """More points than a track keeps, and at its end the courier is far away."""
    town.be_at(10)
    town.step("arrived")
    town.told()
    points(town, *((10, 100 - n) for n in range(50)), *((20 * n, 50 - n) for n in range(1, 51)))
    assert town.told() == [["courier_left"], ["courier_left"]]


@suggest
def test_on_the_trip_a_position_costs_one_read_more(town: Town) -> None:
    for verb in ("arrived", "picked"):
        town.step(verb)
    town.be_at(1000)
    with counting(town.world) as calls:
        town.be_at(1010, 2)
    assert calls["GetItem orders"] == 1
    assert calls["UpdateItem couriers"] == 1
    assert not [name for name in calls if name.startswith("Put")]


def test_a_rides_driver_arrives_too(make_world: MakeWorld) -> None:
    world = make_world(settings={"auto_arrive": "do"})
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    for _ in range(3):
        world.clock.advance(15)
        driver.did("update_location", latitude=DEPOT[0], longitude=DEPOT[1])
    assert world.order(ride_id).status.value == "at_pickup"
    assert world.order(ride_id).no_show_at is not None


def test_a_hails_driver_arrives_too(make_world: MakeWorld) -> None:
    """Spec 004's driver has no word for it; the customer hears spec 000's."""
    world = make_world(settings={"auto_arrive": "do"})
    cara = a_profile(world, world.customer())
    dan, socket = hail_driver(world, "5")
    a_profile(world, dan)
    feeds = [a_feed(world, who, *TYPES) for who in (cara, dan)]
    stock = world.connect(cara)
    order = hail(world, cara)
    assert world.post(f"/v1/driver/orders/{order['id']}/accept", {}, dan).status == 200
    for one in (*feeds, stock, socket):
        one.take()
    for _ in range(2):
        world.clock.advance(15)
        be_at(world, dan)
    assert world.order(order["id"]).status.value == "at_pickup"
    assert [types_of(feed.take()) for feed in feeds] == [["courier_near"]] * 2
    assert [frame["data"]["status"] for frame in stock.take()] == ["arrived"]
    assert socket.take() == []
    assert world.step("picked", str(order["id"]), dan).status == 200
    for _ in range(2):
        world.clock.advance(60)
        be_at(world, dan, (12.98, 77.6))
    assert "reached" in world.order(order["id"]).timeline
    assert types_of(feeds[0].take()) == ["courier_near", "delivery_arrived"]
    assert types_of(feeds[1].take()) == ["courier_near"]
    assert socket.take() == []


def test_who_brings_a_meal_arrives_at_the_door(make_world: MakeWorld) -> None:
    """Of the way to the restaurant spec 002 knows no step."""
    world = make_world(settings={"auto_arrive": "do"})
    kitchen = Kitchen(world)
    cara, dan = a_profile(world, kitchen.customer), a_profile(world, a_food_driver(world))
    order_id = kitchen.place(latitude=DEPOT[0], longitude=DEPOT[1])
    kitchen.update(order_id, "confirmed", "preparing", "ready_for_pickup")
    driver, stock = Plain(world, dan), Plain(world, cara)
    feeds = [a_feed(world, who, *TYPES) for who in (cara, dan)]
    driver.emit("accept-order", {"orderId": order_id})
    for one in (driver, stock):
        one.heard()
    for metres in (900, 20, 20):
        world.clock.advance(15)
        lat, lng = north_of(DEPOT, metres)
        assert world.post(LOCATION, {"lat": lat, "lng": lng}, dan).status == 200
    assert "reached" in world.order(order_id).timeline
    assert [types_of(feed.take()) for feed in feeds] == [
        ["courier_near", "delivery_arrived"],
        ["courier_near"],
    ]
    assert (driver.heard(), stock.heard()) == ([], [])


def tell(world: World) -> list[list[Any]]:
    """A delivery with a wait at each stop: all that the two stock clients are told."""
    cara, dan = world.customer(), world.courier()
    sockets = [world.connect(cara), world.connect(dan)]
    order = str(world.place(cara, **DOOR)["id"])
    for verb, metres in (("accept", 0), ("arrived", 0), ("picked", DOOR_M), ("delivered", DOOR_M)):
        assert world.step(verb, order, dan).status == 200
        for n in range(5):
            world.clock.advance(30)
            world.post(LOCATION, a_point(world, metres + (400 if n == 4 else 0)), dan)
    frames = [socket.take() for socket in sockets]
    return json.loads(json.dumps(frames).replace(order, "?"))  # type: ignore[no-any-return]


def test_stock_clients_hear_the_same_where_arrivals_are_suggested(make_world: MakeWorld) -> None:
    heard = tell(make_world(settings={"auto_arrive": "off"}))
    assert tell(make_world(settings={"auto_arrive": "suggest"})) == heard
    assert all(heard)
