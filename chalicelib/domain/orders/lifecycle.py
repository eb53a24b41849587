"""How an order moves. The flows' tables are the rules; `advance_order` applies one step of them.

Rule 1: a step is possible only where the flow's `transitions` have it for the order's status.
Rule 2: only those whom the flow's `permissions` name may take it; a step of `admin_transitions`
        is there for admins alone.
Rule 3: an impossible step raises and changes nothing; `advance_order` never changes its arguments.
Rule 4: a step that the flow's `repeats` find done is answered with the order as it is, no events.
Rule 5: a step at a stop has the proof that the order asks for there (proof_checks.py).
Rule 6: nobody is a no-show before their courier has waited long enough (waiting.py).
Rule 7: what its courier did with an order is forgotten as it loses them (losing_couriers.py).
Rule 8: an order for which several are asked stays offered until the last of them has declined.

They are asked in this order: whether the flow has the step at all, rule 2, rule 4, rule 1. So
nobody learns of an order in which they have no part, and a repeat is harmless in whatever status
its own predicate names.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.details import OrderDetails
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.mailboxes import name_restaurant_mailbox
from chalicelib.domain.orders.commands import Command, is_internal
from chalicelib.domain.orders.drafts import draft_copies
from chalicelib.domain.orders.flow import Transition
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.history import note_placing, note_step
from chalicelib.domain.orders.losing_couriers import forget_former_courier
from chalicelib.domain.orders.model import SCHEDULED, Order, Status
from chalicelib.domain.orders.offers import leaves_others
from chalicelib.domain.orders.options import NO_OPTIONS, OrderOptions
from chalicelib.domain.orders.permissions import can_see, check_permission
from chalicelib.domain.orders.proof import NOTHING_PROVEN, OrderProof
from chalicelib.domain.orders.proof_checks import keep_proof, owes_proof, require_proof
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.orders.search_plan import ONE_PASS, Schedule
from chalicelib.domain.orders.waiting import compute_no_show_at, require_wait
from chalicelib.domain.people import Actor, Role
from chalicelib.domain.price_lines import PriceLine
from chalicelib.domain.request_keys import RequestKey
from chalicelib.errors import InvalidTransition, NotFound

# What was the reason for a step before is none for this.
_REASONS_END = frozenset({Status.DONE, Status.CANCELLED})


def create_order(
    order_id: int,
    details: OrderDetails,
    now: datetime,
    schedule: Schedule = ONE_PASS,
    options: OrderOptions = NO_OPTIONS,
    keys: tuple[RequestKey, ...] = (),
    price: tuple[PriceLine, ...] = (),
    proof: OrderProof = NOTHING_PROVEN,
) -> Transition:
    """Make a new order, and the events for its customer and its merchant, if it has one.

    An order that becomes active later is scheduled until then, and no affair of its merchant.
    `price` is the quoted one; the events tell it, as details alone would say another.
    """
    is_scheduled = schedule.active_at is not None
    order = Order(
        id=order_id,
        details=details,
        status=Status.SCHEDULED if is_scheduled else FLOWS[details.flow].first_status,
        updated_at=now,
        next_search_at=schedule.active_at,
        search_until=schedule.search_until,
        plan=schedule.plan,
        timeline={"placed": now, **({SCHEDULED: now} if is_scheduled else {})},
        options=options,
        keys=keys,
        price=price,
        proof=proof,
    )
    order = note_placing(order, now)
    return order, _draft_placed(order, now)


def _draft_placed(order: Order, now: datetime) -> tuple[Event, ...]:
    """Draft what those hear of a new order whom it concerns already."""
    merchant_id = order.details.merchant_id
    recipients = [(order.details.customer_id, Role.CUSTOMER)]
    if merchant_id is not None and order.status is not Status.SCHEDULED:
        recipients.append((name_restaurant_mailbox(merchant_id), Role.MERCHANT))
    data = {"price": msgspec.to_builtins(order.price)} if order.price else {}
    return draft_copies(order, events.ORDER_PLACED, recipients, now, data=data)


def advance_order(order: Order, command: Command, actor: Actor, now: datetime) -> Transition:
    """Take one step: return the order after it and the events of it, numbered on commit.

    Raises what `permit_step` and `apply_step` raise.
    """
    status = permit_step(order, command, actor, now)
    return (order, ()) if status is None else apply_step(order, status, command, actor, now)


def permit_step(order: Order, command: Command, actor: Actor, now: datetime) -> Status | None:
    """Return the status that a step leads to; None if it is done already, and nothing is to do.

    Raises InvalidTransition where the table has no such step, OfferGone for a courier who was
    asked and is too late, Forbidden for one who never was, NotFound for anybody else.
    """
    flow, verb = FLOWS[order.details.flow], command.verb
    steps = flow.get_steps(order.status, is_admin=actor.role is Role.ADMIN)
    impossible = InvalidTransition(order.status.value, verb, tuple(steps))
    if verb not in flow.permissions:
        raise impossible if can_see(order, actor) else NotFound("There is no such order.")
    check_permission(flow.permissions[verb], order, actor)
    if flow.is_repeat(order, command, now):
        return order.status if owes_proof(order, command) else None
    if verb not in steps:
        raise impossible
    return order.status if leaves_others(order, command) else steps[verb]


def apply_step(
    order: Order, status: Status, command: Command, actor: Actor, now: datetime
) -> Transition:
    """Apply a permitted command of `actor`, which leads to `status`: return the order after it,
    with one more change in its history, and the events.

    The command may be another than the one that was permitted, of the same verb: completed with
    what it takes (services/orders/courier.py). Raises OfferGone for an offer that has expired;
    TooEarly and InvalidTransition for a no-show before its time (waiting.py); ProofRequired,
    WrongPin, ProofLocked where the order asks for proof that is not there.
    """
    require_wait(order, status, command, now)
    require_proof(order, command)
    before = order = order.put_first(actor.id)
    order = keep_proof(order, command, now)
    timeline = order.timeline
    if status is not order.status:
        timeline = {**timeline, status.value: now}
    moved = replace(
        order,
        status=status,
        updated_at=now,
        timeline=timeline,
        reason=_find_reason(order, status, command),
        no_show_at=compute_no_show_at(order, status, command),
    )
    after, drafts = FLOWS[order.details.flow].effects[command.verb](moved, command, now)
    after = forget_former_courier(before, after)
    return note_step(before, after, command, actor, now), drafts


def _find_reason(order: Order, status: Status, command: Command) -> Reason | None:
    """Find the reason that an order shows after a step: why it searches again, say, is true until
    it ends."""
    reason: Reason | None = getattr(command, "reason", None)
    if is_internal(command) or (reason is None and status not in _REASONS_END):
        return order.reason
    return reason
