"""Canonical types: whatever happens to an order of any flow has one, and each end its own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from chalicelib.domain.events import Entry, Event
from chalicelib.domain.money.payments import (
    Payment,
    PaymentResult,
    PaymentStatus,
    apply_result,
    initiate_payment,
)
from chalicelib.domain.money.payouts import Payout, approve_payout, complete_payout
from chalicelib.domain.orders import commands, lifecycle
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.model import TERMINAL_STATUSES, Order, Status
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.orders.search_plan import Schedule
from chalicelib.domain.outbox import seal
from chalicelib.domain.webhooks.event_types import EVENT_TYPES, list_canonical
from tests.builders import NOW, a_job, an_order
from tests.unit.test_lifecycle import COMMANDS

LATER = NOW + timedelta(minutes=5)
MORE: dict[str, Command] = {
    "open": commands.OpenToNearby(("eve",), LATER),
    "hand_back": commands.HandBack(reason=Reason("vehicle")),
    "withdraw": commands.Withdraw(),
    "confirm": commands.Confirm(),
    "prepare": commands.Prepare(),
    "make_ready": commands.MakeReady(),
    "reject": commands.Reject(Reason("closed")),
}
ENDS = {
    Status.DONE: "order.delivered",
    Status.CANCELLED: "order.cancelled",
    Status.UNSERVED: "order.unserved",
    Status.NO_SHOW: "order.no_show",
    Status.RETURNED: "order.returned",
    Status.LEFT: "order.left",
    Status.DISCARDED: "order.discarded",
}
STEPS = [
    (flow, status, verb)
    for flow in sorted(FLOWS)
    for status, steps in FLOWS[flow].transitions.items()
    for verb in steps
]
UNTOLD = {
    (Status.SCHEDULED, "cancel"),  # of which nobody hears, but endpoints: test_endpoint_logs.py
    (Status.IN_TRANSIT, "accept"),  # by a second courier, who is late
}


def take(order: Order, verb: str) -> tuple[Order, tuple[Event, ...]]:
    """Take a step, whoever may."""
    flow = FLOWS[order.details.flow]
    moved = replace(order, status=flow.transitions[order.status][verb], updated_at=NOW)
    return flow.effects[verb](moved, {**COMMANDS, **MORE}[verb], LATER if verb == "expire" else NOW)


def types_of(drafts: tuple[Event, ...]) -> list[str]:
    """The canonical types of a version with these events."""
    return [type_ for type_, _ in list_canonical(Entry(1, NOW, drafts))]


@pytest.mark.parametrize(("flow", "status", "verb"), STEPS)
def test_whatever_somebody_hears_of_has_a_type_and_each_end_its_own(
    flow: str, status: Status, verb: str
) -> None:
    if (status, verb) in UNTOLD:
        return
    order = an_order(status, details=a_job(flow=flow, merchant_id="kitchen"))
    if flow == "food" and status is Status.READY and verb == "accept":
        order = an_order(status, details=order.details, courier_id=None, courier=None)
    after, drafts = take(order, verb)
    types = types_of(drafts)
    assert bool(types) == bool(drafts)
    assert set(types) <= set(EVENT_TYPES)
    assert len(types) == len(set(types))
    if after.status in TERMINAL_STATUSES:
        assert ENDS[after.status] in types


STORIES = {
    "delivery": (
        ("offer", "order.offered"),
        ("decline", "order.declined"),
        ("assign", "order.offered"),
        ("accept", "order.accepted"),
        ("release", "order.released"),
        ("assign", "order.offered"),
        ("accept", "order.accepted"),
        ("arrive", "order.arrived"),
        ("pick_up", "order.picked_up"),
        ("reach", "order.reached"),
        ("take_back", "order.failed"),
        ("finish_return", "order.returned"),
    ),
    "ride": (
        ("accept", "order.accepted"),
        ("hand_back", "order.released"),
        ("accept", "order.accepted"),
        ("arrive", "order.arrived"),
        ("pick_up", "order.picked_up"),
        ("deliver", "order.delivered"),
    ),
    "food": (
        ("confirm", "order.confirmed"),
        ("prepare", "order.preparing"),
        ("make_ready", "order.ready"),
        ("assign", "order.assigned"),
        ("pick_up", "order.picked_up"),
        ("reach", "order.reached"),
        ("deliver", "order.delivered"),
    ),
}
STORIES["hail"] = STORIES["delivery"]


@pytest.mark.parametrize("flow", sorted(FLOWS))
def test_a_story_is_told_from_its_beginning_to_its_end(flow: str) -> None:
    merchant = "kitchen" if flow == "food" else None
    order, drafts = lifecycle.create_order(1, a_job(flow=flow, merchant_id=merchant), NOW)
    assert types_of(drafts) == ["order.placed"]
    for verb, type_ in STORIES[flow]:
        order, drafts = take(order, verb)
        assert types_of(drafts) == [type_], verb


def test_a_meal_is_taken_and_picked_up_at_once() -> None:
    details = a_job(flow="food", merchant_id="kitchen")
    ready = an_order(Status.READY, details=details, courier_id=None, courier=None)
    _, drafts = take(ready, "accept")
    assert types_of(drafts) == ["order.accepted", "order.picked_up"]


def test_an_order_for_later_is_scheduled_not_placed() -> None:
    schedule = Schedule(active_at=LATER)
    _, drafts = lifecycle.create_order(1, a_job(), NOW, schedule)
    assert types_of(drafts) == ["order.scheduled"]


def test_a_version_has_one_event_of_each_type_however_many_hear_of_it() -> None:
    """Placed and offered in one commit; customer, courier and merchant have copies."""
    order, placed = lifecycle.create_order(1, a_job(merchant_id="kitchen"), NOW)
    _, offered = take(order, "offer")
    sealed = seal(order, (*placed, *offered), NOW)
    canonical = list_canonical(sealed.entries[-1])
    assert [type_ for type_, _ in canonical] == ["order.placed", "order.offered"]
    assert {event.version for _, event in canonical} == {1}


def test_payments_and_payouts_are_told() -> None:
    payment = initiate_payment(Payment(1, 1, "cara", 500, "upi", NOW))
    paid = apply_result(payment, PaymentResult(PaymentStatus.COMPLETED, "t"), NOW)
    failed = apply_result(payment, PaymentResult(PaymentStatus.FAILED, error="no"), NOW)
    payout = approve_payout(Payout("p", "dan", 500, "1234567", NOW), NOW)
    done = complete_payout(payout, "t", NOW)
    told = [types_of(one.entries[-1].events) for one in (payment, paid, failed, payout, done)]
    assert told == [
        ["payment.initiated"],
        ["payment.completed"],
        ["payment.failed"],
        ["payout.approved"],
        ["payout.completed"],
    ]
