"""Hands: in which states of which flow each reaches an order, and where that leads."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import cast

import pytest
from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.changes import Change, History, encode_actor
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.hands import (
    HANDS,
    REPEATED_WITHIN,
    Hand,
    choose_failure,
    choose_release,
    list_courier_steps,
    list_hands,
    permit_hand,
)
from chalicelib.domain.orders.history_entries import list_entries
from chalicelib.domain.orders.history_views import Side, select_entries
from chalicelib.domain.orders.lifecycle import apply_step
from chalicelib.domain.orders.model import TERMINAL_STATUSES, Order, Status
from chalicelib.domain.orders.reasons import HAND_REASONS, Reason, interpret_hand_reason
from chalicelib.domain.people import Actor, Role
from chalicelib.edge.rest.pages import PAGES_FOLDER
from chalicelib.errors import HandRefused, NotFound
from tests.builders import NOW, a_contact, a_job, an_order

ADA = Actor("ada", Role.ADMIN)
DAN = Actor("dan", Role.COURIER)
OWNER = Actor("77", Role.MERCHANT, restaurant_ids=("789",))
WHY = Reason("unreachable", "drunk")
LATER = NOW + timedelta(minutes=2)
HELD = frozenset(
    {Status.OFFERED, Status.ACCEPTED, Status.AT_PICKUP, Status.IN_TRANSIT, Status.RETURNING}
)

# What reaches an order in each state: A assign, R release, C cancel, F fail, T retry.
TABLE = {
    "delivery": {
        Status.SCHEDULED: "C",
        Status.SEARCHING: "AC",
        Status.OFFERED: "ARC",
        Status.ACCEPTED: "ARC",
        Status.AT_PICKUP: "ARCF",
        Status.IN_TRANSIT: "CF",
        Status.RETURNING: "C",
        Status.UNSERVED: "AT",
        Status.RETURNED: "T",
        Status.LEFT: "T",
        Status.NO_SHOW: "T",
    },
    "food": {
        Status.SCHEDULED: "C",
        Status.PENDING: "C",
        Status.CONFIRMED: "C",
        Status.PREPARING: "C",
        Status.READY: "AC",
        Status.IN_TRANSIT: "ARCF",
        Status.RETURNING: "C",
        Status.UNSERVED: "T",
        Status.RETURNED: "T",
        Status.LEFT: "T",
    },
    "ride": {
        Status.SCHEDULED: "C",
        Status.SEARCHING: "AC",
        Status.ACCEPTED: "ARC",
        Status.AT_PICKUP: "ARCF",
        Status.IN_TRANSIT: "C",
        Status.UNSERVED: "AT",
        Status.NO_SHOW: "T",
    },
}
TABLE["hail"] = TABLE["delivery"]
LETTERS = {
    Hand.ASSIGN: "A",
    Hand.RELEASE: "R",
    Hand.CANCEL: "C",
    Hand.FAIL: "F",
    Hand.RETRY: "T",
}
STANDS_SO = {Hand.CANCEL: {Status.CANCELLED}, Hand.FAIL: {Status.NO_SHOW, Status.RETURNING}}
STANDS_SO[Hand.FAIL] |= {Status.RETURNED, Status.LEFT, Status.DISCARDED}
ALL = [(flow, status) for flow in FLOWS for status in FLOWS[flow].transitions]


def an_order_of(flow: str, status: Status) -> Order:
    details = a_job(flow=flow, merchant_id="789")
    courier_id = "dan" if status in HELD else None
    return an_order(status, details=details, courier_id=courier_id)


def make_command(order: Order, hand: Hand) -> Command:
    made: dict[Hand, Command] = {
        Hand.ASSIGN: commands.AssignCourier("eve", LATER, None, a_contact("eve"), WHY),
        Hand.RELEASE: choose_release(order, WHY, LATER),
        Hand.CANCEL: commands.Cancel(WHY, by="admin"),
        Hand.FAIL: choose_failure(order, WHY, None, "admin"),
        Hand.RETRY: commands.RetrySearch(LATER, WHY),
    }
    return made[hand]


def take(order: Order, hand: Hand, actor: Actor = ADA) -> tuple[Order, tuple[Event, ...]]:
    command = make_command(order, hand)
    status = permit_hand(order, command, actor, NOW)
    assert status is not None
    return apply_step(order, status, command, actor, NOW)


def read_page_table(flow: str) -> dict[str, list[str]]:
    """Read which hands the console offers of a flow's orders."""
    text = (PAGES_FOLDER / "console" / "reach.js").read_text()
    name = {"hail": "delivery"}.get(flow, flow).upper()
    found = re.search(rf"const {name} = (\{{.*?\n\}});", text, re.DOTALL)
    assert found
    return cast("dict[str, list[str]]", json.loads(found[1]))


@pytest.mark.parametrize("flow", FLOWS)
def test_the_console_offers_what_reaches_an_order_and_nothing_else(flow: str) -> None:
    reaching = {
        status.value: sorted(list_hands(an_order_of(flow, status)))
        for status in FLOWS[flow].transitions
        if status not in TERMINAL_STATUSES - {Status.UNSERVED}
    }
    offered = {name: sorted(hands) for name, hands in read_page_table(flow).items()}
    # Of a meal that is ready somebody may have been chosen, from whom it can be taken.
    if flow == "food":
        reaching["ready"] = sorted({*reaching["ready"], "release"})
    assert offered == {name: hands for name, hands in reaching.items() if hands}


@pytest.mark.parametrize(("flow", "status"), ALL)
def test_a_hand_reaches_an_order_where_the_table_says_and_nowhere_else(
    flow: str, status: Status
) -> None:
    order, letters = an_order_of(flow, status), TABLE[flow].get(status, "")
    assert {LETTERS[Hand(name)] for name in list_hands(order)} - {"F"} == set(letters) - {"F"}
    for hand, letter in LETTERS.items():
        if status in STANDS_SO.get(hand, ()):
            assert permit_hand(order, make_command(order, hand), ADA, NOW) is None
        elif letter in letters and not (letter == "T" and status is not Status.UNSERVED):
            after, _ = take(order, hand)
            assert after.status is not status or letter in "AR" or flow == "food"
            assert after.changes[-1].actor_id == "ada"
            assert (after.changes[-1].reason, after.changes[-1].note) == ("unreachable", "drunk")
        else:
            with pytest.raises(HandRefused) as refused:
                permit_hand(order, make_command(order, hand), ADA, NOW)
            assert refused.value.step == hand.value
            assert hand.value not in refused.value.hands or letter == "T"


@pytest.mark.parametrize("flow", FLOWS)
def test_every_step_of_a_hand_has_an_effect_and_leads_to_a_state_of_its_flow(flow: str) -> None:
    for steps in HANDS[flow].values():
        assert set(steps) <= set(FLOWS[flow].effects)
        assert set(steps.values()) <= set(FLOWS[flow].transitions)


@pytest.mark.parametrize(("flow", "status"), ALL)
def test_only_dispatchers_lend_a_hand(flow: str, status: Status) -> None:
    order = an_order_of(flow, status)
    command = make_command(order, Hand.CANCEL)
    for actor in (
        Actor("cara", Role.CUSTOMER),
        Actor("dan", Role.COURIER),
        Actor("78", Role.MERCHANT, restaurant_ids=("790",)),
    ):
        with pytest.raises(NotFound):
            permit_hand(order, command, actor, NOW)


def test_a_merchant_has_its_restaurants_orders_and_what_it_placed() -> None:
    placer = Actor("cara", Role.MERCHANT)
    for actor in (OWNER, placer):
        after, _ = take(an_order_of("delivery", Status.ACCEPTED), Hand.RELEASE, actor)
        assert after.changes[-1].actor_role is Role.MERCHANT


@pytest.mark.parametrize(
    ("flow", "hand", "lost_by"),
    [
        ("delivery", Hand.ASSIGN, events.OFFER_REASSIGNED),
        ("delivery", Hand.RELEASE, events.OFFER_REASSIGNED),
        ("ride", Hand.ASSIGN, events.OFFER_REASSIGNED),
        ("ride", Hand.RELEASE, events.OFFER_REASSIGNED),
        ("ride", Hand.CANCEL, events.ORDER_CANCELLED),
        ("delivery", Hand.CANCEL, events.ORDER_CANCELLED),
    ],
)
def test_who_loses_an_order_hears_so_once(flow: str, hand: Hand, lost_by: str) -> None:
    _, drafts = take(an_order_of(flow, Status.ACCEPTED), hand)
    assert [draft.type for draft in drafts if draft.to == "dan"] == [lost_by]
    assert [draft for draft in drafts if draft.to == "cara"]


def test_a_release_by_hand_counts_for_no_limit_and_asks_another() -> None:
    after, drafts = take(an_order_of("delivery", Status.ACCEPTED), Hand.RELEASE)
    assert (after.releases, after.released_by) == (0, ("dan",))
    assert "drunk" not in repr(drafts)  # the words are for dispatchers
    assert after.reason is None
    ride, _ = take(an_order_of("ride", Status.ACCEPTED), Hand.RELEASE)
    assert "handed_back" not in ride.timeline  # the next driver may still cancel once


def test_a_ride_that_is_given_to_a_driver_is_theirs() -> None:
    order = an_order_of("ride", Status.SEARCHING)
    after, drafts = take(order, Hand.ASSIGN)
    assert (after.status, after.courier_id) == (Status.ACCEPTED, "eve")
    assert [(draft.to, draft.type) for draft in drafts] == [
        ("cara", events.ORDER_ACCEPTED),
        ("eve", events.COURIER_STEPPED),
    ]
    again, _ = take(an_order_of("ride", Status.AT_PICKUP), Hand.ASSIGN)
    assert again.timeline["accepted"] == NOW
    assert "at_pickup" not in again.timeline


def test_fail_ends_it_as_its_state_and_then_say() -> None:
    at_pickup, _ = take(an_order_of("delivery", Status.AT_PICKUP), Hand.FAIL)
    assert at_pickup.status is Status.NO_SHOW  # no clock is waited for
    under_way = an_order_of("delivery", Status.IN_TRANSIT)
    for then, status in (
        (None, Status.RETURNING),
        (commands.TakeBack, Status.RETURNING),
        (commands.LeaveBehind, Status.LEFT),
        (commands.Discard, Status.DISCARDED),
    ):
        command = choose_failure(under_way, None, then, "admin")
        assert permit_hand(under_way, command, ADA, NOW, then) is status
    returning = an_order_of("delivery", Status.RETURNING)
    never_came = choose_failure(returning, None, commands.Discard, "admin")
    lost = permit_hand(returning, never_came, ADA, NOW, commands.Discard)
    assert lost is Status.DISCARDED
    discarded = an_order_of("delivery", Status.DISCARDED)
    with pytest.raises(HandRefused):
        permit_hand(discarded, commands.LeaveBehind(WHY), ADA, NOW, commands.LeaveBehind)


def test_a_release_that_is_asked_for_again_does_not_take_it_from_the_next_courier() -> None:
    order = an_order_of("delivery", Status.OFFERED)
    order = replace(order, timeline={**order.timeline, "released": NOW})
    command = choose_release(order, None, LATER)
    assert permit_hand(order, command, ADA, NOW + timedelta(seconds=3)) is None
    assert permit_hand(order, command, ADA, NOW + REPEATED_WITHIN) is Status.SEARCHING
    accepted = replace(order, status=Status.ACCEPTED)
    assert permit_hand(accepted, command, ADA, NOW + timedelta(seconds=3)) is Status.SEARCHING


@pytest.mark.parametrize(
    ("steps", "is_repeat"),
    [
        ([("release", ADA)], True),
        ([("release", ADA), ("offer", None)], True),
        ([("release", ADA), ("assign", ADA)], False),  # whom a dispatcher has named is meant
        ([("release", DAN), ("offer", None)], False),  # it was a courier's own
    ],
)
def test_only_what_a_dispatcher_has_released_is_released_once(
    steps: list[tuple[str, Actor | None]], is_repeat: bool
) -> None:
    order = an_order_of("delivery", Status.OFFERED)
    changes = tuple(
        Change(n, step, "offered", by=encode_actor(who, "cara") if who else "s")
        for n, (step, who) in enumerate(steps)
    )
    order = replace(order, timeline={**order.timeline, "released": NOW}, changes=changes)
    found = permit_hand(order, choose_release(order, None, LATER), ADA, NOW + timedelta(seconds=3))
    assert (found is None) is is_repeat


def test_what_was_retried_is_no_more_to_be_retried() -> None:
    for flow in FLOWS:
        order = an_order_of(flow, Status.UNSERVED)
        order = replace(order, timeline={**order.timeline, "unserved": NOW})
        after, _ = take(order, Hand.RETRY)
        assert permit_hand(after, commands.RetrySearch(LATER), ADA, NOW) is None
        assert after.courier_id is None


def test_an_unserved_child_of_a_flow_without_a_customer_s_retry_has_ended() -> None:
    """Another child may have moved the thing by now."""
    for flow, is_there in (("food", False), ("ride", False), ("delivery", True)):
        child = replace(an_order_of(flow, Status.UNSERVED), parent_id=1)
        assert ("retry" in list_hands(child)) is is_there


def test_who_lost_it_and_who_got_it_is_noted_of_both() -> None:
    order = an_order_of("delivery", Status.ACCEPTED)
    after, _ = take(order, Hand.ASSIGN)
    assert list_courier_steps(order, after, Hand.ASSIGN) == [("dan", "reassign"), ("eve", "assign")]
    for hand in (Hand.RELEASE, Hand.CANCEL):
        assert list_courier_steps(order, take(order, hand)[0], hand) == [("dan", hand.value)]
    going = an_order_of("delivery", Status.IN_TRANSIT)
    assert list_courier_steps(going, take(going, Hand.FAIL)[0], Hand.FAIL) == []  # they have it


def test_why_it_was_taken_from_somebody_is_between_dispatchers() -> None:
    order = an_order_of("delivery", Status.ACCEPTED)
    after, _ = take(order, Hand.ASSIGN, OWNER)
    entries = list_entries(after, History(after.changes), None)
    shown = {
        actor.id: [entry.note for entry in select_entries(after, entries, side, actor)]
        for actor, side in (
            (ADA, Side.ADMIN),
            (OWNER, Side.MERCHANT),
            (Actor("cara", Role.CUSTOMER), Side.CUSTOMER),
            (Actor("dan", Role.COURIER), Side.COURIER),
        )
    }
    assert {id_ for id_, notes in shown.items() if "drunk" in notes} == {"ada", "77"}
    assert after.reason is None


def test_a_reason_is_a_code_or_a_note() -> None:
    assert interpret_hand_reason("late", "20 min") == Reason("late", "20 min")
    assert interpret_hand_reason("He is ill", None) == Reason("other", "He is ill")
    assert interpret_hand_reason("He is ill", "call") == Reason("other", "He is ill - call")
    assert interpret_hand_reason(None, None) is None
    assert HAND_REASONS[-1] == "other"
    assert {"late", "unreachable", "fraud", "vehicle", "refused", "price"} <= set(HAND_REASONS)


def test_every_flow_has_its_hands() -> None:
    assert set(HANDS) == set(FLOWS)


def test_no_end_is_left_by_a_step_but_for_unserved() -> None:
    for flow, table in HANDS.items():
        for status in TERMINAL_STATUSES - {Status.UNSERVED}:
            assert not table.get(status), flow
