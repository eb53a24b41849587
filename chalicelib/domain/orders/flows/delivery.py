"""Flow `delivery`: spec 000. A sequential search: one courier is asked at a time."""

from __future__ import annotations

from chalicelib.domain.orders.effects import EFFECTS
from chalicelib.domain.orders.flow import Flow, IsRepeat, TransitionTable, merge_tables
from chalicelib.domain.orders.model import Status
from chalicelib.domain.orders.permissions import Permission
from chalicelib.domain.orders.repeats import (
    has_reached_dropoff,
    is_nothing_to_expire,
    is_offered_to_assignee,
    stands_in,
)

TRANSITIONS: TransitionTable = {
    Status.SCHEDULED: {
        "activate": Status.SEARCHING,
        "amend": Status.SCHEDULED,
        "cancel": Status.CANCELLED,
    },
    Status.SEARCHING: {
        "offer": Status.OFFERED,
        "wait": Status.SEARCHING,
        "search_anew": Status.SEARCHING,
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
        "release": Status.SEARCHING,
        "assign": Status.OFFERED,
        "cancel": Status.CANCELLED,
    },
    Status.AT_PICKUP: {
        "pick_up": Status.IN_TRANSIT,
        "no_show": Status.NO_SHOW,
        "release": Status.SEARCHING,
        "assign": Status.OFFERED,
        "cancel": Status.CANCELLED,
    },
    Status.IN_TRANSIT: {
        "reach": Status.IN_TRANSIT,
        "deliver": Status.DONE,
        "take_back": Status.RETURNING,
        "leave": Status.LEFT,
        "discard": Status.DISCARDED,
    },
    Status.RETURNING: {"finish_return": Status.RETURNED},
    Status.UNSERVED: {"retry": Status.SEARCHING, "assign": Status.OFFERED},
    Status.DONE: {},
    Status.CANCELLED: {},
    Status.RETURNED: {},
    Status.LEFT: {},
    Status.DISCARDED: {},
    Status.NO_SHOW: {},
}

# The goods are with a courier who may never be heard of again.
ADMIN_TRANSITIONS: TransitionTable = {
    Status.IN_TRANSIT: {"cancel": Status.CANCELLED},
    Status.RETURNING: {"cancel": Status.CANCELLED},
}

PERMISSIONS = {
    "offer": Permission.SYSTEM,
    "wait": Permission.SYSTEM,
    "activate": Permission.SYSTEM,
    "search_anew": Permission.SYSTEM,
    "give_up": Permission.SYSTEM,
    "expire": Permission.SYSTEM,
    "accept": Permission.ASSIGNEE,
    "decline": Permission.ASSIGNEE,
    "arrive": Permission.ASSIGNEE,
    "pick_up": Permission.ASSIGNEE,
    "reach": Permission.ASSIGNEE,
    "deliver": Permission.ASSIGNEE,
    "amend": Permission.OWNER_OR_ADMIN,
    "release": Permission.ASSIGNEE,
    "no_show": Permission.ASSIGNEE,
    "take_back": Permission.ASSIGNEE,
    "finish_return": Permission.ASSIGNEE,
    "leave": Permission.ASSIGNEE,
    "discard": Permission.ASSIGNEE,
    "cancel": Permission.OWNER_OR_ADMIN,
    "retry": Permission.OWNER,
    "assign": Permission.ADMIN,
}

REPEATS: dict[str, IsRepeat] = {
    "expire": is_nothing_to_expire,
    "accept": stands_in(Status.ACCEPTED),
    "arrive": stands_in(Status.AT_PICKUP),
    "pick_up": stands_in(Status.IN_TRANSIT),
    "reach": has_reached_dropoff,
    "deliver": stands_in(Status.DONE),
    "no_show": stands_in(Status.NO_SHOW),
    "take_back": stands_in(Status.RETURNING),
    "finish_return": stands_in(Status.RETURNED),
    "leave": stands_in(Status.LEFT),
    "discard": stands_in(Status.DISCARDED),
    "cancel": stands_in(Status.CANCELLED),
    "assign": is_offered_to_assignee,
}

FLOW = Flow(
    "delivery",
    merge_tables(TRANSITIONS, ADMIN_TRANSITIONS),
    PERMISSIONS,
    REPEATS,
    EFFECTS,
    admin_transitions=ADMIN_TRANSITIONS,
)
