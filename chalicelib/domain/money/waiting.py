"""How long a courier has waited at the stops of an order."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

from chalicelib.domain.orders.losing_couriers import LEFT_STOP
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.proof import Stop
from chalicelib.domain.orders.waiting import find_wait_start

# What ends a wait at the drop-off: handing over, or giving up to.
_ENDS_AT_DROPOFF = (Status.DONE, Status.RETURNING, Status.LEFT, Status.DISCARDED)
_MINUTE = timedelta(minutes=1)


def count_waiting_minutes(order: Order, free: timedelta) -> int:
    """Count the started minutes that the courier of an order has waited beyond `free`, which each
    of its two stops has for itself."""
    at_pickup = _measure_wait(order, Stop.PICKUP, (Status.IN_TRANSIT,))
    at_dropoff = _measure_wait(order, Stop.DROPOFF, _ENDS_AT_DROPOFF)
    return sum(max(0, ceil((wait - free) / _MINUTE)) for wait in (at_pickup, at_dropoff))


def _measure_wait(order: Order, stop: Stop, ends: tuple[Status, ...]) -> timedelta:
    """Measure for how long a courier has waited at a stop, until they left it or the order went on;
    no time where they were not there, or are still."""
    times = order.timeline
    began_at = find_wait_start(order, stop)
    ended_at = min((times[end.value] for end in ends if end.value in times), default=None)
    if began_at is None or ended_at is None:
        return timedelta(0)
    return max(min(ended_at, times.get(LEFT_STOP[stop], ended_at)) - began_at, timedelta(0))
