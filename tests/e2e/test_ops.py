"""Dispatchers who watch the board, over real sockets: one whose link is cut, one who does not read,
and a merchant."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

from websockets.sync.client import ClientConnection, connect

from chalicelib.domain.ops.zones import find_zone
from tests.conftest import PATIENCE_S
from tests.e2e.conftest import FIRST_NUMBER, Stack
from tests.e2e.test_feed import rest

Frame = dict[str, Any]
PLACE = (-41.2866 - FIRST_NUMBER % 40, 174.7756)


def watch(stack: Stack, token: str, **query: str) -> ClientConnection:
    """A dispatcher's socket."""
    asked = "&".join(f"{name}={value}" for name, value in {"token": token, **query}.items())
    return connect(f"{stack.ws_url}/api/v1/ws/ops?{asked}")


def await_frame(socket: ClientConnection, is_wanted: Callable[[Frame], Any]) -> Frame:
    """The first frame that is wanted; those before it are passed over."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        frame: Frame = json.loads(socket.recv(timeout=give_up_at - time.monotonic()))
        if is_wanted(frame):
            return frame


def shows(order_id: str, state: str) -> Callable[[Frame], bool]:
    """Whether a frame has an order in a state."""
    wanted = {"id": order_id, "state": state}
    return lambda frame: any(wanted.items() <= row.items() for row in frame.get("orders", ()))


def is_of(kind: str) -> Callable[[Frame], bool]:
    """Whether a frame is of a type."""
    return lambda frame: bool(frame["type"] == kind)


def place_order(stack: Stack, token: str) -> str:
    """A parcel, placed now."""
    order = {
        "pickup_address": "1 Depot Road",
        "pickup_lat": PLACE[0],
        "pickup_lng": PLACE[1],
        "dropoff_address": "2 Door Street",
        "receiver_phone": "+911234567890",
    }
    return str(rest(stack, "POST", "/v1/orders", token, order)["id"])


def test_dispatchers_see_an_order_from_its_placing_to_its_end(stack: Stack) -> None:
    name = uuid4().hex[:8]
    ada = stack.token("admin", f"ada-{name}")
    hers, his = stack.token("customer", f"cara-{name}"), stack.token("courier", f"dan-{name}")
    shop = stack.token("merchant", f"mia-{name}", restaurant_ids=[f"shop-{name}"])
    zone = str(find_zone(PLACE, 5))
    duty = {"available": True, "lat": PLACE[0], "lng": PLACE[1]}
    rest(stack, "POST", "/v1/courier/availability", his, duty)
    with ExitStack() as links:
        merchant = links.enter_context(watch(stack, shop))
        links.enter_context(watch(stack, ada))  # does not read
        here = links.enter_context(watch(stack, ada, zone=zone))
        shown = await_frame(here, is_of("snapshot"))
        assert [row["id"] for row in shown["couriers"]] == [f"dan-{name}"]
        order_id = place_order(stack, hers)
        frame = await_frame(here, shows(order_id, "offered"))
        here.close_socket()  # the link is cut, without a word
        rest(stack, "POST", "/v1/courier/orders/accept", his, {"order_id": order_id})
        back = links.enter_context(watch(stack, ada, zone=zone, **{"from": frame["pos"]}))
        resumed = json.loads(back.recv(timeout=PATIENCE_S))
        assert (resumed["type"], resumed["from"]) == ("resumed", frame["pos"])
        await_frame(back, shows(order_id, "accepted"))
        for verb in ("arrived", "picked", "delivered"):
            rest(stack, "POST", f"/v1/courier/orders/{verb}", his, {"order_id": order_id})
        await_frame(back, lambda told: order_id in told.get("removed", ()))
        beat = await_frame(back, lambda told: told["type"] == "delta" and not told["orders"])
        assert beat["figures"]["couriers"] == 1
        first = await_frame(merchant, is_of("snapshot"))
        assert (first["orders"], first["couriers"]) == ([], [])
        later = await_frame(merchant, is_of("delta"))
        assert not later["orders"] + later["couriers"] + later["removed"]
