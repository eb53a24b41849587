"""The events of spec 003: for each of the core's types its name, level, source and data.

What is absent is silence. An event's id on the wire names its place in its person's log, so that
it is the same whenever the event is told, and leads to it without an index.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from chalicelib.contracts.base import Data, Writer, find_audience, omit_none
from chalicelib.contracts.feed import money as feed_money
from chalicelib.contracts.moments import format_iso
from chalicelib.contracts.money import to_major_units
from chalicelib.domain import events, travel
from chalicelib.domain.details import Contact
from chalicelib.domain.events import Event
from chalicelib.domain.money.payouts import mask_account
from chalicelib.domain.money.pricing import estimate_price
from chalicelib.domain.orders.reasons import MAX_NOTE
from chalicelib.domain.people import Role
from chalicelib.domain.price_lines import PriceLine

CRITICAL, HIGH, MEDIUM, LOW = "critical", "high", "medium", "low"

_ID_PREFIX = "evt_"
_DEFAULT_RATING = 5.0


_FOR_BOTH_SIDES = frozenset(
    {
        events.NO_SHOW_AVAILABLE,
        events.COURIER_NEAR,
        events.COURIER_LEFT,
        events.ARRIVAL_SUGGESTED,
    }
)


class EventKind(Writer, frozen=True, kw_only=True):
    """One type of event on the wire: a writer, and what the envelope says besides."""

    level: str
    source: str


def is_feed_event(event: Event) -> bool:
    """Say whether the contract writes an event. Of an order, only its customer hears here; but its
    courier, too, of what is told by their positions and the clock of their waiting."""
    if event.type in _FOR_BOTH_SIDES:
        return True
    return event.type in EVENT_KINDS and find_audience(event) in (None, Role.CUSTOMER)


def render_envelope(event: Event) -> Data:
    """Render an event that is one of the feed's, in its envelope."""
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
    """Encode the id of an event. An event that is in no log gets one that leads nowhere."""
    place = f"{event.seq}.{event.to}"
    if not event.seq:
        place = f"0.{event.stream}.{event.type}.{event.at.timestamp():.3f}"
    return _ID_PREFIX + urlsafe_b64encode(place.encode()).decode().rstrip("=")


def decode_event_id(event_id: str) -> tuple[str, int] | None:
    """Decode (person, seq) of an event id, or None if it can't be one."""
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


def _courier_contact(event: Event) -> Contact:
    return event.courier or Contact("")


def _render_order_created(event: Event) -> Data:
    details = event.order_details
    quoted = msgspec.convert(event.data.get("price", ()), tuple[PriceLine, ...])
    cost = estimate_price(details, quoted)
    return {
        "order_id": str(event.order_id),
        "items": [
            {
                "name": item.name,
                "quantity": item.quantity,
                "price": to_major_units(item.quantity * item.price_minor),  # the sample's add up so
            }
            for item in details.items
        ],
        "total_amount": to_major_units(cost.goods_minor),
        "delivery_fee": to_major_units(cost.fee_minor),
        "total_with_fee": to_major_units(cost.total_minor),
        "delivery_address": details.dropoff.address,
        "estimated_delivery_time": f"{travel.PROMISED_MIN} minutes",
        "created_at": format_iso(details.created_at),
    }


def _render_delivery_accepted(event: Event) -> Data:
    details, courier = event.order_details, _courier_contact(event)
    to_pickup = event.data.get("pickup_minutes", travel.TO_PICKUP_MIN)
    way = travel.measure_way_m(details.pickup.point, details.dropoff.point)
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
        event.data.get("at") or event.order_details.dropoff.point,
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
        "shop_name": event.data.get("shop_name") or event.order_details.merchant_id or "",
        "estimated_ready_time": format_iso(event.at + timedelta(minutes=travel.TO_READY_MIN)),
    }


def _render_order_ready(event: Event) -> Data:
    return {
        "order_id": str(event.order_id),
        "ready_at": format_iso(event.at),
        "pickup_by": format_iso(event.at + timedelta(minutes=travel.TO_PICKUP_MIN)),
    }


def _render_delivery_completed(event: Event) -> Data:
    took = event.at - event.order_details.created_at
    return {
        "delivery_id": str(event.order_id),
        "order_id": str(event.order_id),
        "completed_at": format_iso(event.at),
        "total_time_minutes": round(took.total_seconds() / 60),
        "delivery_rating": None,
        "payment_status": event.data.get("payment_status", "pending"),
    }


def _render_order_released(event: Event) -> Data:
    return {
        "order_id": str(event.order_id),
        **_render_reason(event),
        "released_at": format_iso(event.at),
    }


def _render_delivery_failed(event: Event) -> Data:
    return {
        "delivery_id": str(event.order_id),
        "order_id": str(event.order_id),
        "state": event.status,  # what follows: returning, left, discarded or no_show
        **_render_reason(event),
        "failed_at": format_iso(event.at),
    }


def _render_no_show_available(event: Event) -> Data:
    return {
        "delivery_id": str(event.order_id),
        "order_id": str(event.order_id),
        "state": event.status,  # at_pickup or in_transit, which is: at the drop-off
        "available_at": format_iso(event.at),
    }


def _render_at_stop(time_name: str) -> Callable[[Event], Data]:
    """Make what renders which stop a courier is at, or was, and when that was so."""

    def render(event: Event) -> Data:
        order_id = str(event.order_id)
        return {
            "delivery_id": order_id,
            "order_id": order_id,
            "stop": event.data["stop"],
            time_name: format_iso(event.at),
        }

    return render


def _render_delivery_returned(event: Event) -> Data:
    return {
        "delivery_id": str(event.order_id),
        "order_id": str(event.order_id),
        "returned_at": format_iso(event.at),
    }


def _render_reason(event: Event) -> Data:
    note = event.data.get("note")
    return omit_none(reason=event.data.get("reason_code"), note=note[:MAX_NOTE] if note else None)


def _render_webhook_disabled(event: Event) -> Data:
    """Render that a webhook endpoint is sent to no more."""
    data = event.data
    return omit_none(
        endpoint_id=data["endpoint_id"],
        reason=data["reason"],
        failing_since=data.get("failing_since"),
        disabled_at=format_iso(event.at),
    )


def _kind(name: str, level: str, source: str, render: Callable[[Event], Data]) -> EventKind:
    return EventKind(name, render, level=level, source=source)


EVENT_KINDS: dict[str, EventKind] = {
    events.ORDER_CONFIRMED: EventKind(
        "order_confirmed", _render_order_confirmed, level=HIGH, source="order_service"
    ),
    events.ORDER_READY: EventKind(
        "order_ready", _render_order_ready, level=HIGH, source="order_service"
    ),
    events.DELIVERY_DEPARTED: EventKind(
        "delivery_in_transit", _render_in_transit, level=MEDIUM, source="delivery_service"
    ),
    events.DROPOFF_REACHED: EventKind(
        "delivery_arrived", _render_arrived, level=HIGH, source="delivery_service"
    ),
    events.POSITION_NOTED: EventKind(
        "location_updated", _render_location, level=LOW, source="location_service"
    ),
    events.ETA_CHANGED: EventKind(
        "eta_updated", _render_eta, level=MEDIUM, source="location_service"
    ),
    events.EARNING_RECORDED: EventKind(
        "earning_recorded",
        feed_money.render_earning_recorded,
        level=MEDIUM,
        source="earnings_service",
    ),
    events.BONUS_EARNED: EventKind(
        "bonus_earned", feed_money.render_bonus_earned, level=HIGH, source="earnings_service"
    ),
    events.PAYOUT_APPROVED: EventKind(
        "payout_approved", feed_money.render_payout_approved, level=HIGH, source="payout_service"
    ),
    events.PAYOUT_COMPLETED: EventKind(
        "payout_completed", feed_money.render_payout_completed, level=HIGH, source="payout_service"
    ),
    events.WALLET_UPDATED: EventKind(
        "wallet_updated", feed_money.render_wallet_updated, level=MEDIUM, source="wallet_service"
    ),
    events.PAYMENT_INITIATED: EventKind(
        "payment_initiated",
        feed_money.render_payment_initiated,
        level=HIGH,
        source="payment_service",
    ),
    events.PAYMENT_COMPLETED: EventKind(
        "payment_completed",
        feed_money.render_payment_completed,
        level=HIGH,
        source="payment_service",
    ),
    events.PAYMENT_FAILED: EventKind(
        "payment_failed", feed_money.render_payment_failed, level=CRITICAL, source="payment_service"
    ),
    events.ORDER_PLACED: EventKind(
        "order_created", _render_order_created, level=HIGH, source="order_service"
    ),
    events.ORDER_ACCEPTED: EventKind(
        "delivery_accepted", _render_delivery_accepted, level=HIGH, source="delivery_service"
    ),
    events.ORDER_DELIVERED: EventKind(
        "delivery_completed", _render_delivery_completed, level=HIGH, source="delivery_service"
    ),
    # Ours: who subscribes to none of them hears of none.
    events.ORDER_RELEASED: EventKind(
        "order_released", _render_order_released, level=HIGH, source="order_service"
    ),
    events.DELIVERY_FAILED: EventKind(
        "delivery_failed", _render_delivery_failed, level=HIGH, source="delivery_service"
    ),
    events.NO_SHOW_AVAILABLE: EventKind(
        "no_show_available", _render_no_show_available, level=HIGH, source="delivery_service"
    ),
    events.COURIER_NEAR: EventKind(
        "courier_near", _render_at_stop("near_at"), level=HIGH, source="delivery_service"
    ),
    events.COURIER_LEFT: EventKind(
        "courier_left", _render_at_stop("left_at"), level=HIGH, source="delivery_service"
    ),
    events.ARRIVAL_SUGGESTED: EventKind(
        "arrival_suggested", _render_at_stop("arrived_at"), level=HIGH, source="delivery_service"
    ),
    events.REFUND_DUE: EventKind(
        "refund_due", feed_money.render_refund_due, level=HIGH, source="payment_service"
    ),
    events.WEBHOOK_DISABLED: EventKind(
        "webhook_disabled", _render_webhook_disabled, level=HIGH, source="webhook_service"
    ),
    events.PAYMENT_DUE: EventKind(
        "payment_due", feed_money.render_payment_due, level=HIGH, source="payment_service"
    ),
    events.DELIVERY_RETURNED: EventKind(
        "delivery_returned", _render_delivery_returned, level=HIGH, source="delivery_service"
    ),
}
TYPE_BY_NAME: dict[str, str] = {kind.name: type_ for type_, kind in EVENT_KINDS.items()}
