"""A world with restaurants in it, and Socket.IO clients that speak raw packets."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.domain.people import Role
from tests.functional.world import Socket, Someone, World

HANDSHAKE = {"EIO": "4", "transport": "websocket"}
NAMESPACE = "/orders"
SOUP = {"name": "Soup", "quantity": 2, "price": 4.5}
BREAD = {"name": "Bread", "quantity": 1, "price": 0.1}
ORDER = {"items": [SOUP, BREAD], "deliveryAddress": "2 Door Street"}

Heard = tuple[str, Any]


class Client:
    """One Socket.IO client, by hand: what it sends and gets are packets."""

    def __init__(self, world: World, person: Someone | None, **given: Any) -> None:
        given = {"query": HANDSHAKE, **given}
        self.socket: Socket = world.connect(None, "socketio", **given)
        self.opening = self.socket.texts[:1]
        self.answer: list[str] = []
        self._seen = len(self.socket.texts)
        if person:
            self.answer = self.connect({"token": person.token})

    def connect(self, auth: Any = None) -> list[str]:
        """Ask to CONNECT; what came."""
        return self.send(f"40{NAMESPACE},{'' if auth is None else json.dumps(auth)}")

    def send(self, text: str) -> list[str]:
        """Send one packet; what came."""
        self.socket.say(text)
        return self.take()

    def take(self) -> list[str]:
        """The packets since the last time."""
        new = self.socket.texts[self._seen :]
        self._seen += len(new)
        return new

    def emit(self, name: str, data: Any = None, ack: int | None = None) -> list[Heard]:
        """Emit an event; the events that came."""
        arguments = [name] if data is None else [name, data]
        self.send_only(f"42{NAMESPACE},{'' if ack is None else ack}{json.dumps(arguments)}")
        return self.heard()

    def send_only(self, text: str) -> None:
        self.socket.say(text)

    def heard(self) -> list[Heard]:
        """The events since the last time, as (name, data); acks as (their id, data)."""
        return [_event(text) for text in self.take()]


def _event(text: str) -> Heard:
    kind, body = text[:2], text[2:].removeprefix(f"{NAMESPACE},")
    if kind == "42":
        name, *data = json.loads(body)
        return name, data[0] if data else None
    id_, bracket, rest = body.partition("[")
    return (id_ if kind == "43" else text), json.loads(bracket + rest)[0] if bracket else None


class Plain:
    """One client of the plain form."""

    def __init__(self, world: World, person: Someone) -> None:
        self.socket = world.connect(person, "food")
        self.socket.take()

    def emit(self, name: str, data: Any = None) -> list[Heard]:
        self.socket.say({"event": name} if data is None else {"event": name, "data": data})
        return self.heard()

    def heard(self) -> list[Heard]:
        return [(f["event"], f["data"]) for f in self.socket.frames[self._taken() :]]

    def _taken(self) -> int:
        taken = getattr(self, "_seen", 0)
        self._seen = len(self.socket.frames)
        return taken


def an_owner(world: World, *restaurants: str, id_: str = "77") -> Someone:
    """The owner of these restaurants."""
    return world.someone(Role.MERCHANT, id_, restaurant_ids=list(restaurants or ("789",)))


def a_driver(world: World, id_: str = "456") -> Someone:
    """A driver; this contract asks for no availability."""
    return world.someone(Role.COURIER, id_)


def placed(world: World, by: Someone, restaurant: str = "789", **changes: Any) -> dict[str, Any]:
    """An order placed with a restaurant."""
    answer = world.post(f"/v1/restaurants/{restaurant}/orders", {**ORDER, **changes}, by)
    assert answer.status == 201, answer
    return dict(answer.body)
