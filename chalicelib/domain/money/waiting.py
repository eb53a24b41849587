"""How long a courier has waited at the stops of an order."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

from chalicelib.domain.orders.model import Order, Status

# What ends a wait at the drop-off: handing over, or giving up to.
_ENDS_AT_DROPOFF = (Status.DONE, Status.RETURNING, Status.LEFT, Status.DISCARDED)
_MINUTE = timedelta(minutes=1)


def count_waiting_minutes(order: Order, free: timedelta) -> int:
    """Count the started minutes that the courier of an order has waited beyond `free`, which each
    of its two stops has for itself."""
    at_pickup = _measure_wait(order, Status.AT_PICKUP.value, (Status.IN_TRANSIT,))
    at_dropoff = _measure_wait(order, "reached", _ENDS_AT_DROPOFF)
    return sum(max(0, ceil((wait - free) / _MINUTE)) for wait in (at_pickup, at_dropoff))


def _measure_wait(order: Order, began: str, ends: tuple[Status, ...]) -> timedelta:
    """Measure from one time of an order to the first of others; no time where one is not there."""
    times = order.timeline
    began_at = times.get(began)
    ended_at = min((times[end.value] for end in ends if end.value in times), default=None)
    if began_at is None or ended_at is None:
        return timedelta(0)
    return max(ended_at - began_at, timedelta(0))
