"""One day of the city: everybody comes, works, finishes what was begun, and goes home."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

from rich.console import Console

from infra.demo.board import LedgerBoard
from infra.demo.city import City
from infra.demo.ledger import FINAL, Ledger
from infra.demo.options import DemoOptions
from infra.demo.people import SimulatedCourier, SimulatedCustomer
from infra.demo.stack import DemoStack
from infra.harness.clients import StackClient

FINISHED_WITHIN_S = 90.0
_THREADS = 32
_LOOK_EVERY_S = 0.5


class DemoDay:
    """The people of one run.

    Their ids are new, so that one day's couriers are not offered another day's orders.
    """

    def __init__(self, options: DemoOptions, stack: DemoStack, console: Console) -> None:
        self.ledger = Ledger()
        self._options = options
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="rest")
        random = Random()
        city = City(random)
        run = secrets.token_hex(3)

        def client(role: str, n: int) -> StackClient:
            id_ = f"demo-{run}-{role}-{n}"
            self.ledger.people.add(id_)
            token = stack.make_token(role, id_, f"Demo {role} {n}")
            return StackClient(stack.url, token, role, id_, self._pool)

        self.couriers = [
            SimulatedCourier(client("courier", n), city, self.ledger, options, random)
            for n in range(options.couriers)
        ]
        self.customers = [
            SimulatedCustomer(client("customer", n), city, self.ledger, options, random)
            for n in range(options.customers)
        ]
        self.board = LedgerBoard(console, self.ledger, self.couriers)

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
            await asyncio.wait_for(self._see_through(ordering), FINISHED_WITHIN_S)
        except asyncio.TimeoutError:
            for customer in self.customers:
                for order_id in set(customer.orders) & set(self.ledger.find_open_orders()):
                    await self._explain_open(customer, order_id)

    async def _see_through(self, ordering: asyncio.Future[list[None]]) -> None:
        await ordering
        while self.ledger.find_open_orders():  # unserved ones that a dispatcher tries again
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _explain_open(self, customer: SimulatedCustomer, order_id: str) -> None:
        """Note a problem for an order that has not ended, unless somebody has it who is not of the
        city: then it is cancelled, if it still can be."""
        _, order = await customer.client.get(f"orders/{order_id}")
        courier_id = order.get("courier_id")
        if courier_id is None or courier_id in self.ledger.people:
            word = self.ledger.status[order_id]
            self.ledger.problems.append(f"order {order_id} is still {word}")
            return
        status, _ = await customer.client.post(f"orders/{order_id}/cancel")
        end = "was cancelled" if status == 200 else "is under way"
        self.ledger.notes.append(f"order {order_id} {end}: {courier_id} has it")
        if status == 200:
            self.ledger.record_status(order_id, "cancelled")

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
            # Spec 000 tells nobody that a dispatcher cancels an order, or searches again for it.
            is_again = heard == "no_nearby_driver" and stored in ("pending", "searching")
            if is_again or (stored == "cancelled" and heard not in FINAL):
                self.ledger.notes.append(f"order {order_id} is {stored} by somebody else's doing")
            elif heard != stored:
                self.ledger.problems.append(f"order {order_id} is {stored}, but {heard} was told")

    async def _see_free(self, courier: SimulatedCourier) -> None:
        _, body = await courier.client.get("courier/active-order")
        others = (body.get("order") or {}).get("id") not in self.ledger.status
        if body.get("active") is not False and not others:
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
