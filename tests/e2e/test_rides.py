"""Contract `rides` (spec 001) over real sockets, with a stock WebSocket client."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from tests.e2e.checked import connect
from tests.e2e.conftest import Stack, wait_for
from tests.e2e.courier.town import METRE, Someone, Town, a_town, hear

PATH = "/api/v1/ws/rides"
DRIVERS = 20


@pytest.fixture
def town(stack: Stack) -> Iterator[Town]:
    """A town on the shared stack."""
    with a_town(stack) as found:
        yield found


class Client:
    """Somebody on a rides socket."""

    def __init__(self, person: Someone, connection: ClientConnection) -> None:
        self.person = person
        self._connection = connection

    def next(self) -> Any:
        """The next frame."""
        return hear(self._connection)

    def until(self, event: str) -> dict[str, Any]:
        """The data of the next frame of that event; others are passed over."""
        while (found := self.next())["event"] != event:
            pass
        return dict(found["data"])

    def say(self, event: str, **data: Any) -> None:
        """Send an event."""
        self._connection.send(json.dumps({"event": event, "data": data}))

    def ask(self, event: str, **data: Any) -> dict[str, Any]:
        """Send an event and wait for its response."""
        self.say(event, **data)
        return self.until(f"{event}_response")


def open_socket(town: Town, query: str = "") -> ClientConnection:
    """A socket that the town closes in the end."""
    url = f"{town.stack.ws_url}{PATH}{query}"
    return town.closing.enter_context(connect(url, proxy=None))


def a_client(town: Town, role: str, called: str) -> Client:
    """Somebody with a profile, authenticated in band; the welcome came first."""
    person = town.person(role, called)
    profile = {"name": "John Doe", "phone": "+911234567890", "vehicle": "Toyota Camry"}
    assert person.put("me", profile).status == 200
    client = Client(person, open_socket(town))
    client.say("authenticate", token=person.token)
    assert client.next()["event"] == "server_message"
    answer = client.until("authenticate_response")
    assert answer["user_id"] == person.id
    return client


def a_driver(town: Town, called: str = "dora") -> Client:
    """A driver online, near by."""
    driver = a_client(town, "driver", called)
    assert driver.ask("go_online")["status"] == "success"
    assert driver.ask("update_location", **here(town))["status"] == "success"
    return driver


def here(town: Town, away_m: float = 50) -> dict[str, float]:
    """So far from the pickup."""
    return {"latitude": town.lat + away_m * METRE, "longitude": town.lng}


def wish(town: Town) -> dict[str, Any]:
    """A ride from here to two kilometres further north."""
    return {
        "pickup": here(town, 0),
        "destination": here(town, 2000),
        "vehicle_type": "standard",
    }


def test_a_ride_from_the_welcome_to_the_rating(town: Town) -> None:
    """S1-01, S1-02, S1-08, S1-10, S1-16, S1-20 to S1-22, S1-28 to S1-30, S1-34 to S1-37."""
    driver, rider = a_driver(town), a_client(town, "rider", "rita")
    ride_id = rider.ask("request_ride", **wish(town))["ride_id"]
    assert driver.until("new_ride_request")["ride_id"] == ride_id
    accepted = driver.ask("accept_ride", ride_id=ride_id)
    assert accepted["driver_info"]["vehicle"] == "Toyota Camry"
    assert rider.until("ride_status_update")["status"] == "arrivingToPickup"
    driver.ask("send_chat_message", ride_id=ride_id, message="I'm here!")
    assert rider.until("chat_message")["message"] == "I'm here!"
    assert driver.ask("start_ride", ride_id=ride_id)["status"] == "success"
    assert rider.until("ride_status_update")["status"] == "drivingToDestination"
    there = {**here(town, 1500), "heading": 0}
    moved = wait_for(lambda: driver.ask("update_location", **there)["status"] == "success")
    assert moved, "once a second has passed"
    assert rider.until("driver_location_update")["driver_id"] == driver.person.id
    done = driver.ask("complete_ride", ride_id=ride_id)
    assert done["ride_data"]["fare"] > 0
    assert rider.until("ride_status_update")["status"] == "completed"
    assert rider.ask("rate_driver", ride_id=ride_id, rating=4)["status"] == "success"
    assert driver.person.get("me").json["rating"] == 4.0


def test_of_twenty_drivers_who_accept_at_once_one_has_it(town: Town) -> None:
    """S1-18: nineteen are told that it is taken."""
    with ThreadPoolExecutor(DRIVERS) as pool:
        drivers = list(pool.map(lambda n: a_driver(town, f"d{n}"), range(DRIVERS)))
        rider = a_client(town, "rider", "rita")
        ride_id = rider.ask("request_ride", **wish(town))["ride_id"]
        calls = list(pool.map(lambda d: d.until("new_ride_request"), drivers))
        assert {call["ride_id"] for call in calls} == {ride_id}
        answers = list(pool.map(lambda d: d.ask("accept_ride", ride_id=ride_id), drivers))
    outcomes = Counter(answer.get("code", answer["status"]) for answer in answers)
    assert outcomes == {"success": 1, "RIDE_TAKEN": DRIVERS - 1}
    assert rider.until("ride_status_update")["status"] == "arrivingToPickup"


def test_a_bad_token_is_answered_and_then_the_socket_closes(town: Town) -> None:
    """S1-04."""
    client = Client(town.person("rider", "rita"), open_socket(town))
    answer = client.ask("authenticate", token="x.y.z")
    assert (answer["status"], answer["code"]) == ("error", "UNAUTHENTICATED")
    with pytest.raises(ConnectionClosed):
        client.next()


def test_a_bad_token_at_the_handshake_is_401(town: Town) -> None:
    """S1-07."""
    with pytest.raises(InvalidStatus) as refused:
        open_socket(town, "?token=x.y.z")
    assert refused.value.response.status_code == 401
