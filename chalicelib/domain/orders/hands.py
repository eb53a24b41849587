"""Hands: what a dispatcher, an admin or the order's merchant, does with an order.

`HANDS` has for each flow in which states a hand reaches an order, by which step, and where that
leads. The steps' effects are the flows'; who may take them is one rule for all (Permission.HAND),
and no courier, customer or clock is waited for. Pure.

 assign   Another courier has it, or is asked, whoever has it now. Not once it is picked up.
 release  Nobody has it, and another is searched for. It counts for no limit of its courier's.
 cancel   As the flow lets admins cancel.
 fail     At the pickup it is a no-show; after it, what `then` says becomes of the thing.
 retry    What is unserved is searched for again. What was not handed over is tried again by
          another order (reattempts.py), which is no step of this one.

A hand that is asked for again finds the order as it left it: that is answered, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum

from chalicelib.domain.courier_changes import REASSIGN
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.flow import TransitionTable
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.model import UNDELIVERED_STATUSES, Order, Status
from chalicelib.domain.orders.offers import leaves_others
from chalicelib.domain.orders.permissions import Permission, check_permission
from chalicelib.domain.orders.reasons import OTHER, Reason
from chalicelib.domain.orders.reattempts import REATTEMPTABLE
from chalicelib.domain.people import Actor, Role
from chalicelib.errors import HandRefused

# To release what was released so short a time ago asks for the same once more; later it means the
# courier who was asked since.
REPEATED_WITHIN = timedelta(seconds=10)


class Hand(str, Enum):
    """What a dispatcher does with an order."""

    ASSIGN = "assign"
    RELEASE = "release"
    CANCEL = "cancel"
    FAIL = "fail"
    RETRY = "retry"


_AFTER_PICKUP: Mapping[str, Status] = {
    "take_back": Status.RETURNING,
    "leave": Status.LEFT,
    "discard": Status.DISCARDED,
}
_SEQUENTIAL: TransitionTable = {
    Status.SEARCHING: {"assign": Status.OFFERED},
    Status.OFFERED: {"assign": Status.OFFERED, "release": Status.SEARCHING},
    Status.ACCEPTED: {"assign": Status.OFFERED, "release": Status.SEARCHING},
    Status.AT_PICKUP: {
        "assign": Status.OFFERED,
        "release": Status.SEARCHING,
        "no_show": Status.NO_SHOW,
    },
    Status.IN_TRANSIT: _AFTER_PICKUP,
    Status.RETURNING: {"discard": Status.DISCARDED},
    Status.UNSERVED: {"assign": Status.OFFERED, "retry": Status.SEARCHING},
}
_FOOD: TransitionTable = {
    Status.READY: {"assign": Status.READY, "release": Status.READY},
    # Who takes a meal is on the way with it at once, and has it from the drop-off on.
    Status.IN_TRANSIT: {"assign": Status.READY, "release": Status.READY, **_AFTER_PICKUP},
    Status.RETURNING: {"discard": Status.DISCARDED},
    Status.UNSERVED: {"retry": Status.READY},
}
_RIDE: TransitionTable = {
    Status.SEARCHING: {"assign": Status.ACCEPTED},
    Status.ACCEPTED: {"assign": Status.ACCEPTED, "hand_back": Status.SEARCHING},
    Status.AT_PICKUP: {
        "assign": Status.ACCEPTED,
        "hand_back": Status.SEARCHING,
        "no_show": Status.NO_SHOW,
    },
    Status.UNSERVED: {"assign": Status.ACCEPTED, "retry": Status.SEARCHING},
}


def _add_cancelling(flow: str, table: TransitionTable) -> TransitionTable:
    """Return a flow's table of hands with those states in which an admin may cancel."""
    return {
        status: {
            **table.get(status, {}),
            **({"cancel": steps["cancel"]} if "cancel" in steps else {}),
        }
        for status, steps in FLOWS[flow].transitions.items()
    }


HANDS: Mapping[str, TransitionTable] = {
    "delivery": _add_cancelling("delivery", _SEQUENTIAL),
    "hail": _add_cancelling("hail", _SEQUENTIAL),
    "food": _add_cancelling("food", _FOOD),
    "ride": _add_cancelling("ride", _RIDE),
}
_HAND_OF: Mapping[str, Hand] = {
    "assign": Hand.ASSIGN,
    "release": Hand.RELEASE,
    "hand_back": Hand.RELEASE,
    "cancel": Hand.CANCEL,
    "no_show": Hand.FAIL,
    "take_back": Hand.FAIL,
    "leave": Hand.FAIL,
    "discard": Hand.FAIL,
    "retry": Hand.RETRY,
}

Failure = type[commands.TakeBack] | type[commands.LeaveBehind] | type[commands.Discard]
_FAILED = UNDELIVERED_STATUSES | {Status.NO_SHOW, Status.RETURNING}


def list_hands(order: Order) -> tuple[str, ...]:
    """List the hands that reach an order now, by their names."""
    steps = HANDS[order.details.flow].get(order.status, {})
    found = {_HAND_OF[verb] for verb in steps if _reaches(order, verb)}
    if order.status in REATTEMPTABLE:
        found.add(Hand.RETRY)
    return tuple(hand.value for hand in Hand if hand in found)


def permit_hand(
    order: Order, command: Command, actor: Actor, now: datetime, then: Failure | None = None
) -> Status | None:
    """Return the status that a hand's step leads to; None if it is done already, and nothing is to
    do. `then` is what a failure asks for, if anything.

    Raises NotFound for whoever has no hand in the order, HandRefused, whose details list the
    hands that reach it.
    """
    check_permission(Permission.HAND, order, actor)
    hand = _HAND_OF[command.verb]
    if _is_repeat(order, hand, command, then, now):
        return None
    steps = HANDS[order.details.flow].get(order.status, {})
    if command.verb not in steps or not _reaches(order, command.verb):
        allowed = FLOWS[order.details.flow].get_steps(order.status, actor.role is Role.ADMIN)
        raise HandRefused(order.status.value, hand.value, tuple(allowed), list_hands(order))
    return order.status if leaves_others(order, command) else steps[command.verb]


def _reaches(order: Order, verb: str) -> bool:
    """Say whether a step of the table is possible with this very order."""
    if verb in ("release", "hand_back"):
        is_at_door = order.details.flow == "food" and "reached" in order.timeline
        return order.courier_id is not None and not is_at_door
    if verb == "retry" and order.parent_id is not None:
        # Where only a hand leads out of unserved, a child that is has ended: another may move the
        # thing by now (reattempts.py). Of one thing there are never two orders.
        return bool(FLOWS[order.details.flow].transitions[Status.UNSERVED])
    return True


def _is_repeat(
    order: Order, hand: Hand, command: Command, then: Failure | None, now: datetime
) -> bool:
    if isinstance(command, commands.AssignCourier):
        return order.occupied_ids == (command.courier_id,)
    if hand is Hand.RELEASE:
        return _was_released(order, now)
    if hand is Hand.CANCEL:
        return order.status is Status.CANCELLED
    if hand is Hand.FAIL:
        return _has_failed(order, then)
    return Status.UNSERVED.value in order.timeline and not order.is_terminal


def _was_released(order: Order, now: datetime) -> bool:
    """Say whether an order was released already: nobody has it since, or it was a moment ago and
    who is asked since has not answered. Whom a dispatcher has named since is meant by the next."""
    at = max(
        (order.timeline[name] for name in ("released", "handed_back") if name in order.timeline),
        default=None,
    )
    if at is None or order.status not in (Status.SEARCHING, Status.OFFERED, Status.READY):
        return False
    if order.courier_id is None:
        return True
    return now - at < REPEATED_WITHIN and _was_last_released_by_hand(order)


def _was_last_released_by_hand(order: Order) -> bool:
    """Say whether a dispatcher has released an order, as far as it knows, and has named nobody
    since: a courier who gave it back asked for nothing that could be asked for again."""
    for change in reversed(order.changes):
        if change.step == Hand.ASSIGN.value:
            return False
        if change.step in ("release", "hand_back"):
            return change.actor_role in (Role.ADMIN, Role.MERCHANT)
    return True


def _has_failed(order: Order, then: Failure | None) -> bool:
    """Say whether an order has failed already, and as it is asked for, if that is said."""
    if order.status not in _FAILED or then is None or order.status is Status.NO_SHOW:
        return order.status in _FAILED
    leads_to = _AFTER_PICKUP[then.verb]
    is_returned = leads_to is Status.RETURNING and order.status is Status.RETURNED
    return is_returned or order.status is leads_to


def choose_failure(order: Order, reason: Reason | None, then: Failure | None, by: str) -> Command:
    """Choose the step by which an order fails by hand: at its pickup as a no-show, later as `then`
    says, or else by bringing the thing back. A failure has a reason: `other` where none is given.
    """
    why = reason or Reason(OTHER)
    if order.status is Status.AT_PICKUP:
        return commands.NoShow(why, is_no_show=False, by=by)
    return (then or commands.TakeBack)(why)


def choose_release(
    order: Order, reason: Reason | None, until: datetime | None, only_from: str | None = None
) -> Command:
    """Choose the step by which an order is taken from its courier, or from one of several who are
    asked; others are asked `until`."""
    if "hand_back" in HANDS[order.details.flow].get(Status.ACCEPTED, {}):
        return commands.HandBack(until, reason, by_hand=True)
    return commands.Release(reason, until, by_hand=True, only_from=only_from)


def list_courier_steps(before: Order, after: Order, hand: Hand) -> list[tuple[str, str]]:
    """List the couriers who lost an order by a hand, or got it, each with the step that is noted of
    them."""
    lost_step = REASSIGN if hand is Hand.ASSIGN else hand.value
    lost = [(id_, lost_step) for id_ in before.occupied_ids if id_ not in after.occupied_ids]
    got = [(id_, hand.value) for id_ in after.occupied_ids if id_ not in before.occupied_ids]
    return lost + got
