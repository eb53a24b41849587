"""What a flow is: its transition table, who may take which step, and how a step is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from chalicelib.domain.events import Event
from chalicelib.domain.orders.model import Order, Status

TransitionTable = Mapping[Status, Mapping[str, Status]]
Transition = tuple[Order, tuple[Event, ...]]
Effect = Callable[[Order, Order, Any, datetime], Transition]
"""(the order before, the order with its new status, the command, now) -> what comes of it."""

# Who may take a step.
ASSIGNEE, OWNER, OWNER_OR_ADMIN, ADMIN, MERCHANT, COURIER, DISPATCHER = (
    "the courier who has it",
    "its customer",
    "its customer or an admin",
    "an admin",
    "its merchant",
    "any courier",
    "the dispatcher",
)
# The same where an order does not exist for those who have no part in it (spec 001, room isolation)
CALLED, HOLDER = "a courier who was called to it", "the courier who has it, and no other knows"


class Flow(msgspec.Struct, frozen=True):
    """One kind of order, as data. `repeatable` names, for each step that may be asked for again
    without harm, the status that it leads to. `on_duty` says that only couriers who are available
    take such orders; where it is false, whoever holds no other order may. `shows_fixes` lets the
    customer follow the courier who has it, live. `only_admins` are those steps of the table that
    are there for admins alone: a way out of each state in which somebody may never come back."""

    name: str
    transitions: TransitionTable
    permissions: Mapping[str, str]
    repeatable: Mapping[str, Status]
    effects: Mapping[str, Effect]
    first_status: Status = Status.SEARCHING
    requires_duty: bool = True
    shows_fixes: bool = False
    admin_transitions: TransitionTable = {}

    def get_steps(self, status: Status, is_admin: bool) -> Mapping[str, Status]:
        """The steps that an order in this status may take, and where each leads."""
        hidden = {} if is_admin else self.admin_transitions.get(status, {})
        return {verb: to for verb, to in self.transitions[status].items() if verb not in hidden}


def merge_tables(table: TransitionTable, more: TransitionTable) -> TransitionTable:
    """Make one table of two."""
    return {status: {**steps, **more.get(status, {})} for status, steps in table.items()}
