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
from chalicelib.domain.messaging.mailboxes import name_restaurant_mailbox
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.drafts import (
    draft_copies,
    draft_for_courier,
    encode_code,
    encode_reason,
)
from chalicelib.domain.orders.effects import (
    activate_order,
    amend_order,
    reach_dropoff,
    silence_while_dormant,
)
from chalicelib.domain.orders.flow import (
    Effect,
    Flow,
    IsRepeat,
    Transition,
    TransitionTable,
    merge_tables,
)
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.offers import draft_loss, open_anew, take_from_courier
from chalicelib.domain.orders.permissions import Permission
from chalicelib.domain.orders.repeats import (
    has_reached_dropoff,
    is_with_assignee,
    is_with_taker,
    stands_in,
)
from chalicelib.domain.people import Role
from chalicelib.errors import InvalidTransition, OfferGone

TRANSITIONS: TransitionTable = {
    Status.SCHEDULED: {
        "activate": Status.PENDING,
        "amend": Status.SCHEDULED,
        "cancel": Status.CANCELLED,
    },
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
        "release": Status.READY,  # by the courier to whom an admin has given it
        "give_up": Status.UNSERVED,
    },
    Status.IN_TRANSIT: {
        # There for a second courier's sake, who is late: their accept is answered OfferGone by its
        # effect, as on a ready order. The first one's is a repeat, see REPEATS.
        "accept": Status.IN_TRANSIT,
        "reach": Status.IN_TRANSIT,
        "deliver": Status.DONE,
        "release": Status.READY,  # until they have reached the drop-off: see its effect
        "take_back": Status.RETURNING,
        "leave": Status.LEFT,
        "discard": Status.DISCARDED,
    },
    Status.RETURNING: {"finish_return": Status.RETURNED},
    Status.DONE: {},
    Status.CANCELLED: {},
    Status.UNSERVED: {},
    Status.RETURNED: {},
    Status.LEFT: {},
    Status.DISCARDED: {},
}

# A kitchen that closed, a courier who is never heard of again: another may still get the meal.
ADMIN_TRANSITIONS: TransitionTable = {
    Status.CONFIRMED: {"cancel": Status.CANCELLED},
    Status.PREPARING: {"cancel": Status.CANCELLED},
    Status.READY: {"cancel": Status.CANCELLED},
    Status.IN_TRANSIT: {"cancel": Status.CANCELLED, "assign": Status.READY},
    Status.RETURNING: {"cancel": Status.CANCELLED},
}

PERMISSIONS = {
    "activate": Permission.SYSTEM,
    "amend": Permission.OWNER_OR_ADMIN,
    "confirm": Permission.MERCHANT,
    "prepare": Permission.MERCHANT,
    "make_ready": Permission.MERCHANT,
    "reject": Permission.MERCHANT,
    "cancel": Permission.OWNER_OR_ADMIN,
    "accept": Permission.COURIER,
    "assign": Permission.ADMIN,
    "pick_up": Permission.ASSIGNEE,
    "reach": Permission.ASSIGNEE,
    "deliver": Permission.ASSIGNEE,
    "release": Permission.ASSIGNEE,
    "take_back": Permission.ASSIGNEE,
    "finish_return": Permission.ASSIGNEE,
    "leave": Permission.ASSIGNEE,
    "discard": Permission.ASSIGNEE,
    "give_up": Permission.SYSTEM,
}

REPEATS: dict[str, IsRepeat] = {
    "confirm": stands_in(Status.CONFIRMED),
    "prepare": stands_in(Status.PREPARING),
    "make_ready": stands_in(Status.READY),
    "reject": stands_in(Status.CANCELLED),
    "cancel": stands_in(Status.CANCELLED),
    "accept": is_with_taker,
    "assign": is_with_assignee,
    "pick_up": stands_in(Status.IN_TRANSIT),
    "reach": has_reached_dropoff,
    "deliver": stands_in(Status.DONE),
    "take_back": stands_in(Status.RETURNING),
    "finish_return": stands_in(Status.RETURNED),
    "leave": stands_in(Status.LEFT),
    "discard": stands_in(Status.DISCARDED),
}


def draft_for_customer_and_restaurant(
    order: Order, type_: str, now: datetime, **fields: Any
) -> tuple[Event, ...]:
    """Make one event for the customer and, in their common mailbox, those of the restaurant."""
    recipients = [(order.details.customer_id, Role.CUSTOMER)]
    if order.details.merchant_id is not None:
        recipients.append((name_restaurant_mailbox(order.details.merchant_id), Role.MERCHANT))
    return draft_copies(order, type_, recipients, now, courier=order.courier, **fields)


def draft_for_all(order: Order, type_: str, now: datetime, **fields: Any) -> tuple[Event, ...]:
    """Make one event for customer and restaurant and the courier who has the order, if anybody."""
    drafts = draft_for_customer_and_restaurant(order, type_, now, **fields)
    courier_id = order.courier_id
    if courier_id is None or courier_id == order.details.customer_id:
        return drafts
    copy = draft_for_courier(order, type_, courier_id, now, courier=order.courier, **fields)
    return (*drafts, copy)


def notify_all(type_: str) -> Effect:
    """Make the effect of a step that changes nothing but the status, and that everybody involved
    hears of by one event of this type."""

    def notify(order: Order, command: Command, now: datetime) -> Transition:
        return order, draft_for_all(order, type_, now)

    return notify


def activate_meal(order: Order, command: commands.Activate, now: datetime) -> Transition:
    """Show the order to its restaurant, and to its customer, as a new one."""
    order, _ = activate_order(order, command, now)
    return order, draft_for_customer_and_restaurant(order, events.ORDER_ACTIVATED, now)


def make_order_ready(order: Order, command: commands.MakeReady, now: datetime) -> Transition:
    """Open the order to the pool, for as long as somebody may yet collect it."""
    order = replace(order, search_until=command.collect_until)
    return order, draft_for_all(order, events.ORDER_READY, now)


def cancel_order(
    order: Order, command: commands.Cancel | commands.Reject, now: datetime
) -> Transition:
    """Call the order off; everybody involved hears of it, with the reason."""
    data = encode_reason(command.reason)
    return order, draft_for_all(order, events.ORDER_CANCELLED, now, data=data)


def release_to_pool(order: Order, command: commands.Release, now: datetime) -> Transition:
    """Take the order from the courier who gives it back: anybody else may take it from the pool.
    Raises InvalidTransition once they were at the drop-off: by then they have the meal."""
    if "reached" in order.timeline:
        allowed = tuple(verb for verb in TRANSITIONS[Status.IN_TRANSIT] if verb != command.verb)
        raise InvalidTransition(Status.IN_TRANSIT.value, command.verb, allowed)
    lost = draft_loss(order, command, now)
    order = take_from_courier(order, command.search_until, order.status, now, command.by_hand)
    data = encode_code(command.reason) if command.by_hand else encode_reason(command.reason)
    drafts = draft_for_customer_and_restaurant(order, events.ORDER_RELEASED, now, data=data)
    return order, (*lost, *drafts)


def reopen_meal(order: Order, command: commands.RetrySearch, now: datetime) -> Transition:
    """Open a meal to the pool again that nobody has collected."""
    order = open_anew(order, command.search_until)
    return order, draft_for_all(order, events.ORDER_READY, now)


def notify_of_failure(
    order: Order,
    command: commands.TakeBack | commands.LeaveBehind | commands.Discard,
    now: datetime,
) -> Transition:
    """Tell customer and restaurant that the order could not be handed over, and why."""
    data = encode_reason(command.reason)
    return order, draft_for_customer_and_restaurant(order, events.DELIVERY_FAILED, now, data=data)


def notify_of_return(order: Order, command: commands.FinishReturn, now: datetime) -> Transition:
    """Tell customer and restaurant that the order is at the restaurant again."""
    return order, draft_for_customer_and_restaurant(order, events.DELIVERY_RETURNED, now)


def take_from_pool(order: Order, command: commands.Accept, now: datetime) -> Transition:
    """Give the order to the first courier who asks, and send them on the way with it at once
    (spec 002, order-accepted). Raises OfferGone if it is another's, or was theirs and they gave
    it back."""
    courier = command.courier
    if order.courier_id not in (None, courier.id) or courier.id in order.released_by:
        raise OfferGone("Order is no longer available.")
    order = replace(order, courier_id=courier.id, courier=courier)
    claimed = draft_for_courier(order, events.ORDER_CLAIMED, courier.id, now, courier=courier)
    drafts = draft_for_customer_and_restaurant(order, events.ORDER_ACCEPTED, now)
    return order, (claimed, *drafts)


def assign_from_pool(order: Order, command: commands.AssignCourier, now: datetime) -> Transition:
    """Give the order to one courier, whoever has it now; it is ready until they set off with it."""
    previous_id = order.courier_id
    courier_id, courier = command.courier_id, command.courier or Contact(command.courier_id)
    order = replace(
        order,
        courier_id=courier_id,
        courier=courier,
        search_until=command.expires_at,
    )
    assigned = draft_for_courier(order, events.ORDER_ASSIGNED, courier_id, now, courier=courier)
    data = encode_code(command.reason)
    copies = draft_for_customer_and_restaurant(order, events.ORDER_ASSIGNED, now, data=data)
    drafts = (assigned, *copies)
    if previous_id is None:
        return order, drafts
    return order, (draft_for_courier(order, events.OFFER_REASSIGNED, previous_id, now), *drafts)


EFFECTS: dict[str, Effect] = {
    "activate": activate_meal,
    "amend": amend_order,
    "confirm": notify_all(events.ORDER_CONFIRMED),
    "prepare": notify_all(events.ORDER_PREPARING),
    "make_ready": make_order_ready,
    "reject": cancel_order,
    "cancel": silence_while_dormant(cancel_order),
    "accept": take_from_pool,
    "assign": assign_from_pool,
    "pick_up": notify_all(events.ORDER_PICKED_UP),
    "reach": reach_dropoff,
    "deliver": notify_all(events.ORDER_DELIVERED),
    "give_up": notify_all(events.ORDER_UNSERVED),
    "release": release_to_pool,
    "retry": reopen_meal,  # by hand alone (domain/orders/hands.py)
    "take_back": notify_of_failure,
    "leave": notify_of_failure,
    "discard": notify_of_failure,
    "finish_return": notify_of_return,
}

FLOW = Flow(
    "food",
    merge_tables(TRANSITIONS, ADMIN_TRANSITIONS),
    PERMISSIONS,
    REPEATS,
    EFFECTS,
    first_status=Status.PENDING,
    requires_duty=False,
    admin_transitions=ADMIN_TRANSITIONS,
)
