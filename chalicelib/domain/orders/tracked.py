"""What whoever has an order's tracking link sees of it, and nothing else.

The one place that decides it. A courier is seen from their acceptance to the order's end; where
they are only once the order is picked up, or within some metres of the drop-off, and only from
fixes of since then: where they were before is another customer's business.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from chalicelib.domain import travel
from chalicelib.domain.details import Contact
from chalicelib.domain.geo import Point, measure_distance_m
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.progress import estimate_remaining
from chalicelib.domain.orders.tips import had_courier
from chalicelib.domain.orders.windows import NO_WINDOWS, Windows
from chalicelib.domain.people import Courier, Fix

REACHED = "reached"  # in the timeline: its courier is at the drop-off
# A position that is older tells nothing of when its courier comes.
STALE_AFTER = timedelta(minutes=10)
# A phone's clock may be that much behind: a fix from before the pickup would show where.
_CLOCK_SKEW = timedelta(seconds=60)
_BEFORE_PICKUP = frozenset({Status.ACCEPTED, Status.AT_PICKUP, Status.READY})
_WITH_COURIER = _BEFORE_PICKUP | {Status.IN_TRANSIT, Status.RETURNING}


class SeenCourier(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a recipient is shown of a courier: how to know them at the door."""

    first_name: str | None = None
    vehicle: str | None = None
    picture: str | None = None


class TrackedOrder(msgspec.Struct, frozen=True):
    """An order as the bearer of a link sees it.

    `stage` is what is going on, for the words: the status, or `reached` at the drop-off.
    `changed_at` is when it came to that. `tipped_minor` and `note` are there after the end;
    `takes_note` says whether one can be left still.
    """

    order_id: int
    version: int
    flow: str
    status: Status
    stage: str
    changed_at: datetime
    is_over: bool
    windows: Windows = NO_WINDOWS
    dropoff: Point | None = None
    eta_minutes: int | None = None
    courier: SeenCourier | None = None
    position: Fix | None = None
    pin: str | None = None
    tipped_minor: int = 0
    note: str | None = None
    takes_note: bool = False


def track_order(
    order: Order, courier: Courier | None, pin: str | None, near_m: float, now: datetime
) -> TrackedOrder:
    """Show an order to the bearer of its link.

    `courier` is the row of its courier, if they are at hand; `pin` the one that is to be said at
    the drop-off, where one is. `near_m` is how near the drop-off a courier is seen before pickup.
    """
    over = order.is_terminal
    at_work = courier if courier and courier.holds(order.id) and has_courier(order) else None
    return TrackedOrder(
        order_id=order.id,
        version=order.version,
        flow=order.details.flow,
        status=order.status,
        stage=_name_stage(order),
        changed_at=order.timeline.get(_name_stage(order), order.placed_at),
        is_over=over,
        windows=NO_WINDOWS if over else order.options.windows,
        dropoff=None if over else order.details.dropoff.point,
        eta_minutes=estimate_eta_minutes(order, at_work, now),
        courier=_show_courier(order.courier) if has_courier(order) else None,
        position=find_visible_fix(order, at_work, near_m, now),
        # What is brought back is handed over to nobody here any more.
        pin=None if over or order.status is Status.RETURNING else pin,
        tipped_minor=sum(tip.amount_minor for tip in order.tips),
        note=order.recipient_note,
        takes_note=over and had_courier(order) and order.recipient_note is None,
    )


def has_courier(order: Order) -> bool:
    """Say whether somebody has accepted an order and is not done with it. Who is merely asked is
    nobody's business."""
    return order.status in _WITH_COURIER and order.courier_id is not None


def find_visible_fix(
    order: Order, courier: Courier | None, near_m: float, now: datetime
) -> Fix | None:
    """Find where the bearer of a link may see an order's courier; None where they may not."""
    fix = courier.fix if courier else None
    if courier is None or fix is None or not fix.is_real_place or not has_courier(order):
        return None
    if courier.id != order.courier_id or not courier.holds(order.id):
        return None
    if not _is_from_since(courier, fix, _get_start(order)):
        return None
    if order.status is Status.IN_TRANSIT:
        return fix
    dropoff = order.details.dropoff.point
    is_near = dropoff is not None and measure_distance_m(fix.point, dropoff) <= near_m
    return fix if order.status in _BEFORE_PICKUP and is_near else None


def _get_start(order: Order) -> datetime:
    """Get the time since when a courier's fixes are this order's: its pickup or, before that, when
    they took it."""
    if order.status is Status.IN_TRANSIT:
        return order.timeline.get(Status.IN_TRANSIT.value, order.updated_at)
    if order.status is Status.READY:  # it was ready before they had it
        return order.updated_at
    return order.timeline.get(Status.ACCEPTED.value, order.updated_at)


def _is_from_since(courier: Courier, fix: Fix, start: datetime) -> bool:
    """Say whether a fix is of a time and came since then: a phone may send old ones later, and its
    clock may differ from ours."""
    return (courier.located_at or fix.at) >= start and fix.at >= start - _CLOCK_SKEW


def _name_stage(order: Order) -> str:
    is_there = order.status is Status.IN_TRANSIT and REACHED in order.timeline
    return REACHED if is_there else order.status.value


def estimate_eta_minutes(order: Order, courier: Courier | None, now: datetime) -> int | None:
    """Estimate the minutes until an order is at its drop-off; None where nobody can tell."""
    pickup, dropoff = order.details.pickup.point, order.details.dropoff.point
    if not has_courier(order) or dropoff is None or _name_stage(order) == REACHED:
        return None
    fix = courier.fix if courier and _is_fresh(courier, now) else None
    fix = fix if fix and fix.is_real_place else None
    if order.status is Status.IN_TRANSIT:
        return estimate_remaining(order, fix).minutes if fix else None
    if order.status not in _BEFORE_PICKUP or pickup is None:
        return None
    way_m = measure_distance_m(pickup, dropoff)
    if order.status is not Status.AT_PICKUP:
        if fix is None:
            return None
        way_m += measure_distance_m(fix.point, pickup)
    return travel.estimate_minutes_or(way_m, travel.TO_DROPOFF_MIN)


def _is_fresh(courier: Courier, now: datetime) -> bool:
    return courier.located_at is not None and now - courier.located_at <= STALE_AFTER


def _show_courier(contact: Contact | None) -> SeenCourier:
    if contact is None:
        return SeenCourier()
    vehicle = contact.vehicle or contact.vehicle_type
    return SeenCourier(_find_first_name(contact.name or ""), vehicle, contact.picture)


def _find_first_name(name: str) -> str | None:
    """Find the first name in a name, as `Dan Delacroix` or `Delacroix, Dan`; None where no word of
    it is one, as of a phone number that stands for a name."""
    last, comma, first = name.partition(",")
    words = (first if comma else last).split()
    return words[0] if words and any(map(str.isalpha, words[0])) else None
