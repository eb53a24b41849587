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

from chalicelib.contracts.base import omit_none
from chalicelib.contracts.feed import money as feed_money
from chalicelib.contracts.moments import format_iso
from chalicelib.contracts.money import to_major_units
from chalicelib.domain import events, travel
from chalicelib.domain.details import Contact, OrderDetails
from chalicelib.domain.events import Event
from chalicelib.domain.money.payouts import mask_account
from chalicelib.domain.money.pricing import quote_price

Data = dict[str, Any]

CRITICAL, HIGH, MEDIUM, LOW = "critical", "high", "medium", "low"

_ID_PREFIX = "evt_"
_DEFAULT_RATING = 5.0


class EventKind(msgspec.Struct, frozen=True):
    """One type of event on the wire."""

    name: str
    level: str
    source: str
    render: Callable[[Event], Data]


def is_feed_event(event: Event) -> bool:
    """Whether the contract has words for an event. Of an order, only its customer hears here."""
    if event.type not in EVENT_KINDS:
        return False
    return event.details is None or event.to == event.details.customer_id


def render_envelope(event: Event) -> Data:
    """The frame of an event that is `worded`."""
    kind = EVENT_KINDS[event.type]
    return {
        "event_type": kind.name,
        "event_level": kind.level,
        "event_id": encode_event_id(event),
        "timestamp": format_iso(event.at),
        "user_id": event.to,
        "data": kind.render(event),
        "source": kind.source,
    }


def encode_event_id(event: Event) -> str:
    """The id of an event on the wire. One that is in no log gets one that leads nowhere."""
    place = f"{event.seq}.{event.to}"
    if not event.seq:
        place = f"0.{event.stream}.{event.type}.{event.at.timestamp():.3f}"
    return _ID_PREFIX + urlsafe_b64encode(place.encode()).decode().rstrip("=")


def decode_event_id(event_id: str) -> tuple[str, int] | None:
    """(person, seq) of an event id, or None if it can't be one."""
    if not event_id.startswith(_ID_PREFIX):
        return None
    code = event_id.removeprefix(_ID_PREFIX)
    try:
        place = urlsafe_b64decode(code + "=" * (-len(code) % 4)).decode()
    except (NotBase64, ValueError):
        return None
    seq, _, person_id = place.partition(".")
    good = seq.isascii() and seq.isdigit() and len(seq) <= 16 and int(seq) > 0 and person_id
    return (person_id, int(seq)) if good else None


def _event_details(event: Event) -> OrderDetails:
    assert event.details is not None, "events of orders are relayed with their job"
    return event.details


def _courier_contact(event: Event) -> Contact:
    return event.courier or Contact("")


def _render_order_created(event: Event) -> Data:
    job = _event_details(event)
    cost = quote_price(job)
    return {
        "order_id": str(event.order_id),
        "items": [
            {
                "name": item.name,
                "quantity": item.quantity,
                "price": to_major_units(item.quantity * item.price_minor),  # the sample's add up so
            }
            for item in job.items
        ],
        "total_amount": to_major_units(cost.goods_minor),
        "delivery_fee": to_major_units(cost.fee_minor),
        "total_with_fee": to_major_units(cost.total_minor),
        "delivery_address": job.dropoff.address,
        "estimated_delivery_time": f"{travel.PROMISED_MIN} minutes",
        "created_at": format_iso(job.created_at),
    }


def _render_delivery_accepted(event: Event) -> Data:
    job, courier = _event_details(event), _courier_contact(event)
    to_pickup = event.data.get("pickup_minutes", travel.TO_PICKUP_MIN)
    way = travel.measure_way_m(job.pickup.point, job.dropoff.point)
    return {
        "delivery_id": str(event.order_id),
        "delivery_boy_id": courier.id,
        "delivery_boy_name": courier.name or "",
        "delivery_boy_rating": _DEFAULT_RATING if courier.rating is None else courier.rating,
        "vehicle_type": courier.vehicle_type or "",
        "accepted_at": format_iso(event.at),
        "estimated_pickup_time": to_pickup,
        "estimated_delivery_time": to_pickup
        + travel.estimate_minutes_or(way, travel.TO_DROPOFF_MIN),
    }


def _render_in_transit(event: Event) -> Data:
    fix = event.data["fix"]
    return {
        "delivery_id": str(event.order_id),
        "location": {
            "latitude": fix["lat"],
            "longitude": fix["lng"],
            "address": event.data["address"],
        },
        **omit_none(accuracy=fix.get("accuracy")),
        **_render_remaining_trip(event),
        "updated_at": format_iso(event.at),
    }


def _render_arrived(event: Event) -> Data:
    courier, at = (
        _courier_contact(event),
        event.data.get("at") or _event_details(event).dropoff.point,
    )
    return {
        "delivery_id": str(event.order_id),
        "delivery_boy_id": courier.id,
        "delivery_boy_name": courier.name or "",
        **({"location": {"latitude": at[0], "longitude": at[1]}} if at else {}),
        "phone_number": mask_account(courier.phone or ""),
        "arrived_at": format_iso(event.at),
    }


def _render_location(event: Event) -> Data:
    fix = event.data["fix"]
    told = ("accuracy", "altitude", "speed", "heading")
    return {
        "delivery_id": str(event.order_id),
        "latitude": fix["lat"],
        "longitude": fix["lng"],
        **{name: fix[name] for name in told if name in fix},
        "timestamp": format_iso(datetime.fromisoformat(fix["at"].replace("Z", "+00:00"))),
    }


def _render_eta(event: Event) -> Data:
    minutes = event.data["minutes"]
    return {
        "delivery_id": str(event.order_id),
        **_render_remaining_trip(event),
        "eta_timestamp": format_iso(event.at + timedelta(minutes=minutes)),
        "previous_eta_minutes": event.data["previous_minutes"],
        "updated_at": format_iso(event.at),
    }


def _render_remaining_trip(event: Event) -> Data:
    way_m = event.data.get("way_m")
    far = None if way_m is None else round(way_m / 1000, 2)
    return omit_none(eta_minutes=event.data["minutes"], distance_remaining_km=far)


def _render_order_confirmed(event: Event) -> Data:
    return {
        "order_id": str(event.order_id),
        "confirmation_time": format_iso(event.at),
        "shop_name": event.data.get("shop_name") or _event_details(event).merchant_id or "",
        "estimated_ready_time": format_iso(event.at + timedelta(minutes=travel.TO_READY_MIN)),
    }


def _render_order_ready(event: Event) -> Data:
    return {
        "order_id": str(event.order_id),
        "ready_at": format_iso(event.at),
        "pickup_by": format_iso(event.at + timedelta(minutes=travel.TO_PICKUP_MIN)),
    }


def _render_delivery_completed(event: Event) -> Data:
    took = event.at - _event_details(event).created_at
    return {
        "delivery_id": str(event.order_id),
        "order_id": str(event.order_id),
        "completed_at": format_iso(event.at),
        "total_time_minutes": round(took.total_seconds() / 60),
        "delivery_rating": None,
        "payment_status": event.data.get("payment_status", "pending"),
    }


EVENT_KINDS: dict[str, EventKind] = {
    events.ORDER_CONFIRMED: EventKind(
        "order_confirmed", HIGH, "order_service", _render_order_confirmed
    ),
    events.ORDER_READY: EventKind("order_ready", HIGH, "order_service", _render_order_ready),
    events.DELIVERY_DEPARTED: EventKind(
        "delivery_in_transit", MEDIUM, "delivery_service", _render_in_transit
    ),
    events.DROPOFF_REACHED: EventKind(
        "delivery_arrived", HIGH, "delivery_service", _render_arrived
    ),
    events.POSITION_NOTED: EventKind("location_updated", LOW, "location_service", _render_location),
    events.ETA_CHANGED: EventKind("eta_updated", MEDIUM, "location_service", _render_eta),
    events.EARNING_RECORDED: EventKind(
        "earning_recorded", MEDIUM, "earnings_service", feed_money.render_earning_recorded
    ),
    events.BONUS_EARNED: EventKind(
        "bonus_earned", HIGH, "earnings_service", feed_money.render_bonus_earned
    ),
    events.PAYOUT_APPROVED: EventKind(
        "payout_approved", HIGH, "payout_service", feed_money.render_payout_approved
    ),
    events.PAYOUT_COMPLETED: EventKind(
        "payout_completed", HIGH, "payout_service", feed_money.render_payout_completed
    ),
    events.WALLET_UPDATED: EventKind(
        "wallet_updated", MEDIUM, "wallet_service", feed_money.render_wallet_updated
    ),
    events.PAYMENT_INITIATED: EventKind(
        "payment_initiated", HIGH, "payment_service", feed_money.render_payment_initiated
    ),
    events.PAYMENT_COMPLETED: EventKind(
        "payment_completed", HIGH, "payment_service", feed_money.render_payment_completed
    ),
    events.PAYMENT_FAILED: EventKind(
        "payment_failed", CRITICAL, "payment_service", feed_money.render_payment_failed
    ),
    events.ORDER_PLACED: EventKind("order_created", HIGH, "order_service", _render_order_created),
    events.ORDER_ACCEPTED: EventKind(
        "delivery_accepted", HIGH, "delivery_service", _render_delivery_accepted
    ),
    events.ORDER_DELIVERED: EventKind(
        "delivery_completed", HIGH, "delivery_service", _render_delivery_completed
    ),
}
TYPE_BY_NAME: dict[str, str] = {kind.name: type_ for type_, kind in EVENT_KINDS.items()}
