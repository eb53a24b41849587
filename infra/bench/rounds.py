"""The rounds that are measured: order to courier, acceptance to customer, message to answer and to
the other side, engine, gateway."""

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
        """How long it took."""
        return 1000 * (self.ended_at - self.began_at)


@dataclass
class Samples:
    """Spans by what was measured, in the order of being shown."""

    spans: dict[str, list[Span]] = field(
        default_factory=lambda: {what: [] for what in (ENGINE, GATEWAY, ORDER, ACCEPT, REPLY, CHAT)}
    )

    def add(self, what: str, began_at: float) -> None:
        """Note that something that began then (perf_counter) is over."""
        self.spans[what].append(Span(began_at, time.perf_counter()))

    def ms_of(self, what: str) -> list[float]:
        """Milliseconds that it took, each time."""
        return [span.ms for span in self.spans[what]]


class Bench:
    """One courier and one customer, who do the same delivery over and over; riders and drivers
    who talk."""

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
        self._ana = StackClient(where, secret, "customer", "ana", pool)
        self._ben = StackClient(where, secret, "courier", "ben", pool)
        self._talks = Talks(lambda role, id_: StackClient(where, secret, role, id_, pool))

    async def run(self, rounds: int, warm_up: int, until: float) -> None:
        """Measure so many rounds, or fewer if `until` (monotonic) comes first."""
        await asyncio.gather(self._ana.connect(), self._ben.connect())
        try:
            await self._talks.begin(warm_up + rounds)
            status, body = await self._ben.post("courier/availability", available=True, **PLACE)
            assert status == 200, body
            of_ana, of_ben = self._ana.receive_frames(), self._ben.receive_frames()
            for n in range(warm_up + rounds):
                if n == warm_up:
                    self.samples = Samples()
                if time.monotonic() > until:
                    break
                await self._round(of_ana, of_ben)
        finally:
            await asyncio.gather(self._ana.close(), self._ben.close(), self._talks.end())

    async def _round(self, of_ana: AsyncIterator[Frame], of_ben: AsyncIterator[Frame]) -> None:
        began_at = time.perf_counter()
        await asyncio.to_thread(self._read_from_engine)
        self.samples.add(ENGINE, began_at)

        began_at = time.perf_counter()
        await self._ana.get("me")
        self.samples.add(GATEWAY, began_at)

        if talk := self._talks.next():
            began_at = time.perf_counter()
            await talk.look()
            self.samples.add(REPLY, began_at)

            began_at = time.perf_counter()
            await talk.say()
            self.samples.add(CHAT, began_at)
            await talk.settle()

        began_at = time.perf_counter()
        placing = asyncio.create_task(self._ana.post("orders", **PARCEL))
        order_id = await _until(of_ben, lambda f: f["event"] == "order.assigned")
        self.samples.add(ORDER, began_at)
        await placing

        began_at = time.perf_counter()
        accepting = asyncio.create_task(self._ben.post("courier/orders/accept", order_id=order_id))
        await _until(of_ana, lambda f: f["data"]["status"] == "accepted")
        self.samples.add(ACCEPT, began_at)
        await accepting
        await self._ana.post(f"orders/{order_id}/cancel")  # the shortest way to a free courier

    def _read_from_engine(self) -> None:
        self._engine.get_item(
            TableName="waybill-couriers", Key={"courier_id": {"S": "ben"}}, ConsistentRead=True
        )


async def _until(frames: AsyncIterator[Frame], wanted: Callable[[Frame], bool]) -> Any:
    """The order id of the first frame that is wanted."""
    async for frame in frames:
        if wanted(frame):
            return frame["data"]["order_id"]
    raise ConnectionError("the socket was closed")
