"""What the customer hears of a courier on the way: departure, positions, minutes left."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from chalicelib.domain import events, travel
from chalicelib.domain.details import Place
from chalicelib.domain.events import Event
from chalicelib.domain.geo import measure_distance_m
from chalicelib.domain.orders.drafts import draft_for_customer
from chalicelib.domain.orders.flow import Transition
from chalicelib.domain.orders.history import note_departing
from chalicelib.domain.orders.losing_couriers import DEPARTED
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Fix, LastShown

SHOW_INTERVAL = timedelta(seconds=30)  # spec 003: location_updated, every 30 to 60 s


class RemainingTrip(msgspec.Struct, frozen=True):
    """What is left of a trip: metres (None: unknown) and minutes."""

    distance_m: float | None
    minutes: int


def is_due(seen: LastShown | None, order_id: int, now: datetime) -> bool:
    """Say whether it is time to show an order's courier to its customer again."""
    last = seen.find(order_id) if seen else None
    return last is None or now - last.at >= SHOW_INTERVAL


def is_being_delivered(order: Order, courier_id: str) -> bool:
    """Say whether this courier is bringing this order."""
    return order.status is Status.IN_TRANSIT and order.courier_id == courier_id


def estimate_remaining(order: Order, fix: Fix) -> RemainingTrip:
    """Estimate the way from a fix to the door."""
    way_m = travel.measure_way_m(fix.point, order.details.dropoff.point)
    return RemainingTrip(way_m, travel.estimate_minutes_or(way_m, travel.TO_DROPOFF_MIN))


def note_departure(order: Order, fix: Fix, now: datetime) -> Transition:
    """Note the first fix after the pickup. A departure that is noted already is no change: the
    order as it is, and no events."""
    if DEPARTED in order.timeline:
        return order, ()
    after = replace(order, timeline={**order.timeline, DEPARTED: now}, updated_at=now)
    after = note_departing(after, fix.point, now)
    data = {"fix": msgspec.to_builtins(fix), "address": _find_nearer_place(order, fix).address}
    data |= _encode_remaining(estimate_remaining(order, fix))
    return after, (draft_for_customer(after, events.DELIVERY_DEPARTED, now, data=data),)


def draft_position(order: Order, fix: Fix, now: datetime) -> Event:
    """Make the event of where the courier is."""
    data = {"fix": msgspec.to_builtins(fix)}
    return draft_for_customer(order, events.POSITION_NOTED, now, data=data, details=order.details)


def draft_eta_change(
    order: Order, seen: LastShown | None, outlook: RemainingTrip, now: datetime
) -> Event | None:
    """Make the event of the minutes that are left; None if they are as they were last shown, or the
    way is not known."""
    last = seen.find(order.id) if seen else None
    shown = last.minutes if last else None
    if shown is None or shown == outlook.minutes or outlook.distance_m is None:
        return None
    data = {**_encode_remaining(outlook), "previous_minutes": shown}
    return draft_for_customer(order, events.ETA_CHANGED, now, data=data, details=order.details)


def _encode_remaining(found: RemainingTrip) -> dict[str, Any]:
    known = {} if found.distance_m is None else {"way_m": found.distance_m}
    return {"minutes": found.minutes, **known}


def _find_nearer_place(order: Order, fix: Fix) -> Place:
    """Return the end of the way that a fix is nearer to."""
    pickup, dropoff = order.details.pickup, order.details.dropoff
    if pickup.point is None or dropoff.point is None:
        return dropoff if dropoff.point else pickup
    return min(
        (dropoff, pickup), key=lambda p: measure_distance_m(fix.point, p.point) if p.point else 0.0
    )
