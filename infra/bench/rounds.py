"""The stories that are timed, over and over: `latency` and `far` tell the same ones.

An order until its courier hears of it, an acceptance until its customer does, a message until its
answer, a chat message until the other side has it; beside them the engine's and the gateway's own
time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import botocore.session

from infra.bench.talks import Talks
from infra.harness.clients import Frame, StackClient
from infra.local.options import LocalOptions
from infra.local.tokens import mint_token

# Beside the pickup, so that one cell is searched (docs/calls.md counts the same).
PLACE = {"lat": 52.52, "lng": 13.4099}
PARCEL = {
    "pickup_address": "Mill 1",
    "pickup_lat": 52.52,
    "pickup_lng": 13.41,
    "dropoff_address": "Lane 2",
    "receiver_phone": "+4930123456",
}
ENGINE, GATEWAY, ORDER, ACCEPT, REPLY, CHAT = (
    "engine: strongly consistent GetItem",
    "gateway: GET /api/v1/me",
    "order placed → order.assigned at the courier",
    "order accepted → order.status at the customer",
    "get_ride_state → its response",
    "send_chat_message → chat_message at the other side",
)


class Span(NamedTuple):
    """When something that was measured began and ended, by time.perf_counter()."""

    began_at: float
    ended_at: float

    @property
    def ms(self) -> float:
        """Milliseconds from the beginning to the end."""
        return 1000 * (self.ended_at - self.began_at)


@dataclass
class Samples:
    """Spans by what was measured, in the order of being shown."""

    spans: dict[str, list[Span]] = field(
        default_factory=lambda: {what: [] for what in (ENGINE, GATEWAY, ORDER, ACCEPT, REPLY, CHAT)}
    )

    def add_sample(self, what: str, began_at: float) -> None:
        """Note that something that began then (perf_counter) is over."""
        self.spans[what].append(Span(began_at, time.perf_counter()))

    def ms_of(self, what: str) -> list[float]:
        """List how many milliseconds something took, each time."""
        return [span.ms for span in self.spans[what]]


_ROUNDS_A_PAIR = 40
"""Deliveries of one customer and one courier. Nobody has 48 within a minute; who had, would find
their mailbox searched before each event (MAX_APPLIED)."""


class _Pair:
    """A customer and the only courier on duty, connected."""

    def __init__(self, customer: StackClient, courier: StackClient, courier_id: str) -> None:
        self.customer, self.courier, self.courier_id = customer, courier, courier_id

    async def arrive(self) -> None:
        """Connect, and put the courier on duty."""
        await asyncio.gather(self.customer.connect(), self.courier.connect())
        status, body = await self.courier.post("courier/availability", available=True, **PLACE)
        assert status == 200, body
        self.heard_by_customer = self.customer.receive_frames()
        self.heard_by_courier = self.courier.receive_frames()

    async def leave(self) -> None:
        """Take the courier off duty, and hang up."""
        await self.courier.post("courier/availability", available=False)
        await asyncio.gather(self.customer.close(), self.courier.close())


class Bench:
    """A courier and a customer, who do the same delivery over and over; riders and drivers who
    talk."""

    def __init__(self, where: LocalOptions, secret: str) -> None:
        self.samples = Samples()
        self._engine = botocore.session.get_session().create_client(
            "dynamodb",
            where.region,
            endpoint_url=f"http://127.0.0.1:{where.engine_port}",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        pool = ThreadPoolExecutor(4)
        self._make_client: Callable[[str, str], StackClient] = lambda role, id_: StackClient(
            where.url, mint_token(secret, role, id_), role, id_, pool
        )
        self._talks = Talks(self._make_client)

    async def run(self, rounds: int, warm_up: int, until: float) -> None:
        """Measure so many rounds, or fewer if `until` (monotonic) comes first."""
        pair = self._make_pair(0)
        await pair.arrive()
        try:
            await self._talks.bring_together(warm_up + rounds)
            for n in range(warm_up + rounds):
                if n == warm_up:
                    self.samples = Samples()
                if time.monotonic() > until:
                    break
                if n and n % _ROUNDS_A_PAIR == 0:
                    await pair.leave()
                    pair = self._make_pair(n)
                    await pair.arrive()
                await self._play_round(pair)
        finally:
            await asyncio.gather(pair.leave(), self._talks.hang_up())

    def _make_pair(self, nth: int) -> _Pair:
        customer = self._make_client("customer", f"ana-{nth}")
        return _Pair(customer, self._make_client("courier", f"ben-{nth}"), f"ben-{nth}")

    async def _play_talk(self) -> None:
        """Ask for a ride's state and write to its other side, where one is under way."""
        talk = self._talks.next_talk()
        if talk is None:
            return
        began_at = time.perf_counter()
        await talk.ask_state()
        self.samples.add_sample(REPLY, began_at)
        began_at = time.perf_counter()
        await talk.write_message()
        self.samples.add_sample(CHAT, began_at)
        await talk.await_answer()

    async def _play_round(self, pair: _Pair) -> None:
        began_at = time.perf_counter()
        await asyncio.to_thread(self._read_from_engine, pair.courier_id)
        self.samples.add_sample(ENGINE, began_at)

        began_at = time.perf_counter()
        await pair.customer.get("me")
        self.samples.add_sample(GATEWAY, began_at)

        await self._play_talk()
        began_at = time.perf_counter()
        placing = asyncio.create_task(pair.customer.post("orders", **PARCEL))
        order_id = await _await_frame(
            pair.heard_by_courier, lambda f: f["event"] == "order.assigned"
        )
        self.samples.add_sample(ORDER, began_at)
        await placing

        began_at = time.perf_counter()
        accepting = asyncio.create_task(
            pair.courier.post("courier/orders/accept", order_id=order_id)
        )
        await _await_frame(pair.heard_by_customer, lambda f: f["data"]["status"] == "accepted")
        self.samples.add_sample(ACCEPT, began_at)
        await accepting
        await pair.customer.post(f"orders/{order_id}/cancel")  # the shortest way to a free courier

    def _read_from_engine(self, courier_id: str) -> None:
        self._engine.get_item(
            TableName="waybill-couriers", Key={"courier_id": {"S": courier_id}}, ConsistentRead=True
        )


async def _await_frame(frames: AsyncIterator[Frame], wanted: Callable[[Frame], bool]) -> Any:
    """Wait for the first frame that is wanted; return its order id."""
    async for frame in frames:
        if wanted(frame):
            return frame["data"]["order_id"]
    raise ConnectionError("the socket was closed")
