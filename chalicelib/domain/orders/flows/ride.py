"""Flow `ride`: spec 001. All couriers near by are called, and whoever accepts first has it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.effects import give_up, reach, tell, tell_customer
from chalicelib.domain.orders.flow import (
    CALLED,
    DISPATCHER,
    HOLDER,
    OWNER_OR_ADMIN,
    Flow,
    Outcome,
    Step,
    Table,
)
from chalicelib.domain.orders.model import Order, Status

TABLE: Table = {
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

MAY = {
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


def told_to_both(
    order: Order, type_: str, now: datetime, eta_minutes: int | None = None
) -> tuple[Event, ...]:
    """The customer's copy, and the courier's: all who take part hear of each step."""
    more: dict[str, Any] = {"courier": order.courier}
    if eta_minutes is not None:
        more["data"] = {"eta_minutes": eta_minutes}
    told = tell_customer(order, type_, now, **more)
    if order.courier_id is None:
        return (told,)
    return told, tell(order, events.COURIER_STEPPED, order.courier_id, now, **more)


def open_to(order: Order, moved: Order, c: commands.Open, now: datetime) -> Outcome:
    called = (*order.offered_to, *c.courier_ids)
    after = replace(moved, offered_to=called, unheard=c.unheard, next_search_at=c.next_search_at)
    return after, ()


def take(order: Order, moved: Order, c: commands.Accept, now: datetime) -> Outcome:
    after = replace(moved, courier_id=c.courier.id, courier=c.courier, next_search_at=None)
    return after, told_to_both(after, events.ORDER_ACCEPTED, now, c.eta_minutes)


def start(order: Order, moved: Order, c: commands.PickUp, now: datetime) -> Outcome:
    after = replace(moved, trip=c.trip)
    return after, told_to_both(after, events.ORDER_PICKED_UP, now, c.eta_minutes)


def finish(order: Order, moved: Order, c: commands.Deliver, now: datetime) -> Outcome:
    after = replace(moved, trip=c.trip)
    return after, told_to_both(after, events.ORDER_DELIVERED, now)


def hand_back(order: Order, moved: Order, c: commands.HandBack, now: datetime) -> Outcome:
    """Everybody is called anew, but whoever gave it back."""
    after = replace(
        moved,
        courier_id=None,
        courier=None,
        offered_to=(),
        unheard=(),
        excluded=(*order.excluded, *((order.courier_id,) if order.courier_id else ())),
        search_until=c.search_until,
        timeline={**moved.timeline, "handed_back": now},
    )
    return after, (tell_customer(after, events.ORDER_REOPENED, now),)


def call_off(
    order: Order, moved: Order, c: commands.Cancel | commands.Withdraw, now: datetime
) -> Outcome:
    """Either side cancels; both hear of it."""
    after = replace(moved, next_search_at=None)
    data = {"by": c.by if isinstance(c, commands.Cancel) else "courier"}
    data |= {"reason": c.reason} if c.reason else {}
    told = [tell_customer(after, events.ORDER_CANCELLED, now, data=data)]
    if order.holder:
        told.append(tell(after, events.ORDER_CANCELLED, order.holder, now, data=data))
    return after, tuple(told)


def arrive(order: Order, moved: Order, c: commands.Arrive, now: datetime) -> Outcome:
    return moved, told_to_both(moved, events.COURIER_ARRIVED, now)


STEPS: dict[str, Step] = {
    "open": open_to,
    "accept": take,
    "arrive": arrive,
    "pick_up": start,
    "reach": reach,
    "deliver": finish,
    "hand_back": hand_back,
    "withdraw": call_off,
    "cancel": call_off,
    "give_up": give_up,
}

FLOW = Flow("ride", TABLE, MAY, REPEATABLE, STEPS, shows_fixes=True)
