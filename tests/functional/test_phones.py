"""What phones tell: sentinels for unknown, fixes that are no place or vague, times of any zone."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from typing import Any

import pytest

from chalicelib.domain.people import Role
from chalicelib.store.tables import CourierRow
from tests.builders import DEPOT, north_of
from tests.functional.conftest import MakeWorld
from tests.functional.rides import PICKUP, a_driver, a_ride, a_rider, locate
from tests.functional.test_feed_tracking import under_way
from tests.functional.world import Answer, Someone, World

HERE = {"lat": DEPOT[0], "lng": DEPOT[1]}
FAR = north_of(DEPOT, 20_000)
VAGUE: dict[str, Any] = {"lat": FAR[0], "lng": FAR[1], "accuracy": 50_000}
NOWHERE: list[dict[str, Any]] = [
    {"lat": 0, "lng": 0},
    {"lat": 0, "lng": 0, "accuracy": 0},
    {"lat": -0.0, "lng": 1e-9, "accuracy": 5},
    {"lat": None, "lng": None},
    {"lat": "", "lng": ""},
    {"lat": "NaN", "lng": "NaN"},
    {"lat": "Infinity", "lng": 5},
]


def tell(world: World, courier: Someone, fix: dict[str, Any]) -> Answer:
    """Report a position, a second after the last one."""
    world.clock.advance(1)
    return world.post("/v1/courier/location", fix, courier)


def stored(courier: Someone) -> dict[str, Any]:
    """The fix that a courier's row holds."""
    return dict(json.loads(CourierRow.get(courier.id).fix or "{}"))


def is_found(world: World, at: tuple[float, float] = DEPOT) -> bool:
    """Whether an order at a place finds a courier; it is called off again."""
    cara = world.customer()
    order = world.place(cara, pickup_lat=at[0], pickup_lng=at[1])
    world.post(f"/v1/orders/{order['id']}/cancel", {}, cara)
    return bool(order["status"] == "assigned")


@pytest.mark.parametrize("unknown", [-1, 65535, "NaN", "Infinity", "-1", "", None])
def test_what_a_phone_does_not_know_is_not_stored(world: World, unknown: Any) -> None:
    """iOS: -1 for course, speed and accuracy of one who stands."""
    dan = world.courier(at=None)
    told = dict.fromkeys(("heading", "speed", "accuracy", "altitude"), unknown)
    assert tell(world, dan, {**HERE, **told}).body == {"stored": True}
    assert set(stored(dan)) == {"lat", "lng", "at"}
    assert is_found(world)
    socket = world.connect(dan)
    world.clock.advance(1)
    assert socket.say({"event": "location.update", "data": {**HERE, **told}}) == []
    driver = a_driver(world, at=None)
    locate(driver, DEPOT, **told)


@pytest.mark.parametrize("fix", [*NOWHERE, VAGUE], ids=repr)
def test_no_place_and_a_vague_one_do_not_displace_a_good_one(
    world: World, fix: dict[str, Any]
) -> None:
    dan = world.courier()
    before = stored(dan)
    assert tell(world, dan, fix).body == {"stored": True}  # it was heard, and counts for the pace
    assert world.post("/v1/courier/location", HERE, dan).status == 429
    assert stored(dan) == before
    assert is_found(world)
    assert world.post("/v1/courier/availability", {"available": True, **fix}, dan).status == 200
    socket = world.connect(dan)
    world.clock.advance(1)
    assert socket.say({"event": "location.update", "data": fix}) == []
    assert stored(dan) == before
    assert is_found(world)
    assert not is_found(world, FAR)


@pytest.mark.parametrize("fix", NOWHERE, ids=repr)
def test_no_place_is_never_where_a_courier_is(world: World, fix: dict[str, Any]) -> None:
    dan = world.courier(at=None)
    assert tell(world, dan, fix).body == {"stored": True}
    assert world.post("/v1/courier/availability", {"available": True, **fix}, dan).status == 200
    assert stored(dan) == {}
    assert not is_found(world, (0.0, 0.0))
    assert tell(world, dan, HERE).body == {"stored": True}
    assert is_found(world)


def test_a_vague_place_is_better_than_none_and_than_an_old_one(world: World) -> None:
    dan = world.courier(at=None)
    tell(world, dan, VAGUE)
    assert is_found(world, FAR)
    tell(world, dan, {**HERE, "accuracy": 3000})  # vague, as the one before
    assert is_found(world)
    tell(world, dan, {**HERE, "accuracy": 20})
    world.clock.advance(118)
    tell(world, dan, VAGUE)
    assert not is_found(world, FAR)
    world.clock.advance(2)
    tell(world, dan, VAGUE)
    assert is_found(world, FAR)
    tell(world, dan, {**HERE, "accuracy": 20})
    assert is_found(world)


def test_how_vague_is_too_vague_is_a_setting(make_world: MakeWorld) -> None:
    world = make_world(settings={"fix_max_accuracy_m": 1000.0})
    dan = world.courier()
    tell(world, dan, {**VAGUE, "accuracy": 1001})
    assert is_found(world)
    tell(world, dan, {**VAGUE, "accuracy": 1000})
    assert is_found(world, FAR)


@pytest.mark.parametrize("fix", [VAGUE, {"lat": 0, "lng": 0}], ids=repr)
def test_what_is_wrong_with_a_doubtful_fix_is_said_as_of_a_good_one(
    world: World, fix: dict[str, Any]
) -> None:
    """Old, too soon, or off duty."""
    dan = world.courier()
    old = {**fix, "ts": world.clock.now.timestamp() - 30}
    assert tell(world, dan, old).body == {"stored": False}
    driver = a_driver(world, online=False)
    data = {"latitude": fix["lat"], "longitude": fix["lng"], "accuracy": fix.get("accuracy")}
    assert driver.ask("update_location", **data)["code"] == "NOT_ONLINE"
    driver.did("go_online")
    driver.did("update_location", **data)
    assert driver.ask("update_location", **data)["code"] == "RATE_LIMITED"


def test_customers_are_not_shown_a_doubtful_place(world: World) -> None:
    """Neither on the map of a ride, nor in the feed, nor on the bill."""
    rider, driver = a_rider(world), a_driver(world)
    a_ride(rider, driver, until="started")
    for far in ((0.0, 0.0), FAR):
        locate(driver, far, accuracy=50_000)
    locate(driver, DEPOT, accuracy=10)
    shown = rider.heard("driver_location_update")
    assert {(one["latitude"], one["longitude"]) for one in shown} == {DEPOT}
    dan, feed, _ = under_way(world)
    feed.take()
    world.post("/v1/courier/location", VAGUE, dan)
    assert feed.take() == []


def test_a_vague_way_is_not_driven(world: World) -> None:
    """Whoever is only vaguely known for minutes is not billed for what the receiver moved."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver, until="started")
    world.clock.advance(130)
    locate(driver, north_of(DEPOT, 3000), accuracy=5000)
    world.clock.advance(130)
    locate(driver, DEPOT, accuracy=5)
    billed = driver.did("complete_ride", ride_id=ride_id)["ride_data"]
    assert billed["distance"] == 0


OFFSETS = [timezone(timedelta(minutes=minutes)) for minutes in (330, -570, 840, 0)]


@pytest.mark.parametrize("zone", OFFSETS, ids=str)
def test_a_time_of_any_zone_is_stored_and_told_as_utc(world: World, zone: timezone) -> None:
    dan, feed, _ = under_way(world)
    feed.take()
    world.clock.advance(60)
    at = world.clock.now.astimezone(zone) - timedelta(seconds=5)
    fix = {**HERE, "ts": at.isoformat()}
    assert world.post("/v1/courier/location", fix, dan).body == {"stored": True}
    assert stored(dan)["at"] == "2031-05-06T07:09:06Z"
    (told,) = (f for f in feed.take() if f.get("event_type") == "location_updated")
    assert told["data"]["timestamp"] == "2031-05-06T07:09:06.000Z"


@pytest.mark.parametrize("form", ["s", "ms", "text s", "text ms", "local"])
def test_a_time_in_any_form_is_the_same_time(world: World, form: str) -> None:
    driver = a_driver(world)
    world.clock.advance(30)
    at = world.clock.now - timedelta(seconds=3)
    epoch = int(at.timestamp())
    forms = {"s": epoch, "ms": epoch * 1000, "text s": f"{epoch}", "text ms": f"{epoch * 1000}"}
    local = at.astimezone(timezone(timedelta(hours=5))).isoformat()
    driver.did("update_location", **PICKUP, timestamp=forms.get(form, local))
    assert stored(driver.person)["at"] == "2031-05-06T07:08:37Z"


@pytest.mark.parametrize("kind", ["Standard", " STANDARD ", "standard"])
def test_a_vehicle_type_counts_in_any_case(world: World, kind: str) -> None:
    driver = a_driver(world, vehicle_type=kind)
    assert world.get("/v1/me", driver.person).body["vehicle_type"] == kind.strip()
    for wanted in ("standard", "Standard", None):
        ride_id = a_ride(a_rider(world), driver, until="started")
        answer = driver.did("complete_ride", ride_id=ride_id)
        assert answer["ride_data"]["fare"] > 0, wanted


def test_a_ride_may_be_asked_for_in_any_case(world: World) -> None:
    driver = a_driver(world, vehicle_type="XL")
    rider = a_rider(world)
    a_place = {"latitude": DEPOT[0], "longitude": DEPOT[1]}
    for wanted in ("xl", "Xl", " XL"):
        rider.did("request_ride", pickup=a_place, destination=a_place, vehicle_type=wanted)
    called = driver.heard("new_ride_request")
    assert [call["vehicle_type"] for call in called] == ["xl", "xl", "xl"]


@pytest.mark.parametrize("kind", ["sedan", "bike", "Bicycle", "standart", "xxl"])
def test_a_vehicle_without_a_tariff_does_not_go_online_for_rides(world: World, kind: str) -> None:
    """Its profile is taken, as other contracts show other types."""
    driver = a_driver(world, online=False, vehicle_type=kind)
    assert world.get("/v1/me", driver.person).body["vehicle_type"] == kind
    answer = driver.ask("go_online")
    assert answer["code"] == "NO_TARIFF"
    assert all(known in answer["message"] for known in (kind, "standard", "premium", "xl"))
    assert not CourierRow.get(driver.id).available
    assert driver.did("go_offline")["message"] == "Driver is now offline"
    parcels = {"available": True}
    assert world.post("/v1/courier/availability", parcels, driver.person).status == 200
    body = {"name": "Dora", "phone": "+1", "vehicle_type": "Premium"}
    assert world.call("PUT", "/v1/me", body, driver.person).status == 200
    driver.did("go_online")


def test_who_has_no_vehicle_type_drives_the_standard(world: World) -> None:
    driver = a_driver(world, vehicle_type=None)
    a_ride(a_rider(world), driver)
    assert driver.person.role is Role.COURIER
