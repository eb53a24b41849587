"""How an order moves. The flows' tables are the rules; `advance` applies one step of them.

Rule 1: a step is possible only where the flow's table has it for the order's status.
Rule 2: only those named in MAY may take it; a step of ADMINS is there for admins alone.
Rule 3: an impossible step raises and changes nothing; `advance` never changes its arguments.
Rule 4: asking again for the step just taken is answered with the order as it is, and no events.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.details import OrderDetails
from chalicelib.domain.events import Entry, Event
from chalicelib.domain.messaging.mailboxes import restaurant_mailbox
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.effects import draft_for_customer, draft_order_event
from chalicelib.domain.orders.flow import (
    ADMIN,
    ASSIGNEE,
    CALLED,
    COURIER,
    DISPATCHER,
    HOLDER,
    MERCHANT,
    OWNER,
    OWNER_OR_ADMIN,
    Transition,
)
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import SYSTEM, Actor, Role
from chalicelib.errors import Forbidden, InvalidTransition, NotFound, OfferGone

OUTBOX_VERSIONS = 3  # how many versions' events an order carries


def create_order(
    order_id: int, job: OrderDetails, now: datetime, search_until: datetime | None = None
) -> Transition:
    """Make a new order, and what its customer and its merchant, if any, are told of it.

    `search_until` None: the search ends as soon as nobody is left to ask.
    """
    order = Order(
        id=order_id,
        details=job,
        status=FLOWS[job.flow].first_status,
        updated_at=now,
        search_until=search_until,
        timeline={"placed": now},
    )
    told = draft_for_customer(order, events.ORDER_PLACED, now)
    if job.merchant_id is None:
        return order, (told,)
    merchant = restaurant_mailbox(job.merchant_id)
    return order, (told, draft_order_event(order, events.ORDER_PLACED, merchant, now))


def advance_order(order: Order, command: Command, actor: Actor, now: datetime) -> Transition:
    """Take one step; return the order after it and what came of it, numbered on commit.

    Raises InvalidTransition where the table has no such step, OfferGone for a courier who was
    asked and is too late, Forbidden for one who never was, NotFound for anybody else.
    """
    flow, verb = FLOWS[order.details.flow], command.verb
    steps = flow.get_steps(order.status, is_admin=actor.role is Role.ADMIN)
    if verb not in flow.permissions:
        if not can_see(order, actor):
            raise NotFound("There is no such order.")
        raise InvalidTransition(order.status.value, verb, tuple(steps))
    _check_permission(order, flow.permissions[verb], actor)
    if _is_repeated(order, verb):
        return order, ()
    if verb not in steps:
        raise InvalidTransition(order.status.value, verb, tuple(steps))
    moved = replace(order, status=steps[verb], updated_at=now)
    if moved.status is not order.status:
        moved = replace(moved, timeline={**order.timeline, moved.status.value: now})
    return flow.effects[verb](order, moved, command, now)


def seal_order(before: Order | None, after: Order, drafts: tuple[Event, ...]) -> Order:
    """The order as it is to be written: one version on, the new events numbered in its outbox."""
    version = before.version + 1 if before else 1
    told = tuple(replace(e, version=version, ordinal=n) for n, e in enumerate(drafts))
    entries = (*after.entries, Entry(version, after.updated_at, told)) if told else after.entries
    return replace(after, version=version, entries=entries[-OUTBOX_VERSIONS:])


def can_see(order: Order, actor: Actor) -> bool:
    """Whether somebody has a part in an order; to others it need not exist."""
    if actor.role is Role.MERCHANT and order.details.merchant_id in actor.restaurant_ids:
        return True
    involved = actor.id in (order.details.customer_id, order.courier_id)
    return involved or actor is SYSTEM or actor.role is Role.ADMIN


def _check_permission(order: Order, may: str, actor: Actor) -> None:
    if may == DISPATCHER and actor is not SYSTEM:
        raise Forbidden("Only the dispatcher does that.")
    if may == COURIER and actor.role is not Role.COURIER:
        raise Forbidden("Only couriers do that.")
    if may == ASSIGNEE and actor.id != order.courier_id:
        if actor.id in order.offered_to:
            raise OfferGone("This order has moved on to somebody else.")
        raise Forbidden("This order was never offered to you.")
    if may in (CALLED, HOLDER):
        _check_participant(order, may, actor)
    owner = actor.id == order.details.customer_id and actor.role is Role.CUSTOMER
    admin = actor.role is Role.ADMIN
    merchant = actor.role is Role.MERCHANT and order.details.merchant_id in actor.restaurant_ids
    outsider = {
        OWNER: not owner,
        OWNER_OR_ADMIN: not (owner or admin),
        ADMIN: not admin,
        MERCHANT: not merchant,
    }
    if outsider.get(may, False):
        raise NotFound("There is no such order.")


def _check_participant(order: Order, may: str, actor: Actor) -> None:
    has_it = actor.id == order.courier_id
    if actor.role is not Role.COURIER or not (has_it or actor.id in order.offered_to):
        raise NotFound("There is no such order.")
    if may == CALLED and order.status in (Status.CANCELLED, Status.UNSERVED):
        raise OfferGone("This order was called off.")
    taken = order.courier_id is not None or actor.id in order.excluded
    if not has_it and (may == HOLDER or taken):
        raise OfferGone("Another courier has this order.")


def _is_repeated(order: Order, verb: str) -> bool:
    if verb == "reach":
        return "reached" in order.timeline and order.status is Status.IN_TRANSIT
    return FLOWS[order.details.flow].repeatable.get(verb) is order.status
