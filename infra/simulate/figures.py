"""Figures of a day: what happened to each order, and what couriers did, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

from chalicelib.domain.orders.model import Order, Status
from infra.simulate.stores.bill import Bill

POSITIONS = "positions"


@dataclass
class Tally:
    """What couriers did: how they answered offers, how long they worked and waited, and how often
    they said where they are."""

    heard: int = 0
    accepted: int = 0
    declined: int = 0
    ignored: int = 0
    late: int = 0
    duty_s: float = 0.0
    idle_s: float = 0.0
    fixes: int = 0


@dataclass
class OrderRecord:
    """What became of one order; times are None until they come."""

    placed_at: datetime
    ready_at: datetime
    offers: int = 0
    first_offer_at: datetime | None = None
    assigned_at: datetime | None = None
    picked_up_at: datetime | None = None
    delivered_at: datetime | None = None
    unserved_at: datetime | None = None


@dataclass
class Records:
    """All orders of a day, by id, as their commits told of them."""

    by_id: dict[int, OrderRecord] = field(default_factory=dict)

    def on_committed(self, stored: Order | None, order: Order) -> None:
        """Note what a version of an order says."""
        record = self.by_id.get(order.id)
        if record is None:
            record = self.by_id[order.id] = OrderRecord(order.placed_at, order.placed_at)
        now, status = order.updated_at, order.status
        if order.offers_made > record.offers:
            record.offers = order.offers_made
            record.first_offer_at = record.first_offer_at or now
        if stored is not None and stored.status is status:
            return
        if status is Status.ACCEPTED:
            record.assigned_at = now
        elif status is Status.IN_TRANSIT:
            record.picked_up_at = now
        elif status is Status.DONE:
            record.delivered_at = now
        elif status is Status.UNSERVED:
            record.unserved_at = now


def pick_quantile(values: Sequence[float], share: float) -> float:
    """Pick the value that a share of all values is no greater than; 0 where there is none."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0.0


@dataclass(frozen=True)
class Measure:
    """Durations of the orders for which there is one, in seconds."""

    name: str
    values: tuple[float, ...]


def list_measures(records: Records) -> list[Measure]:
    """List the durations that a day is judged by."""
    orders = list(records.by_id.values())

    def measure(name: str, begin: str, end: str) -> Measure:
        pairs = ((getattr(order, begin), getattr(order, end)) for order in orders)
        return Measure(name, tuple((b - a).total_seconds() for a, b in pairs if a and b))

    return [
        measure("time_to_first_offer", "placed_at", "first_offer_at"),
        measure("time_to_assign", "placed_at", "assigned_at"),
        measure("ready_to_pickup", "ready_at", "picked_up_at"),
        measure("click_to_door", "placed_at", "delivered_at"),
    ]


def list_figures(records: Records, tally: Tally, bill: Bill) -> dict[str, str]:
    """List the figures of a day by their names, in the order in which they are printed."""
    orders = list(records.by_id.values())
    count = len(orders)
    done = sum(order.delivered_at is not None for order in orders)
    unserved = sum(order.unserved_at is not None for order in orders)
    offers = sum(order.offers for order in orders)
    figures = {
        "orders": f"{count}",
        "done": f"{done}",
        "unserved": f"{unserved}",
        "unserved_percent": _format_ratio(100 * unserved, count),
    }
    for measure in list_measures(records):
        for share in (0.5, 0.95):
            seconds = pick_quantile(measure.values, share)
            figures[f"{measure.name}_p{share * 100:.0f}_s"] = f"{seconds:.1f}"
    writes = {what: units for what, units in bill.writes.items() if what != POSITIONS}
    hours = tally.duty_s / 3600
    return figures | {
        "offers": f"{offers}",
        "offers_an_order": _format_ratio(offers, count),
        "accepted_percent": _format_ratio(100 * tally.accepted, tally.heard),
        "declined_percent": _format_ratio(100 * tally.declined, tally.heard),
        "ignored_percent": _format_ratio(100 * tally.ignored, tally.heard),
        "late_percent": _format_ratio(100 * tally.late, tally.heard),
        "courier_hours": f"{hours:.1f}",
        "courier_minutes_idle": f"{tally.idle_s / 60:.0f}",
        "courier_minutes_idle_an_hour": _format_ratio(tally.idle_s / 60, hours),
        "orders_a_courier_hour": _format_ratio(done, hours),
        "write_units_an_order": _format_ratio(sum(writes.values()), count),
        "write_units_of_positions_an_order": _format_ratio(bill.writes[POSITIONS], count),
        "read_units_an_order": _format_ratio(sum(bill.reads.values()) / 2, count),
        "positions": f"{tally.fixes}",
    }


def _format_ratio(part: float, whole: float) -> str:
    return f"{part / whole:.2f}" if whole else "0.00"
