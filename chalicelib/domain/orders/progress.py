"""What the customer is told of a courier on the way: when it departs, where it is, how long yet."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from chalicelib.domain import etas, events
from chalicelib.domain.details import Place
from chalicelib.domain.events import Event
from chalicelib.domain.geo import distance_m
from chalicelib.domain.orders.effects import tell_customer
from chalicelib.domain.orders.flow import Outcome
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Fix, Sighting

EVERY = timedelta(seconds=30)  # spec 003: location_updated, every 30 to 60 s
DEPARTED = "departed"


class Outlook(msgspec.Struct, frozen=True):
    """How far it is yet, in metres (None: unknown) and minutes."""

    way_m: float | None
    minutes: int


def due(seen: Sighting | None, order_id: int, now: datetime) -> bool:
    """Whether it is time to look at an order's courier again."""
    return seen is None or seen.order_id != order_id or now - seen.at >= EVERY


def on_the_way(order: Order, courier_id: str) -> bool:
    """Whether this courier is bringing this order."""
    return order.status is Status.IN_TRANSIT and order.courier_id == courier_id


def outlook(order: Order, fix: Fix) -> Outlook:
    """How far it is from a fix to the door."""
    way = etas.way_m((fix.lat, fix.lng), order.job.dropoff.point)
    return Outlook(way, etas.minutes(way, etas.TO_DROPOFF_MIN))


def depart(order: Order, fix: Fix, now: datetime) -> Outcome:
    """Note the first fix after the pickup; once it is noted, nothing."""
    if DEPARTED in order.timeline:
        return order, ()
    after = replace(order, timeline={**order.timeline, DEPARTED: now}, updated_at=now)
    data = {"fix": msgspec.to_builtins(fix), "address": _nearer(order, fix).address}
    data |= _figures(outlook(order, fix))
    return after, (tell_customer(after, events.DELIVERY_DEPARTED, now, data=data),)


def sighted(order: Order, fix: Fix, now: datetime) -> Event:
    """Where the courier is now."""
    data = {"fix": msgspec.to_builtins(fix)}
    return tell_customer(order, events.POSITION_NOTED, now, data=data, job=order.job)


def changed(order: Order, seen: Sighting | None, outlook: Outlook, now: datetime) -> Event | None:
    """The minutes that are left, if they are others than were told."""
    told = seen.minutes if seen and seen.order_id == order.id else None
    if told is None or told == outlook.minutes or outlook.way_m is None:
        return None
    data = {**_figures(outlook), "previous_minutes": told}
    return tell_customer(order, events.ETA_CHANGED, now, data=data, job=order.job)


def _figures(found: Outlook) -> dict[str, Any]:
    known = {} if found.way_m is None else {"way_m": found.way_m}
    return {"minutes": found.minutes, **known}


def _nearer(order: Order, fix: Fix) -> Place:
    """The end of the way that a fix is nearer to."""
    pickup, dropoff = order.job.pickup, order.job.dropoff
    if pickup.point is None or dropoff.point is None:
        return dropoff if dropoff.point else pickup
    here = (fix.lat, fix.lng)
    return min((dropoff, pickup), key=lambda p: distance_m(here, p.point) if p.point else 0.0)
