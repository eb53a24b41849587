"""Flow food: spec 002's statuses, step by step."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import events
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.flows.food import FLOW, TRANSITIONS
from chalicelib.domain.orders.lifecycle import advance_order, create_order
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.search_plan import Schedule
from chalicelib.domain.people import SYSTEM, Actor, Role
from chalicelib.errors import Forbidden, InvalidTransition, NotFound, OfferGone
from tests.builders import NOW, a_contact, a_job, an_actor, an_order

OWNER = an_actor("olga", Role.MERCHANT, restaurant_ids=("789", "790"))
DAN = an_actor("dan", Role.COURIER)
EVE = an_actor("eve", Role.COURIER)
CARA = an_actor("cara", Role.CUSTOMER)
ADA = an_actor("ada", Role.ADMIN)
BOX = "restaurant#789"

STEPS: dict[str, tuple[commands.Command, Actor]] = {
    "confirm": (commands.Confirm(), OWNER),
    "prepare": (commands.Prepare(), OWNER),
    "make_ready": (commands.MakeReady(), OWNER),
    "reject": (commands.Reject(), OWNER),
    "cancel": (commands.Cancel(), CARA),
    "accept": (commands.Accept(a_contact("dan")), DAN),
    "assign": (commands.AssignCourier("dan", NOW, courier=a_contact("dan")), ADA),
    "pick_up": (commands.PickUp(), DAN),
    "reach": (commands.ReachDropoff(), DAN),
    "deliver": (commands.Deliver(), DAN),
}


def a_meal(status: Status = Status.PENDING, **changes: Any) -> Order:
    """An order of restaurant 789 in a status; with dan once it is out."""
    held = status in (Status.IN_TRANSIT, Status.DONE)
    defaults = {
        "details": a_job(flow="food", merchant_id="789"),
        "courier_id": "dan" if held else None,
        "courier": a_contact("dan") if held else None,
        "offers_made": 0,
        "offered_to": (),
        "excluded": (),
    }
    return an_order(status, **{**defaults, **changes})


def test_it_goes_from_pending_to_delivered() -> None:
    """S2-18."""
    order, _ = create_order(1, a_job(flow="food", merchant_id="789"), NOW)
    seen = [order.status]
    for step in ("confirm", "prepare", "make_ready", "accept", "deliver"):
        order, _ = advance_order(order, *STEPS[step], NOW)
        seen.append(order.status)
    assert seen == [
        Status.PENDING,
        Status.CONFIRMED,
        Status.PREPARING,
        Status.READY,
        Status.IN_TRANSIT,
        Status.DONE,
    ]


REPEATED = {
    (Status.CONFIRMED, "confirm"),
    (Status.PREPARING, "prepare"),
    (Status.READY, "make_ready"),
    (Status.IN_TRANSIT, "accept"),
    (Status.IN_TRANSIT, "pick_up"),
    (Status.DONE, "deliver"),
    (Status.CANCELLED, "reject"),
    (Status.CANCELLED, "cancel"),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", sorted(set(TRANSITIONS) - {Status.SCHEDULED}))
def test_a_step_that_the_table_does_not_have_changes_nothing(status: Status, step: str) -> None:
    """S2-19: an invalid transition; a step just taken may be repeated."""
    order = a_meal(status)
    if step in ("pick_up", "reach", "deliver") and order.courier_id is None:
        order = a_meal(status, courier_id="dan", courier=a_contact("dan"))
    if step == "assign" and order.courier_id is not None:
        order = a_meal(status, courier_id="eve", courier=a_contact("eve"))
    possible = FLOW.get_steps(status, STEPS[step][1].role is Role.ADMIN)
    if (status, step) in REPEATED:
        assert advance_order(order, *STEPS[step], NOW) == (order, ())
    elif step in possible:
        assert advance_order(order, *STEPS[step], NOW)[1] != ()
    else:
        with pytest.raises(InvalidTransition):
            advance_order(order, *STEPS[step], NOW)


@pytest.mark.parametrize("step", STEPS)
def test_of_a_meal_that_is_scheduled_only_its_customer_knows(step: str) -> None:
    command, actor = STEPS[step]
    order = a_meal(Status.SCHEDULED)
    if step == "cancel":
        assert advance_order(order, command, actor, NOW)[1] == ()
        return
    with pytest.raises(NotFound if actor is OWNER else (InvalidTransition, Forbidden)):
        advance_order(order, command, actor, NOW)


def test_the_restaurant_hears_of_a_scheduled_meal_as_it_becomes_active() -> None:
    details = a_job(flow="food", merchant_id="789")
    order, placed = create_order(1, details, NOW, Schedule(NOW + timedelta(hours=1)))
    assert {e.to: e.type for e in placed} == {"cara": events.ORDER_PLACED}
    order, activated = advance_order(order, commands.Activate(), SYSTEM, NOW)
    assert order.status is Status.PENDING
    assert order.deadline_at is None
    assert {e.to: e.type for e in activated} == dict.fromkeys(("cara", BOX), events.ORDER_ACTIVATED)


@pytest.mark.parametrize("step", ["offer", "retry", "arrive", "decline", "expire"])
def test_steps_of_other_flows_are_no_steps_here(step: str) -> None:
    others: dict[str, commands.Command] = {
        "offer": commands.MakeOffer("dan", NOW),
        "retry": commands.RetrySearch(),
        "arrive": commands.Arrive(),
        "decline": commands.Decline(),
        "expire": commands.ExpireOffer(1),
    }
    with pytest.raises(InvalidTransition):
        advance_order(a_meal(Status.READY, courier_id="dan"), others[step], DAN, NOW)
    with pytest.raises(NotFound):  # nothing to do with it, nothing to know of it
        advance_order(a_meal(Status.READY), others[step], DAN, NOW)


@pytest.mark.parametrize("step", ["confirm", "prepare", "make_ready", "reject"])
@pytest.mark.parametrize(
    "actor",
    [
        CARA,
        DAN,
        an_actor("olga", Role.MERCHANT, restaurant_ids=("788",)),
        an_actor("cara", Role.CUSTOMER, restaurant_ids=("789",)),
    ],
)
def test_only_its_own_restaurant_takes_a_restaurants_steps(step: str, actor: Actor) -> None:
    """S2-20."""
    before = {"prepare": Status.CONFIRMED, "make_ready": Status.PREPARING}
    order = a_meal(before.get(step, Status.PENDING))
    with pytest.raises(NotFound):
        advance_order(order, STEPS[step][0], actor, NOW)


def test_a_driver_updates_only_what_is_assigned_to_them() -> None:
    """S2-20."""
    with pytest.raises(Forbidden):
        advance_order(a_meal(Status.IN_TRANSIT), commands.Deliver(), EVE, NOW)


def test_who_comes_second_is_told_so() -> None:
    """S2-21."""
    with pytest.raises(OfferGone, match=r"^Order is no longer available\.$"):
        advance_order(a_meal(Status.IN_TRANSIT), commands.Accept(a_contact("eve")), EVE, NOW)


def test_an_assigned_order_is_nobody_elses_to_take() -> None:
    """Ambiguity o."""
    assigned, _ = advance_order(a_meal(Status.READY), *STEPS["assign"], NOW)
    assert (assigned.status, assigned.courier_id, assigned.is_open) == (Status.READY, "dan", False)
    with pytest.raises(OfferGone):
        advance_order(assigned, commands.Accept(a_contact("eve")), EVE, NOW)
    out, _ = advance_order(assigned, *STEPS["pick_up"], NOW)
    assert out.status is Status.IN_TRANSIT
    taken, _ = advance_order(assigned, *STEPS["accept"], NOW)
    assert taken.status is Status.IN_TRANSIT


def test_nobody_sets_off_with_an_order_that_is_not_theirs() -> None:
    """Ambiguity a."""
    with pytest.raises(Forbidden):
        advance_order(a_meal(Status.READY), commands.PickUp(), DAN, NOW)


def told(order: Order, step: str) -> dict[str, str]:
    """Who hears what."""
    return {event.to: event.type for event in advance_order(order, *STEPS[step], NOW)[1]}


def test_the_customer_the_restaurant_and_the_driver_hear_of_it() -> None:
    """S2-10 to S2-16."""
    _, placed = create_order(1, a_job(flow="food", merchant_id="789"), NOW)
    assert {e.to: e.type for e in placed} == dict.fromkeys(("cara", BOX), events.ORDER_PLACED)
    assert told(a_meal(), "confirm") == dict.fromkeys(("cara", BOX), events.ORDER_CONFIRMED)
    assert told(a_meal(Status.READY), "accept") == {
        "dan": events.ORDER_CLAIMED,
        "cara": events.ORDER_ACCEPTED,
        BOX: events.ORDER_ACCEPTED,
    }
    everybody = dict.fromkeys(("cara", BOX, "dan"), events.ORDER_DELIVERED)
    assert told(a_meal(Status.IN_TRANSIT), "deliver") == everybody
    everybody = dict.fromkeys(("cara", BOX, "dan"), events.ORDER_ASSIGNED)
    assert told(a_meal(Status.READY), "assign") == everybody
    assert told(a_meal(Status.CONFIRMED), "reject") == dict.fromkeys(
        ("cara", BOX), events.ORDER_CANCELLED
    )


def test_an_order_that_is_assigned_again_leaves_the_first_driver() -> None:
    order = a_meal(Status.READY, courier_id="eve", courier=a_contact("eve"))
    assert told(order, "assign")["eve"] == events.OFFER_REASSIGNED


def test_a_driver_who_eats_what_they_deliver_hears_it_once() -> None:
    order = a_meal(
        Status.IN_TRANSIT, details=a_job(flow="food", merchant_id="789", customer_id="dan")
    )
    _, said = advance_order(order, *STEPS["deliver"], NOW)
    assert [event.to for event in said] == ["dan", BOX]
