"""Tracking links, as whoever is sent one has them."""

from __future__ import annotations

from typing import Any

from chalicelib.domain.people import Role
from tests.functional.world import Answer, Socket, Someone, World


def make_link(world: World, order_id: str, by: Someone) -> str:
    """A new link of an order; its token."""
    made = world.post(f"/v1/orders/{order_id}/tracking", None, by)
    assert made.status == 201, made
    return str(made.body["url"].rpartition("/")[2])


def a_bearer(world: World) -> Someone:
    """Whoever has a link of some order: their token is the link's."""
    cara = world.customer()
    return Someone("bearer", Role.RECIPIENT, make_link(world, world.place(cara)["id"], cara))


def look(world: World, token: str) -> Any:
    """What a link shows, as JSON."""
    answer = poll(world, token)
    assert answer.status == 200, answer
    return answer.body


def poll(world: World, token: str) -> Answer:
    """A link's address, asked for JSON."""
    return world.call("GET", f"/t/{token}", headers={"accept": "application/json"})


def listen(world: World, token: str) -> Socket:
    """A link's socket, greeted."""
    return world.connect(None, "track", query={"token": token})
