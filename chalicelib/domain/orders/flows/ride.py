"""Flow `ride`: spec 001. All couriers near by are called, and whoever accepts first has it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.effects import (
    draft_for_customer,
    draft_order_event,
    give_up_search,
    reach_dropoff,
)
from chalicelib.domain.orders.flow import (
    CALLED,
    DISPATCHER,
    HOLDER,
    OWNER_OR_ADMIN,
    Effect,
    Flow,
    Transition,
    TransitionTable,
)
from chalicelib.domain.orders.model import Order, Status

TRANSITIONS: TransitionTable = {
    Status.SEARCHING: {
        "open": Status.SEARCHING,
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
}

PERMISSIONS = {
    "open": DISPATCHER,
    "give_up": DISPATCHER,
    "accept": CALLED,
    "decline": HOLDER,  # never possible: going off duty does not give a ride up
    "arrive": HOLDER,
    "pick_up": HOLDER,
    "reach": HOLDER,
    "deliver": HOLDER,
    "hand_back": HOLDER,
    "withdraw": HOLDER,
    "cancel": OWNER_OR_ADMIN,
}

# To start, to complete or to cancel a second time is an error: spec 001 says what state each needs.
REPEATABLE: dict[str, Status] = {"accept": Status.ACCEPTED, "arrive": Status.AT_PICKUP}


def draft_for_both(
    order: Order, type_: str, now: datetime, eta_minutes: int | None = None
) -> tuple[Event, ...]:
    """The customer's copy, and the courier's: all who take part hear of each step."""
    more: dict[str, Any] = {"courier": order.courier}
    if eta_minutes is not None:
        more["data"] = {"eta_minutes": eta_minutes}
    told = draft_for_customer(order, type_, now, **more)
    if order.courier_id is None:
        return (told,)
    return told, draft_order_event(order, events.COURIER_STEPPED, order.courier_id, now, **more)


def add_nearby_couriers(
    order: Order, moved: Order, c: commands.OpenToNearby, now: datetime
) -> Transition:
    called = (*order.offered_to, *c.courier_ids)
    after = replace(
        moved, offered_to=called, unconfirmed=c.unconfirmed, next_search_at=c.next_search_at
    )
    return after, ()


def accept_order(order: Order, moved: Order, c: commands.Accept, now: datetime) -> Transition:
    after = replace(moved, courier_id=c.courier.id, courier=c.courier, next_search_at=None)
    return after, draft_for_both(after, events.ORDER_ACCEPTED, now, c.eta_minutes)


def start_trip(order: Order, moved: Order, c: commands.PickUp, now: datetime) -> Transition:
    after = replace(moved, trip=c.trip)
    return after, draft_for_both(after, events.ORDER_PICKED_UP, now, c.eta_minutes)


def finish_trip(order: Order, moved: Order, c: commands.Deliver, now: datetime) -> Transition:
    after = replace(moved, trip=c.trip)
    return after, draft_for_both(after, events.ORDER_DELIVERED, now)


def hand_back_order(order: Order, moved: Order, c: commands.HandBack, now: datetime) -> Transition:
    """Everybody is called anew, but whoever gave it back."""
    after = replace(
        moved,
        courier_id=None,
        courier=None,
        offered_to=(),
        unconfirmed=(),
        excluded=(*order.excluded, *((order.courier_id,) if order.courier_id else ())),
        search_until=c.search_until,
        timeline={**moved.timeline, "handed_back": now},
    )
    return after, (draft_for_customer(after, events.ORDER_REOPENED, now),)


def call_off_order(
    order: Order, moved: Order, c: commands.Cancel | commands.Withdraw, now: datetime
) -> Transition:
    """Either side cancels; both hear of it."""
    after = replace(moved, next_search_at=None)
    data = {"by": c.by if isinstance(c, commands.Cancel) else "courier"}
    data |= {"reason": c.reason} if c.reason else {}
    told = [draft_for_customer(after, events.ORDER_CANCELLED, now, data=data)]
    if order.occupied_courier_id:
        told.append(
            draft_order_event(
                after, events.ORDER_CANCELLED, order.occupied_courier_id, now, data=data
            )
        )
    return after, tuple(told)


def arrive_at_pickup(order: Order, moved: Order, c: commands.Arrive, now: datetime) -> Transition:
    return moved, draft_for_both(moved, events.COURIER_ARRIVED, now)


EFFECTS: dict[str, Effect] = {
    "open": add_nearby_couriers,
    "accept": accept_order,
    "arrive": arrive_at_pickup,
    "pick_up": start_trip,
    "reach": reach_dropoff,
    "deliver": finish_trip,
    "hand_back": hand_back_order,
    "withdraw": call_off_order,
    "cancel": call_off_order,
    "give_up": give_up_search,
}

FLOW = Flow("ride", TRANSITIONS, PERMISSIONS, REPEATABLE, EFFECTS, shows_fixes=True)
