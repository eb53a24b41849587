"""What a flow is: its transition table, who may take which step, and what each step changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from chalicelib.domain.events import Event
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.permissions import Permission

TransitionTable = Mapping[Status, Mapping[str, Status]]
"""Status -> the steps that it has, by their verbs, and the status that each leads to."""

Transition = tuple[Order, tuple[Event, ...]]
"""An order after a step, and the events of that step, which are numbered on commit."""

Effect = Callable[[Order, Any, datetime], Transition]
"""(the order, in its new status already; the command; now) -> the order changed, and its events."""

IsRepeat = Callable[[Order, Any, datetime], bool]
"""(the order, the command, now) -> whether the order is already what the command makes of it."""


class Flow(msgspec.Struct, frozen=True):
    """One kind of order, as data.

    `repeats` names, for each step that may be asked for again without harm, how to tell that it is
    a repeat. `requires_duty` says that only couriers who are available take such orders; where it
    is false, any courier who holds no other order may. `shows_fixes` lets the customer follow the
    courier who has the order, live. `admin_transitions` are those steps of the table that are there
    for admins alone: a way out of each state in which somebody may never come back.
    """

    name: str
    transitions: TransitionTable
    permissions: Mapping[str, Permission]
    repeats: Mapping[str, IsRepeat]
    effects: Mapping[str, Effect]
    first_status: Status = Status.SEARCHING
    requires_duty: bool = True
    shows_fixes: bool = False
    admin_transitions: TransitionTable = {}

    def get_steps(self, status: Status, is_admin: bool) -> Mapping[str, Status]:
        """Return the steps that an order in this status may take, and where each leads."""
        hidden = {} if is_admin else self.admin_transitions.get(status, {})
        return {verb: to for verb, to in self.transitions[status].items() if verb not in hidden}

    def is_repeat(self, order: Order, command: Any, now: datetime) -> bool:
        """Say whether a command asks for a step whose result is there already."""
        is_repeat = self.repeats.get(command.verb)
        return is_repeat is not None and is_repeat(order, command, now)


def merge_tables(table: TransitionTable, more: TransitionTable) -> TransitionTable:
    """Make one table of two."""
    return {status: {**steps, **more.get(status, {})} for status, steps in table.items()}
