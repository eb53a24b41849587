"""Trying again what could not be handed over: by an order of its own, from where the thing is now.

An order that has ended stays as it is. A child is placed for it, `parent_id` names it, and there is
one child that may yet move the thing: a key of its parent's is written with it, and another child
may take the next key only once that one has ended without having been picked up.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from chalicelib.domain.details import OrderDetails
from chalicelib.domain.orders.changes import encode_actor
from chalicelib.domain.orders.flow import Transition
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.lifecycle import create_order
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.options import OrderOptions
from chalicelib.domain.orders.permissions import Permission, check_permission
from chalicelib.domain.orders.proof import NOTHING_PROVEN, OrderProof
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.orders.search_plan import Schedule
from chalicelib.domain.orders.windows import Windows
from chalicelib.domain.people import Actor
from chalicelib.domain.price_lines import PriceLine
from chalicelib.domain.request_keys import RequestKey
from chalicelib.errors import InvalidInput, InvalidTransition

VERB = "reattempt"
MAX_CHILDREN = 10  # of one order: who looks for a free key reads all of them
# Nobody knows where else a thing is that was not handed over. A child that is a no-show is tried
# again by its own id (has_ended_unmoved), so that one thing never has two orders.
REATTEMPTABLE = frozenset({Status.RETURNED, Status.LEFT, Status.NO_SHOW})


def check_reattempt(parent: Order, actor: Actor) -> None:
    """Let an actor pass who may try an order again that can be. Raises NotFound for whoever has no
    say in it, InvalidTransition."""
    check_permission(Permission.OWNER_MERCHANT_OR_ADMIN, parent, actor)
    if parent.status not in REATTEMPTABLE:
        steps = FLOWS[parent.details.flow].transitions[parent.status]
        raise InvalidTransition(parent.status.value, VERB, tuple(steps))


def make_child_details(parent: Order, now: datetime) -> OrderDetails:
    """Make the details of a child: those of its parent, from where the thing is. What was left at
    the drop-off is picked up there."""
    details = parent.details
    pickup = details.dropoff if parent.status is Status.LEFT else details.pickup
    return replace(details, pickup=pickup, created_at=now)


def make_child_options(parent: Order, windows: Windows) -> OrderOptions:
    """Make the options of a child: what is its parent's alone, as its number and its windows, which
    have passed, is not the child's. What was left at a door has nobody who could prove that it is
    picked up there. Raises InvalidInput for a meal that is to wait: it is made."""
    if windows.pickup_from and get_first_status(parent) is Status.READY:
        raise InvalidInput("A meal is ready: it is picked up at once.", field="pickup_from")
    proof = parent.options.proof
    if parent.status is Status.LEFT:
        proof = replace(proof, pickup=())
    return OrderOptions(metadata=parent.options.metadata, windows=windows, proof=proof)


def create_child(
    order_id: int,
    parent: Order,
    actor: Actor,
    details: OrderDetails,
    now: datetime,
    schedule: Schedule,
    options: OrderOptions,
    keys: tuple[RequestKey, ...],
    price: tuple[PriceLine, ...] = (),
    proof: OrderProof = NOTHING_PROVEN,
    reason: Reason | None = None,
) -> Transition:
    """Make the order by which an actor tries a parent again, and the events for its customer and
    merchant. `reason` is why, for its history. All others are as of any new order: `details` and
    `options` are the child's."""
    order, drafts = create_order(order_id, details, now, schedule, options, keys, price, proof)
    by = encode_actor(actor, details.customer_id)
    code, note = (reason.code, reason.short_note) if reason else (None, None)
    changes = tuple(replace(change, by=by, reason=code, note=note) for change in order.changes)
    order = replace(order, parent_id=parent.id, changes=changes)
    status = get_first_status(parent)
    if order.status is Status.SCHEDULED:
        return order, drafts
    timeline = {"placed": now}
    if status is not order.status:
        timeline[status.value] = now
    changes = tuple(replace(change, to=status.value) for change in order.changes)
    order = replace(order, status=status, timeline=timeline, changes=changes)
    return order, tuple(replace(draft, status=status.value) for draft in drafts)


def get_first_status(parent: Order) -> Status:
    """Return the status in which a child begins. A meal that is made waits for a courier at once:
    there is nothing left for its merchant to confirm."""
    first = FLOWS[parent.details.flow].first_status
    return Status.READY if first is Status.PENDING else first


def make_child_key(parent_id: int, nth: int) -> RequestKey:
    """Make the key of an order's nth child: no two can have it."""
    return RequestKey(f"child#{parent_id}#{nth}", VERB)


def has_ended_unmoved(child: Order) -> bool:
    """Say whether a child has ended for good without having been picked up, so that the thing is
    where its parent left it. One that is unserved may be searched for again, in some flows."""
    if child.status is Status.UNSERVED:
        return not FLOWS[child.details.flow].transitions[Status.UNSERVED]
    return child.status is Status.CANCELLED and Status.IN_TRANSIT.value not in child.timeline
