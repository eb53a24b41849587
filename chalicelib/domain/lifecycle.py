"""How an order moves. The tables are the rules; `advance` applies one step of them.

Rule 1: a step is possible only where the flow's table has it for the order's status.
Rule 2: only those named in MAY may take it.
Rule 3: an impossible step raises and changes nothing; `advance` never changes its arguments.
Rule 4: asking again for the step just taken is answered with the order as it is, and no events.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from chalicelib.domain import commands, events
from chalicelib.domain.commands import Command
from chalicelib.domain.events import Entry, Event, order_stream
from chalicelib.domain.jobs import Job, Offer
from chalicelib.domain.orders import Order, Status
from chalicelib.domain.people import SYSTEM, Actor, Role
from chalicelib.errors import Forbidden, InvalidTransition, NotFound, OfferGone

Table = dict[Status, dict[str, Status]]
Outcome = tuple[Order, tuple[Event, ...]]

OUTBOX_VERSIONS = 3  # how many versions' events an order carries

# Flow `delivery`: spec 000. A sequential search: one courier is asked at a time.
DELIVERY: Table = {
    Status.SEARCHING: {
        "offer": Status.OFFERED,
        "wait": Status.SEARCHING,
        "give_up": Status.UNSERVED,
        "assign": Status.OFFERED,
        "cancel": Status.CANCELLED,
    },
    Status.OFFERED: {
        "accept": Status.ACCEPTED,
        "decline": Status.SEARCHING,
        "expire": Status.SEARCHING,
        "assign": Status.OFFERED,
        "cancel": Status.CANCELLED,
    },
    Status.ACCEPTED: {
        "arrive": Status.AT_PICKUP,
        "assign": Status.OFFERED,
        "cancel": Status.CANCELLED,
    },
    Status.AT_PICKUP: {
        "pick_up": Status.IN_TRANSIT,
        "assign": Status.OFFERED,
        "cancel": Status.CANCELLED,
    },
    Status.IN_TRANSIT: {"reach": Status.IN_TRANSIT, "deliver": Status.DONE},
    Status.UNSERVED: {"retry": Status.SEARCHING, "assign": Status.OFFERED},
    Status.DONE: {},
    Status.CANCELLED: {},
}

TABLES: dict[str, Table] = {"delivery": DELIVERY}

ASSIGNEE, OWNER, OWNER_OR_ADMIN, ADMIN, DISPATCHER = "assignee", "owner", "owner/admin", "admin", ""
MAY: dict[str, str] = {
    "offer": DISPATCHER,
    "wait": DISPATCHER,
    "give_up": DISPATCHER,
    "expire": DISPATCHER,
    "accept": ASSIGNEE,
    "decline": ASSIGNEE,
    "arrive": ASSIGNEE,
    "pick_up": ASSIGNEE,
    "reach": ASSIGNEE,
    "deliver": ASSIGNEE,
    "cancel": OWNER_OR_ADMIN,
    "retry": OWNER,
    "assign": ADMIN,
}

# The status that a step leads to, where asking again is harmless (Rule 4).
REPEATABLE: dict[str, Status] = {
    "accept": Status.ACCEPTED,
    "arrive": Status.AT_PICKUP,
    "pick_up": Status.IN_TRANSIT,
    "deliver": Status.DONE,
    "cancel": Status.CANCELLED,
}


def place(order_id: int, job: Job, now: datetime, search_until: datetime | None = None) -> Outcome:
    """Make a new order that looks for its courier, and what its customer is told of it.

    `search_until` None: the search ends as soon as nobody is left to ask.
    """
    order = Order(
        id=order_id,
        job=job,
        status=Status.SEARCHING,
        updated_at=now,
        search_until=search_until,
        timeline={"placed": now},
    )
    return order, (_tell(order, events.ORDER_PLACED, job.customer_id, now),)


def advance(order: Order, command: Command, actor: Actor, now: datetime) -> Outcome:
    """Take one step; return the order after it and what came of it, numbered on commit.

    Raises InvalidTransition where the table has no such step, OfferGone for a courier who was
    asked and is too late, Forbidden for one who never was, NotFound for anybody else.
    """
    verb = command.verb
    _permit(order, verb, actor)
    if _repeated(order, verb):
        return order, ()
    steps = TABLES[order.job.flow][order.status]
    if verb not in steps:
        raise InvalidTransition(order.status.value, verb, tuple(steps))
    moved = replace(order, status=steps[verb], updated_at=now)
    if moved.status is not order.status:
        moved = replace(moved, timeline={**order.timeline, moved.status.value: now})
    return _STEPS[verb](order, moved, command, now)


def seal(before: Order | None, after: Order, drafts: tuple[Event, ...]) -> Order:
    """The order as it is to be written: one version on, the new events numbered in its outbox."""
    version = before.version + 1 if before else 1
    told = tuple(replace(e, version=version, ordinal=n) for n, e in enumerate(drafts))
    entries = (*after.outbox, Entry(version, after.updated_at, told)) if told else after.outbox
    return replace(after, version=version, outbox=entries[-OUTBOX_VERSIONS:])


def _permit(order: Order, verb: str, actor: Actor) -> None:
    may = MAY[verb]
    if may == DISPATCHER and actor is not SYSTEM:
        raise Forbidden("Only the dispatcher does that.")
    if may == ASSIGNEE and actor.id != order.courier_id:
        if actor.id in order.offered_to:
            raise OfferGone("This order has moved on to somebody else.")
        raise Forbidden("This order was never offered to you.")
    owner = actor.id == order.job.customer_id and actor.role is Role.CUSTOMER
    admin = actor.role is Role.ADMIN
    if (
        (may == OWNER and not owner)
        or (may == OWNER_OR_ADMIN and not owner and not admin)
        or (may == ADMIN and not admin)
    ):
        raise NotFound("There is no such order.")


def _repeated(order: Order, verb: str) -> bool:
    if verb == "reach":
        return "reached" in order.timeline and order.status is Status.IN_TRANSIT
    return REPEATABLE.get(verb) is order.status


def _tell(order: Order, type_: str, to: str, now: datetime, **more: Any) -> Event:
    return Event(
        type=type_,
        to=to,
        stream=order_stream(order.id),
        version=0,
        ordinal=0,
        at=now,
        status=order.status.value,
        **more,
    )


def _tell_customer(order: Order, type_: str, now: datetime, **more: Any) -> Event:
    return _tell(order, type_, order.job.customer_id, now, **more)


def _offered(order: Order, courier_id: str, expires_at: datetime, now: datetime) -> Outcome:
    """Put the order before `courier_id`; both sides hear of it."""
    offer = Offer(order.offers_made + 1, courier_id, expires_at)
    after = replace(
        order,
        courier_id=courier_id,
        courier=None,
        offer=offer,
        offers_made=offer.seq,
        offered_to=(*(c for c in order.offered_to if c != courier_id), courier_id),
        excluded=(*(c for c in order.excluded if c != courier_id), courier_id),
        next_search_at=None,
    )
    made = _tell(
        after, events.OFFER_MADE, courier_id, now, offer=offer, valid_until=offer.expires_at
    )
    return after, (made, _tell_customer(after, events.ORDER_OFFERED, now, offer=offer))


def _offer(order: Order, moved: Order, c: commands.Offer, now: datetime) -> Outcome:
    after, told = _offered(moved, c.courier_id, c.expires_at, now)
    if c.lapsed_courier_id:
        told = (_tell(after, events.OFFER_REASSIGNED, c.lapsed_courier_id, now), *told)
    return after, told


def _assign(order: Order, moved: Order, c: commands.Assign, now: datetime) -> Outcome:
    if order.holder == c.courier_id:
        return order, ()
    after, told = _offered(moved, c.courier_id, c.expires_at, now)
    if order.holder:
        told = (_tell(after, events.OFFER_REASSIGNED, order.holder, now), *told)
    return after, told


def _accept(order: Order, moved: Order, c: commands.Accept, now: datetime) -> Outcome:
    if order.offer is None or order.offer.lapsed(now):
        raise OfferGone("This offer has lapsed.")
    after = replace(moved, courier=c.courier, offer=None)
    return after, (_tell_customer(after, events.ORDER_ACCEPTED, now, courier=c.courier),)


def _decline(order: Order, moved: Order, c: commands.Decline, now: datetime) -> Outcome:
    if order.offer is None or order.offer.lapsed(now):
        raise OfferGone("This offer has lapsed.")
    after = replace(moved, courier_id=None, offer=None)
    return after, (_tell_customer(after, events.ORDER_DECLINED, now),)


def _expire(order: Order, moved: Order, c: commands.Expire, now: datetime) -> Outcome:
    offer = order.offer
    if offer is None or offer.seq != c.seq or not offer.lapsed(now):
        return order, ()
    after = replace(moved, courier_id=None, offer=None)
    return after, (_tell(after, events.OFFER_TIMED_OUT, offer.courier_id, now, offer=offer),)


def _wait(order: Order, moved: Order, c: commands.Wait, now: datetime) -> Outcome:
    after = replace(moved, next_search_at=c.next_search_at)
    return after, ()


def _give_up(order: Order, moved: Order, c: commands.GiveUp, now: datetime) -> Outcome:
    after = replace(moved, next_search_at=None)
    told = [_tell_customer(after, events.ORDER_UNSERVED, now)]
    if c.lapsed_courier_id:
        told.insert(0, _tell(after, events.SEARCH_FAILED, c.lapsed_courier_id, now))
    return after, tuple(told)


def _retry(order: Order, moved: Order, c: commands.Retry, now: datetime) -> Outcome:
    return replace(moved, excluded=(), courier_id=None, search_until=c.search_until), ()


def _cancel(order: Order, moved: Order, c: commands.Cancel, now: datetime) -> Outcome:
    after = replace(moved, offer=None, next_search_at=None)
    data = {"reason": c.reason} if c.reason else {}
    told = [_tell_customer(after, events.ORDER_CANCELLED, now, data=data)]
    if order.holder:
        told.append(_tell(after, events.ORDER_CANCELLED, order.holder, now, data=data))
    return after, tuple(told)


def _reach(order: Order, moved: Order, c: commands.Reach, now: datetime) -> Outcome:
    after = replace(moved, timeline={**moved.timeline, "reached": now})
    return after, (_tell_customer(after, events.DROPOFF_REACHED, now, courier=after.courier),)


def _simply(type_: str) -> Callable[[Order, Order, Command, datetime], Outcome]:
    """A step that changes nothing but the status, and one thing to tell the customer."""

    def step(order: Order, moved: Order, c: Command, now: datetime) -> Outcome:
        return moved, (_tell_customer(moved, type_, now, courier=moved.courier),)

    return step


_STEPS: dict[str, Callable[[Order, Order, Any, datetime], Outcome]] = {
    "offer": _offer,
    "assign": _assign,
    "accept": _accept,
    "decline": _decline,
    "expire": _expire,
    "wait": _wait,
    "give_up": _give_up,
    "retry": _retry,
    "cancel": _cancel,
    "arrive": _simply(events.COURIER_ARRIVED),
    "pick_up": _simply(events.ORDER_PICKED_UP),
    "reach": _reach,
    "deliver": _simply(events.ORDER_DELIVERED),
}
