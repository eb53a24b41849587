"""Canonical types: what endpoints are told of, in the same words for every flow.

A version of an order (payment, payout) has one canonical event of each type, however many people
hear of it, and by however many events. `EVENT_TYPES` is what an endpoint may ask for by name.

Whatever befalls an order has a type. Two types may tell of one version: a first offer comes with
the placing, a meal is taken and picked up at once, and an order that ends undelivered has failed
(`order.failed`, which is said of every pickup or hand-over that did not succeed, whatever follows)
and ends (`order.left`, say).
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.domain import events
from chalicelib.domain.events import Entry, Event
from chalicelib.domain.orders.model import Status

COURIER_POSITION = "courier.position"
PING = "webhook.ping"  # the event of a test: to one endpoint, whatever it has asked for

# What an event is called. Where others of its version say the same, it has no name: OFFER_MADE is
# the courier's copy of ORDER_OFFERED.
_TYPES: Mapping[str, str] = {
    events.ORDER_PLACED: "order.placed",
    events.ORDER_AMENDED: "order.amended",
    events.ORDER_ACTIVATED: "order.activated",
    events.ORDER_CONFIRMED: "order.confirmed",
    events.ORDER_PREPARING: "order.preparing",
    events.ORDER_READY: "order.ready",
    events.ORDER_ASSIGNED: "order.assigned",
    events.ORDER_OFFERED: "order.offered",
    events.OFFER_TIMED_OUT: "order.offer_expired",
    events.ORDER_DECLINED: "order.declined",
    events.ORDER_ACCEPTED: "order.accepted",
    events.ORDER_RELEASED: "order.released",
    events.ORDER_REOPENED: "order.released",
    events.COURIER_ARRIVED: "order.arrived",
    events.ORDER_PICKED_UP: "order.picked_up",
    events.DELIVERY_DEPARTED: "order.departed",
    events.DROPOFF_REACHED: "order.reached",
    events.NO_SHOW_AVAILABLE: "order.no_show_available",
    events.COURIER_NEAR: "order.courier_near",
    events.COURIER_LEFT: "order.courier_left",
    events.ORDER_DELIVERED: "order.delivered",
    events.ORDER_CANCELLED: "order.cancelled",
    events.ORDER_CALLED_OFF: "order.cancelled",
    events.ORDER_UNSERVED: "order.unserved",
    events.DELIVERY_FAILED: "order.failed",
    events.DELIVERY_RETURNED: "order.returned",
    events.ORDER_CHARGED: "order.charged",
    events.ORDER_TIPPED: "order.tipped",
    events.REFUND_DUE: "refund.due",
    events.PAYMENT_DUE: "payment.due",
    events.REFUND_PAID: "payment.refunded",
    events.PAYMENT_INITIATED: "payment.initiated",
    events.PAYMENT_COMPLETED: "payment.completed",
    events.PAYMENT_FAILED: "payment.failed",
    events.PAYOUT_APPROVED: "payout.approved",
    events.PAYOUT_COMPLETED: "payout.completed",
}
# Where the status that an event tells decides, instead of the above or beside it.
_INSTEAD: Mapping[tuple[str, str], str] = {
    (events.ORDER_PLACED, Status.SCHEDULED.value): "order.scheduled",
}
_BESIDE: Mapping[tuple[str, str], str] = {
    # Who takes a meal from the pool is on the way with it at once (spec 002).
    (events.ORDER_ACCEPTED, Status.IN_TRANSIT.value): "order.picked_up",
    (events.DELIVERY_FAILED, Status.NO_SHOW.value): "order.no_show",
    (events.DELIVERY_FAILED, Status.LEFT.value): "order.left",
    (events.DELIVERY_FAILED, Status.DISCARDED.value): "order.discarded",
}

EVENT_TYPES: tuple[str, ...] = tuple(
    dict.fromkeys((*_INSTEAD.values(), *_TYPES.values(), *_BESIDE.values(), COURIER_POSITION, PING))
)


def list_canonical(entry: Entry) -> tuple[tuple[str, Event], ...]:
    """List the canonical types of a version, once each, with the first event that tells of it."""
    found: dict[str, Event] = {}
    for event in entry.events:
        for type_ in _list_types(event):
            found.setdefault(type_, event)
    return tuple(found.items())


def _list_types(event: Event) -> tuple[str, ...]:
    key = event.type, event.status
    names = (_INSTEAD.get(key) or _TYPES.get(event.type), _BESIDE.get(key))
    return tuple(name for name in names if name)
