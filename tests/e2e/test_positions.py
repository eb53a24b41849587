"""Devices that hold their positions, over real sockets whose links are cut at random."""

from __future__ import annotations

import json
import socket as sockets
import threading
from contextlib import suppress
from random import Random
from typing import Any
from uuid import uuid4

from websockets.exceptions import WebSocketException

from tests.conftest import PATIENCE_S
from tests.e2e.checked import connect
from tests.e2e.conftest import ADMITTED_WITHIN_S, FIRST_NUMBER, Stack, wait_for
from tests.e2e.test_feed import rest

ORDERS = 8
STEPS = ("accept", "arrived", "picked", "delivered")
SILENCE_S = 1.0  # after which a link is cut that has nothing to say
TYPES = ["order_created", "delivery_accepted", "delivery_completed"]


class Device(threading.Thread):
    """A client that keeps its position and connects again, from there, whenever its link is cut."""

    def __init__(self, stack: Stack, person_id: str, token: str, contract: str, seed: int) -> None:
        super().__init__(daemon=True)
        self._stack = stack
        self._person_id = person_id
        self._token = token
        self._contract = contract
        self._random = Random(seed)
        self._seed = seed
        self.position = "now"
        self.heard: dict[str, Any] = {}
        self.answers: list[str] = []
        self.links = 0
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.is_set():
            with suppress(WebSocketException, OSError, TimeoutError):
                self._listen()

    def _listen(self) -> None:
        """Hear as many frames as the link lasts for. What is on its way then is lost."""
        lasts_for = self._random.randrange(2, 9) if self._seed else 10**6
        with self._connect() as link:
            self.links += 1
            if self._contract == "feed":
                auth = {"type": "auth", "token": self._token, "user_id": self._person_id}
                link.send(json.dumps({**auth, "from": self.position}))
                link.send(json.dumps({"type": "subscribe", "events": TYPES}))
            greeted = len(self.answers)
            for _ in range(lasts_for):
                # On a busy machine, too, a link is told from where it goes on before it is cut.
                silence_s = SILENCE_S if len(self.answers) > greeted else PATIENCE_S
                try:
                    self._note(json.loads(link.recv(timeout=silence_s)))
                except TimeoutError:
                    if self.done.is_set():
                        return
                    if self._seed:
                        break
            link.socket.shutdown(sockets.SHUT_RDWR)  # no farewell

    def _connect(self) -> Any:
        if self._contract == "feed":
            return connect(f"{self._stack.ws_url}/api/websocket/ws", close_timeout=0.2)
        return connect(
            f"{self._stack.ws_url}/api/v1/ws/customer?from={self.position}",
            additional_headers={"Authorization": f"Bearer {self._token}"},
            close_timeout=0.2,
        )

    def _note(self, frame: dict[str, Any]) -> None:
        name = frame.get("event") or frame.get("type")
        if name in ("resumed", "gap"):
            self.answers.append(str(name))
            if self.position == "now":
                self.position = frame.get("data", frame)["to"]
        if "pos" in frame:
            self.position = frame["pos"]
            assert self.heard.setdefault(self.position, frame) == frame


def test_each_device_hears_all_of_it_however_often_its_link_is_cut(stack: Stack) -> None:
    """On two contracts, beside a device whose link is never cut; and the log says the same."""
    cara, dan = f"cara-{uuid4().hex[:8]}", f"dan-{uuid4().hex[:8]}"
    hers, his = stack.token("customer", cara), stack.token("courier", dan)
    rest(stack, "PUT", "/v1/me", hers, {"name": "Cara", "phone": "+911234567890"})
    place = {"lat": 12.5 + FIRST_NUMBER % 50, "lng": 53.3522}
    devices = [
        Device(stack, cara, hers, contract, seed)
        for contract, seed in (
            ("customer", 0),
            ("customer", 1),
            ("customer", 2),
            ("feed", 0),
            ("feed", 3),
        )
    ]
    for device in devices:
        device.start()
    wait_for(lambda: all(device.answers for device in devices), ADMITTED_WITHIN_S)
    order = {
        "pickup_address": "1 Depot Road",
        "pickup_lat": place["lat"],
        "pickup_lng": place["lng"],
        "dropoff_address": "2 Door Street",
        "receiver_phone": "+911234567890",
    }
    for _ in range(ORDERS):
        rest(stack, "POST", "/v1/courier/availability", his, {"available": True, **place})
        id_ = rest(stack, "POST", "/v1/orders", hers, order)["id"]
        for step in STEPS:
            rest(stack, "POST", f"/v1/courier/orders/{step}", his, {"order_id": id_})
    whole, one, other, feed, cut_feed = devices
    wait_for(
        lambda: len(whole.heard) == ORDERS * 5 and len(feed.heard) == ORDERS * 3, ADMITTED_WITHIN_S
    )
    wait_for(lambda: one.heard == other.heard == whole.heard and cut_feed.heard == feed.heard)
    for device in devices:
        device.done.set()
    for device in devices:
        device.join(PATIENCE_S)
        assert set(device.answers) == {"resumed"}
    assert min(one.links, other.links, cut_feed.links) > 5
    logged = rest(stack, "GET", "/v1/me/events", hers)
    ids = {event["event_id"] for event in logged}
    assert {event["event_id"] for event in feed.heard.values()} <= ids
