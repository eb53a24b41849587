"""What was promised of an order, and whether it is late: by its windows, and by what is estimated.

An order without windows is promised by no time: it is never late, and never on time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.domain.orders.model import UNDELIVERED_STATUSES, Order, Status
from chalicelib.domain.orders.tips import get_end_time
from chalicelib.domain.orders.tracked import estimate_eta_minutes
from chalicelib.domain.people import Courier

_PICKED_UP = UNDELIVERED_STATUSES | {Status.IN_TRANSIT, Status.RETURNING, Status.DONE}


def find_due(order: Order) -> datetime | None:
    """Find by when an order was promised: at the drop-off, or else at the pickup."""
    windows = order.options.windows
    return windows.dropoff_by or windows.pickup_by


def estimate_eta(order: Order, courier: Courier | None, now: datetime) -> datetime | None:
    """Estimate when an order is at its drop-off, to the minute: by what its recipient is told of
    it. None where nobody can tell."""
    minutes = estimate_eta_minutes(order, courier, now)
    if minutes is None:
        return None
    at = now + timedelta(minutes=minutes)
    # To the full minute: else it would be another each time that somebody looks.
    whole = at.replace(second=0, microsecond=0)
    return whole if whole == at else whole + timedelta(minutes=1)


def is_late(order: Order, eta: datetime | None, now: datetime) -> bool:
    """Say whether an unfinished order is late, or will be."""
    windows = order.options.windows
    if windows.dropoff_by:
        return max(now, eta or now) > windows.dropoff_by
    if windows.pickup_by is None:
        return False
    return _find_pickup_time(order, now) > windows.pickup_by


def was_on_time(order: Order, now: datetime) -> bool | None:
    """Say whether an order was on time: once it was delivered, or as soon as it can't be any more.
    None before, where nothing was promised, and where it came to another end."""
    due = find_due(order)
    if due is None or (order.is_terminal and order.status is not Status.DONE):
        return None
    if not order.is_terminal:
        return False if is_late(order, None, now) else None
    if order.options.windows.dropoff_by:
        return get_end_time(order) <= due
    return _find_pickup_time(order, now) <= due


def _find_pickup_time(order: Order, now: datetime) -> datetime:
    """Find when an order was picked up; now, where it was not yet."""
    if order.status not in _PICKED_UP:
        return now
    return order.timeline.get(Status.IN_TRANSIT.value, order.updated_at)
