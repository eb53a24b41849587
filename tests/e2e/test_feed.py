"""Spec 003 over real sockets, with a stock client."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.conftest import PATIENCE_S
from tests.e2e.checked import connect, urlopen
from tests.e2e.conftest import FIRST_NUMBER, HOME, Stack
from tests.e2e.courier.town import hear
from tests.e2e.pasted import PASTED_WITHIN_S, define_await


def rest(stack: Stack, method: str, path: str, token: str, body: Any = None) -> Any:
    """One REST call; the decoded body."""
    request = urllib.request.Request(
        f"{stack.url}/api{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
    )
    with urlopen(request, timeout=PATIENCE_S) as response:
        return json.loads(response.read())


def ask(socket: ClientConnection, message: dict[str, Any]) -> dict[str, Any]:
    """Send a message and take the next frame."""
    socket.send(json.dumps(message))
    return heard(socket)


def heard(socket: ClientConnection) -> dict[str, Any]:
    """The next frame."""
    return hear(socket)


def test_a_subscriber_follows_a_parcel_from_the_order_to_the_door(stack: Stack) -> None:
    """S3-01, S3-02, S3-04, S3-06."""
    cara, dan = f"cara-{uuid4().hex[:8]}", f"dan-{uuid4().hex[:8]}"
    hers, his = stack.token("customer", cara), stack.token("courier", dan)
    rest(stack, "PUT", "/v1/me", hers, {"name": "Cara", "phone": "+911234567890"})
    place = {"lat": 48.8566 - FIRST_NUMBER % 100, "lng": 3.3522}
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
            socket.recv(timeout=PATIENCE_S)


@pytest.mark.skipif(not shutil.which("curl"), reason="the example uses curl")
def test_the_documents_example_works_when_it_is_pasted(stack: Stack, tmp_path: Path) -> None:
    """docs/contracts/feed.md, Try it: two terminals, one after the other has subscribed."""
    example = (HOME / "docs" / "contracts" / "feed.md").read_text().partition("## Try it")[2]
    here = {
        "127.0.0.1:8000": f"127.0.0.1:{stack.port}",
        ".venv/bin/python": sys.executable,
        "sleep 60": "await event_type",
        "ana": f"ana-{uuid4().hex[:8]}",
    }
    first, second = [_with(block, here) for block in re.findall(r"```sh\n(.*?)```", example, re.S)]
    run = subprocess.run(
        [
            "bash",
            "-uc",
            f'{define_await(tmp_path / "heard")} ({first}) | tee -a "$heard" & '
            f"await subscription_updated; {second} wait",
        ],
        cwd=HOME,
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=PASTED_WITHIN_S,
        check=False,
    )
    for type_ in ("authenticated", "subscription_updated"):
        assert f'"type":"{type_}"' in run.stdout, run.stdout + run.stderr
    assert '"event_type":"order_created"' in run.stdout


def _with(block: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        block = block.replace(old, new)
    return block
