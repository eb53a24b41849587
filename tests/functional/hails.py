"""Drivers and hails, as the tests of spec 004 need them."""

from __future__ import annotations

from typing import Any

from tests.builders import DEPOT
from tests.functional.world import Socket, Someone, World

TIMEOUT = {"type": "order_timeout", "message": "Order expired or reassigned to another driver"}


def driver(
    world: World,
    id_: str,
    at: tuple[float, float] | None = DEPOT,
    available: bool = True,
) -> tuple[Someone, Socket]:
    """A driver on duty with a greeted socket, whose greeting has been taken."""
    someone = world.courier(id_, at, available)
    socket = world.connect(someone, "drivers")
    assert types(socket)[:2] == ["connection_established", "initial_orders"]
    return someone, socket


def be_at(world: World, who: Someone, at: tuple[float, float] = DEPOT) -> None:
    """Report a position: after two minutes a driver's last one no longer counts."""
    sent = world.post("/v1/courier/location", {"lat": at[0], "lng": at[1]}, who)
    assert sent.status == 200, sent


def hail(world: World, by: Someone | None = None, **changes: Any) -> dict[str, Any]:
    """Place an order at the depot (a change to None leaves a field out); its body."""
    body = {
        "address_from": "1 Depot Road",
        "address_to": "2 Door Street",
        "latitude_from": str(DEPOT[0]),
        "longitude_from": str(DEPOT[1]),
        "latitude_to": 12.98,
        "longitude_to": 77.6,
        **changes,
    }
    sent = {name: value for name, value in body.items() if value is not None}
    placed = world.post("/v1/driver-orders", sent, by or world.customer())
    assert placed.status == 201, placed
    return dict(placed.body)


def pending(world: World, who: Someone) -> list[dict[str, Any]]:
    """What a driver is told by polling."""
    polled = world.get("/v1/driver/orders", who)
    assert polled.status == 200, polled
    return list(polled.body["orders"])


def types(socket: Socket) -> list[str]:
    """The types of the frames since the last take."""
    return [frame["type"] for frame in socket.take()]


def hear(socket: Socket, type_: str) -> dict[str, Any]:
    """The one frame since the last take, of that type."""
    [frame] = socket.take()
    assert frame["type"] == type_, frame
    return dict(frame)
