"""The events of spec 003: for each of the core's types its name, level, source and data.

What is absent is silence. An event's id on the wire names its place in its person's log, so that
it is the same whenever the event is told, and leads to it without an index.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable

from chalicelib.contracts.base import Data, Writer, find_audience, omit_none
from chalicelib.contracts.feed import deliveries, money
from chalicelib.contracts.moments import format_iso
from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.people import Role

CRITICAL, HIGH, MEDIUM, LOW = "critical", "high", "medium", "low"
# The sources that spec 003 names, and one of ours.
_ORDERS = "order_service"
_DELIVERIES = "delivery_service"
_LOCATIONS = "location_service"
_EARNINGS = "earnings_service"
_PAYOUTS = "payout_service"
_WALLETS = "wallet_service"
_PAYMENTS = "payment_service"
_WEBHOOKS = "webhook_service"

_ID_PREFIX = "evt_"


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


def _render_webhook_disabled(event: Event) -> Data:
    """Render that a webhook endpoint is sent to no more."""
    data = event.data
    return omit_none(
        endpoint_id=data["endpoint_id"],
        reason=data["reason"],
        failing_since=data.get("failing_since"),
        disabled_at=format_iso(event.at),
    )


def _make_kind(name: str, level: str, source: str, render: Callable[[Event], Data]) -> EventKind:
    return EventKind(name, render, level=level, source=source)


EVENT_KINDS: dict[str, EventKind] = {
    events.ORDER_CONFIRMED: _make_kind(
        "order_confirmed", HIGH, _ORDERS, deliveries.render_order_confirmed
    ),
    events.ORDER_READY: _make_kind("order_ready", HIGH, _ORDERS, deliveries.render_order_ready),
    events.DELIVERY_DEPARTED: _make_kind(
        "delivery_in_transit", MEDIUM, _DELIVERIES, deliveries.render_in_transit
    ),
    events.DROPOFF_REACHED: _make_kind(
        "delivery_arrived", HIGH, _DELIVERIES, deliveries.render_arrived
    ),
    events.POSITION_NOTED: _make_kind(
        "location_updated", LOW, _LOCATIONS, deliveries.render_location
    ),
    events.ETA_CHANGED: _make_kind("eta_updated", MEDIUM, _LOCATIONS, deliveries.render_eta),
    events.EARNING_RECORDED: _make_kind(
        "earning_recorded", MEDIUM, _EARNINGS, money.render_earning_recorded
    ),
    events.BONUS_EARNED: _make_kind("bonus_earned", HIGH, _EARNINGS, money.render_bonus_earned),
    events.PAYOUT_APPROVED: _make_kind(
        "payout_approved", HIGH, _PAYOUTS, money.render_payout_approved
    ),
    events.PAYOUT_COMPLETED: _make_kind(
        "payout_completed", HIGH, _PAYOUTS, money.render_payout_completed
    ),
    events.WALLET_UPDATED: _make_kind(
        "wallet_updated", MEDIUM, _WALLETS, money.render_wallet_updated
    ),
    events.PAYMENT_INITIATED: _make_kind(
        "payment_initiated", HIGH, _PAYMENTS, money.render_payment_initiated
    ),
    events.PAYMENT_COMPLETED: _make_kind(
        "payment_completed", HIGH, _PAYMENTS, money.render_payment_completed
    ),
    events.PAYMENT_FAILED: _make_kind(
        "payment_failed", CRITICAL, _PAYMENTS, money.render_payment_failed
    ),
    events.ORDER_PLACED: _make_kind(
        "order_created", HIGH, _ORDERS, deliveries.render_order_created
    ),
    events.ORDER_ACCEPTED: _make_kind(
        "delivery_accepted", HIGH, _DELIVERIES, deliveries.render_delivery_accepted
    ),
    events.ORDER_DELIVERED: _make_kind(
        "delivery_completed", HIGH, _DELIVERIES, deliveries.render_delivery_completed
    ),
    # Ours: who subscribes to none of them hears of none.
    events.ORDER_RELEASED: _make_kind(
        "order_released", HIGH, _ORDERS, deliveries.render_order_released
    ),
    events.DELIVERY_FAILED: _make_kind(
        "delivery_failed", HIGH, _DELIVERIES, deliveries.render_delivery_failed
    ),
    events.NO_SHOW_AVAILABLE: _make_kind(
        "no_show_available", HIGH, _DELIVERIES, deliveries.render_no_show_available
    ),
    events.COURIER_NEAR: _make_kind(
        "courier_near", HIGH, _DELIVERIES, deliveries.render_at_stop("near_at")
    ),
    events.COURIER_LEFT: _make_kind(
        "courier_left", HIGH, _DELIVERIES, deliveries.render_at_stop("left_at")
    ),
    events.ARRIVAL_SUGGESTED: _make_kind(
        "arrival_suggested", HIGH, _DELIVERIES, deliveries.render_at_stop("arrived_at")
    ),
    events.REFUND_DUE: _make_kind("refund_due", HIGH, _PAYMENTS, money.render_refund_due),
    events.WEBHOOK_DISABLED: _make_kind(
        "webhook_disabled", HIGH, _WEBHOOKS, _render_webhook_disabled
    ),
    events.PAYMENT_DUE: _make_kind("payment_due", HIGH, _PAYMENTS, money.render_payment_due),
    events.DELIVERY_RETURNED: _make_kind(
        "delivery_returned", HIGH, _DELIVERIES, deliveries.render_delivery_returned
    ),
}
TYPE_BY_NAME: dict[str, str] = {kind.name: type_ for type_, kind in EVENT_KINDS.items()}
