"""Spec 001: one ride from the request to the door, over the contract's own sockets."""

from __future__ import annotations

from tests.builders import DEPOT, north_of
from tests.functional.rides import DOOR, WISH, a_driver, a_ride, a_rider, locate, request
from tests.functional.world import World


def test_a_ride_goes_from_the_request_to_the_destination(world: World) -> None:
    """S1-10, S1-16, S1-20, S1-21, S1-22, S1-28, S1-35, S1-37, S1-43."""
    rider, driver = a_rider(world), a_driver(world)
    asked = rider.did("request_ride", **WISH)
    assert asked["estimated_fare"] > 0
    assert asked["estimated_duration"] >= 1
    ride_id = asked["ride_id"]

    (call,) = driver.heard("new_ride_request")
    assert call == {
        "ride_id": ride_id,
        "pickup": WISH["pickup"],
        "destination": WISH["destination"],
        "vehicle_type": "standard",
        "fare_estimate": asked["estimated_fare"],
        "rider_info": {"name": "Rita", "rating": 5.0},
    }

    accepted = driver.did("accept_ride", ride_id=ride_id)
    assert accepted == {
        "status": "success",
        "message": "Ride accepted",
        "driver_info": {
            "id": "dora",
            "name": "Dora Smith",
            "rating": 5.0,
            "vehicle": "Toyota Camry",
        },
    }
    assert driver.did("start_ride", ride_id=ride_id)["message"] == "Ride started"
    world.clock.advance(600)
    locate(driver, DOOR)
    done = driver.did("complete_ride", ride_id=ride_id)
    assert done["message"] == "Ride completed"
    assert done["ride_data"]["id"] == ride_id
    assert done["ride_data"]["duration"] == 601
    assert 4.9 < done["ride_data"]["distance"] < 5.1

    path = ["arrivingToPickup", "drivingToDestination", "completed"]
    assert rider.statuses() == driver.statuses() == path
    assert world.queue.dead == []


def test_the_driver_who_completed_is_called_again(world: World) -> None:
    """S1-22: the driver is freed."""
    rider, driver = a_rider(world), a_driver(world)
    a_ride(rider, driver, "completed")
    again = request(rider)
    assert driver.heard("new_ride_request")[-1]["ride_id"] == again


def test_a_ride_far_away_is_nobodys_to_take(world: World) -> None:
    """S1-38."""
    rider, driver = a_rider(world), a_driver(world, at=north_of(DEPOT, 6000))
    ride_id = request(rider)
    assert driver.heard("new_ride_request") == []
    assert driver.ask("accept_ride", ride_id=ride_id)["code"] == "NOT_FOUND"
