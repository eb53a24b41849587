"""Flow `delivery`: spec 000. A sequential search: one courier is asked at a time."""

from __future__ import annotations

from chalicelib.domain.orders.effects import EFFECTS
from chalicelib.domain.orders.flow import (
    ADMIN,
    ASSIGNEE,
    DISPATCHER,
    OWNER,
    OWNER_OR_ADMIN,
    Flow,
    TransitionTable,
    merge_tables,
)
from chalicelib.domain.orders.model import Status

TRANSITIONS: TransitionTable = {
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

# The goods are with a courier who may never be heard of again.
ADMIN_TRANSITIONS: TransitionTable = {Status.IN_TRANSIT: {"cancel": Status.CANCELLED}}

PERMISSIONS = {
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

REPEATABLE: dict[str, Status] = {
    "accept": Status.ACCEPTED,
    "arrive": Status.AT_PICKUP,
    "pick_up": Status.IN_TRANSIT,
    "deliver": Status.DONE,
    "cancel": Status.CANCELLED,
}

FLOW = Flow(
    "delivery",
    merge_tables(TRANSITIONS, ADMIN_TRANSITIONS),
    PERMISSIONS,
    REPEATABLE,
    EFFECTS,
    admin_transitions=ADMIN_TRANSITIONS,
)
