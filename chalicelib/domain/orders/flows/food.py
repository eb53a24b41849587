"""Flow `food`: spec 002. A merchant prepares an order, then it is any courier's to take.

What nobody collects ends by itself; out of every other state an admin leads.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.details import Contact
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.mailboxes import restaurant_box
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.effects import reach, tell
from chalicelib.domain.orders.flow import (
    ADMIN,
    ASSIGNEE,
    COURIER,
    DISPATCHER,
    MERCHANT,
    OWNER_OR_ADMIN,
    Flow,
    Outcome,
    Step,
    Table,
    joined,
)
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.progress import DEPARTED
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
        "give_up": Status.UNSERVED,
    },
    Status.IN_TRANSIT: {
        "accept": Status.IN_TRANSIT,
        "reach": Status.IN_TRANSIT,
        "deliver": Status.DONE,
    },
    Status.DONE: {},
    Status.CANCELLED: {},
    Status.UNSERVED: {},
}

# A kitchen that closed, a courier who is never heard of again: another may still get the meal.
ADMINS: Table = {
    Status.CONFIRMED: {"cancel": Status.CANCELLED},
    Status.PREPARING: {"cancel": Status.CANCELLED},
    Status.READY: {"cancel": Status.CANCELLED},
    Status.IN_TRANSIT: {"cancel": Status.CANCELLED, "assign": Status.READY},
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
    "give_up": DISPATCHER,
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


def told_to_all(order: Order, type_: str, now: datetime, **more: Any) -> tuple[Event, ...]:
    """The same, and the copy of the courier who has it, if anybody."""
    told = told_to_both(order, type_, now, **more)
    courier_id = order.courier_id
    if courier_id is None or courier_id == order.job.customer_id:
        return told
    return *told, tell(order, type_, courier_id, now, courier=order.courier, **more)


def simply(type_: str) -> Step:
    """A step that changes nothing but the status, and one thing to tell everybody involved."""

    def step(order: Order, moved: Order, c: Command, now: datetime) -> Outcome:
        return moved, told_to_all(moved, type_, now)

    return step


def make_ready(order: Order, moved: Order, c: commands.MakeReady, now: datetime) -> Outcome:
    after = replace(moved, search_until=c.until)
    return after, told_to_all(after, events.ORDER_READY, now)


def call_off(order: Order, moved: Order, c: commands.Cancel, now: datetime) -> Outcome:
    data = {"reason": c.reason} if c.reason else {}
    return moved, told_to_all(moved, events.ORDER_CANCELLED, now, data=data)


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
    """Give it to one courier, whoever has it now; it is ready until they set off with it."""
    if order.courier_id == c.courier_id:
        return order, ()
    courier = c.courier or Contact(c.courier_id)
    under_way = {Status.IN_TRANSIT.value, "reached", DEPARTED}  # of the one before
    after = replace(
        moved,
        courier_id=c.courier_id,
        courier=courier,
        search_until=c.expires_at,
        timeline={name: at for name, at in moved.timeline.items() if name not in under_way},
    )
    assigned = tell(after, events.ORDER_ASSIGNED, c.courier_id, now, courier=courier)
    told = (assigned, *told_to_both(after, events.ORDER_ASSIGNED, now))
    if order.courier_id is None:
        return after, told
    return after, (tell(after, events.OFFER_REASSIGNED, order.courier_id, now), *told)


STEPS: dict[str, Step] = {
    "confirm": simply(events.ORDER_CONFIRMED),
    "prepare": simply(events.ORDER_PREPARING),
    "make_ready": make_ready,
    "reject": simply(events.ORDER_CANCELLED),
    "cancel": call_off,
    "accept": take,
    "assign": assign,
    "pick_up": simply(events.ORDER_PICKED_UP),
    "reach": reach,
    "deliver": simply(events.ORDER_DELIVERED),
    "give_up": simply(events.ORDER_UNSERVED),
}

FLOW = Flow(
    "food",
    joined(TABLE, ADMINS),
    MAY,
    REPEATABLE,
    STEPS,
    first=Status.PENDING,
    on_duty=False,
    only_admins=ADMINS,
)
