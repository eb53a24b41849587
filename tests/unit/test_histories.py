"""How an order's history is noted, kept within bounds, and read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.domain.details import Trip
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.changes import (
    KEPT_FIRST,
    KEPT_LAST,
    Change,
    History,
    append_changes,
    encode_actor,
)
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.history_entries import HistoryEntry, list_entries
from chalicelib.domain.orders.history_views import Side, find_side, select_entries
from chalicelib.domain.orders.lifecycle import advance_order, create_order
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.people import SYSTEM, Actor, Role
from chalicelib.domain.price_lines import PriceLine
from chalicelib.errors import WaybillError
from chalicelib.store.compression import pack, unpack
from tests.builders import NOW, a_contact, a_job, an_actor

DAN, EVE = an_actor("dan", Role.COURIER), an_actor("eve", Role.COURIER)
CARA, ADA = an_actor("cara", Role.CUSTOMER), an_actor("ada", Role.ADMIN)
LATER = NOW + timedelta(hours=1)


def taken(order: Order, *steps: tuple[Command, Actor]) -> Order:
    """The order after some steps, a second each."""
    for n, (command, actor) in enumerate(steps, 1):
        order, _ = advance_order(order, command, actor, NOW + timedelta(seconds=n))
    return order


def placed(**changes: Any) -> Order:
    return create_order(1, a_job(**changes), NOW)[0]


def entries_of(order: Order) -> list[HistoryEntry]:
    return list_entries(order, History(order.changes), None)


OFFERED = (commands.MakeOffer("dan", LATER, distance_m=320.4), SYSTEM)


def test_a_change_says_who_what_and_when() -> None:
    order = taken(
        placed(), OFFERED, (commands.Accept(a_contact(), position=(1.23456789, 2.0)), DAN)
    )
    accepted = entries_of(order)[-1]
    assert (accepted.at, accepted.was, accepted.to) == (
        NOW + timedelta(seconds=2),
        "offered",
        "accepted",
    )
    assert (accepted.role, accepted.actor_id) == (Role.COURIER, "dan")
    assert accepted.position == (1.23457, 2.0)
    assert accepted.offer is not None
    assert (accepted.offer.answer, accepted.offer.asked[0].distance_m) == ("accepted", 320)


def test_a_step_that_is_refused_or_repeated_notes_nothing() -> None:
    order = taken(placed(), OFFERED, (commands.Accept(a_contact()), DAN))
    assert taken(order, (commands.Accept(a_contact()), DAN)) == order
    with pytest.raises(WaybillError):
        advance_order(order, commands.Deliver(), DAN, NOW)
    assert len(order.changes) == 3


def test_a_price_is_noted_where_it_changes() -> None:
    order = taken(
        placed(flow="ride"),
        (commands.OpenToNearby(("dan",), LATER), SYSTEM),
        (commands.Accept(a_contact()), DAN),
        (commands.PickUp(Trip(5.0)), DAN),
        (commands.Deliver(Trip(5.0, 100.0, 60, 1234)), DAN),
    )
    assert [one.price_minor for one in order.changes] == [None, None, None, None, 1234]


def test_a_quoted_price_is_noted_as_the_order_is_placed() -> None:
    lines = (PriceLine("base", 500), PriceLine("distance", 34))
    order, _ = create_order(1, a_job(), NOW, price=lines)
    assert [one.price_minor for one in order.changes] == [534]
    (entry,) = list_entries(order, History(order.changes), 9999)
    assert entry.price_minor == 534


def test_an_actor_without_a_role_is_noted_by_id() -> None:
    assert encode_actor(Actor("x", None), "cara") == "ux"
    assert encode_actor(CARA, "cara") == "c"
    assert encode_actor(CARA, "bob") == "ccara"
    change = Change(0, "accept", "accepted", by="ux")
    assert (change.actor_role, change.actor_id) == (None, "x")


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_a_history_keeps_its_first_and_its_last_changes(at_once: int) -> None:
    changes = tuple(Change(n, "retry", f"status {n}") for n in range(1000))
    history = History()
    for n in range(0, 1000, at_once):
        history = append_changes(history, changes[n : n + at_once])
    kept = KEPT_FIRST + KEPT_LAST
    assert (len(history.changes), history.left_out) == (kept, 1000 - kept)
    assert history.changes[:KEPT_FIRST] == changes[:KEPT_FIRST]
    assert history.changes[KEPT_FIRST + 1 :] == changes[1000 - KEPT_LAST + 1 :]
    # What nobody can tell any more from the change before.
    first_after = history.changes[KEPT_FIRST]
    assert first_after.was == f"status {1000 - KEPT_LAST - 1}"
    assert replace(first_after, was=None) == changes[1000 - KEPT_LAST]
    assert unpack(pack(history), History) == history


# Whatever is asked, by whomever: what each side sees.
COMMANDS = st.one_of(
    st.builds(commands.MakeOffer, st.sampled_from(["dan", "eve"]), st.just(LATER)),
    st.builds(commands.AssignCourier, st.sampled_from(["dan", "eve"]), st.just(LATER)),
    st.builds(commands.OpenToNearby, st.sampled_from([("dan",), ("eve",)]), st.just(LATER)),
    st.builds(commands.Accept, st.sampled_from([a_contact("dan"), a_contact("eve")])),
    st.sampled_from(
        [
            commands.Decline(),
            commands.ExpireOffer(1),
            commands.GiveUp(),
            commands.WaitForCourier(LATER),
            commands.RetrySearch(),
            commands.Arrive(),
            commands.PickUp(Trip(1.0), position=(1.0, 2.0)),
            commands.ReachDropoff(),
            commands.Deliver(Trip(1.0, 2.0, 3, 400)),
            commands.Cancel(Reason("other", "why not")),
            commands.HandBack(reason=Reason("vehicle")),
            commands.Withdraw(Reason("vehicle", "flat tyre")),
        ]
    ),
)
STEPS = st.lists(
    st.tuples(COMMANDS, st.sampled_from([CARA, DAN, EVE, ADA, SYSTEM]), st.integers(0, 7200)),
    max_size=30,
)


def walk(flow: str, asked: list[tuple[Any, Actor, int]]) -> Order:
    """An order after what was possible of it."""
    order, now = placed(flow=flow), NOW
    for command, actor, seconds in asked:
        now += timedelta(seconds=seconds)
        before = order
        try:
            order, _ = advance_order(order, command, actor, now)
        except WaybillError:
            continue
        is_look = isinstance(command, commands.WaitForCourier)
        noted = len(order.changes) - len(before.changes)
        assert noted == (0 if order is before or is_look else 1)
    return order


@settings(deadline=None)
@given(st.sampled_from(["delivery", "hail", "ride"]), STEPS)
def test_whatever_happens_each_side_sees_what_is_its_own(flow: str, asked: list[Any]) -> None:
    order = walk(flow, asked)
    entries = entries_of(order)
    assert [entry.was for entry in entries[1:]] == [entry.to for entry in entries[:-1]]
    assert entries[-1].to == order.status.value
    assert sorted(entry.at for entry in entries) == [entry.at for entry in entries]
    assert find_side(order, entries, ADA) is Side.ADMIN
    assert find_side(order, entries, CARA) is Side.CUSTOMER
    assert find_side(order, entries, an_actor("guy", Role.COURIER)) is None
    hers = select_entries(order, entries, Side.CUSTOMER, CARA)
    assert len(hers) == len(entries)
    for full, seen in zip(entries, hers, strict=True):
        if full.step in ("decline", "expire"):
            assert seen.actor_id is None
        if full.offer and full.offer.answer != "accepted":
            assert seen.offer is not None
            assert seen.offer.asked == ()
    for courier, other in ((DAN, "eve"), (EVE, "dan")):
        if find_side(order, entries, courier) is not None:
            seen_by = select_entries(order, entries, Side.COURIER, courier)
            shown = [(one.actor_id, one.offer) for one in seen_by]
            assert other not in repr(shown)
            assert seen_by[0] == entries[0]
