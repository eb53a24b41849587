"""The body of a webhook: `{type, timestamp, data}`, rendered from an event of an endpoint's log.

It is made of the stored event alone, and always the same: whoever sends it again sends these bytes.
It has less than 20 KB, whatever customers have put into an order: what is too large is shrunk by
steps, and `truncated` says so.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from chalicelib.contracts.base import omit_none
from chalicelib.contracts.moments import format_iso
from chalicelib.contracts.money import render_price, to_major_units
from chalicelib.contracts.placing import render_windows
from chalicelib.domain.details import Contact, Offer, OrderDetails, Place
from chalicelib.domain.events import Event, parse_order_id
from chalicelib.domain.money.payments import CURRENCY
from chalicelib.domain.orders.reasons import MAX_NOTE
from chalicelib.domain.webhooks.endpoint_events import (
    OrderFacts,
    PaymentFacts,
    PayoutFacts,
    read_facts,
)
from chalicelib.domain.webhooks.positions import POSITIONS

MAX_BODY = 20_000  # bytes; Standard Webhooks ask for less than 20 KB
MAX_SHORT_TEXT = 100  # characters of a text, once it must be cut

LEFT = {"refund.due": "refund", "payment.refunded": "refund", "payment.due": "due"}

Data = dict[str, Any]


def render_body(event: Event) -> bytes:
    """Render the body of an event of an endpoint's log, as it is signed and sent."""
    data = _render_data(event)
    body = _encode(event, data)
    for shrink in (_drop_items, _drop_metadata, _cut_texts):
        if len(body) <= MAX_BODY:
            break
        data = shrink(data)
        data["truncated"] = True
        body = _encode(event, data)
    return body


def _encode(event: Event, data: Data) -> bytes:
    body = {"type": event.type, "timestamp": format_iso(event.at), "data": data}
    return msgspec.json.encode(body)


def _render_data(event: Event) -> Data:
    kind, _, _ = event.stream.partition("#")
    if kind == "order":
        return {"order": _render_order(event), **_render_left(event)}
    if kind == "payment":
        return {"payment": _render_payment(event)}
    if kind == "payout":
        return {"payout": _render_payout(event)}
    if kind == POSITIONS:
        return _render_position(event)
    return dict(event.data)


# Of orders


def _render_order(event: Event) -> Data:
    details, facts = event.order_details, read_facts(event, OrderFacts)
    return omit_none(
        id=str(parse_order_id(event.stream)),
        version=event.version,
        state=event.status,
        flow=details.flow,
        external_id=facts.external_id,
        metadata=facts.metadata or None,
        merchant_id=details.merchant_id,
        customer_id=details.customer_id,
        parent_id=str(facts.parent_id) if facts.parent_id else None,
        courier=_render_contact(facts.courier),
        offer=_render_offer(event.offer),
        reason=event.data.get("reason_code"),
        note=(event.data.get("note") or "")[:MAX_NOTE] or None,
        placed_at=format_iso(facts.placed_at),
        updated_at=format_iso(event.at),
        price=render_price(facts.price) if facts.price else None,
        **render_windows(facts.windows),
        **_render_details(details),
    )


def _render_details(details: OrderDetails) -> Data:
    return omit_none(
        kind=details.kind,
        vehicle_type=details.vehicle_type,
        customer=_render_contact(details.customer),
        pickup=_render_place(details.pickup),
        dropoff=_render_place(details.dropoff),
        receiver_phone=details.receiver_phone,
        notes=details.notes,
        items=[
            {"name": i.name, "quantity": i.quantity, "price": to_major_units(i.price_minor)}
            for i in details.items
        ]
        or None,
    )


def _render_place(place: Place) -> Data:
    return omit_none(address=place.address, lat=place.lat, lng=place.lng)


def _render_contact(contact: Contact | None) -> Data | None:
    if contact is None:
        return None
    return omit_none(
        id=contact.id,
        name=contact.name,
        phone=contact.phone,
        picture=contact.picture,
        vehicle=contact.vehicle,
        vehicle_type=contact.vehicle_type,
        rating=contact.rating,
    )


def _render_offer(offer: Offer | None) -> Data | None:
    if offer is None:
        return None
    return omit_none(
        number=offer.seq,
        courier_id=offer.courier_id,
        expires_at=format_iso(offer.expires_at),
        distance_m=None if offer.distance_m is None else round(offer.distance_m),
    )


def _render_left(event: Event) -> Data:
    """Render what is left to be paid, or paid back."""
    name = LEFT.get(event.type)
    if name is None:
        return {}
    amount = to_major_units(event.data["amount_minor"])
    payment_id = event.data.get("payment_id")
    return {name: omit_none(payment_id=payment_id, amount=amount, currency=CURRENCY)}


def _render_position(event: Event) -> Data:
    position = event.data["position"]
    at = format_iso(msgspec.convert(position["at"], datetime))
    return {**event.data, "position": {**position, "at": at}}


# Of money


def _render_payment(event: Event) -> Data:
    told, facts = event.data, read_facts(event, PaymentFacts)
    return omit_none(
        id=told["payment_id"],
        version=event.version,
        order_id=str(told["order_id"]),
        merchant_id=facts.merchant_id,
        customer_id=facts.customer_id,
        amount=to_major_units(told["amount_minor"]),
        currency=CURRENCY,
        method=told["method"],
        status=_name_status(event),
        transaction_id=told.get("transaction_id"),
        error=told.get("error"),
        initiated_at=format_iso(facts.initiated_at),
        updated_at=format_iso(event.at),
    )


def _render_payout(event: Event) -> Data:
    told, facts = event.data, read_facts(event, PayoutFacts)
    return omit_none(
        id=told["payout_id"],
        version=event.version,
        courier_id=facts.courier_id,
        amount=to_major_units(told["amount_minor"]),
        currency=CURRENCY,
        bank_account=told["account"],
        status=_name_status(event),
        transaction_id=told.get("transaction_id"),
        requested_at=format_iso(facts.requested_at),
        updated_at=format_iso(event.at),
    )


def _name_status(event: Event) -> str:
    """Name the status that a payment or payout has come to: its event is called by it."""
    return event.type.partition(".")[2]


# How a body is shrunk, in this order


def _drop_items(data: Data) -> Data:
    """Leave out the items: an order has at most fifty, and REST shows them."""
    return _change_order(data, lambda order: _without(order, "items"))


def _drop_metadata(data: Data) -> Data:
    return _change_order(data, lambda order: _without(order, "metadata"))


def _cut_texts(data: Data) -> Data:
    """Cut all texts to MAX_SHORT_TEXT characters, wherever they are, and leave out pictures: half
    an address leads nowhere. Ids stay whole."""
    cut: Data = _cut(data)
    return cut


def _cut(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _cut(one, key) for key, one in value.items() if key != "picture"}
    if isinstance(value, list):
        return [_cut(one) for one in value]
    is_id = name == "id" or name.endswith("_id")
    return value[:MAX_SHORT_TEXT] if isinstance(value, str) and not is_id else value


def _change_order(data: Data, change: Callable[[Data], Data]) -> Data:
    return {**data, "order": change(data["order"])} if "order" in data else dict(data)


def _without(order: Data, name: str) -> Data:
    return {key: value for key, value in order.items() if key != name}
