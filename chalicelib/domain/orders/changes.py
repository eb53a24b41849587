"""Changes: what an order's history is made of, as small as rows want it.

Each step adds one change. An order carries its newest changes in its own row, so that a change and
what is remembered of it are one write; those before are in a row of the table `histories`
(services/dispatch/history_archive.py). A write is charged by the kilobyte, so fields have names of
one letter, and what the order says anyway is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from chalicelib.domain.geo import Point
from chalicelib.domain.people import Actor, Role

# Steps that are no commands. A tip is no change either: its order carries it (history_entries.py).
PLACE, DEPART, WRONG_PIN, OVERRIDE, TIP = "place", "depart", "wrong_pin", "override", "tip"
RECIPIENT_NOTE = "recipient_note"
LEAVE_STOP = "leave_stop"

# So many changes at most an order carries itself: they fit into its one write unit.
MAX_CARRIED = 16
# Of a whole history as many are kept: those from its beginning and those before its end.
KEPT_FIRST, KEPT_LAST = 50, 150

MAX_NOTE = 200

_ROLE_LETTERS = {
    Role.CUSTOMER: "c",
    Role.COURIER: "d",
    Role.MERCHANT: "m",
    Role.ADMIN: "a",
    Role.RECIPIENT: "r",
    Role.SYSTEM: "s",
    None: "u",
}
_ROLES = {letter: role for role, letter in _ROLE_LETTERS.items()}


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """A courier to whom an order is offered, and the metres from there to the pickup, if known."""

    courier_id: str
    distance_m: int | None = None


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of an order.

    `after_ms` counts from when the order was placed. `step` is the command's verb. `was` None: the
    status that the change before led to. `by` is who took the step: encode_actor. `courier_id` has
    the order, or is asked, after the step. `position` is where the courier was, degrees to five
    places: a metre. `price_minor` is the order's price, if the step changed it.
    """

    after_ms: int = msgspec.field(name="t")
    step: str = msgspec.field(name="s")
    to: str = msgspec.field(name="n")
    by: str = msgspec.field(default="s", name="b")
    was: str | None = msgspec.field(default=None, name="w")
    courier_id: str | None = msgspec.field(default=None, name="c")
    asked: tuple[Asked, ...] = msgspec.field(default=(), name="o")
    reason: str | None = msgspec.field(default=None, name="r")
    note: str | None = msgspec.field(default=None, name="x")
    position: Point | None = msgspec.field(default=None, name="p")
    price_minor: int | None = msgspec.field(default=None, name="m")

    @property
    def actor_role(self) -> Role | None:
        """The role of who took the step; None where nobody knows."""
        return _ROLES.get(self.by[:1])

    @property
    def actor_id(self) -> str | None:
        """The id of who took the step; None for the order's own customer, and the system."""
        return self.by[1:] or None

    def compute_at(self, placed_at: datetime) -> datetime:
        """Compute when the step was taken, to the millisecond."""
        return placed_at + timedelta(milliseconds=self.after_ms)


class History(msgspec.Struct, frozen=True, omit_defaults=True):
    """Changes in their order. `left_out` of them, after the first KEPT_FIRST, are not kept."""

    changes: tuple[Change, ...] = ()
    left_out: int = 0


def encode_actor(actor: Actor, customer_id: str) -> str:
    """Write who acts: a letter for the role, and the id, unless the order says it."""
    letter = _ROLE_LETTERS[actor.role]
    is_known = actor.role is Role.CUSTOMER and actor.id == customer_id
    return letter if is_known else letter + actor.id


def measure_ms_between(start: datetime, end: datetime) -> int:
    """Measure whole milliseconds from one time to another."""
    return (end - start) // timedelta(milliseconds=1)


def round_point(point: Point | None) -> Point | None:
    """Round a position to a metre; None where there is none."""
    return (round(point[0], 5), round(point[1], 5)) if point else None


def append_changes(history: History, more: Sequence[Change]) -> History:
    """Append changes; where there are too many, those in the middle are left out and counted."""
    changes = (*history.changes, *more)
    surplus = len(changes) - KEPT_FIRST - KEPT_LAST
    if surplus <= 0:
        return History(changes, history.left_out)
    last = changes[KEPT_FIRST + surplus :]
    # The change before is not there any more to say it.
    was = last[0].was or changes[KEPT_FIRST + surplus - 1].to
    last = (replace(last[0], was=was), *last[1:])
    return History((*changes[:KEPT_FIRST], *last), history.left_out + surplus)
