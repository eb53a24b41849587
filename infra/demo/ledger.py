"""The book of the city: the status of every order, counts, and what went wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

FINAL = frozenset({"delivered", "no_nearby_driver", "cancelled"})
# Spec 000's words in the order of an order's life. A declined order is assigned again or given up.
WORDS = (
    "placed",
    "assigned",
    "declined",
    "accepted",
    "arrived",
    "picked_up",
    "delivered",
    "no_nearby_driver",
    "cancelled",
)


@dataclass
class Ledger:
    """The book that people fill in from their frames."""

    people: set[str] = field(default_factory=set)  # the city's; others may be at work beside it
    status: dict[str, str] = field(default_factory=dict)  # by order id, as its customer hears it
    offers_timed_out: int = 0
    offers_declined: int = 0
    fixes: int = 0
    assigned_after_s: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what others did to the city's orders

    def add_order(self, order_id: str) -> None:
        """Note a new order. Its frames may have said more already."""
        self.status.setdefault(order_id, "placed")

    def record_status(self, order_id: str, word: str) -> None:
        """Note a status that an order's customer heard. After a cancel a frame may be under way."""
        before = self.status.get(order_id)
        if before == "cancelled" and word not in FINAL:
            return
        # A dispatcher may have tried an unserved order again.
        if before in FINAL and before != "no_nearby_driver":
            self.problems.append(f"order {order_id} was {before} and then {word}")
        self.status[order_id] = word

    def count_by_status(self) -> dict[str, int]:
        """Count the orders of each status, in the order of an order's life."""
        counted = Counter(self.status.values())
        return {word: counted[word] for word in WORDS}

    def find_open_orders(self) -> list[str]:
        """Return the ids of orders that have reached no final status."""
        return [id_ for id_, word in self.status.items() if word not in FINAL]
