"""Flow `ride`: spec 001. An order is open to all couriers near by; whoever accepts first has it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.details import Contact
from chalicelib.domain.events import Event
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.drafts import (
    draft_copies,
    draft_for_courier,
    draft_for_customer,
    encode_code,
    encode_reason,
    list_both_sides,
)
from chalicelib.domain.orders.effects import (
    activate_order,
    amend_order,
    continue_plan,
    reach_dropoff,
    silence_while_dormant,
)
from chalicelib.domain.orders.flow import Effect, Flow, IsRepeat, Transition, TransitionTable
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.offers import draft_loss, give_up_search, open_anew
from chalicelib.domain.orders.permissions import Permission
from chalicelib.domain.orders.repeats import has_reached_dropoff, stands_in
from chalicelib.errors import InvalidTransition

TRANSITIONS: TransitionTable = {
    Status.SCHEDULED: {
        "activate": Status.SEARCHING,
        "amend": Status.SCHEDULED,
        "cancel": Status.CANCELLED,
    },
    Status.SEARCHING: {
        "open": Status.SEARCHING,
        "search_anew": Status.SEARCHING,
        "accept": Status.ACCEPTED,
        "give_up": Status.UNSERVED,
        "cancel": Status.CANCELLED,
    },
    Status.ACCEPTED: {
        "arrive": Status.AT_PICKUP,
        "pick_up": Status.IN_TRANSIT,
        "hand_back": Status.SEARCHING,
        "withdraw": Status.CANCELLED,
        "cancel": Status.CANCELLED,
    },
    Status.AT_PICKUP: {
        "pick_up": Status.IN_TRANSIT,
        "no_show": Status.NO_SHOW,
        "hand_back": Status.SEARCHING,
        "withdraw": Status.CANCELLED,
        "cancel": Status.CANCELLED,
    },
    Status.IN_TRANSIT: {
        "reach": Status.IN_TRANSIT,
        "deliver": Status.DONE,
        "withdraw": Status.CANCELLED,
        "cancel": Status.CANCELLED,
    },
    Status.DONE: {},
    Status.CANCELLED: {},
    Status.UNSERVED: {},
    Status.NO_SHOW: {},
}

PERMISSIONS = {
    "activate": Permission.SYSTEM,
    "amend": Permission.OWNER_OR_ADMIN,
    "search_anew": Permission.SYSTEM,
    "open": Permission.SYSTEM,
    "give_up": Permission.SYSTEM,
    "accept": Permission.NEARBY_COURIER,
    "decline": Permission.HOLDER,  # never possible: going off duty does not give a ride up
    "arrive": Permission.HOLDER,
    "pick_up": Permission.HOLDER,
    "reach": Permission.HOLDER,
    "deliver": Permission.HOLDER,
    "no_show": Permission.HOLDER,
    "hand_back": Permission.HOLDER,
    "withdraw": Permission.HOLDER,
    "cancel": Permission.OWNER_OR_ADMIN,
}

# To start, to complete or to cancel a second time is an error: spec 001 says what state each needs.
REPEATS: dict[str, IsRepeat] = {
    "accept": stands_in(Status.ACCEPTED),
    "arrive": stands_in(Status.AT_PICKUP),
    "no_show": stands_in(Status.NO_SHOW),
    "reach": has_reached_dropoff,
}


def draft_for_customer_and_courier(
    order: Order, type_: str, now: datetime, eta_minutes: int | None = None
) -> tuple[Event, ...]:
    """Make the customer's event, and the courier's copy, which is a COURIER_STEPPED: all who take
    part hear of each step."""
    fields: dict[str, Any] = {"courier": order.courier}
    if eta_minutes is not None:
        fields["data"] = {"eta_minutes": eta_minutes}
    draft = draft_for_customer(order, type_, now, **fields)
    if order.courier_id is None:
        return (draft,)
    copy = draft_for_courier(order, events.COURIER_STEPPED, order.courier_id, now, **fields)
    return draft, copy


def add_nearby_couriers(order: Order, command: commands.OpenToNearby, now: datetime) -> Transition:
    """Let more couriers take the order. They are told after the commit, and of no event that is
    kept (services/dispatch/broadcast.py)."""
    order = replace(
        order,
        offered_to=(*order.offered_to, *command.courier_ids),
        unconfirmed=command.unconfirmed,
        next_search_at=command.next_search_at,
    )
    return order, ()


def reopen_search(order: Order, command: commands.SearchAnew, now: datetime) -> Transition:
    """Begin the next search of the plan. Couriers who could take the order still can, and hear of
    it again; those who gave it back stay out."""
    return continue_plan(order, command), ()


def accept_order(order: Order, command: commands.Accept, now: datetime) -> Transition:
    """Give the order to the first courier who accepts."""
    courier = command.courier
    order = replace(order, courier_id=courier.id, courier=courier, next_search_at=None, plan=None)
    eta_minutes = command.eta_minutes
    return order, draft_for_customer_and_courier(order, events.ORDER_ACCEPTED, now, eta_minutes)


def arrive_at_pickup(order: Order, command: commands.Arrive, now: datetime) -> Transition:
    """Note that the courier is at the pickup."""
    return order, draft_for_customer_and_courier(order, events.COURIER_ARRIVED, now)


def start_trip(order: Order, command: commands.PickUp, now: datetime) -> Transition:
    """Begin the trip, from the reading that the odometer has."""
    order = replace(order, trip=command.trip)
    eta_minutes = command.eta_minutes
    return order, draft_for_customer_and_courier(order, events.ORDER_PICKED_UP, now, eta_minutes)


def finish_trip(order: Order, command: commands.Deliver, now: datetime) -> Transition:
    """End the trip, with its way and its fare."""
    order = replace(order, trip=command.trip)
    return order, draft_for_customer_and_courier(order, events.ORDER_DELIVERED, now)


def hand_back_order(order: Order, command: commands.HandBack, now: datetime) -> Transition:
    """Take the order from its courier and search anew: everybody may be asked but that courier, who
    hears of it if they did not give it back themselves."""
    lost = draft_loss(order, command, now)
    excluded = (*order.excluded, order.courier_id) if order.courier_id else order.excluded
    order = replace(
        order,
        courier_id=None,
        courier=None,
        offered_to=(),
        unconfirmed=(),
        excluded=excluded,
        search_until=command.search_until,
        plan=None,  # one search, as of a new order, whatever is left of the windows
        # A driver may do it once a ride; what is taken from one by hand is no driver's doing.
        timeline={**order.timeline, "released" if command.by_hand else "handed_back": now},
    )
    # Not the words: spec 001 says none when a ride is searched for anew.
    data = encode_code(command.reason)
    return order, (*lost, draft_for_customer(order, events.ORDER_REOPENED, now, data=data))


def assign_driver(order: Order, command: commands.AssignCourier, now: datetime) -> Transition:
    """Give the order to the driver whom a dispatcher names, as if they had accepted it: a ride is
    offered to nobody alone. Who had it before hears that they have lost it."""
    previous_id = order.courier_id
    driver = command.courier or Contact(command.courier_id)
    order = replace(
        order,
        courier_id=command.courier_id,
        courier=driver,
        next_search_at=None,
        search_until=None,
        plan=None,
        unconfirmed=(),
    )
    data = encode_code(command.reason)
    accepted = draft_for_customer(order, events.ORDER_ACCEPTED, now, courier=driver, data=data)
    copy = draft_for_courier(order, events.COURIER_STEPPED, command.courier_id, now, courier=driver)
    if previous_id is None:
        return order, (accepted, copy)
    lost = draft_for_courier(order, events.OFFER_REASSIGNED, previous_id, now)
    return order, (lost, accepted, copy)


def retry_search(order: Order, command: commands.RetrySearch, now: datetime) -> Transition:
    """Begin a new search, of which everybody near by hears, whoever heard of the last one."""
    order = open_anew(order, command.search_until)
    return replace(order, offered_to=(), unconfirmed=()), ()


def call_off_order(
    order: Order, command: commands.Cancel | commands.Withdraw, now: datetime
) -> Transition:
    """Call the order off, as either side or as an admin; both sides hear who did it. Raises
    InvalidTransition for a courier who gives back what is picked up already."""
    if isinstance(command, commands.Withdraw):
        _check_still_before_pickup(order, command)
    order = replace(order, next_search_at=None)
    data = {"by": command.by if isinstance(command, commands.Cancel) else "courier"}
    data |= encode_reason(command.reason)
    recipients = list_both_sides(order)
    return order, draft_copies(order, events.ORDER_CANCELLED, recipients, now, data=data)


def end_as_no_show(order: Order, command: commands.NoShow, now: datetime) -> Transition:
    """End the order at whose pickup nobody is; both sides hear whose doing it is."""
    data = {"by": command.by, **encode_reason(command.reason)}
    return order, draft_copies(
        order, events.DELIVERY_FAILED, list_both_sides(order), now, data=data
    )


def _check_still_before_pickup(order: Order, command: commands.Withdraw) -> None:
    # Judged here and not by whoever chose the command: the trip may have begun meanwhile.
    if command.before_pickup and Status.IN_TRANSIT.value in order.timeline:
        raise InvalidTransition(
            Status.IN_TRANSIT.value, "release", tuple(TRANSITIONS[Status.IN_TRANSIT])
        )


EFFECTS: dict[str, Effect] = {
    "activate": activate_order,
    "amend": amend_order,
    "search_anew": reopen_search,
    "open": add_nearby_couriers,
    "accept": accept_order,
    "arrive": arrive_at_pickup,
    "pick_up": start_trip,
    "reach": reach_dropoff,
    "deliver": finish_trip,
    "hand_back": hand_back_order,
    "withdraw": call_off_order,
    "no_show": end_as_no_show,
    "cancel": silence_while_dormant(call_off_order),
    "give_up": give_up_search,
    # By hand alone (domain/orders/hands.py):
    "assign": assign_driver,
    "retry": retry_search,
}

FLOW = Flow("ride", TRANSITIONS, PERMISSIONS, REPEATS, EFFECTS, shows_fixes=True)
