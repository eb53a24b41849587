"""The events of spec 003: for each of the core's types its name, level, source and data.

What is absent is silence. An event's id on the wire names its place in its person's log, so that
it is the same whenever the event is told, and leads to it without an index.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from typing import Any

import msgspec

from chalicelib.contracts.base import iso
from chalicelib.domain import etas, events
from chalicelib.domain.events import Event
from chalicelib.domain.jobs import Contact, Job

Data = dict[str, Any]

CRITICAL, HIGH, MEDIUM, LOW = "critical", "high", "medium", "low"

_ID = "evt_"
_UNRATED = 5.0


class Kind(msgspec.Struct, frozen=True):
    """One type of event on the wire."""

    name: str
    level: str
    source: str
    write: Callable[[Event], Data]


def worded(event: Event) -> bool:
    """Whether the contract has words for an event. Of an order, only its customer hears here."""
    if event.type not in KINDS:
        return False
    return event.job is None or event.to == event.job.customer_id


def envelope(event: Event) -> Data:
    """The frame of an event that is `worded`."""
    kind = KINDS[event.type]
    return {
        "event_type": kind.name,
        "event_level": kind.level,
        "event_id": event_id(event),
        "timestamp": iso(event.at),
        "user_id": event.to,
        "data": kind.write(event),
        "source": kind.source,
    }


def event_id(event: Event) -> str:
    """The id of an event on the wire. One that is in no log gets one that leads nowhere."""
    place = f"{event.seq}.{event.to}"
    if not event.seq:
        place = f"0.{event.stream}.{event.type}.{event.at.timestamp():.3f}"
    return _ID + urlsafe_b64encode(place.encode()).decode().rstrip("=")


def place_of(event_id: str) -> tuple[str, int] | None:
    """(person, seq) of an event id, or None if it can't be one."""
    if not event_id.startswith(_ID):
        return None
    code = event_id.removeprefix(_ID)
    try:
        place = urlsafe_b64decode(code + "=" * (-len(code) % 4)).decode()
    except (NotBase64, ValueError):
        return None
    seq, _, person_id = place.partition(".")
    good = seq.isascii() and seq.isdigit() and len(seq) <= 16 and int(seq) > 0 and person_id
    return (person_id, int(seq)) if good else None


def _job(event: Event) -> Job:
    assert event.job is not None, "events of orders are relayed with their job"
    return event.job


def _courier(event: Event) -> Contact:
    return event.courier or Contact("")


def _order_created(event: Event) -> Data:
    job = _job(event)
    return {
        "order_id": str(event.order_id),
        "items": [],
        "total_amount": 0,
        "delivery_fee": 0,
        "total_with_fee": 0,
        "delivery_address": job.dropoff.address,
        "estimated_delivery_time": f"{etas.PROMISED_MIN} minutes",
        "created_at": iso(job.created_at),
    }


def _delivery_accepted(event: Event) -> Data:
    job, courier = _job(event), _courier(event)
    to_pickup = event.data.get("pickup_minutes", etas.TO_PICKUP_MIN)
    way = etas.way_m(job.pickup.point, job.dropoff.point)
    return {
        "delivery_id": str(event.order_id),
        "delivery_boy_id": courier.id,
        "delivery_boy_name": courier.name or "",
        "delivery_boy_rating": _UNRATED if courier.rating is None else courier.rating,
        "vehicle_type": courier.vehicle_type or "",
        "accepted_at": iso(event.at),
        "estimated_pickup_time": to_pickup,
        "estimated_delivery_time": to_pickup + etas.minutes(way, etas.TO_DROPOFF_MIN),
    }


def _delivery_completed(event: Event) -> Data:
    took = event.at - _job(event).created_at
    return {
        "delivery_id": str(event.order_id),
        "order_id": str(event.order_id),
        "completed_at": iso(event.at),
        "total_time_minutes": round(took.total_seconds() / 60),
        "delivery_rating": None,
        "payment_status": event.data.get("payment_status", "pending"),
    }


KINDS: dict[str, Kind] = {
    events.ORDER_PLACED: Kind("order_created", HIGH, "order_service", _order_created),
    events.ORDER_ACCEPTED: Kind("delivery_accepted", HIGH, "delivery_service", _delivery_accepted),
    events.ORDER_DELIVERED: Kind(
        "delivery_completed", HIGH, "delivery_service", _delivery_completed
    ),
}
TYPES: dict[str, str] = {kind.name: type_ for type_, kind in KINDS.items()}
