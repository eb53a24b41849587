"""Couriers who walk, accept, decline or ignore, and customers who order and wait."""

from __future__ import annotations

import asyncio
import time
from random import Random

from infra.demo.city import BLOCK_M, City, Corner, address_of, to_degrees
from infra.demo.ledger import FINAL, Ledger
from infra.demo.options import DemoOptions
from infra.harness.clients import Frame, StackClient

FIX_EVERY_S = 1.1  # Waybill takes one a second
_DRIVEN_M_S = 20.0
_LONG_AGO_S = 30 * 86_400.0
_THINKING_S = (0.05, 0.4)
_PAUSE_S = (0.1, 1.5)
_LOOK_EVERY_S = 10.0
_HELD = ("assigned", "accepted", "arrived", "picked_up")


class SimulatedCourier:
    """A courier who reports a position a second and does one delivery at a time."""

    def __init__(
        self, client: StackClient, city: City, ledger: Ledger, options: DemoOptions, random: Random
    ) -> None:
        self.client = client
        self.here = city.random_corner()
        self.order: str | None = None
        self.willing = False  # towards the end of the day nobody ignores an offer
        self._city = city
        self._ledger = ledger
        self._options = options
        self._random = random
        # A day passes in a minute: by our clock nobody is so fast, so phones have one of their own.
        self._phone_s = time.time() - _LONG_AGO_S
        self._errand: list[tuple[str, Corner]] = []
        self._answering: set[asyncio.Task[None]] = set()

    async def go_on_duty(self) -> None:
        """Connect, say a name that everybody knows the demo by, and go on duty."""
        await self.client.connect()
        number = int(self.client.id.rpartition("-")[2])
        await self.client.put("me", name=f"Demo courier {number}", phone=f"+49305550{number:03d}")
        lat, lng = to_degrees(self.here)
        status, body = await self.client.post(
            "courier/availability", available=True, lat=lat, lng=lng, ts=self._phone_s
        )
        if status != 200:
            self._ledger.problems.append(f"{self.client.id} can't go on duty: {body}")

    async def listen(self) -> None:
        """Follow what Waybill says, until the socket is closed."""
        async for frame in self.client.receive_frames():
            await self._on_frame(frame)

    async def walk_forever(self) -> None:
        """Move and report, for ever."""
        while True:
            await asyncio.sleep(FIX_EVERY_S)
            await self._walk_on()
            lat, lng = to_degrees(self.here)
            self._phone_s += self._options.blocks_a_fix * BLOCK_M / _DRIVEN_M_S
            await self.client.send("location.update", lat=lat, lng=lng, ts=self._phone_s)
            self._ledger.fixes += 1

    async def _on_frame(self, frame: Frame) -> None:
        order_id = frame["data"].get("order_id")
        if frame["event"] == "order.assigned":
            if order_id not in self._ledger.status and await self._is_foreign(order_id):
                await self.client.post("courier/orders/decline", order_id=order_id)
                return
            await self._check_free_for(order_id)
            self.order, self._errand = order_id, []
            answering = asyncio.create_task(self._answer_offer(frame["data"]))
            self._answering.add(answering)
            answering.add_done_callback(self._answering.discard)
        elif frame["event"] == "order.assignment_timed_out":
            self._ledger.offers_timed_out += 1
            self._drop_order(order_id)
        elif frame["event"] == "order.reassigned_away":
            self._drop_order(order_id)

    async def _is_foreign(self, order_id: str) -> bool:
        """Tell whether an order is not the city's: nobody here knows the way to its places."""
        _, order = await self.client.get(f"orders/{order_id}")
        return order.get("customer_id") not in self._ledger.people

    async def _check_free_for(self, order_id: str) -> None:
        """Note a problem if the courier has another order: two at once must not be.

        Spec 000 tells a courier nothing of a cancelled order, so the API is asked what became of
        it.
        """
        if self.order in (None, order_id):
            return
        _, other = await self.client.get(f"orders/{self.order}")
        if other.get("courier_id") == self.client.id and other.get("status") in _HELD:
            self._ledger.problems.append(
                f"{self.client.id} was offered {order_id} while holding {self.order}"
            )

    async def _answer_offer(self, offer: Frame) -> None:
        await asyncio.sleep(self._random.uniform(*_THINKING_S))
        order_id, chance = offer["order_id"], self._random.random()
        # While the courier was thinking, the offer may have lapsed.
        if self.order != order_id:
            return
        if chance < self._options.accept or self.willing:
            status, _ = await self.client.post("courier/orders/accept", order_id=order_id)
            if status != 200:
                self._drop_order(order_id)
            elif self.order == order_id:
                self._errand = [
                    ("arrived", self._place_of(offer, "pickup")),
                    ("picked", self._place_of(offer, "pickup")),
                    ("delivered", self._place_of(offer, "dropoff")),
                ]
        elif chance < self._options.accept + self._options.decline:
            self._drop_order(order_id)
            await self.client.post("courier/orders/decline", order_id=order_id)
            self._ledger.offers_declined += 1

    async def _walk_on(self) -> None:
        goal = self._errand[0][1] if self._errand else self._city.random_corner()
        self.here = self._city.walk_towards(self.here, goal, self._options.blocks_a_fix)
        while self._errand and self.here == self._errand[0][1]:
            await self._take_step()

    async def _take_step(self) -> None:
        step, _ = self._errand.pop(0)
        order_id = self.order
        if step == "delivered":
            self.order = None  # the next offer may come before this answer does
        status, body = await self.client.post(f"courier/orders/{step}", order_id=order_id)
        if status != 200:
            self._errand = []
            self._drop_order(order_id)
            if body.get("details", {}).get("from") != "cancelled":
                await self._explain_refusal(f"{step} of {order_id} was answered {status}", order_id)

    async def _explain_refusal(self, what: str, order_id: str | None) -> None:
        """Note a problem if a step was refused of an order that the courier has. A dispatcher may
        have taken it away meanwhile."""
        _, order = await self.client.get(f"orders/{order_id}")
        has_it = order.get("courier_id") == self.client.id and order.get("status") in _HELD
        (self._ledger.problems if has_it else self._ledger.notes).append(what)

    def _drop_order(self, order_id: str | None) -> None:
        if self.order == order_id:
            self.order, self._errand = None, []

    @staticmethod
    def _place_of(offer: Frame, side: str) -> Corner:
        north, east = offer[f"{side}_address"].split(" and ")
        return _parse_number(north) - 1, _parse_number(east) - 1


class SimulatedCustomer:
    """A customer who orders, waits until the order has ended, and orders again."""

    def __init__(
        self, client: StackClient, city: City, ledger: Ledger, options: DemoOptions, random: Random
    ) -> None:
        self.client = client
        self.orders: list[str] = []
        self._city = city
        self._ledger = ledger
        self._options = options
        self._random = random
        self._finished = asyncio.Event()
        self._asked_at = 0.0
        self._waiting = False  # for the first courier to be asked

    async def listen(self) -> None:
        """Follow what Waybill says, until the socket is closed."""
        async for frame in self.client.receive_frames():
            self._on_status(frame["data"]["order_id"], frame["data"]["status"])

    async def order_until(self, end_at: float) -> None:
        """Order one thing after the other until the end, and see the last one through."""
        while time.monotonic() < end_at:
            await self._order_one()
            await asyncio.sleep(self._random.uniform(*_PAUSE_S))

    async def _order_one(self) -> None:
        self._finished.clear()
        self._asked_at, self._waiting = time.monotonic(), True
        status, body = await self.client.post(
            "orders", **_make_parcel(self._city.random_corner(), self._city.random_corner())
        )
        if status != 201:
            self._ledger.problems.append(f"an order was answered {status}: {body}")
            return
        self.orders.append(body["id"])
        self._ledger.add_order(body["id"])
        if self._random.random() < self._options.cancel:
            await self._cancel_order(body["id"])
        await self._await_end(body["id"])

    async def _await_end(self, order_id: str) -> None:
        """Wait until an order has ended. Spec 000 has no frame for an order that a dispatcher
        cancels, so the API is asked now and then."""
        while True:
            try:
                await asyncio.wait_for(self._finished.wait(), _LOOK_EVERY_S)
                return
            except asyncio.TimeoutError:
                _, order = await self.client.get(f"orders/{order_id}")
                if order.get("status") == "cancelled":
                    self._ledger.notes.append(f"order {order_id} was cancelled by somebody else")
                    self._on_status(order_id, "cancelled")

    async def _cancel_order(self, order_id: str) -> None:
        await asyncio.sleep(self._random.uniform(*_PAUSE_S))
        status, _ = await self.client.post(f"orders/{order_id}/cancel")
        if status == 200:  # spec 000 has no frame for it
            self._on_status(order_id, "cancelled")

    def _on_status(self, order_id: str, word: str) -> None:
        self._ledger.record_status(order_id, word)
        if word == "assigned" and self._waiting:
            self._waiting = False
            self._ledger.assigned_after_s.append(time.monotonic() - self._asked_at)
        if word in FINAL:
            self._finished.set()


def _make_parcel(pickup: Corner, dropoff: Corner) -> dict[str, object]:
    (from_lat, from_lng), (to_lat, to_lng) = to_degrees(pickup), to_degrees(dropoff)
    return {
        "pickup_address": address_of(pickup),
        "pickup_lat": from_lat,
        "pickup_lng": from_lng,
        "dropoff_address": address_of(dropoff),
        "dropoff_lat": to_lat,
        "dropoff_lng": to_lng,
        "receiver_phone": "+4930123456",
    }


def _parse_number(words: str) -> int:
    return int("".join(c for c in words.split()[0] if c.isdigit()))
