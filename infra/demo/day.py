"""One day of the city: everybody comes, works, finishes what was begun, and goes home."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

from rich.console import Console

from infra.demo.board import Board
from infra.demo.city import City
from infra.demo.ledger import Ledger
from infra.demo.options import DemoOptions
from infra.demo.people import SimulatedCourier, SimulatedCustomer
from infra.harness.clients import StackClient
from infra.local.options import LocalOptions

FINISHED_WITHIN_S = 90.0
_THREADS = 32


class Day:
    """The people of one run.

    Their ids are new, so that one day's couriers are not offered another day's orders.
    """

    def __init__(
        self, options: DemoOptions, where: LocalOptions, secret: str, console: Console
    ) -> None:
        self.ledger = Ledger()
        self._options = options
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="rest")
        random = Random()
        city = City(random)
        run = secrets.token_hex(3)

        def client(role: str, n: int) -> StackClient:
            return StackClient(where, secret, role, f"demo-{run}-{role}-{n}", self._pool)

        self.couriers = [
            SimulatedCourier(client("courier", n), city, self.ledger, options, random)
            for n in range(options.couriers)
        ]
        self.customers = [
            SimulatedCustomer(client("customer", n), city, self.ledger, options, random)
            for n in range(options.customers)
        ]
        self.board = Board(console, self.ledger, self.couriers)

    @property
    def people(self) -> list[SimulatedCourier | SimulatedCustomer]:
        """Couriers and customers, all of them."""
        return [*self.couriers, *self.customers]

    async def run(self) -> None:
        """Live through it; the ledger has what was seen."""
        working: list[asyncio.Task[None]] = []
        try:
            await self._open_day()
            doing = [self._keep_listening(person) for person in self.people]
            doing += [courier.walk_forever() for courier in self.couriers]
            working = [asyncio.create_task(c) for c in (*doing, self.board.show())]
            await self._run_orders()
            await self._check_orders()
        finally:
            await self._go_home(working)

    async def _open_day(self) -> None:
        await asyncio.gather(*(customer.client.connect() for customer in self.customers))
        await asyncio.gather(*(courier.go_on_duty() for courier in self.couriers))

    async def _keep_listening(self, person: SimulatedCourier | SimulatedCustomer) -> None:
        await person.listen()
        self.ledger.problems.append(f"the socket of {person.client.id} was closed")

    async def _run_orders(self) -> None:
        end_at = time.monotonic() + self._options.seconds
        ordering = asyncio.gather(*(c.order_until(end_at) for c in self.customers))
        await asyncio.wait([ordering], timeout=self._options.seconds)
        for courier in self.couriers:
            courier.willing = True
        try:
            await asyncio.wait_for(ordering, FINISHED_WITHIN_S)
        except asyncio.TimeoutError:
            for order_id in self.ledger.find_open_orders():
                word = self.ledger.status[order_id]
                self.ledger.problems.append(f"order {order_id} is still {word}")

    async def _check_orders(self) -> None:
        """Ask the API for every order: it must say what the frames said."""
        if not self.ledger.status:
            self.ledger.problems.append("no order was placed")
        await asyncio.gather(*(self._compare_orders(customer) for customer in self.customers))
        await asyncio.gather(*(self._see_free(courier) for courier in self.couriers))

    async def _compare_orders(self, customer: SimulatedCustomer) -> None:
        for order_id in customer.orders:
            _, body = await customer.client.get(f"orders/{order_id}")
            heard, stored = self.ledger.status[order_id], body.get("status")
            if heard != stored:
                self.ledger.problems.append(f"order {order_id} is {stored}, but {heard} was told")

    async def _see_free(self, courier: SimulatedCourier) -> None:
        _, body = await courier.client.get("courier/active-order")
        if body.get("active") is not False:
            self.ledger.problems.append(f"{courier.client.id} still has an order: {body}")

    async def _go_home(self, working: Sequence[asyncio.Task[None]]) -> None:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        # A server that is gone must not keep anybody from going home.
        off_duty = (c.client.post("courier/availability", available=False) for c in self.couriers)
        await asyncio.gather(*off_duty, return_exceptions=True)
        hanging_up = (person.client.close() for person in self.people)
        await asyncio.gather(*hanging_up, return_exceptions=True)
        self._pool.shutdown()
