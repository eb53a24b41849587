"""Spec 001's rules: who is called, who has it, what each step takes, how it ends."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from chalicelib.domain.people import Role
from tests.builders import DEPOT, north_of
from tests.faults import Crash
from tests.functional.conftest import MakeWorld
from tests.functional.kitchen import Plain, an_owner
from tests.functional.rides import (
    DOOR,
    PICKUP,
    WISH,
    Client,
    a_driver,
    a_ride,
    a_rider,
    enter,
    locate,
    request,
)
from tests.functional.world import World

UNKNOWN = "1234567890"
COURIER_VERBS = ("accept", "decline", "arrived", "picked", "reached", "delivered")


def test_only_free_drivers_near_by_of_the_type_are_called(world: World) -> None:
    """S1-37, S1-38: not busy, offline, of another type, or too far away."""
    rider, busy = a_rider(world), a_driver(world, "busy")
    a_ride(a_rider(world, "other"), busy)
    busy.forget()
    called = {
        "near": a_driver(world, "near"),
        "typeless": a_driver(world, "typeless", vehicle_type=None),
    }
    not_called = {
        "offline": a_driver(world, "offline", online=False),
        "premium": a_driver(world, "premium", vehicle_type="premium"),
        "far": a_driver(world, "far", at=north_of(DEPOT, 5500)),
        "unknown": a_driver(world, "unknown", at=None),
        "busy": busy,
    }
    ride_id = request(rider)
    for name, driver in called.items():
        assert [c["ride_id"] for c in driver.heard("new_ride_request")] == [ride_id], name
    for name, driver in not_called.items():
        assert driver.heard("new_ride_request") == [], name
        assert driver.ask("accept_ride", ride_id=ride_id)["code"] in (
            "NOT_FOUND",
            "RIDE_ACTIVE",
        )


def test_a_stale_position_is_not_near(world: World) -> None:
    """S1-38: FIX_MAX_AGE_S."""
    rider, driver = a_rider(world), a_driver(world)
    world.clock.advance(121)
    request(rider)
    assert driver.heard("new_ride_request") == []


def calls(driver: Client) -> list[str]:
    """The rides that a driver was called to, in order."""
    return [call["ride_id"] for call in driver.heard("new_ride_request")]


def pass_by(world: World, times: int = 1) -> None:
    """Let the sweep look again."""
    for _ in range(times):
        world.clock.advance(15)
        world.sweep()


def test_who_comes_while_a_ride_is_searched_is_called_by_the_next_pass(world: World) -> None:
    """S1-37: each pass calls those who were not, and those of the last one once more."""
    rider, first = a_rider(world), a_driver(world, "first")
    ride_id = request(rider)
    late = a_driver(world, "late")
    pass_by(world)
    assert calls(late) == [ride_id]
    pass_by(world, 3)
    assert calls(late) == calls(first) == [ride_id, ride_id]
    assert late.did("accept_ride", ride_id=ride_id)


def test_a_call_that_was_lost_is_made_by_the_next_pass(world: World) -> None:
    """S1-37: whoever made it died between the commit and the posts."""
    rider, driver = a_rider(world), a_driver(world)

    def die(connection_id: str, frame: str) -> None:
        if connection_id == driver.socket.id:
            raise Crash

    world.gateway.before_post = die
    with pytest.raises(Crash):
        rider.socket.say({"event": "request_ride", "data": WISH})
    world.gateway.before_post = lambda connection_id, frame: None
    assert calls(driver) == []
    pass_by(world)
    (ride_id,) = calls(driver)
    assert driver.did("accept_ride", ride_id=ride_id)
    assert rider.statuses() == ["arrivingToPickup"]


def test_no_call_is_repeated_to_who_is_busy_or_gone(world: World) -> None:
    """S1-38: nor to who is too far away by now."""
    rider, otto = a_rider(world), a_rider(world, "otto")
    busy, far = a_driver(world, "busy"), a_driver(world, "far")
    ride_id = request(rider)
    busy.did("accept_ride", ride_id=request(otto))
    locate(far, north_of(DEPOT, 5500))
    pass_by(world, 2)
    assert calls(busy).count(ride_id) == calls(far).count(ride_id) == 1


def test_who_was_called_and_comes_back_is_called_again(world: World) -> None:
    """S1-37: a new socket knows nothing of what the old one heard."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = request(rider)
    pass_by(world, 2)
    driver.socket.close()
    pass_by(world)
    back = enter(world, driver.person)
    pass_by(world, 2)
    assert calls(back) == [ride_id]
    assert back.did("accept_ride", ride_id=ride_id)


def test_the_others_are_told_that_it_is_taken(world: World) -> None:
    """S1-18."""
    rider = a_rider(world)
    winner, loser = a_driver(world, "winner"), a_driver(world, "loser")
    ride_id = a_ride(rider, winner)
    assert loser.heard("ride_request_closed") == [{"ride_id": ride_id, "reason": "taken"}]
    assert winner.heard("ride_request_closed") == []
    answer = loser.ask("accept_ride", ride_id=ride_id)
    assert answer == {
        "status": "error",
        "message": "This ride is no longer to be had.",
        "code": "RIDE_TAKEN",
    }
    assert winner.did("accept_ride", ride_id=ride_id)  # asked again: it is his
    assert rider.statuses() == ["arrivingToPickup"]


def test_a_search_ends_without_a_driver(world: World) -> None:
    """RIDE_SEARCH_TTL_S: by its wakeup, or by the sweep."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = request(rider)
    world.pass_time(299)
    assert rider.statuses() == []
    world.pass_time(1)
    (update,) = rider.heard("ride_status_update")
    assert update == {
        "ride_id": ride_id,
        "status": "canceled",
        "data": {"message": "No driver found"},
    }
    assert driver.heard("ride_request_closed") == [{"ride_id": ride_id, "reason": "expired"}]
    assert driver.ask("accept_ride", ride_id=ride_id)["code"] == "RIDE_TAKEN"


def test_the_sweep_ends_a_search_whose_wakeup_was_lost(world: World) -> None:
    """RIDE_SEARCH_TTL_S."""
    rider = a_rider(world)
    request(rider)
    world.queue.waiting.clear()
    world.clock.advance(300)
    world.sweep()
    assert [u["data"]["message"] for u in rider.heard("ride_status_update")] == ["No driver found"]


def test_a_long_search_outlasts_a_wakeup(make_world: MakeWorld) -> None:
    """RIDE_SEARCH_TTL_S: over AWS's 15 minutes; each look sends the wakeup of the next."""
    world = make_world(
        settings={"ride_search_ttl": timedelta(minutes=40), "dispatch_radius_m": 1000.0}
    )
    rider = a_rider(world)
    request(rider)
    world.pass_time(2399)
    assert rider.statuses() == []
    world.pass_time(1)
    assert rider.statuses() == ["canceled"]


def test_a_driver_must_be_online(world: World) -> None:
    """S1-13, S1-17."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = request(rider)
    assert driver.did("go_offline")["message"] == "Driver is now offline"
    assert driver.did("go_offline")["message"] == "Driver is now offline"  # S1-11
    assert driver.ask("accept_ride", ride_id=ride_id)["code"] == "NOT_ONLINE"
    world.clock.advance(1)
    assert driver.ask("update_location", **PICKUP)["code"] == "NOT_ONLINE"


def test_a_driver_has_one_ride_at_a_time(world: World) -> None:
    """S1-19."""
    rita, otto, driver = a_rider(world), a_rider(world, "otto"), a_driver(world)
    first, second = request(rita), request(otto)
    driver.did("accept_ride", ride_id=first)
    assert driver.ask("accept_ride", ride_id=second)["code"] == "RIDE_ACTIVE"


def test_a_driver_with_a_parcel_takes_no_ride(world: World) -> None:
    """X16: one unfinished order over all flows."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = request(rider)
    world.place(world.customer())  # offered to the driver, who is the nearest
    assert driver.ask("accept_ride", ride_id=ride_id)["code"] == "RIDE_ACTIVE"


def test_a_ride_starts_at_the_pickup(world: World) -> None:
    """S1-21: within 200 m, by a fix of the last minute."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    locate(driver, north_of(DEPOT, 210))
    away = driver.ask("start_ride", ride_id=ride_id)
    assert away["code"] == "NOT_AT_PICKUP"
    locate(driver, north_of(DEPOT, 190))
    world.clock.advance(61)
    assert driver.ask("start_ride", ride_id=ride_id)["code"] == "NOT_AT_PICKUP"
    locate(driver, north_of(DEPOT, 190))
    assert driver.did("start_ride", ride_id=ride_id)
    assert rider.did("get_ride_state", ride_id=ride_id)["ride_data"]["status"] == (
        "drivingToDestination"
    )


def test_the_check_can_be_switched_off(make_world: MakeWorld) -> None:
    """S1-21: START_RIDE_RADIUS_M=0."""
    world = make_world(settings={"start_ride_radius_m": 0})
    rider, driver = a_rider(world), a_driver(world, at=north_of(DEPOT, 3000))
    ride_id = a_ride(rider, driver)
    assert driver.did("start_ride", ride_id=ride_id)


def test_steps_come_in_their_order(world: World) -> None:
    """S1-22, S1-43: what is not possible is an error and changes nothing."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    answer = driver.ask("complete_ride", ride_id=ride_id)
    assert answer["code"] == "INVALID_TRANSITION"
    assert "arrivingToPickup" in answer["message"]
    driver.did("start_ride", ride_id=ride_id)
    assert driver.ask("start_ride", ride_id=ride_id)["code"] == "INVALID_TRANSITION"  # s: again
    assert driver.ask("accept_ride", ride_id=ride_id)["code"] == "INVALID_TRANSITION"
    driver.did("complete_ride", ride_id=ride_id)
    for event in ("complete_ride", "start_ride", "accept_ride", "cancel_ride"):
        assert driver.ask(event, ride_id=ride_id)["code"] == "INVALID_TRANSITION", event
    assert rider.ask("cancel_ride", ride_id=ride_id)["code"] == "INVALID_TRANSITION"
    assert len(rider.statuses()) == 3


@pytest.mark.parametrize("until", ["requested", "accepted", "started"])
def test_a_rider_cancels_until_it_is_over(world: World, until: str) -> None:
    """S1-27, S1-43: and the driver is free again."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = request(rider) if until == "requested" else a_ride(rider, driver, until)
    answer = rider.did("cancel_ride", ride_id=ride_id, reason="Changed my mind")
    assert answer["message"] == "Ride canceled"
    update = rider.heard("ride_status_update")[-1]
    assert update["status"] == "canceled"
    assert update["data"]["reason"] == "Changed my mind"
    if until == "requested":
        closed = {"ride_id": ride_id, "reason": "canceled"}
        assert driver.heard("ride_request_closed") == [closed]
    else:
        assert driver.statuses()[-1] == "canceled"
    assert update["data"]["message"] == "Ride canceled by rider"
    assert driver.ask("accept_ride", ride_id=ride_id)["code"] == "RIDE_TAKEN"  # s
    assert rider.ask("cancel_ride", ride_id=ride_id)["code"] == "INVALID_TRANSITION"
    again = request(rider)
    assert driver.heard("new_ride_request")[-1]["ride_id"] == again


@pytest.mark.parametrize("until", ["accepted", "started"])
def test_a_driver_cancels_and_is_free(world: World, until: str) -> None:
    """S1-23: canceled, the literal reading."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver, until)
    assert driver.did("cancel_ride", ride_id=ride_id, reason="Traffic accident") == {
        "status": "success",
        "message": "Ride canceled",
    }
    update = rider.heard("ride_status_update")[-1]
    assert (update["status"], update["data"]["message"], update["data"]["reason"]) == (
        "canceled",
        "Ride canceled by driver",
        "Traffic accident",
    )
    assert driver.ask("accept_ride", ride_id=ride_id)["code"] == "RIDE_TAKEN"  # s
    again = request(rider)
    assert driver.heard("new_ride_request")[-1]["ride_id"] == again


@pytest.mark.parametrize("until", ["requested", "accepted", "started"])
def test_an_admin_cancels_and_both_are_told_who_did(world: World, until: str) -> None:
    """S1-35, S1-43: and the driver is free again."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = request(rider) if until == "requested" else a_ride(rider, driver, until)
    body = {"reason": "Road closed"}
    assert world.post(f"/v1/orders/{ride_id}/cancel", body, world.admin()).status == 200
    told = [rider] if until == "requested" else [rider, driver]
    for client in told:
        update = client.heard("ride_status_update")[-1]
        assert update["status"] == "canceled"
        assert update["data"]["message"] == "Ride canceled by an admin"
        assert update["data"]["reason"] == "Road closed"
    request(rider)
    assert len(driver.heard("new_ride_request")) == 2


def test_another_driver_is_looked_for_where_that_is_set(make_world: MakeWorld) -> None:
    """REALLOCATE_ON_DRIVER_CANCEL: once."""
    world = make_world(settings={"reallocate_on_driver_cancel": True})
    rider, first, second = a_rider(world), a_driver(world, "first"), a_driver(world, "second")
    ride_id = a_ride(rider, first)
    first.did("cancel_ride", ride_id=ride_id)
    assert rider.statuses() == ["arrivingToPickup", "findingDriver"]
    assert [c["ride_id"] for c in second.heard("new_ride_request")] == [ride_id, ride_id]
    assert first.ask("accept_ride", ride_id=ride_id)["code"] == "NOT_FOUND"
    second.did("accept_ride", ride_id=ride_id)
    second.did("cancel_ride", ride_id=ride_id)
    assert rider.statuses()[-2:] == ["arrivingToPickup", "canceled"]


def test_going_offline_ends_no_ride(world: World) -> None:
    """S1-11: accepted work goes on, and the rider goes on seeing where the driver is."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    driver.did("go_offline")
    locate(driver, DEPOT)
    assert len(rider.heard("driver_location_update")) == 1
    driver.did("start_ride", ride_id=ride_id)
    driver.did("complete_ride", ride_id=ride_id)
    request(rider)
    assert len(driver.heard("new_ride_request")) == 1


def test_locations_are_limited_to_one_a_second_over_all_sockets(world: World) -> None:
    """S1-14: not stored, not fanned out, not disconnected."""
    rider, driver = a_rider(world), a_driver(world)
    a_ride(rider, driver)
    other = enter(world, driver.person)
    locate(driver, DEPOT)
    refused = other.ask("update_location", latitude=DOOR[0], longitude=DOOR[1])
    assert refused["code"] == "RATE_LIMITED"
    assert len(rider.heard("driver_location_update")) == 1
    assert world.gateway.closed == []
    world.clock.advance(1)
    assert other.did("update_location", **PICKUP)["message"] == "Location updated"


def test_a_driver_whose_phone_s_clock_is_slow_is_called_and_may_start(world: World) -> None:
    rider, driver = a_rider(world), a_driver(world, at=None)

    def here() -> None:
        slow = int(world.clock.now.timestamp()) - 300
        locate(driver, DEPOT, timestamp=slow)

    here()
    ride_id = a_ride(rider, driver)
    here()
    assert driver.did("start_ride", ride_id=ride_id)


def test_an_older_location_is_passed_over(world: World) -> None:
    """S1-15."""
    rider, driver = a_rider(world), a_driver(world)
    a_ride(rider, driver)
    locate(driver, DEPOT)
    old = int(world.clock.now.timestamp()) - 30
    locate(driver, DOOR, timestamp=old)
    assert len(rider.heard("driver_location_update")) == 1


def test_the_rider_follows_the_driver_from_accept_to_complete(world: World) -> None:
    """S1-36."""
    rider, driver = a_rider(world), a_driver(world)
    locate(driver, DEPOT)
    ride_id = a_ride(rider, driver)
    locate(driver, DEPOT, heading=45.0)
    assert rider.heard("driver_location_update") == [
        {
            "ride_id": ride_id,
            "driver_id": "dora",
            "latitude": DEPOT[0],
            "longitude": DEPOT[1],
            "heading": 45.0,
        }
    ]
    driver.did("start_ride", ride_id=ride_id)
    locate(driver, DEPOT)
    driver.did("complete_ride", ride_id=ride_id)
    locate(driver, DEPOT)
    assert len(rider.heard("driver_location_update")) == 2
    assert driver.heard("driver_location_update") == []


def test_a_heading_that_is_not_told_is_the_direction_of_the_way(world: World) -> None:
    """Ambiguity n: the bearing of the last two fixes, else 0."""
    rider, driver = a_rider(world), a_driver(world, at=None)
    driver.did("update_location", **PICKUP)
    a_ride(rider, driver)
    locate(driver, DEPOT)
    locate(driver, north_of(DEPOT, 50))
    locate(driver, DEPOT)
    headings = [said["heading"] for said in rider.heard("driver_location_update")]
    assert headings == [0.0, 0.0, 180.0]


def test_a_jump_of_the_receiver_is_no_way(world: World) -> None:
    """S1-22: nobody drives 250 km/h; the rider does not pay for it."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver, "started")
    for metres in [*range(0, 1000, 20), *range(1000, 0, -20)]:  # there and back
        locate(driver, north_of(DEPOT, 5000 if metres == 600 else metres))
    data = driver.did("complete_ride", ride_id=ride_id)["ride_data"]
    assert data["distance"] == pytest.approx(1.98, abs=0.01)  # past it, as if it were not there


def test_a_ride_is_measured_along_its_fixes(world: World) -> None:
    """S1-22: not along the crow's line."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver, "started")
    for metres in [*range(0, 3000, 100), *range(3000, 0, -100)]:  # there and back, at 50 m/s
        world.clock.advance(1)
        locate(driver, north_of(DEPOT, metres))
    data = driver.did("complete_ride", ride_id=ride_id)["ride_data"]
    assert data["distance"] == pytest.approx(5.9, abs=0.05)
    assert data["duration"] == 120
    assert data["fare"] == pytest.approx(2.50 + 5.9 * 1.20 + 0.50, abs=0.06)


def test_a_ride_is_no_shorter_than_from_where_it_began_to_where_it_ended(world: World) -> None:
    """S1-22: however few of its fixes can be believed; but no longer than was estimated."""
    rider, driver = a_rider(world), a_driver(world)
    for metres, km in ((1500, 1.5), (90_000, 6.5)):
        ride_id = a_ride(rider, driver, "started")
        world.clock.advance(121)  # no track is so well known that this were a jump of the receiver
        locate(driver, north_of(DEPOT, metres))
        data = driver.did("complete_ride", ride_id=ride_id)["ride_data"]
        assert data["distance"] == pytest.approx(km, abs=0.01)
        world.clock.advance(121)
        locate(driver, DEPOT)


def test_a_ride_without_fixes_costs_what_was_estimated(world: World) -> None:
    """S1-22: the distance, that is; the time is what it took."""
    rider, driver = a_rider(world), a_driver(world)
    asked = rider.did("request_ride", **WISH)
    driver.did("accept_ride", ride_id=asked["ride_id"])
    driver.did("start_ride", ride_id=asked["ride_id"])
    world.clock.advance(936)  # as long as estimated
    data = driver.did("complete_ride", ride_id=asked["ride_id"])["ride_data"]
    assert data["distance"] == pytest.approx(6.5, abs=0.01)
    assert data["fare"] == pytest.approx(asked["estimated_fare"], abs=0.02)


def test_both_come_back_on_a_new_socket(world: World) -> None:
    """S1-24, S1-25, S1-26: no join is needed; what was missed is told."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    rider.socket.close()
    driver.did("start_ride", ride_id=ride_id)
    back, again = enter(world, rider.person), enter(world, driver.person)
    assert back.statuses() == ["drivingToDestination"]
    state = back.did("get_ride_state", ride_id=ride_id)
    assert state["message"] == "Ride state retrieved"
    assert state["ride_data"]["status"] == "drivingToDestination"
    assert state["ride_data"]["driver"]["name"] == "Dora Smith"
    assert state["ride_data"]["driver"]["eta"] == state["ride_data"]["eta_minutes"] >= 1
    assert again.did("get_ride_state", ride_id=ride_id)["ride_data"] == state["ride_data"]
    joined = back.did("join_ride_room", ride_id=ride_id)
    assert joined == {
        "status": "success",
        "message": "Joined ride room",
        "ride_data": {
            "id": ride_id,
            "status": "drivingToDestination",
            "pickup": f"{DEPOT[0]},{DEPOT[1]}",
            "destination": f"{DOOR[0]},{DOOR[1]}",
        },
    }


def test_a_driver_on_another_contract_takes_the_same_steps(world: World) -> None:
    """S1-35, P-13: by spec 000's REST. Both hear of the arrival; the rules are those of rides."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    about = {"order_id": ride_id}

    def step(verb: str) -> int:
        return world.post(f"/v1/courier/orders/{verb}", about, driver.person).status

    assert step("arrived") == 200
    for client in (rider, driver):
        update = client.heard("ride_status_update")[-1]
        assert update["status"] == "arrivingToPickup"
        assert update["data"]["message"] == "Driver Dora has arrived"
    world.clock.advance(61)
    assert step("picked") == 409  # no fresh location
    locate(driver, DEPOT)
    steps = ("picked", "picked", "delivered", "delivered")
    assert [step(verb) for verb in steps] == [200, 409, 200, 409]  # s: not twice
    path = ["arrivingToPickup", "arrivingToPickup", "drivingToDestination", "completed"]
    assert rider.statuses() == driver.statuses() == path


def test_places_keep_the_address_that_they_are_given(world: World) -> None:
    """S1-24: address strings."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = request(rider, pickup={**PICKUP, "address": "123 Main St"})
    joined = rider.did("join_ride_room", ride_id=ride_id)["ride_data"]
    assert joined["pickup"] == "123 Main St"
    assert driver.heard("new_ride_request")[0]["pickup"] == {**PICKUP, "address": "123 Main St"}


def test_an_outsider_learns_nothing_of_a_ride(world: World) -> None:
    """S1-46: not even that there is one."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    nosy = a_rider(world, "nosy"), a_driver(world, "nosy-driver")
    about = {"ride_id": ride_id, "message": "hi", "rating": 5}
    for client, asked in (
        (nosy[0], ("join_ride_room", "get_ride_state", "get_ride_chats", "cancel_ride")),
        (nosy[0], ("send_chat_message", "rate_driver")),
        (nosy[1], ("join_ride_room", "get_ride_state", "get_ride_chats", "cancel_ride")),
        (nosy[1], ("send_chat_message", "accept_ride", "start_ride", "complete_ride")),
    ):
        for event in asked:
            answer = client.ask(event, **about)
            assert answer == client.ask(event, **{**about, "ride_id": UNKNOWN}), event
            assert answer["code"] == "NOT_FOUND"
    for path in (f"/v1/rides/{ride_id}", f"/v1/rides/{ride_id}/chats", f"/v1/orders/{ride_id}"):
        assert world.get(path, nosy[0].person).status == 404
    locate(driver, DEPOT)
    rider.did("send_chat_message", ride_id=ride_id, message="secret")
    driver.did("start_ride", ride_id=ride_id)
    for client in nosy:
        assert ride_id not in json.dumps(client.socket.frames)


def test_no_endpoint_tells_a_ride_from_none(world: World) -> None:
    """S1-46: what is not one's own, and what there is not, are answered alike."""
    rider, driver = a_rider(world), a_driver(world)
    ride_ids = [a_ride(rider, driver), request(rider)]  # taken, and open
    customer, courier = world.customer("nosy"), world.someone(Role.COURIER, "nosy-too")
    owner = an_owner(world)

    def answers(ride_id: str) -> list[tuple[int, object]]:
        about = {"order_id": ride_id, "ride_id": ride_id, "method": "cash", "rating": 5}
        asked = [
            *[(customer, f"/v1/orders/{ride_id}/{verb}") for verb in ("cancel", "retry")],
            *[(customer, f"/v1/riders/{what}") for what in ("rate/driver", "payment")],
            (customer, "/v1/payments"),
            *[(courier, f"/v1/courier/orders/{verb}") for verb in COURIER_VERBS],
            *[(courier, f"/v1/driver/orders/{ride_id}/{verb}") for verb in ("accept", "decline")],
        ]
        found = [world.post(path, about, person) for person, path in asked]
        for path in (f"/v1/rides/{ride_id}", f"/v1/rides/{ride_id}/chats", f"/v1/orders/{ride_id}"):
            found += [world.get(path, person) for person in (customer, courier, owner)]
        return [(answer.status, answer.body) for answer in found]

    def heard(ride_id: str) -> list[object]:
        meals = [(owner, "confirmed"), (owner, "cancelled"), (courier, "delivered")]
        update = "update-order-status"
        found: list[object] = [
            Plain(world, person).emit(update, {"orderId": int(ride_id), "status": status})
            for person, status in meals
        ]
        return [*found, Plain(world, courier).emit("accept-order", {"orderId": int(ride_id)})]

    unknown = answers(UNKNOWN)
    assert {status for status, _ in unknown} == {404}
    for ride_id in ride_ids:
        assert answers(ride_id) == unknown
        assert heard(ride_id) == heard(UNKNOWN)


def test_what_is_asked_over_rest_only_says_so(make_world: MakeWorld) -> None:
    """RIDES_WS_CREATE=reject."""
    world = make_world(settings={"rides_ws_create": False})
    rider = a_rider(world)
    assert rider.ask("request_ride", **WISH)["code"] == "USE_REST"
    assert rider.ask("rate_driver", ride_id="1", rating=5)["code"] == "USE_REST"
    assert world.post("/v1/riders/rides", WISH, rider.person).status == 201


def test_a_vehicle_type_that_there_is_not_is_an_error(world: World) -> None:
    """S1-28, S1-47."""
    answer = a_rider(world).ask("request_ride", **{**WISH, "vehicle_type": "rocket"})
    assert answer["code"] == "INVALID_PAYLOAD"


def test_a_premium_ride_costs_more(world: World) -> None:
    """S1-28: prices are by vehicle type."""
    rider = a_rider(world)
    plain = rider.did("request_ride", **WISH)["estimated_fare"]
    premium = rider.did("request_ride", **{**WISH, "vehicle_type": "premium"})["estimated_fare"]
    assert premium > plain
