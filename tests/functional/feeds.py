"""Spec 003's clients: people with a profile, and sockets that authenticate and subscribe."""

from __future__ import annotations

from typing import Any

from tests.functional.world import Socket, Someone, World

WORDS = {"customer": "customer", "courier": "delivery_boy", "merchant": "shop", "admin": "admin"}


def a_profile(world: World, person: Someone, **changes: Any) -> Someone:
    """Give somebody a profile; without one the feed lets nobody in."""
    body = {"name": person.id.title(), "phone": "+919876547890", **changes}
    assert world.call("PUT", "/v1/me", body, person).status == 200
    return person


def an_auth(person: Someone, **changes: Any) -> dict[str, Any]:
    """The first message of a client; a change to None leaves a field out."""
    message = {
        "type": "auth",
        "token": person.token,
        "user_id": person.id,
        "user_role": WORDS[person.role.value],
        **changes,
    }
    return {name: value for name, value in message.items() if value is not None}


def a_feed(world: World, person: Someone, *types: str) -> Socket:
    """An authenticated socket that has subscribed to these types."""
    socket = world.connect(None, "feed")
    (answer,) = socket.say(an_auth(person))
    assert answer["type"] == "authenticated", answer
    if types:
        confirmed = socket.say({"type": "subscribe", "events": list(types)})[0]
        assert confirmed["type"] == "subscription_updated", confirmed
    return socket


def types_of(frames: list[Any]) -> list[str]:
    """The event types among frames."""
    return [frame["event_type"] for frame in frames if "event_type" in frame]
