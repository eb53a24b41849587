"""Drafting the events of an order: for whom, with which data.

A draft has no number yet: it gets its version and ordinal as the order is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from chalicelib.domain.events import Event, draft_event, name_order_stream
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.people import Role


def draft_order_event(order: Order, type_: str, to: str, now: datetime, **fields: Any) -> Event:
    """Make an event of an order for one recipient, with the status that the order has now.
    `fields` are others of Event; `audience` is the role in which the recipient hears it."""
    status = order.status.value
    return draft_event(type_, to, name_order_stream(order.id), now, status=status, **fields)


def draft_for_customer(order: Order, type_: str, now: datetime, **fields: Any) -> Event:
    """Make an event of an order for its customer."""
    to = order.details.customer_id
    return draft_order_event(order, type_, to, now, audience=Role.CUSTOMER, **fields)


def draft_for_courier(
    order: Order, type_: str, courier_id: str, now: datetime, **fields: Any
) -> Event:
    """Make an event of an order for a courier, or for a room of couriers."""
    return draft_order_event(order, type_, courier_id, now, audience=Role.COURIER, **fields)


def draft_copies(
    order: Order,
    type_: str,
    recipients: Iterable[tuple[str, Role]],
    now: datetime,
    **fields: Any,
) -> tuple[Event, ...]:
    """Make one event of an order for several recipients: a copy for each, in their role."""
    return tuple(
        draft_order_event(order, type_, to, now, audience=role, **fields) for to, role in recipients
    )


def list_both_sides(order: Order) -> list[tuple[str, Role]]:
    """List the customer of an order and the courier who has it, if anybody."""
    customer = (order.details.customer_id, Role.CUSTOMER)
    return [customer] if order.courier_id is None else [customer, (order.courier_id, Role.COURIER)]


def encode_code(reason: Reason | None) -> dict[str, Any]:
    """Make the data by which an event tells the code of a reason, which is counted, and not its
    words: a dispatcher's are for dispatchers."""
    return {"reason_code": reason.code} if reason else {}


def encode_reason(reason: Reason | None) -> dict[str, Any]:
    """Make the data by which an event tells a reason: the words of it, which contracts repeat, the
    code, which is counted, and the note. Nothing where there is none."""
    if reason is None:
        return {}
    note = {"note": reason.note} if reason.note else {}
    return {"reason": reason.text, "reason_code": reason.code, **note}
