"""Both clients at a running Waybill, over links that are cut at random."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from random import Random
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.clients.conftest import CLIENTS
from tests.conftest import PATIENCE_S, free_port
from tests.e2e.checked import connect
from tests.e2e.conftest import DEPLOYED, FIRST_NUMBER, REMOTE, Stack, wait_for
from tests.e2e.test_feed import rest

ORDERS = 5
STEPS = ("accept", "arrived", "picked", "delivered")
TIMES = {"heartbeat_s": 30, "timeout_s": 10, "delay_s": 0.05, "max_delay_s": 0.2}
KEPT = {"courier": ORDERS * 5, "feed": ORDERS * 3}  # what each says of a delivery


class CuttingProxy:
    """Hands on what comes, and cuts each link after a while: most of them once something was told
    on it, or on a busy machine nobody would ever hear anything."""

    def __init__(self, upstream: str) -> None:
        self.port = free_port()
        self.links = 0
        self._upstream = urlsplit(upstream)
        self._random = Random(19)
        self._tasks: set[asyncio.Task[None] | None] = set()

    async def serve(self, started: threading.Event) -> None:
        """Serve until `stop`, and until the last link is cut."""
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._link, "127.0.0.1", self.port)
        started.set()
        await self._stopped.wait()
        server.close()
        await asyncio.gather(*filter(None, self._tasks))
        await asyncio.sleep(0.1)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.links += 1
        self._tasks.add(asyncio.current_task())
        host, port = self._upstream.hostname, self._upstream.port
        their_reader, their_writer = await asyncio.open_connection(host, port)
        told = asyncio.Event()
        ways = [
            asyncio.create_task(self._hand_on(reader, their_writer)),
            asyncio.create_task(self._hand_on(their_reader, writer, told)),
        ]
        try:
            if self._random.random() < 0.75:
                telling = asyncio.create_task(told.wait())
                await asyncio.wait([*ways, telling], return_when=asyncio.FIRST_COMPLETED)
                telling.cancel()
            await asyncio.wait(ways, timeout=self._random.uniform(0.3, 1.5))
        finally:
            for one in (writer, their_writer):
                one.transport.abort()
        await asyncio.gather(*ways)

    async def _hand_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        told: asyncio.Event | None = None,
    ) -> None:
        is_answered = False  # the handshake
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
                if told and is_answered:
                    told.set()
                is_answered = True


@contextmanager
def cutting_proxy(upstream: str) -> Iterator[CuttingProxy]:
    proxy, started = CuttingProxy(upstream), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(proxy.serve(started)), daemon=True)
    thread.start()
    assert started.wait(PATIENCE_S)
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join(PATIENCE_S)


def find_end(stack: Stack, token: str) -> str:
    """Find the position at the end of somebody's log."""
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{stack.ws_url}/api/v1/ws/customer?from=now"
    with connect(url, additional_headers=headers) as socket:
        return str(json.loads(socket.recv(timeout=PATIENCE_S))["data"]["to"])


@pytest.mark.skipif(bool(REMOTE or DEPLOYED), reason="a stage takes longer than the links last")
def test_both_clients_hear_everything_over_links_that_are_cut(stack: Stack) -> None:
    """On two contracts at once: each event once, in order, and both the same."""
    cara, dan = f"cara-{uuid4().hex[:8]}", f"dan-{uuid4().hex[:8]}"
    hers, his = stack.token("customer", cara), stack.token("courier", dan)
    rest(stack, "PUT", "/v1/me", hers, {"name": "Cara", "phone": "+911234567890"})
    options: dict[str, Any] = {"token": hers, "position": find_end(stack, hers), "times": TIMES}
    with cutting_proxy(stack.url) as proxy, ThreadPoolExecutor() as pool:
        url = f"http://127.0.0.1:{proxy.port}"
        asked = [
            {**options, "url": url, "contract": contract, "until": count}
            for contract, count in KEPT.items()
        ]
        hearing = [pool.submit(listen, *asked) for listen in CLIENTS.values()]
        devices = len(asked) * len(hearing)
        wait_for(lambda: proxy.links >= devices)
        for _ in range(ORDERS - 1):
            deliver(stack, hers, his)
        wait_for(lambda: proxy.links > 2 * devices, within_s=120)  # nobody ends before the last one
        deliver(stack, hers, his)
        python, typescript = (one.result(timeout=120) for one in hearing)
    for contract, ours, theirs in zip(KEPT, python, typescript, strict=True):
        events = [line for line in ours if line.startswith("event") and not line.endswith(" -")]
        assert len(set(events)) == len(events) == KEPT[contract]
        assert events == [line for line in theirs if line in events]
        assert not [line for line in [*ours, *theirs] if line.startswith("gap")]
    assert proxy.links > 2 * devices


def deliver(stack: Stack, hers: str, his: str) -> None:
    place = {"lat": 13.5 + FIRST_NUMBER % 50, "lng": 54.3522}
    order = {
        "pickup_address": "1 Depot Road",
        "pickup_lat": place["lat"],
        "pickup_lng": place["lng"],
        "dropoff_address": "2 Door Street",
        "receiver_phone": "+911234567890",
    }
    rest(stack, "POST", "/v1/courier/availability", his, {"available": True, **place})
    id_ = rest(stack, "POST", "/v1/orders", hers, order)["id"]
    for step in STEPS:
        rest(stack, "POST", f"/v1/courier/orders/{step}", his, {"order_id": id_})
