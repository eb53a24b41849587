"""The events of spec 003: for each of the core's types its name, level, source and data.

What is absent is silence. An event's id on the wire names its place in its person's log, so that
it is the same whenever the event is told, and leads to it without an index.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from chalicelib.contracts.base import present
from chalicelib.contracts.feed import money as feed_money
from chalicelib.contracts.moments import iso
from chalicelib.contracts.money import money
from chalicelib.domain import etas, events
from chalicelib.domain.details import Contact, Job
from chalicelib.domain.events import Event
from chalicelib.domain.money.charges import charge
from chalicelib.domain.money.payouts import masked

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
    cost = charge(job)
    return {
        "order_id": str(event.order_id),
        "items": [
            {
                "name": item.name,
                "quantity": item.quantity,
                "price": money(item.quantity * item.price_minor),  # the sample's add up so
            }
            for item in job.items
        ],
        "total_amount": money(cost.goods_minor),
        "delivery_fee": money(cost.fee_minor),
        "total_with_fee": money(cost.total_minor),
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


def _delivery_in_transit(event: Event) -> Data:
    fix = event.data["fix"]
    return {
        "delivery_id": str(event.order_id),
        "location": {
            "latitude": fix["lat"],
            "longitude": fix["lng"],
            "address": event.data["address"],
        },
        **present(accuracy=fix.get("accuracy")),
        **_way(event),
        "updated_at": iso(event.at),
    }


def _delivery_arrived(event: Event) -> Data:
    courier, at = _courier(event), event.data.get("at") or _job(event).dropoff.point
    return {
        "delivery_id": str(event.order_id),
        "delivery_boy_id": courier.id,
        "delivery_boy_name": courier.name or "",
        **({"location": {"latitude": at[0], "longitude": at[1]}} if at else {}),
        "phone_number": masked(courier.phone or ""),
        "arrived_at": iso(event.at),
    }


def _location_updated(event: Event) -> Data:
    fix = event.data["fix"]
    told = ("accuracy", "altitude", "speed", "heading")
    return {
        "delivery_id": str(event.order_id),
        "latitude": fix["lat"],
        "longitude": fix["lng"],
        **{name: fix[name] for name in told if name in fix},
        "timestamp": iso(datetime.fromisoformat(fix["at"].replace("Z", "+00:00"))),
    }


def _eta_updated(event: Event) -> Data:
    minutes = event.data["minutes"]
    return {
        "delivery_id": str(event.order_id),
        **_way(event),
        "eta_timestamp": iso(event.at + timedelta(minutes=minutes)),
        "previous_eta_minutes": event.data["previous_minutes"],
        "updated_at": iso(event.at),
    }


def _way(event: Event) -> Data:
    way_m = event.data.get("way_m")
    far = None if way_m is None else round(way_m / 1000, 2)
    return present(eta_minutes=event.data["minutes"], distance_remaining_km=far)


def _order_confirmed(event: Event) -> Data:
    return {
        "order_id": str(event.order_id),
        "confirmation_time": iso(event.at),
        "shop_name": event.data.get("shop_name") or _job(event).merchant_id or "",
        "estimated_ready_time": iso(event.at + timedelta(minutes=etas.TO_READY_MIN)),
    }


def _order_ready(event: Event) -> Data:
    return {
        "order_id": str(event.order_id),
        "ready_at": iso(event.at),
        "pickup_by": iso(event.at + timedelta(minutes=etas.TO_PICKUP_MIN)),
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
    events.ORDER_CONFIRMED: Kind("order_confirmed", HIGH, "order_service", _order_confirmed),
    events.ORDER_READY: Kind("order_ready", HIGH, "order_service", _order_ready),
    events.DELIVERY_DEPARTED: Kind(
        "delivery_in_transit", MEDIUM, "delivery_service", _delivery_in_transit
    ),
    events.DROPOFF_REACHED: Kind("delivery_arrived", HIGH, "delivery_service", _delivery_arrived),
    events.POSITION_NOTED: Kind("location_updated", LOW, "location_service", _location_updated),
    events.ETA_CHANGED: Kind("eta_updated", MEDIUM, "location_service", _eta_updated),
    events.EARNING_RECORDED: Kind(
        "earning_recorded", MEDIUM, "earnings_service", feed_money.earning_recorded
    ),
    events.BONUS_EARNED: Kind("bonus_earned", HIGH, "earnings_service", feed_money.bonus_earned),
    events.PAYOUT_APPROVED: Kind(
        "payout_approved", HIGH, "payout_service", feed_money.payout_approved
    ),
    events.PAYOUT_COMPLETED: Kind(
        "payout_completed", HIGH, "payout_service", feed_money.payout_completed
    ),
    events.WALLET_UPDATED: Kind(
        "wallet_updated", MEDIUM, "wallet_service", feed_money.wallet_updated
    ),
    events.PAYMENT_INITIATED: Kind(
        "payment_initiated", HIGH, "payment_service", feed_money.payment_initiated
    ),
    events.PAYMENT_COMPLETED: Kind(
        "payment_completed", HIGH, "payment_service", feed_money.payment_completed
    ),
    events.PAYMENT_FAILED: Kind(
        "payment_failed", CRITICAL, "payment_service", feed_money.payment_failed
    ),
    events.ORDER_PLACED: Kind("order_created", HIGH, "order_service", _order_created),
    events.ORDER_ACCEPTED: Kind("delivery_accepted", HIGH, "delivery_service", _delivery_accepted),
    events.ORDER_DELIVERED: Kind(
        "delivery_completed", HIGH, "delivery_service", _delivery_completed
    ),
}
TYPES: dict[str, str] = {kind.name: type_ for type_, kind in KINDS.items()}
