"""The transition tables: every step they have, and that there is no other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.flows.delivery import FLOW
from chalicelib.domain.orders.lifecycle import advance_order, create_order
from chalicelib.domain.orders.model import TERMINAL_STATUSES, Order, Status
from chalicelib.domain.orders.options import NO_OPTIONS
from chalicelib.domain.orders.permissions import RULES, Permission
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.orders.search_plan import ONE_PASS, Schedule, SearchPlan
from chalicelib.domain.outbox import OUTBOX_VERSIONS, seal
from chalicelib.domain.people import SYSTEM, Actor, Role
from chalicelib.errors import Conflict, Forbidden, InvalidTransition, NotFound, OfferGone
from tests.builders import NOW, a_contact, a_job, an_offer, an_order

CARA, DAN = Actor("cara", Role.CUSTOMER), Actor("dan", Role.COURIER)
EVE, ADA = Actor("eve", Role.COURIER), Actor("ada", Role.ADMIN)
LATER = NOW + timedelta(seconds=15)
COMMANDS: dict[str, Command] = {
    "offer": commands.MakeOffer("eve", LATER),
    "assign": commands.AssignCourier("eve", LATER),
    "accept": commands.Accept(a_contact()),
    "decline": commands.Decline(),
    "expire": commands.ExpireOffer(1),
    "wait": commands.WaitForCourier(LATER),
    "activate": commands.Activate(),
    "amend": commands.Amend(a_job(notes="Ring twice"), NO_OPTIONS, LATER),
    "search_anew": commands.SearchAnew(SearchPlan(LATER)),
    "give_up": commands.GiveUp(),
    "retry": commands.RetrySearch(),
    "cancel": commands.Cancel(Reason("changed_mind")),
    "arrive": commands.Arrive(),
    "pick_up": commands.PickUp(),
    "reach": commands.ReachDropoff(),
    "deliver": commands.Deliver(),
    "release": commands.Release(Reason("vehicle"), LATER),
    "no_show": commands.NoShow(Reason("recipient_absent")),
    "take_back": commands.TakeBack(Reason("recipient_absent")),
    "finish_return": commands.FinishReturn(),
    "leave": commands.LeaveBehind(Reason("recipient_absent")),
    "discard": commands.Discard(Reason("damaged")),
}
MAY: dict[Permission, Actor] = {
    Permission.SYSTEM: SYSTEM,
    Permission.ASSIGNEE: DAN,
    Permission.OWNER: CARA,
    Permission.OWNER_OR_ADMIN: CARA,
    Permission.ADMIN: ADA,
}
REPEATED = [
    (Status.ACCEPTED, "accept"),
    (Status.AT_PICKUP, "arrive"),
    (Status.IN_TRANSIT, "pick_up"),
    (Status.DONE, "deliver"),
    (Status.CANCELLED, "cancel"),
    (Status.NO_SHOW, "no_show"),
    (Status.RETURNING, "take_back"),
    (Status.RETURNED, "finish_return"),
    (Status.LEFT, "leave"),
    (Status.DISCARDED, "discard"),
]
STATUSES = sorted(FLOW.transitions)
LEGAL = [(status, verb) for status in STATUSES for verb in FLOW.transitions[status]]
ILLEGAL = [
    (status, verb)
    for status in STATUSES
    for verb in COMMANDS
    if verb not in FLOW.transitions[status] and (status, verb) not in REPEATED
]


def step(order: Order, verb: str) -> tuple[Order, tuple[Event, ...]]:
    """Taken by whoever may, at the time when it is due."""
    now = LATER if verb == "expire" else NOW
    only_admins = verb in FLOW.admin_transitions.get(order.status, {})
    return advance_order(
        order, COMMANDS[verb], ADA if only_admins else MAY[FLOW.permissions[verb]], now
    )


def possible(status: Status, actor: Actor) -> tuple[str, ...]:
    """The steps that there are for somebody."""
    return tuple(FLOW.get_steps(status, actor.role is Role.ADMIN))


def frozen(order: Order) -> bytes:
    return msgspec.json.encode(order)


@pytest.mark.parametrize(("status", "verb"), LEGAL)
def test_each_step_of_the_table_leads_where_it_says(status: Status, verb: str) -> None:
    """S0-38"""
    order = an_order(status)
    before = frozen(order)
    after, _ = step(order, verb)
    assert after.status is FLOW.transitions[status][verb]
    assert frozen(order) == before


@pytest.mark.parametrize(("status", "verb"), ILLEGAL)
def test_any_other_step_raises_and_changes_nothing(status: Status, verb: str) -> None:
    """S0-38: anything else is refused, with what would be possible."""
    order = an_order(status, courier_id="dan")
    before = frozen(order)
    with pytest.raises(InvalidTransition) as refused:
        step(order, verb)
    assert refused.value.http_status == 409
    assert refused.value.allowed == possible(status, MAY[FLOW.permissions[verb]])
    assert (refused.value.status, refused.value.step) == (status.value, verb)
    assert frozen(order) == before


@pytest.mark.parametrize(("status", "verb"), REPEATED)
def test_asking_again_for_the_step_just_taken_changes_nothing(status: Status, verb: str) -> None:
    """S0-39"""
    order = an_order(status, courier_id="dan")
    after, told = step(order, verb)
    assert after is order
    assert told == ()


@pytest.mark.parametrize(
    "verb", [v for v, may in FLOW.permissions.items() if may == Permission.ASSIGNEE]
)
@pytest.mark.parametrize("status", STATUSES)
def test_only_the_assignee_takes_a_courier_s_steps(status: Status, verb: str) -> None:
    """S0-40: never offered, 403; offered and moved on, 409. Whatever the status is."""
    with pytest.raises(Forbidden):
        advance_order(an_order(status), COMMANDS[verb], EVE, NOW)
    with pytest.raises(OfferGone):
        advance_order(an_order(status, offered_to=("eve", "dan")), COMMANDS[verb], EVE, NOW)


@pytest.mark.parametrize("actor", [DAN, EVE, Actor("bob", Role.CUSTOMER), Actor("cara", None)])
def test_an_order_is_unknown_to_those_who_do_not_own_it(actor: Actor) -> None:
    for verb in ("cancel", "retry", "assign"):
        with pytest.raises(NotFound):
            advance_order(an_order(), COMMANDS[verb], actor, NOW)


@pytest.mark.parametrize("actor", [CARA, DAN, ADA])
def test_only_the_dispatcher_dispatches(actor: Actor) -> None:
    for verb in ("offer", "wait", "give_up", "expire"):
        with pytest.raises(Forbidden):
            advance_order(an_order(), COMMANDS[verb], actor, NOW)


def test_an_offer_is_good_until_its_deadline_and_not_a_moment_longer() -> None:
    """S0-35, S0-36"""
    order, last = an_order(Status.OFFERED), LATER - timedelta(milliseconds=1)
    assert advance_order(order, COMMANDS["accept"], DAN, last)[0].status is Status.ACCEPTED
    assert advance_order(order, COMMANDS["expire"], SYSTEM, last) == (order, ())
    for verb in ("accept", "decline"):
        with pytest.raises(OfferGone):
            advance_order(order, COMMANDS[verb], DAN, LATER)
    assert advance_order(order, COMMANDS["expire"], SYSTEM, LATER)[0].status is Status.SEARCHING


def test_only_the_offer_that_is_open_lapses() -> None:
    order = an_order(Status.OFFERED, offer=an_offer(seq=2), offers_made=2)
    assert advance_order(order, commands.ExpireOffer(1), SYSTEM, LATER) == (order, ())


def told_by(order: Order, command: Command, actor: Actor) -> list[tuple[str, str]]:
    _, told = advance_order(order, command, actor, NOW)
    return [(event.to, event.type) for event in told]


def test_who_hears_what_of_each_step() -> None:
    order = an_order()
    assert told_by(order, commands.MakeOffer("dan", LATER), SYSTEM) == [
        ("dan", events.OFFER_MADE),
        ("cara", events.ORDER_OFFERED),
    ]
    assert told_by(order, commands.MakeOffer("dan", LATER, "eve"), SYSTEM) == [
        ("eve", events.OFFER_REASSIGNED),
        ("dan", events.OFFER_MADE),
        ("cara", events.ORDER_OFFERED),
    ]
    assert told_by(order, commands.GiveUp("eve"), SYSTEM) == [
        ("eve", events.SEARCH_FAILED),
        ("cara", events.ORDER_UNSERVED),
    ]
    held = an_order(Status.ACCEPTED)
    assert told_by(held, commands.AssignCourier("eve", LATER), ADA) == [
        ("dan", events.OFFER_REASSIGNED),
        ("eve", events.OFFER_MADE),
        ("cara", events.ORDER_OFFERED),
    ]
    assert told_by(held, commands.Cancel(), CARA) == [
        ("cara", events.ORDER_CANCELLED),
        ("dan", events.ORDER_CANCELLED),
    ]


def test_assigning_to_whoever_has_it_changes_nothing() -> None:
    order = an_order(Status.ACCEPTED)
    assert advance_order(order, commands.AssignCourier("dan", LATER), ADA, NOW) == (order, ())


def test_everybody_asked_in_this_search_is_excluded_until_it_is_tried_again() -> None:
    """S0-34, S0-44, ambiguity f"""
    order = an_order()
    for courier_id in ("dan", "eve"):
        order, _ = advance_order(order, commands.MakeOffer(courier_id, LATER), SYSTEM, NOW)
        order, _ = advance_order(order, commands.Decline(), Actor(courier_id, Role.COURIER), NOW)
    assert order.excluded == order.offered_to == ("dan", "eve")
    order, _ = advance_order(order, commands.GiveUp(), SYSTEM, NOW)
    order, _ = advance_order(order, commands.RetrySearch(), CARA, NOW)
    assert order.excluded == ()
    assert order.offered_to == ("dan", "eve")


def test_sealing_numbers_the_events_and_keeps_the_last_versions() -> None:
    order, told = create_order(1, a_job(), NOW)
    sealed = seal(order, told, NOW)
    assert (sealed.version, [e.version for e in sealed.entries]) == (1, [1])
    for version in range(2, 8):
        offered, told = advance_order(sealed, commands.MakeOffer("dan", LATER), SYSTEM, NOW)
        sealed = seal(msgspec.structs.replace(offered, status=Status.SEARCHING), told, NOW)
        assert sealed.version == version
        assert [event.ordinal for event in sealed.entries[-1].events] == [0, 1]
        assert {event.version for event in sealed.entries[-1].events} == {version}
        assert len(sealed.entries) == min(version, OUTBOX_VERSIONS)


def test_a_change_of_which_nothing_is_told_leaves_the_outbox_alone() -> None:
    order = seal(*create_order(1, a_job(), NOW), NOW)
    after, told = advance_order(order, commands.WaitForCourier(LATER), SYSTEM, NOW)
    assert told == ()
    assert seal(after, told, NOW).entries == order.entries
    assert seal(after, told, NOW).version == 2


# Whatever is asked, in whatever order, by whomever.
commands_asked = st.one_of(
    st.builds(commands.MakeOffer, st.sampled_from(["dan", "eve"]), st.just(LATER)),
    st.builds(commands.AssignCourier, st.sampled_from(["dan", "eve"]), st.just(LATER)),
    st.sampled_from(sorted(COMMANDS.values(), key=lambda c: c.verb)),
    st.builds(commands.ExpireOffer, st.integers(1, 4)),
)
actors = st.sampled_from([CARA, DAN, EVE, ADA, SYSTEM, Actor("x", None)])
moments = st.sampled_from([NOW, LATER, LATER + timedelta(hours=1)])
steps = st.lists(st.tuples(commands_asked, actors, moments), max_size=40)


@settings(deadline=None)
@given(st.sampled_from(["delivery", "hail"]), st.sampled_from([ONE_PASS, Schedule(LATER)]), steps)
def test_whatever_is_asked_an_order_keeps_to_its_table(
    flow: str, schedule: Schedule, asked: list[Any]
) -> None:
    order = seal(*create_order(1, a_job(flow=flow), NOW, schedule), NOW)
    for command, actor, now in asked:
        before = frozen(order)
        try:
            after, told = advance_order(order, command, actor, now)
        except (Conflict, Forbidden, NotFound):
            assert frozen(order) == before
            continue
        if after is order:
            assert told == ()
            continue
        sealed = seal(after, told, NOW)
        assert FLOWS[flow].transitions[order.status][command.verb] is sealed.status
        expected = command.details if isinstance(command, commands.Amend) else order.details
        assert sealed.details is expected
        _holds(order, sealed, told)
        order = sealed


def _holds(before: Order, after: Order, told: tuple[Event, ...]) -> None:
    """What is true of every order, and of every step."""
    assert after.version == before.version + 1
    assert after.offers_made >= before.offers_made
    assert set(before.offered_to) <= set(after.offered_to)
    assert (after.status is Status.OFFERED) == (after.offer is not None)
    if after.offer:
        assert after.offer.courier_id == after.courier_id == after.offered_to[-1]
        assert after.offer.seq == after.offers_made
        assert after.deadline_at == after.offer.expires_at
    busy = {Status.OFFERED, Status.ACCEPTED, Status.AT_PICKUP, Status.IN_TRANSIT, Status.RETURNING}
    assert (after.occupied_courier_id is not None) == (after.status in busy)
    assert after.is_terminal == (after.status in TERMINAL_STATUSES)
    if before.is_dormant and after.is_dormant:
        assert {event.to for event in told} <= {after.details.customer_id}
    assert [(e.version, e.ordinal) for e in after.entries[-1].events] == [
        (after.version, n) for n in range(len(told))
    ] or not told
    assert [entry.version for entry in after.entries] == sorted(e.version for e in after.entries)
    assert len(after.entries) <= OUTBOX_VERSIONS


COURIERS = {Permission.ASSIGNEE, Permission.HOLDER, Permission.COURIER, Permission.NEARBY_COURIER}
WAITING = [
    (flow.name, status)
    for flow in FLOWS.values()
    for status, steps in flow.transitions.items()
    for may in [
        {flow.permissions[verb] for verb, to in steps.items() if verb in ("offer", "accept")}
    ]
    if status not in TERMINAL_STATUSES
    and may & {*COURIERS, Permission.SYSTEM}
    and steps.get("accept") != status
]
UNFINISHED = [
    (flow.name, status)
    for flow in FLOWS.values()
    for status in flow.transitions
    if status not in TERMINAL_STATUSES
]


@pytest.mark.parametrize(("flow", "status"), UNFINISHED)
def test_an_admin_can_end_whatever_is_not_finished(flow: str, status: Status) -> None:
    """Whoever has it may never be heard of again. All who have a part in it hear of it."""
    order = an_order(
        status, details=a_job(flow=flow, merchant_id="789" if flow == "food" else None)
    )
    after, told = advance_order(order, commands.Cancel(Reason("lost"), by="admin"), ADA, NOW)
    assert (after.status, after.occupied_courier_id) == (Status.CANCELLED, None)
    assert after.deadline_at is None
    knows = flow == "food" and status is not Status.SCHEDULED
    involved = {"cara", order.occupied_courier_id, "restaurant#789" if knows else None} - {None}
    assert {event.to for event in told} == involved
    assert {event.type for event in told} == {events.ORDER_CANCELLED}


@pytest.mark.parametrize(("flow", "status"), UNFINISHED)
def test_what_only_admins_may_is_not_there_for_others(flow: str, status: Status) -> None:
    for verb in FLOWS[flow].admin_transitions.get(status, {}):
        order = an_order(status, details=a_job(flow=flow, merchant_id="789"))
        actor = CARA if FLOWS[flow].permissions[verb] == Permission.OWNER_OR_ADMIN else DAN
        with pytest.raises((InvalidTransition, NotFound)) as refused:
            advance_order(order, COMMANDS[verb], actor, NOW)
        if isinstance(refused.value, InvalidTransition):
            assert verb not in refused.value.allowed


def test_where_a_courier_is_waited_for_the_dispatcher_ends_it() -> None:
    """Nobody may ever come: each such wait has a step that its deadline takes."""
    assert {status for _, status in WAITING} == {Status.SEARCHING, Status.OFFERED, Status.READY}
    for flow, status in WAITING:
        ends = {"expire", "give_up"} & set(FLOWS[flow].transitions[status])
        assert ends, (flow, status)
        assert {FLOWS[flow].permissions[verb] for verb in ends} == {Permission.SYSTEM}


def test_every_permission_has_a_rule() -> None:
    assert set(RULES) == set(Permission)


def test_every_flow_s_table_is_whole() -> None:
    for flow in FLOWS.values():
        assert set(flow.repeats) <= set(flow.permissions), flow.name
        verbs = {verb for steps in flow.transitions.values() for verb in steps}
        assert verbs <= set(flow.effects), flow.name
        assert verbs <= set(flow.permissions), flow.name
        leads_to = {to for steps in flow.transitions.values() for to in steps.values()}
        assert leads_to <= set(flow.transitions), flow.name
        assert flow.first_status in flow.transitions
        for status in TERMINAL_STATUSES & set(flow.transitions):
            assert not {"accept", "deliver", "cancel"} & set(flow.transitions[status]), flow.name
