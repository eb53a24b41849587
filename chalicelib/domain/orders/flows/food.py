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
from chalicelib.domain.messaging.mailboxes import restaurant_mailbox
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.effects import draft_order_event, reach_dropoff
from chalicelib.domain.orders.flow import (
    ADMIN,
    ASSIGNEE,
    COURIER,
    DISPATCHER,
    MERCHANT,
    OWNER_OR_ADMIN,
    Effect,
    Flow,
    Transition,
    TransitionTable,
    merge_tables,
)
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.progress import DEPARTED
from chalicelib.errors import OfferGone

TRANSITIONS: TransitionTable = {
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
ADMIN_TRANSITIONS: TransitionTable = {
    Status.CONFIRMED: {"cancel": Status.CANCELLED},
    Status.PREPARING: {"cancel": Status.CANCELLED},
    Status.READY: {"cancel": Status.CANCELLED},
    Status.IN_TRANSIT: {"cancel": Status.CANCELLED, "assign": Status.READY},
}

PERMISSIONS = {
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


def draft_for_both(order: Order, type_: str, now: datetime, **more: Any) -> tuple[Event, ...]:
    """The customer's copy and the restaurant's."""
    to = [order.details.customer_id]
    if order.details.merchant_id is not None:
        to.append(restaurant_mailbox(order.details.merchant_id))
    return tuple(
        draft_order_event(order, type_, one, now, courier=order.courier, **more) for one in to
    )


def draft_for_all(order: Order, type_: str, now: datetime, **more: Any) -> tuple[Event, ...]:
    """The same, and the copy of the courier who has it, if anybody."""
    told = draft_for_both(order, type_, now, **more)
    courier_id = order.courier_id
    if courier_id is None or courier_id == order.details.customer_id:
        return told
    return *told, draft_order_event(order, type_, courier_id, now, courier=order.courier, **more)


def notify_all(type_: str) -> Effect:
    """A step that changes nothing but the status, and one thing to tell everybody involved."""

    def step(order: Order, moved: Order, c: Command, now: datetime) -> Transition:
        return moved, draft_for_all(moved, type_, now)

    return step


def make_order_ready(
    order: Order, moved: Order, c: commands.MakeReady, now: datetime
) -> Transition:
    after = replace(moved, search_until=c.collect_until)
    return after, draft_for_all(after, events.ORDER_READY, now)


def cancel_order(order: Order, moved: Order, c: commands.Cancel, now: datetime) -> Transition:
    data = {"reason": c.reason} if c.reason else {}
    return moved, draft_for_all(moved, events.ORDER_CANCELLED, now, data=data)


def take_from_pool(order: Order, moved: Order, c: commands.Accept, now: datetime) -> Transition:
    """The first courier has it, and is on the way with it at once (spec 002, order-accepted)."""
    if order.courier_id not in (None, c.courier.id):
        raise OfferGone("Order is no longer available.")
    if order.status is Status.IN_TRANSIT:
        return order, ()
    after = replace(moved, courier_id=c.courier.id, courier=c.courier)
    claimed = draft_order_event(after, events.ORDER_CLAIMED, c.courier.id, now, courier=c.courier)
    return after, (claimed, *draft_for_both(after, events.ORDER_ACCEPTED, now))


def assign_from_pool(
    order: Order, moved: Order, c: commands.AssignCourier, now: datetime
) -> Transition:
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
    assigned = draft_order_event(after, events.ORDER_ASSIGNED, c.courier_id, now, courier=courier)
    told = (assigned, *draft_for_both(after, events.ORDER_ASSIGNED, now))
    if order.courier_id is None:
        return after, told
    return after, (draft_order_event(after, events.OFFER_REASSIGNED, order.courier_id, now), *told)


EFFECTS: dict[str, Effect] = {
    "confirm": notify_all(events.ORDER_CONFIRMED),
    "prepare": notify_all(events.ORDER_PREPARING),
    "make_ready": make_order_ready,
    "reject": notify_all(events.ORDER_CANCELLED),
    "cancel": cancel_order,
    "accept": take_from_pool,
    "assign": assign_from_pool,
    "pick_up": notify_all(events.ORDER_PICKED_UP),
    "reach": reach_dropoff,
    "deliver": notify_all(events.ORDER_DELIVERED),
    "give_up": notify_all(events.ORDER_UNSERVED),
}

FLOW = Flow(
    "food",
    merge_tables(TRANSITIONS, ADMIN_TRANSITIONS),
    PERMISSIONS,
    REPEATABLE,
    EFFECTS,
    first_status=Status.PENDING,
    requires_duty=False,
    admin_transitions=ADMIN_TRANSITIONS,
)
