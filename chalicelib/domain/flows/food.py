"""Flow `food`: spec 002. A merchant prepares an order, then it is any courier's to take."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from chalicelib.domain import commands, events
from chalicelib.domain.commands import Command
from chalicelib.domain.events import Event
from chalicelib.domain.flow import (
    ADMIN,
    ASSIGNEE,
    COURIER,
    MERCHANT,
    OWNER_OR_ADMIN,
    Flow,
    Outcome,
    Step,
    Table,
)
from chalicelib.domain.jobs import Contact
from chalicelib.domain.mailboxes import restaurant_box
from chalicelib.domain.orders import Order, Status
from chalicelib.domain.steps import reach, tell
from chalicelib.errors import OfferGone

TABLE: Table = {
    Status.PENDING: {
        "confirm": Status.CONFIRMED,
        "reject": Status.CANCELLED,
        "cancel": Status.CANCELLED,
    },
    Status.CONFIRMED: {"prepare": Status.PREPARING, "reject": Status.CANCELLED},
    Status.PREPARING: {"make_ready": Status.READY},
    Status.READY: {
        "accept": Status.IN_TRANSIT,
        "assign": Status.READY,
        "pick_up": Status.IN_TRANSIT,
    },
    Status.IN_TRANSIT: {
        "accept": Status.IN_TRANSIT,
        "reach": Status.IN_TRANSIT,
        "deliver": Status.DONE,
    },
    Status.DONE: {},
    Status.CANCELLED: {},
}

MAY = {
    "confirm": MERCHANT,
    "prepare": MERCHANT,
    "make_ready": MERCHANT,
    "reject": MERCHANT,
    "cancel": OWNER_OR_ADMIN,
    "accept": COURIER,
    "assign": ADMIN,
    "pick_up": ASSIGNEE,
    "reach": ASSIGNEE,
    "deliver": ASSIGNEE,
}

REPEATABLE: dict[str, Status] = {
    "confirm": Status.CONFIRMED,
    "prepare": Status.PREPARING,
    "make_ready": Status.READY,
    "reject": Status.CANCELLED,
    "cancel": Status.CANCELLED,
    "pick_up": Status.IN_TRANSIT,
    "deliver": Status.DONE,
}


def told_to_both(order: Order, type_: str, now: datetime, **more: Any) -> tuple[Event, ...]:
    """The customer's copy and the restaurant's."""
    to = [order.job.customer_id]
    if order.job.merchant_id is not None:
        to.append(restaurant_box(order.job.merchant_id))
    return tuple(tell(order, type_, one, now, courier=order.courier, **more) for one in to)


def simply(type_: str) -> Step:
    """A step that changes nothing but the status, and one thing to tell everybody involved."""

    def step(order: Order, moved: Order, c: Command, now: datetime) -> Outcome:
        told = told_to_both(moved, type_, now)
        courier_id = moved.courier_id
        if courier_id is not None and courier_id != moved.job.customer_id:
            told = (*told, tell(moved, type_, courier_id, now, courier=moved.courier))
        return moved, told

    return step


def call_off(order: Order, moved: Order, c: commands.Cancel, now: datetime) -> Outcome:
    """Before anybody cooks, so before any courier has it."""
    data = {"reason": c.reason} if c.reason else {}
    return moved, told_to_both(moved, events.ORDER_CANCELLED, now, data=data)


def take(order: Order, moved: Order, c: commands.Accept, now: datetime) -> Outcome:
    """The first courier has it, and is on the way with it at once (spec 002, order-accepted)."""
    if order.courier_id not in (None, c.courier.id):
        raise OfferGone("Order is no longer available.")
    if order.status is Status.IN_TRANSIT:
        return order, ()
    after = replace(moved, courier_id=c.courier.id, courier=c.courier)
    claimed = tell(after, events.ORDER_CLAIMED, c.courier.id, now, courier=c.courier)
    return after, (claimed, *told_to_both(after, events.ORDER_ACCEPTED, now))


def assign(order: Order, moved: Order, c: commands.Assign, now: datetime) -> Outcome:
    """Give it to one courier; it stays ready until they set off with it."""
    if order.courier_id == c.courier_id:
        return order, ()
    courier = c.courier or Contact(c.courier_id)
    after = replace(moved, courier_id=c.courier_id, courier=courier)
    assigned = tell(after, events.ORDER_ASSIGNED, c.courier_id, now, courier=courier)
    told = (assigned, *told_to_both(after, events.ORDER_ASSIGNED, now))
    if order.courier_id is None:
        return after, told
    return after, (tell(after, events.OFFER_REASSIGNED, order.courier_id, now), *told)


STEPS: dict[str, Step] = {
    "confirm": simply(events.ORDER_CONFIRMED),
    "prepare": simply(events.ORDER_PREPARING),
    "make_ready": simply(events.ORDER_READY),
    "reject": simply(events.ORDER_CANCELLED),
    "cancel": call_off,
    "accept": take,
    "assign": assign,
    "pick_up": simply(events.ORDER_PICKED_UP),
    "reach": reach,
    "deliver": simply(events.ORDER_DELIVERED),
}

FLOW = Flow("food", TABLE, MAY, REPEATABLE, STEPS, first=Status.PENDING, on_duty=False)
