"""Every state that an order of any flow can come to, and in each every command by everybody, at
every clock: nothing leads out of an end; a courier is busy exactly while an order is in hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.money.fees import CancelFee, FeePolicy
from chalicelib.domain.money.pricing import compute_final_price, is_price_final
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.lifecycle import advance_order, create_order
from chalicelib.domain.orders.model import (
    TERMINAL_STATUSES,
    UNDELIVERED_STATUSES,
    Order,
    Status,
)
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.orders.reattempts import REATTEMPTABLE, check_reattempt
from chalicelib.domain.orders.search_plan import Schedule, SearchPlan
from chalicelib.domain.orders.waiting import find_waiting_since
from chalicelib.domain.outbox import seal
from chalicelib.domain.people import SYSTEM, Actor, Role
from chalicelib.domain.price_lines import BASE, PriceLine
from chalicelib.errors import Conflict, Forbidden, NotFound
from chalicelib.services.money.settlements import find_order_to_settle
from tests.builders import NOW, a_contact, a_job

LATER = NOW + timedelta(seconds=15)
MOMENTS = (NOW, LATER, LATER + timedelta(hours=3))
COURIERS = ("dan", "eve")
CARA, OLGA = Actor("cara", Role.CUSTOMER), Actor("olga", Role.MERCHANT, restaurant_ids=("789",))
ACTORS = (
    SYSTEM,
    CARA,
    OLGA,
    Actor("ada", Role.ADMIN),
    *(Actor(id_, Role.COURIER) for id_ in COURIERS),
    Actor("bob", Role.CUSTOMER),
    Actor("x", None),
)
WHY = Reason("vehicle", "because")
HANDS = frozenset(
    {Status.OFFERED, Status.ACCEPTED, Status.AT_PICKUP, Status.IN_TRANSIT, Status.RETURNING}
)
MOST_RELEASES = 4  # what is beyond is as what is there

PRICE = (PriceLine(BASE, 100_00),)
FREE = FeePolicy(return_percent=0)
CHARGING = FeePolicy(
    {flow: CancelFee(1_00, 2_00) for flow in FLOWS},
    dict.fromkeys(FLOWS, 3_00),
    waiting_minute_minor=4_00,
    free_waiting=timedelta(0),
)


class Step(NamedTuple):
    """One command that was taken in one state."""

    before: Order
    command: Command
    actor: Actor
    after: Order
    told: tuple[Event, ...]


def list_commands(order: Order) -> Iterator[Command]:
    """Every command, with what it may say of this order."""
    for courier_id in COURIERS:
        yield commands.MakeOffer(courier_id, LATER)
        yield commands.AssignCourier(courier_id, LATER, courier=a_contact(courier_id))
        yield commands.Accept(a_contact(courier_id))
        yield commands.OpenToNearby((courier_id,), LATER)
    yield commands.ExpireOffer(order.offers_made)
    yield from (commands.Withdraw(WHY, before_pickup=early) for early in (True, False))
    for type_ in (commands.Cancel, commands.Decline, commands.Reject, commands.HandBack):
        yield type_()
        yield type_(reason=WHY)
    for given in (commands.TakeBack, commands.LeaveBehind, commands.Discard):
        yield given(WHY)
        yield given(WHY, is_no_show=True)
    yield commands.NoShow(WHY)
    yield commands.Arrive(LATER)
    yield commands.ReachDropoff(LATER)
    yield commands.Release(WHY, LATER)
    yield commands.WaitForCourier(LATER)
    yield commands.MakeReady(LATER)
    yield commands.Activate(LATER)
    yield commands.Amend(order.details, order.options, LATER)
    yield commands.SearchAnew(SearchPlan(LATER), LATER)
    yield from (
        plain()
        for plain in (
            commands.GiveUp,
            commands.RetrySearch,
            commands.PickUp,
            commands.Deliver,
            commands.FinishReturn,
            commands.Confirm,
            commands.Prepare,
        )
    )


def summarize(order: Order) -> tuple[object, ...]:
    """What of an order decides what may come: the rest is times and words."""
    return (
        order.status,
        order.courier_id,
        order.offer is not None,
        frozenset(order.offered_to),
        frozenset(order.excluded),
        frozenset(order.released_by),
        frozenset({"reached", Status.IN_TRANSIT.value, "handed_back"} & set(order.timeline)),
        order.no_show_at is not None,
    )


@lru_cache(maxsize=8)
def walk(flow: str) -> tuple[Step, ...]:
    """Every step that can be taken from every state that can be reached, once each."""
    merchant = {"merchant_id": "789"} if flow == "food" else {}
    schedules = (Schedule(search_until=LATER), Schedule(active_at=LATER))
    job = a_job(flow=flow, **merchant)
    left = [create_order(1, job, NOW, schedule)[0] for schedule in schedules]
    seen, steps = set(map(summarize, left)), []
    while left:
        order = left.pop()
        for step in take_all(order):
            steps.append(step)
            if (key := summarize(step.after)) not in seen:
                seen.add(key)
                after = step.after
                counted = min(after.releases, MOST_RELEASES)
                left.append(replace(after, version=1, entries=(), offers_made=1, releases=counted))
    return tuple(steps)


def take_all(order: Order) -> Iterator[Step]:
    """Take each step that somebody may take."""
    for command in list_commands(order):
        for actor in ACTORS:
            if isinstance(command, commands.Accept) and actor.id != command.courier.id:
                continue  # the contact is the actor's own
            for now in MOMENTS:
                if step := take(order, command, actor, now):
                    yield step


def take(order: Order, command: Command, actor: Actor, now: datetime) -> Step | None:
    """Take one step; None where it is refused, or was taken before."""
    try:
        after, told = advance_order(order, command, actor, now)
    except (Conflict, Forbidden, NotFound):
        return None
    if after is order:
        assert told == ()
        return None
    return Step(order, command, actor, seal(after, told, now), told)


@pytest.mark.parametrize("flow", FLOWS)
def test_every_status_of_a_flow_s_table_is_reached_and_no_other(flow: str) -> None:
    reached = {step.after.status for step in walk(flow)} | {FLOWS[flow].first_status}
    assert reached == set(FLOWS[flow].transitions)


@pytest.mark.parametrize("flow", FLOWS)
def test_no_step_leads_out_of_an_end(flow: str) -> None:
    """An unserved order may be searched for again, where its flow says so, and nothing else may."""
    for step in walk(flow):
        if step.before.is_terminal:
            assert step.before.status is Status.UNSERVED
            assert step.command.verb in ("retry", "assign")
    for status in TERMINAL_STATUSES & set(FLOWS[flow].transitions) - {Status.UNSERVED}:
        assert FLOWS[flow].transitions[status] == {}


@pytest.mark.parametrize("flow", FLOWS)
def test_a_courier_is_busy_exactly_while_an_order_is_in_hand(flow: str) -> None:
    """Nobody has what nobody was given, nor is free with it. (A ready order may be assigned.)"""
    for step in walk(flow):
        order = step.after
        if order.status is Status.READY:
            assert order.occupied_courier_id == order.courier_id
            continue
        assert (order.occupied_courier_id is not None) == (order.status in HANDS), step


@pytest.mark.parametrize("flow", FLOWS)
def test_a_step_leads_where_its_table_says_and_its_customer_may_be_told(flow: str) -> None:
    for step in walk(flow):
        assert FLOWS[flow].transitions[step.before.status][step.command.verb] is step.after.status
        assert all(event.status == step.after.status.value for event in step.told)
        if step.before.is_dormant:
            continue  # nobody knows of it yet
        if step.after.is_terminal or step.command.verb in ("release", "take_back", "finish_return"):
            assert "cara" in {event.to for event in step.told}, step


@pytest.mark.parametrize("flow", FLOWS)
def test_only_a_release_counts_as_one_and_takes_the_order_from_its_courier(flow: str) -> None:
    for step in walk(flow):
        before, after = step.before, step.after
        is_release = step.command.verb == "release"
        assert after.releases == before.releases + is_release
        if is_release:
            assert before.courier_id in after.released_by
            assert (after.courier_id, after.courier, after.offer) == (None, None, None)
            assert "reached" not in before.timeline
            assert Status.IN_TRANSIT.value not in after.timeline


def test_a_meal_is_not_taken_again_by_who_gave_it_back() -> None:
    for step in walk("food"):
        if step.command.verb == "accept":
            assert step.after.courier_id not in step.before.released_by


@pytest.mark.parametrize("flow", FLOWS)
def test_a_reason_is_kept_until_the_order_ends_otherwise(flow: str) -> None:
    for step in walk(flow):
        given = getattr(step.command, "reason", None)
        if given:
            assert step.after.reason == given
            told = [e for e in step.told if e.audience is Role.CUSTOMER]
            if not step.before.is_dormant:
                assert [event.data["reason_code"] for event in told] == [given.code], step
        elif step.after.status in (Status.DONE, Status.CANCELLED):
            assert step.after.reason is None
        else:
            assert step.after.reason == step.before.reason


@pytest.mark.parametrize("flow", FLOWS)
def test_only_what_came_back_or_was_left_is_tried_again(flow: str) -> None:
    may = {"cara", "ada"} | ({"olga"} if flow == "food" else set())
    for order in {summarize(step.after): step.after for step in walk(flow)}.values():
        tried = {actor.id for actor in ACTORS if _may_reattempt(order, actor)}
        assert tried == (may if order.status in REATTEMPTABLE else set())
    assert UNDELIVERED_STATUSES | {Status.NO_SHOW} > REATTEMPTABLE


@pytest.mark.parametrize("flow", FLOWS)
def test_nobody_is_a_no_show_before_their_courier_has_waited(flow: str) -> None:
    """A clock is there exactly while a courier is at a stop, and ends with it."""
    said = set()
    for step in walk(flow):
        before, after = step.before, step.after
        waits = after.status is Status.AT_PICKUP or (
            after.status is Status.IN_TRANSIT and "reached" in after.timeline
        )
        assert (after.no_show_at is not None) == waits, step
        assert (find_waiting_since(after) is not None) == waits, step
        if getattr(step.command, "is_no_show", False):
            assert before.no_show_at is not None
            assert after.updated_at >= before.no_show_at
            said.add((before.status, after.status))
    at_pickup = {(Status.AT_PICKUP, Status.NO_SHOW)}
    at_dropoff = {
        (Status.IN_TRANSIT, to) for to in (Status.RETURNING, Status.LEFT, Status.DISCARDED)
    }
    expected = {"ride": at_pickup, "food": at_dropoff}
    assert said == expected.get(flow, at_pickup | at_dropoff)


@pytest.mark.parametrize("policy", [FREE, CHARGING], ids=["free", "charging"])
@pytest.mark.parametrize("flow", FLOWS)
def test_every_end_at_which_a_price_changes_has_the_payments_looked_at(
    flow: str, policy: FeePolicy
) -> None:
    """By its events alone: nothing else makes the wakeup look. A ride's may change by its fare."""
    changed = set()
    for step in walk(flow):
        before, after = (replace(one, price=PRICE, entries=()) for one in (step.before, step.after))
        after, charged = policy.charge_end(before, after)
        is_end = is_price_final(after) and not before.is_terminal
        if not is_end or compute_final_price(after) == compute_final_price(before):
            continue
        told = (*step.told, *charged)
        assert find_order_to_settle(seal(after, told, NOW).outbox) == after.id, step
        assert {event.type for event in told} & events.FOLLOWED_UP
        changed.add(after.status)
    assert changed >= {Status.CANCELLED}
    assert (Status.UNSERVED in changed) == (flow in ("food", "ride"))


def _may_reattempt(order: Order, actor: Actor) -> bool:
    try:
        check_reattempt(order, actor)
    except (Conflict, NotFound):
        return False
    return True
