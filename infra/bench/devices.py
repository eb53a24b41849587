"""Devices of a person, whose links are cut: with a position of their own, or as stock clients are.

A device without `cuts` keeps its link: what it hears is what the others are to have heard.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator
from random import Random
from typing import Any, NamedTuple

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from infra.bench.cuts import Cuts, pick
from infra.bench.waits import Link
from infra.harness.clients import Frame

FEED_TYPES = ["order_created", "delivery_accepted"]
_PATHS = {"feed": "/api/websocket/ws", "food": "/orders", "drivers": "/ws/driver/orders/"}
_BACK_AFTER_S = (0.05, 0.2)  # once no link is cut any more
_OPEN_WITHIN_S = 30.0  # a gateway answers within 29 s
_NAMES = ("event", "event_type", "type")


class Receipt(NamedTuple):
    """A frame that came: its name, its text less its position, and when (perf_counter)."""

    name: str
    text: str
    at: float


class DeviceOwner(NamedTuple):
    """Whose devices they are, and the contract that these speak."""

    id: str
    token: str
    contract: str


class Device:
    """One client. It goes on until its task is cancelled."""

    def __init__(
        self, ws_url: str, person: DeviceOwner, position: str | None, random: Random
    ) -> None:
        self._ws_url = ws_url
        self._person = person
        self._random = random
        self.position = position
        self.cuts: Cuts | None = None
        self.ready = asyncio.Event()
        self.receipts: list[Receipt] = []
        self.resumed_at = 0.0
        self.spans: list[Link] = []
        self.gaps = 0
        self.refusals = 0

    @property
    def links(self) -> int:
        """How many links there were."""
        return sum(link.opened_at < math.inf for link in self.spans)

    async def run(self) -> None:
        """Connect, listen until the link is cut, be away, connect again."""
        while True:
            await self.try_listening()
            away_s = self.cuts.away_s if self.cuts else _BACK_AFTER_S
            await asyncio.sleep(pick(self._random, away_s))

    async def try_listening(self) -> bool:
        """Connect, and listen until the link ends; return False where it could not be opened."""
        span = Link(time.perf_counter())
        self.spans.append(span)
        try:
            await self._listen(span)
        except (WebSocketException, OSError, asyncio.TimeoutError):
            self.refusals += 1
            return False
        finally:
            span.ended_at = time.perf_counter()
        return True

    async def _listen(self, span: Link) -> None:
        async with self._connect() as link:
            span.opened_at = time.perf_counter()
            listening = asyncio.create_task(self._note_frames(link))
            try:
                await self._await_cut(listening)
            finally:
                listening.cancel()
                link.transport.abort()  # no farewell; what has not been read is lost
                await asyncio.wait([listening])
                if not listening.cancelled():
                    listening.exception()  # looked at: a link may end in any way

    async def _await_cut(self, listening: asyncio.Task[None]) -> None:
        """Wait until the link ends, or is to be cut."""
        while True:
            lasts_s = pick(self._random, self.cuts.link_s) if self.cuts else 0.5
            done, _ = await asyncio.wait([listening], timeout=lasts_s)
            if done or self.cuts:
                return

    def _connect(self) -> connect:
        contract = self._person.contract
        url = f"{self._ws_url}{_PATHS.get(contract, f'/api/v1/ws/{contract}')}"
        headers = {"Authorization": f"Bearer {self._person.token}"}
        if contract == "feed":
            headers = {}
        elif self.position:
            url += f"?from={self.position}"
        return connect(
            url,
            additional_headers=headers,
            proxy=None,
            open_timeout=_OPEN_WITHIN_S,
            close_timeout=1,
            compression=None,
        )

    async def _note_frames(self, link: ClientConnection) -> None:
        if self._person.contract == "feed":
            await self._subscribe(link)
        elif self.position is None:
            self.ready.set()
        async for frame in _iterate_frames(link):
            self._note_frame(frame, time.perf_counter())

    async def _subscribe(self, link: ClientConnection) -> None:
        auth = {"type": "auth", "token": self._person.token, "user_id": self._person.id}
        await link.send(json.dumps({**auth, "from": self.position} if self.position else auth))
        await link.send(json.dumps({"type": "subscribe", "events": FEED_TYPES}))

    def _note_frame(self, frame: Frame, at: float) -> None:
        name = next((str(frame[key]) for key in _NAMES if key in frame), "")
        if name in ("resumed", "gap"):
            self.gaps += name == "gap"
            self.resumed_at = self.spans[-1].resumed_at = at
            if self.position == "now":
                self.position = frame.get("data", frame)["to"]
            self.ready.set()
            return
        if name == "subscription_updated" and self.position is None:
            self.ready.set()
        if "pos" in frame:
            self.position = frame.pop("pos")
        self.receipts.append(Receipt(name, json.dumps(frame, sort_keys=True), at))


async def _iterate_frames(link: ClientConnection) -> AsyncIterator[dict[str, Any]]:
    async for text in link:
        yield json.loads(text)
