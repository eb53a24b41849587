"""Spec 001 when everything happens at once, on both engines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chalicelib.edge import sockets
from tests.functional.rides import Client, a_driver, a_ride, a_rider, enter, request
from tests.functional.world import World

DRIVERS = 8


def all_at_once(*tasks: Callable[[], object]) -> None:
    """Run them side by side; raise what any of them raises."""
    with ThreadPoolExecutor(len(tasks)) as pool:
        for running in [pool.submit(task) for task in tasks]:
            running.result()


def say(client: Client, event: str, **data: Any) -> Callable[[], None]:
    """Send an event, as the message handler takes it."""
    body = json.dumps({"event": event, "data": data})
    return lambda: sockets.handle_message(client.world.waybill, client.socket.id, body)


def outcomes(clients: list[Client], event: str) -> Counter[str]:
    """What they were answered: a code, or success."""
    answers = [answer for client in clients for answer in client.heard(f"{event}_response")]
    return Counter(answer.get("code", answer["status"]) for answer in answers)


def test_of_many_who_accept_at_once_one_has_it(engine_world: World) -> None:
    """S1-18."""
    rider = a_rider(engine_world)
    drivers = [a_driver(engine_world, f"driver-{n}") for n in range(DRIVERS)]
    ride_id = request(rider)
    all_at_once(*[say(driver, "accept_ride", ride_id=ride_id) for driver in drivers])
    assert outcomes(drivers, "accept_ride") == {"success": 1, "RIDE_TAKEN": DRIVERS - 1}
    assert rider.statuses() == ["arrivingToPickup"]


def test_a_driver_who_accepts_one_many_times_at_once_is_told_each_time_that_it_is_theirs(
    engine_world: World,
) -> None:
    """A message that was sent again meets the first one half-way: the ride holds its driver, and
    the order was read before."""
    driver = a_driver(engine_world)
    for name in ("rita", "otto", "lena"):
        ride_id = request(a_rider(engine_world, name))
        all_at_once(*[say(driver, "accept_ride", ride_id=ride_id)] * DRIVERS)
        assert outcomes([driver], "accept_ride") == {"success": DRIVERS}
        driver.did("cancel_ride", ride_id=ride_id)
        driver.forget()


def test_a_driver_who_accepts_two_at_once_has_one(engine_world: World) -> None:
    """S1-19."""
    rita, otto = a_rider(engine_world), a_rider(engine_world, "otto")
    driver = a_driver(engine_world)
    rides = [request(rita), request(otto)]
    all_at_once(*[say(driver, "accept_ride", ride_id=ride_id) for ride_id in rides])
    assert outcomes([driver], "accept_ride") == {"success": 1, "RIDE_ACTIVE": 1}


def test_accepting_and_cancelling_at_once_end_alike_for_both(engine_world: World) -> None:
    """S1-27: either it was canceled first, and nobody has it; or accepted first, and freed."""
    rider, driver = a_rider(engine_world), a_driver(engine_world)
    ride_id = request(rider)
    all_at_once(
        say(driver, "accept_ride", ride_id=ride_id), say(rider, "cancel_ride", ride_id=ride_id)
    )
    assert outcomes([rider], "cancel_ride") == {"success": 1}
    assert rider.did("get_ride_state", ride_id=ride_id)["ride_data"]["status"] == "canceled"
    request(rider)
    assert len(driver.heard("new_ride_request")) == 2


def test_messages_at_once_on_all_sockets_keep_to_the_limit(engine_world: World) -> None:
    """S1-32."""
    rider, driver = a_rider(engine_world), a_driver(engine_world)
    ride_id = a_ride(rider, driver)
    devices = [rider, enter(engine_world, rider.person)]
    all_at_once(
        *[say(devices[n % 2], "send_chat_message", ride_id=ride_id, message="!") for n in range(8)]
    )
    assert outcomes(devices, "send_chat_message") == {"success": 5, "RATE_LIMITED": 3}
    engine_world.pass_time(30)
    assert len(driver.heard("chat_message")) == 5


def test_a_driver_rated_twice_at_once_is_rated_once(engine_world: World) -> None:
    """S1-29."""
    rider, driver = a_rider(engine_world), a_driver(engine_world)
    ride_id = a_ride(rider, driver, "completed")
    all_at_once(*[say(rider, "rate_driver", ride_id=ride_id, rating=4)] * 4)
    assert outcomes([rider], "rate_driver") == {"success": 1, "ALREADY_RATED": 3}
    assert engine_world.get("/v1/me", driver.person).body["rating"] == 4.0
