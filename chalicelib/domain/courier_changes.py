"""What dispatchers did with a courier by hand: who, when, and why.

An order's history has what was done with the order. These are of the courier, whatever the order:
each is a row of its own, written in the transaction of what it tells, and never changed.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from chalicelib.domain.people import Actor, Role

# Steps. The others are an order's hands (domain/orders/hands.py): by `assign` the courier got it,
# by any other they lost it.
PAUSE, RESUME, REASSIGN = "pause", "resume", "reassign"


class CourierChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that a dispatcher did with a courier. `id` grows with time; `reason` is a code."""

    id: int
    courier_id: str
    at: datetime
    step: str
    role: Role
    actor_id: str
    reason: str | None = None
    note: str | None = None
    order_id: int | None = None


class ChangePosition(msgspec.Struct, frozen=True):
    """Where the next page of a courier's history begins: below an id."""

    below: int


class ChangePage(msgspec.Struct, frozen=True):
    """Some changes of a courier, the newest first. `position` None: there are no more."""

    changes: list[CourierChange]
    position: ChangePosition | None = None


def make_change(
    id_: int,
    courier_id: str,
    step: str,
    actor: Actor,
    now: datetime,
    reason: str | None = None,
    note: str | None = None,
    order_id: int | None = None,
) -> CourierChange:
    """Make the change that an actor, an admin or a merchant, makes now."""
    assert actor.role is not None, "only a role lets somebody do this"
    return CourierChange(id_, courier_id, now, step, actor.role, actor.id, reason, note, order_id)
