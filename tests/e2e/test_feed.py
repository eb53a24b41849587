"""Spec 003 over real sockets, with a stock client."""

from __future__ import annotations

import json
import urllib.request
from typing import Any
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.e2e.conftest import Stack


def rest(stack: Stack, method: str, path: str, token: str, body: Any = None) -> Any:
    """One REST call; the decoded body."""
    request = urllib.request.Request(
        f"{stack.url}/api{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.loads(response.read())


def ask(socket: ClientConnection, message: dict[str, Any]) -> dict[str, Any]:
    """Send a message and take the next frame."""
    socket.send(json.dumps(message))
    return heard(socket)


def heard(socket: ClientConnection) -> dict[str, Any]:
    """The next frame."""
    return dict(json.loads(socket.recv(timeout=10)))


def test_a_subscriber_follows_a_parcel_from_the_order_to_the_door(stack: Stack) -> None:
    """S3-01, S3-02, S3-04, S3-06."""
    cara, dan = f"cara-{uuid4().hex[:8]}", f"dan-{uuid4().hex[:8]}"
    hers, his = stack.token("customer", cara), stack.token("courier", dan)
    rest(stack, "PUT", "/v1/me", hers, {"name": "Cara", "phone": "+911234567890"})
    place = {"lat": 48.8566, "lng": 2.3522}
    rest(stack, "POST", "/v1/courier/availability", his, {"available": True, **place})
    with connect(f"{stack.ws_url}/api/websocket/ws") as socket:
        auth = {"type": "auth", "token": hers, "user_id": cara, "user_role": "customer"}
        assert ask(socket, auth)["type"] == "authenticated"
        types = ["order_created", "delivery_accepted", "delivery_completed"]
        answer = ask(socket, {"type": "subscribe", "events": types})
        assert answer == {"type": "subscription_updated", "subscribed_events": types}
        order = {
            "pickup_address": "1 Depot Road",
            "pickup_lat": place["lat"],
            "pickup_lng": place["lng"],
            "dropoff_address": "2 Door Street",
            "receiver_phone": "+911234567890",
        }
        order_id = rest(stack, "POST", "/v1/orders", hers, order)["id"]
        for verb in ("accept", "arrived", "picked", "delivered"):
            rest(stack, "POST", f"/v1/courier/orders/{verb}", his, {"order_id": order_id})
        events = [heard(socket) for _ in types]
        assert [event["event_type"] for event in events] == types
        assert {event["user_id"] for event in events} == {cara}
        assert ask(socket, {"type": "heartbeat"}) == {"type": "heartbeat_ack"}


def test_a_stranger_hears_an_error_and_is_closed(stack: Stack) -> None:
    """S3-03."""
    with connect(f"{stack.ws_url}/api/websocket/ws") as socket:
        assert ask(socket, {"type": "auth", "token": "x", "user_id": "y"})["type"] == "error"
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=10)
