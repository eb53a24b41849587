"""A kitchen for tests: restaurants, drivers, and clients of contract food in both of its forms."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.domain.people import Role
from tests.functional.world import Someone, World

HANDSHAKE = {"EIO": "4", "transport": "websocket"}
NAMESPACE = "/orders"
SOUP = {"name": "Soup", "quantity": 2, "price": 4.5}
BREAD = {"name": "Bread", "quantity": 1, "price": 0.1}
PACE = 20  # events of one connection in 10 s
ORDER = {"items": [SOUP, BREAD], "deliveryAddress": "2 Door Street"}

Heard = tuple[str, Any]


class Packets:
    """A Socket.IO client by hand: it sends and gets packets."""

    def __init__(self, world: World, person: Someone | None = None, **given: Any) -> None:
        self.socket = world.connect(None, "socketio", **{"query": HANDSHAKE, **given})
        self._seen = 0
        self.opening = self.take()
        self.answer = self.connect({"token": person.token}) if person else []

    def connect(self, auth: Any = None) -> list[str]:
        """Ask to CONNECT; the packets that came."""
        return self.send_packet(f"40{NAMESPACE},{'' if auth is None else json.dumps(auth)}")

    def send_packet(self, text: str) -> list[str]:
        """Send one packet; the packets that came."""
        self.socket.say(text)
        return self.take()

    def take(self) -> list[str]:
        """The packets since the last time."""
        new = self.socket.texts[self._seen :]
        self._seen += len(new)
        return new

    def emit(self, name: str, data: Any = None, ack: int | None = None) -> list[Heard]:
        """Emit an event; what was heard, acks by their id."""
        arguments = [name] if data is None else [name, data]
        text = f"42{NAMESPACE},{'' if ack is None else ack}{json.dumps(arguments)}"
        return [_heard(packet) for packet in self.send_packet(text)]

    def heard(self) -> list[Heard]:
        """The events since the last time, as (name, data)."""
        return [_heard(packet) for packet in self.take()]


def _heard(packet: str) -> Heard:
    kind, body = packet[:2], packet[2:].removeprefix(f"{NAMESPACE},")
    if kind == "42":
        name, data = json.loads(body)
        return name, data
    if kind == "43":
        id_, bracket, rest = body.partition("[")
        return id_, json.loads(bracket + rest)[0]
    return kind, body


class Plain:
    """A client of the plain form."""

    def __init__(self, world: World, person: Someone) -> None:
        self.socket = world.connect(person, "food")

    def emit(self, name: str, data: Any = None) -> list[Heard]:
        """Send an event; what was heard."""
        heard = self.socket.say({"event": name} if data is None else {"event": name, "data": data})
        return [(frame["event"], frame["data"]) for frame in heard]

    def heard(self) -> list[Heard]:
        """The events since the last time."""
        return [(frame["event"], frame["data"]) for frame in self.socket.take()]


class Kitchen:
    """Restaurant 789, its owner 77, and customer 123."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.owner = an_owner(world)
        self.customer = world.customer("123")
        self._desk: Plain | None = None  # the owner's own socket for `update`, and what it asked
        self._asked = 0

    def place(self, restaurant: str = "789", **changes: Any) -> int:
        """A new order's id, greater than those before."""
        self.world.clock.advance(0.001)
        return int(placed(self.world, self.customer, restaurant, **changes)["id"])

    def update(self, order_id: int, *statuses: str) -> None:
        """Let the owner take these steps."""
        if self._desk is None or self._asked + len(statuses) > PACE:
            self._desk, self._asked = Plain(self.world, self.owner), 0
        for status in statuses:
            self._asked += 1
            heard = self._desk.emit("update-order-status", {"orderId": order_id, "status": status})
            assert names(heard)[-1] == "order-updated", heard

    def ready(self, restaurant: str = "789") -> int:
        """The id of an order that waits for a driver."""
        order_id = self.place(restaurant)
        self.update(order_id, "confirmed", "preparing", "ready_for_pickup")
        return order_id

    def drivers(self, *ids: str) -> list[Packets]:
        """Connected drivers."""
        return [Packets(self.world, a_driver(self.world, id_)) for id_ in ids]


def an_owner(world: World, *restaurants: str, id_: str = "77") -> Someone:
    """The owner of these restaurants, or of 789."""
    return world.someone(Role.MERCHANT, id_, restaurant_ids=list(restaurants or ("789",)))


def a_driver(world: World, id_: str = "456") -> Someone:
    """A driver; this contract asks for no availability."""
    return world.someone(Role.COURIER, id_)


def placed(world: World, by: Someone, restaurant: str = "789", **changes: Any) -> dict[str, Any]:
    """An order placed with a restaurant."""
    answer = world.post(f"/v1/restaurants/{restaurant}/orders", {**ORDER, **changes}, by)
    assert answer.status == 201, answer
    return dict(answer.body)


def as_in_frames(body: dict[str, Any]) -> dict[str, Any]:
    """An order that REST has shown, as frames show it: they have no `state`."""
    return {name: value for name, value in body.items() if name != "state"}


def names(heard: list[Heard]) -> list[str]:
    """Only what the events are called."""
    return [name for name, _ in heard]
