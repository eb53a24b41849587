"""Positions of couriers, as endpoints are told of them that ask: one in 20 s of an order at most.

They are kept in the endpoint's log, as all that it is sent, but in no outbox: one that is lost is
made up for by the next.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from chalicelib.domain.events import Entry, Event, Outbox
from chalicelib.domain.messaging.mailboxes import Mailbox
from chalicelib.domain.orders.model import WITH_COURIER, Order, Status
from chalicelib.domain.people import Courier, Fix
from chalicelib.domain.webhooks.event_types import COURIER_POSITION

POSITIONS = "position"  # the kind of their streams
POSITION_INTERVAL = timedelta(seconds=20)

_FOLLOWED = WITH_COURIER | {Status.READY, Status.RETURNING}
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)


def name_position_stream(order_id: int) -> str:
    """Name the stream of the positions of an order's courier."""
    return f"{POSITIONS}#{order_id}"


def is_followed(order: Order, courier_id: str) -> bool:
    """Say whether a courier has an order, and not merely its offer."""
    return order.courier_id == courier_id and order.status in _FOLLOWED


def find_last_sent(box: Mailbox, order_id: int) -> datetime | None:
    """Find when an endpoint was last told a position of an order: a position's version is the
    milliseconds of its time. None where its head knows of none."""
    note = box.applied_versions.get(name_position_stream(order_id))
    return None if note is None else _EPOCH + note[0] * _MILLISECOND


def is_due(last_sent: datetime | None, now: datetime) -> bool:
    """Say whether an endpoint may be told a position again."""
    return last_sent is None or now - last_sent >= POSITION_INTERVAL


def make_position(mailbox: str, order: Order, courier: Courier, fix: Fix, now: datetime) -> Outbox:
    """Make the outbox of one position, for one endpoint's mailbox."""
    stream, version = name_position_stream(order.id), (now - _EPOCH) // _MILLISECOND
    event = Event(
        COURIER_POSITION,
        to=mailbox,
        stream=stream,
        version=version,
        ordinal=0,
        at=now,
        status=order.status.value,
        data=_encode_position(order, courier, fix),
    )
    return Outbox(stream, None, (Entry(version, now, (event,)),))


def _encode_position(order: Order, courier: Courier, fix: Fix) -> dict[str, Any]:
    heading = courier.odometer.heading if fix.heading is None else fix.heading
    told: dict[str, Any] = {
        "id": str(order.id),
        "version": order.version,
        "state": order.status.value,
        "external_id": order.options.external_id,
        "merchant_id": order.details.merchant_id,
    }
    position = {
        "lat": fix.lat,
        "lng": fix.lng,
        "heading": heading,
        "speed": fix.speed,
        "accuracy": fix.accuracy,
        "at": fix.at,
    }
    name = order.courier.name if order.courier else None
    parts = {"order": told, "courier": {"id": courier.id, "name": name}, "position": position}
    return {key: _keep_known(part) for key, part in parts.items()}


def _keep_known(part: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if value is not None}
