"""What happened: everything that was committed, and everything that ended badly. The checks read
it, and the trace shows it line by line."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from chalicelib.domain.events import Event, Outbox
from chalicelib.domain.money.payments import Payment, PaymentResult
from chalicelib.domain.money.payouts import Payout
from chalicelib.domain.money.wallets import Wallet
from chalicelib.domain.orders.chat import ChatMessage
from chalicelib.domain.orders.model import Order, Status
from chalicelib.store.compression import unpack
from tests.simulation.dynamo import Write
from tests.simulation.values import Item

T = TypeVar("T")
Identity = tuple[str, str, int, int]
"""Which fact an event tells, and to whom: (to, stream, version, ordinal)."""


@dataclass(frozen=True)
class Violation:
    """Something that must not be: which check says so, and what it saw."""

    check: str
    what: str


@dataclass(frozen=True)
class Fact:
    """An event as it was committed, and when."""

    event: Event
    at_s: float


@dataclass
class History:
    """`facts` are all committed events; `occupied` the orders of each courier, by their row;
    `bookings` which versions of a wallet booked a key; `verdicts` what the bank was told, by
    payment. A courier has `most_orders` at most."""

    now_s: Callable[[], float]
    most_orders: int = 1
    facts: dict[Identity, Fact] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    occupied: dict[str, tuple[int, ...]] = field(default_factory=dict)
    bookings: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    verdicts: dict[str, PaymentResult] = field(default_factory=dict)
    confirmed: set[str] = field(default_factory=set)  # payments and payouts answered as final
    tipped: list[tuple[int, str | None]] = field(default_factory=list)  # answered: order, key
    violations: list[Violation] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    lines: list[str] | None = None
    _digest: Any = field(default_factory=hashlib.sha256)

    def trace(self, *what: object) -> None:
        """Add a line to the trace."""
        line = f"{self.now_s():10.3f} " + " ".join(map(str, what))
        self._digest.update(line.encode() + b"\n")
        if self.lines is not None:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        """Of the whole trace: the same for the same history."""
        return str(self._digest.hexdigest())

    def violate(self, check: str, what: str) -> None:
        """Note something that must not be."""
        self.trace("VIOLATION", check, what)
        self.violations.append(Violation(check, what))

    def wrote(self, writes: list[Write]) -> None:
        """Note what was written at once: the events in it, and whom it occupies."""
        for table, row in writes:
            if row is not None:
                self._note(table, row)
        having = Counter(id_ for order in self.orders.values() for id_ in order.occupied_ids)
        for who, orders in having.items():
            if orders > self.most_orders:
                self.violate("no_courier_has_too_many_orders", f"{who} has {orders}")
        occupying = Counter(order_id for held in self.occupied.values() for order_id in held)
        for order_id, couriers in occupying.items():
            if couriers > 1 and self.most_orders == 1:  # in waves an order asks several
                self.violate("no_order_has_two_couriers", f"{order_id} occupies {couriers}")

    def _note(self, table: str, row: Item) -> None:
        if table == "couriers":
            self._occupy(row)
        elif decode := DECODERS.get(table):
            aggregate = decode(row)
            self._keep(aggregate.outbox)
            if isinstance(aggregate, Order):
                self._hold(aggregate)
            elif isinstance(aggregate, Wallet):
                self._book(aggregate)

    def _keep(self, outbox: Outbox) -> None:
        for entry in outbox.entries:
            for event in entry.events:
                identity = identity_of(event)
                if identity not in self.facts:
                    self.facts[identity] = Fact(
                        msgspec.structs.replace(event, details=outbox.details), self.now_s()
                    )
                    self.trace("committed", *identity, event.type)

    def _hold(self, order: Order) -> None:
        self.trace("order", order.id, order.status.value, order.courier_id, f"v{order.version}")
        before = self.orders.get(order.id)
        if before is not None and _leaves_end(before, order):
            ends = f"{order.id}: {before.status.value} -> {order.status.value}"
            self.violate("no_step_leads_out_of_an_end", ends)
        self.orders[order.id] = order

    def _occupy(self, row: Item) -> None:
        courier_id = row["courier_id"]["S"]
        first = (int(row["order_id"]["N"]),) if "order_id" in row else ()
        more = row.get("others", {}).get("L", ())
        self.occupied[courier_id] = (*first, *(int(one["S"].partition("@")[0]) for one in more))

    def _book(self, wallet: Wallet) -> None:
        for booking in wallet.latest_bookings:
            versions = self.bookings.setdefault((wallet.courier_id, booking.key), set())
            versions.add(wallet.version)
            self.trace("booked", wallet.courier_id, booking.key, booking.balance_minor)


def _leaves_end(before: Order, after: Order) -> bool:
    """Say whether a write has taken an order out of an end: what is unserved may be searched for
    again."""
    is_end = before.is_terminal and before.status is not Status.UNSERVED
    return is_end and (after.status, after.courier_id) != (before.status, before.courier_id)


def identity_of(event: Event) -> Identity:
    """Return which fact an event tells, and to whom."""
    return event.to, event.stream, event.version, event.ordinal


def _json(kind: type[T]) -> Callable[[Item], T]:
    return lambda row: msgspec.json.decode(row["doc"]["S"], type=kind)


def _packed(kind: type[T]) -> Callable[[Item], T]:
    return lambda row: unpack(bytes(row["doc"]["B"]), kind)


# Whatever is its own outbox, by its table.
DECODERS: dict[str, Callable[[Item], Order | Wallet | Payout | Payment | ChatMessage]] = {
    "orders": _packed(Order),
    "wallets": _packed(Wallet),
    "payouts": _json(Payout),
    "payments": _json(Payment),
    "chats": _json(ChatMessage),
}
