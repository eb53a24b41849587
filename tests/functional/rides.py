"""Rides in a world: riders and drivers with profiles, on the sockets of contract rides."""

from __future__ import annotations

from typing import Any

from chalicelib.domain.people import Role
from tests.builders import DEPOT, north_of
from tests.functional.world import Socket, Someone, World

DOOR = north_of(DEPOT, 5000)
PICKUP = {"latitude": DEPOT[0], "longitude": DEPOT[1]}
DESTINATION = {"latitude": DOOR[0], "longitude": DOOR[1]}
WISH = {"pickup": PICKUP, "destination": DESTINATION, "vehicle_type": "standard"}


class Client:
    """Somebody on a socket of contract rides."""

    def __init__(self, world: World, person: Someone, socket: Socket) -> None:
        self.world = world
        self.person = person
        self.socket = socket

    @property
    def id(self) -> str:
        return self.person.id

    def ask(self, event: str, _event_id: Any = None, **data: Any) -> dict[str, Any]:
        """Send an event and return the data of its response; other frames wait for `heard`."""
        sent = {"event": event, "data": data}
        before = len(self.socket.frames)
        self.socket.say({**sent, "event_id": _event_id} if _event_id is not None else sent)
        answers = [f for f in self.socket.frames[before:] if f["event"] == f"{event}_response"]
        assert len(answers) == 1, self.socket.frames[before:]
        assert answers[0].get("event_id") == _event_id
        return dict(answers[0]["data"])

    def did(self, event: str, **data: Any) -> dict[str, Any]:
        """Send an event that must succeed."""
        answer = self.ask(event, **data)
        assert answer["status"] == "success", answer
        return answer

    def heard(self, *events: str) -> list[dict[str, Any]]:
        """The data of all frames of these events so far."""
        return [f["data"] for f in self.socket.frames if f["event"] in events]

    def statuses(self) -> list[str]:
        """The statuses that it was told, in order."""
        return [data["status"] for data in self.heard("ride_status_update")]

    def forget(self) -> None:
        """Count what is heard from here."""
        self.world.gateway.posted[:] = [
            (id_, frame) for id_, frame in self.world.gateway.posted if id_ != self.socket.id
        ]


def register(world: World, person: Someone, **profile: Any) -> None:
    """PUT the profile that one must have on this contract."""
    body = {"name": person.id.title() + " Smith", "phone": "+911234567890", **profile}
    assert world.call("PUT", "/v1/me", body, person).status == 200


def enter(world: World, person: Someone) -> Client:
    """Connect without a token, then authenticate."""
    socket = world.connect(None, "rides")
    client = Client(world, person, socket)
    client.did("authenticate", token=person.token)
    return client


def a_rider(world: World, id_: str = "rita", **profile: Any) -> Client:
    """A rider with a profile, authenticated."""
    person = world.someone(Role.CUSTOMER, id_)
    register(world, person, **profile)
    return enter(world, person)


def a_driver(
    world: World,
    id_: str = "dora",
    at: tuple[float, float] | None = DEPOT,
    online: bool = True,
    **profile: Any,
) -> Client:
    """A driver with a profile, authenticated, online at a place."""
    person = world.someone(Role.COURIER, id_)
    register(world, person, **{"vehicle": "Toyota Camry", "vehicle_type": "standard", **profile})
    client = enter(world, person)
    if online:
        client.did("go_online")
        if at:
            locate(client, at)
    return client


def locate(driver: Client, at: tuple[float, float], **more: Any) -> dict[str, Any]:
    """Report a position, a second after the last one."""
    driver.world.clock.advance(1)
    return driver.did("update_location", latitude=at[0], longitude=at[1], **more)


def request(rider: Client, **changes: Any) -> str:
    """Request a ride from the depot; its id."""
    return str(rider.did("request_ride", **{**WISH, **changes})["ride_id"])


def a_ride(rider: Client, driver: Client, until: str = "accepted") -> str:
    """A ride of these two, as far as accepted, started or completed; its id."""
    ride_id = request(rider)
    driver.did("accept_ride", ride_id=ride_id)
    if until in ("started", "completed"):
        locate(driver, DEPOT)
        driver.did("start_ride", ride_id=ride_id)
    if until == "completed":
        driver.did("complete_ride", ride_id=ride_id)
    return ride_id
