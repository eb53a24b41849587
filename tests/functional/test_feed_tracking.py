"""Spec 003: what a customer hears of the way, from the pickup to the door."""

from __future__ import annotations

from typing import Any

from tests.builders import DEPOT, north_of
from tests.functional.feeds import a_feed, a_profile, types_of
from tests.functional.world import Socket, Someone, World

WAY = (
    "delivery_accepted",
    "delivery_in_transit",
    "location_updated",
    "eta_updated",
    "delivery_arrived",
    "delivery_completed",
)
DOOR = north_of(DEPOT, 5000)


def report(world: World, dan: Someone, metres: float, **more: Any) -> None:
    """A fix of the courier, so far north of the depot."""
    lat, lng = north_of(DEPOT, metres)
    body = {"lat": lat, "lng": lng, **more}
    assert world.post("/v1/courier/location", body, dan).body == {"stored": True}


def under_way(world: World) -> tuple[Someone, Socket, str]:
    """A courier who has just picked up, a customer who listens, and the order."""
    dan = a_profile(world, world.courier("dan"), vehicle_type="bike")
    socket = a_feed(world, a_profile(world, world.customer("cara")), *WAY)
    order = world.place(world.customer("cara"), dropoff_lat=DOOR[0], dropoff_lng=DOOR[1])
    for verb in ("accept", "arrived", "picked"):
        assert world.step(verb, order["id"], dan).status == 200
    world.clock.advance(2)
    return dan, socket, str(order["id"])


def test_an_accepted_delivery_says_who_comes_and_when(world: World) -> None:
    """S3-16: 5 km at 20 km/h are 15 minutes, and the courier is at the depot."""
    _, socket, order_id = under_way(world)
    (event,) = socket.take()
    assert event["event_level"] == "high"
    assert event["data"] == {
        "delivery_id": order_id,
        "delivery_boy_id": "dan",
        "delivery_boy_name": "Dan",
        "delivery_boy_rating": 5.0,
        "vehicle_type": "bike",
        "accepted_at": "2031-05-06T07:08:09.000Z",
        "estimated_pickup_time": 1,
        "estimated_delivery_time": 17,
    }


def test_the_first_fix_after_the_pickup_is_the_departure_once(world: World) -> None:
    """S3-17."""
    dan, socket, order_id = under_way(world)
    socket.take()
    report(world, dan, 1500, accuracy=10)
    departed, position = socket.take()
    assert departed["event_type"] == "delivery_in_transit"
    assert departed["event_level"] == "medium"
    lat, lng = north_of(DEPOT, 1500)
    assert departed["data"] == {
        "delivery_id": order_id,
        "location": {"latitude": lat, "longitude": lng, "address": "1 Depot Road"},
        "accuracy": 10,
        "eta_minutes": 11,
        "distance_remaining_km": 3.5,
        "updated_at": "2031-05-06T07:08:11.000Z",
    }
    assert position["event_type"] == "location_updated"
    world.clock.advance(60)
    report(world, dan, 1500)
    assert "delivery_in_transit" not in types_of(socket.take())


def test_before_the_pickup_nothing_is_told_of_the_way(world: World) -> None:
    dan, cara = world.courier("dan"), a_profile(world, world.customer("cara"))
    socket = a_feed(world, cara, *WAY)
    order = world.place(cara)
    world.step("accept", order["id"], dan)
    socket.take()
    world.clock.advance(2)
    report(world, dan, 100)
    assert socket.take() == []


def test_a_position_is_told_every_half_minute_with_what_the_fix_carried(world: World) -> None:
    """S3-26: at most one per 30 s, at least one per 60 s while moving."""
    dan, socket, order_id = under_way(world)
    heard: list[float] = []
    for second in range(0, 125, 5):
        report(world, dan, 1000 + second, accuracy=10, altitude=190, speed=15, heading=45)
        told = [f for f in socket.take() if f.get("event_type") == "location_updated"]
        heard += [second for _ in told]
        world.clock.advance(5)
    assert heard == [0, 30, 60, 90, 120]
    (last,) = told
    lat, lng = north_of(DEPOT, 1120)
    assert last["event_level"] == "low"
    assert last["data"] == {
        "delivery_id": order_id,
        "latitude": lat,
        "longitude": lng,
        "accuracy": 10,
        "altitude": 190,
        "speed": 15,
        "heading": 45,
        "timestamp": "2031-05-06T07:10:11.000Z",
    }


def test_an_eta_is_told_when_it_changes_by_a_minute(world: World) -> None:
    """S3-27."""
    dan, socket, order_id = under_way(world)
    report(world, dan, 1500)
    for metres in (1510, 2510):
        world.clock.advance(30)
        report(world, dan, metres)
    changes = [f for f in socket.take() if f.get("event_type") == "eta_updated"]
    (changed,) = changes
    assert changed["event_level"] == "medium"
    assert changed["data"] == {
        "delivery_id": order_id,
        "eta_minutes": 8,
        "distance_remaining_km": 2.49,
        "eta_timestamp": "2031-05-06T07:17:11.000Z",
        "previous_eta_minutes": 11,
        "updated_at": "2031-05-06T07:09:11.000Z",
    }


def test_arriving_at_the_door_shows_the_courier_with_a_masked_number(world: World) -> None:
    """S3-18: at the drop-off, by POST /api/v1/courier/orders/reached; not at the pickup."""
    dan, socket, order_id = under_way(world)
    assert "delivery_arrived" not in types_of(socket.take())
    report(world, dan, 5000)
    socket.take()
    for _ in range(2):
        assert world.step("reached", order_id, dan).status == 200
    (arrived,) = socket.take()
    assert (arrived["event_type"], arrived["event_level"]) == ("delivery_arrived", "high")
    assert arrived["data"] == {
        "delivery_id": order_id,
        "delivery_boy_id": "dan",
        "delivery_boy_name": "Dan",
        "location": {"latitude": DOOR[0], "longitude": DOOR[1]},
        "phone_number": "****7890",
        "arrived_at": "2031-05-06T07:08:11.000Z",
    }


def test_a_completed_delivery_says_how_long_it_took(world: World) -> None:
    """S3-19."""
    dan, socket, order_id = under_way(world)
    socket.take()
    world.clock.advance(28 * 60)
    world.step("delivered", order_id, dan)
    (completed,) = socket.take()
    assert completed["event_level"] == "high"
    assert completed["data"] == {
        "delivery_id": order_id,
        "order_id": order_id,
        "completed_at": "2031-05-06T07:36:11.000Z",
        "total_time_minutes": 28,
        "delivery_rating": None,
        "payment_status": "pending",
    }


def test_positions_and_etas_do_not_wait_for_those_who_are_away(world: World) -> None:
    """Ambiguity o: the departure does."""
    dan, socket, _ = under_way(world)
    socket.close()
    report(world, dan, 1500)
    world.clock.advance(30)
    report(world, dan, 4000)
    late = a_feed(world, world.customer("cara"), *WAY)
    assert types_of(late.frames) == ["delivery_in_transit"]


def test_of_a_fix_within_the_half_minute_only_one_row_is_written(world: World) -> None:
    """Positions come every second; each is one write."""
    dan, socket, _ = under_way(world)
    report(world, dan, 1500)
    socket.take()
    waiting = len(world.queue.sent)
    for _ in range(5):
        world.clock.advance(2)
        report(world, dan, 1500)
    assert socket.take() == []
    assert len(world.queue.sent) == waiting
