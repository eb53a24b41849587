"""A hail that finds nobody waits for drivers to become free (spec 004, ambiguity i)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.domain.orders.model import Status
from tests.builders import DEPOT, north_of
from tests.functional.conftest import MakeWorld
from tests.functional.hails import be_at, driver, hail, types
from tests.functional.world import Someone, World

FAR = north_of(DEPOT, 200)
SMALL = {"dispatch_radius_m": 1000.0}


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A small one: looking far costs moto 61 queries."""
    return make_world(settings=SMALL)


def test_when_nobody_else_is_free_the_order_waits(world: World) -> None:
    """The old driver hears order_timeout; the customer hears nothing worse."""
    _, old = driver(world, "5")
    cara = world.customer("cara")
    customer = world.connect(cara)
    order = hail(world, cara)
    world.pass_time(301)
    assert types(old) == ["new_order", "order_timeout"]
    assert [frame["data"]["status"] for frame in customer.take()] == ["assigned"]
    assert world.order(order["id"]).status is Status.SEARCHING


def test_a_waiting_order_is_offered_to_whoever_becomes_free(world: World) -> None:
    """By the next look, which comes by a wakeup of its own."""
    order = hail(world)
    sweep_for(world, 30)
    _, new = driver(world, "5")
    assert types(new) == []
    sweep_for(world, 15)
    assert types(new) == ["new_order"]
    assert world.order(order["id"]).status is Status.OFFERED


def test_every_pass_of_the_sweep_looks(world: World) -> None:
    """None comes just too early, and that a pass takes a moment does not matter."""
    order = hail(world)
    for n in range(4):
        before = world.order(order["id"]).version
        world.clock.advance(15 - 0.2 * n)
        world.sweep()
        assert world.order(order["id"]).version == before + 1


def test_the_driver_who_let_it_lapse_is_not_asked_again(world: World) -> None:
    """Never the last one, however long nobody else comes."""
    dan, socket = driver(world, "5")
    hail(world)
    world.pass_time(301)
    for _ in range(3):
        be_at(world, dan)
        sweep_for(world, 15)
    assert types(socket) == ["new_order", "order_timeout"]


def test_those_asked_before_are_asked_again_only_when_nobody_else_is_left(world: World) -> None:
    """A, B, then C who is new, and only then A: not B, nor C who was the last."""
    (a, at_a), (b, at_b) = driver(world, "5"), driver(world, "6", FAR)
    order = hail(world)
    lapse(world, a, b)
    lapse(world, a, b)
    assert types(at_a) == ["new_order", "order_timeout"]
    assert types(at_b) == ["new_order", "order_timeout"]
    c, at_c = driver(world, "7", FAR)
    sweep_for(world, 15)
    assert types(at_c) == ["new_order"]
    lapse(world, a, b, c, within_s=6)  # and the order has not been looked at again yet
    assert types(at_c) == ["order_timeout"]
    assert types(at_a) == types(at_b) == []
    sweep_for(world, 15)
    assert types(at_a) == ["new_order"]
    assert world.order(order["id"]).occupied_courier_id == "5"


def test_two_drivers_who_let_it_lapse_take_turns(world: World) -> None:
    """Each offer is an offer of its own, with an order_timeout of its own."""
    (a, at_a), (b, at_b) = driver(world, "5"), driver(world, "6", FAR)
    hail(world)
    for _ in range(3):
        lapse(world, a, b)
        sweep_for(world, 15)
    assert types(at_a) == ["new_order", "order_timeout"] * 2
    assert types(at_b) == ["new_order", "order_timeout", "new_order"]


def test_the_search_ends_with_no_nearby_driver(world: World) -> None:
    """HAIL_SEARCH_TTL_S: half an hour, and not before."""
    cara = world.customer("cara")
    customer = world.connect(cara)
    order = hail(world, cara)
    world.pass_time(1799)
    world.sweep()
    assert customer.take() == []
    world.pass_time(1)
    world.sweep()
    [frame] = customer.take()
    assert frame["data"] == {"order_id": str(order["id"]), "status": "no_nearby_driver"}
    assert world.order(order["id"]).status is Status.UNSERVED
    sweep_for(world, 30)
    assert customer.take() == []


def test_an_offer_that_lapses_after_the_search_ends_it(make_world: MakeWorld) -> None:
    """The driver hears order_timeout, once, and the customer no_nearby_driver."""
    world = make_world(settings={**SMALL, "hail_search_ttl": timedelta(seconds=200)})
    a, at_a = driver(world, "5")
    cara = world.customer("cara")
    customer = world.connect(cara)
    hail(world, cara)
    lapse(world, a)
    assert types(at_a) == ["new_order", "order_timeout"]
    statuses = [frame["data"]["status"] for frame in customer.take()]
    assert statuses == ["assigned", "no_nearby_driver"]


def test_drivers_are_not_asked_in_turns_for_ever(make_world: MakeWorld) -> None:
    """Once the search is over, those who were asked before are not asked again."""
    world = make_world(settings={**SMALL, "hail_search_ttl": timedelta(seconds=605)})
    (a, at_a), (b, at_b) = driver(world, "5"), driver(world, "6", FAR)
    order = hail(world)
    lapse(world, a, b)
    lapse(world, a, b)
    sweep_for(world, 15)
    assert types(at_a) == ["new_order", "order_timeout"]
    assert types(at_b) == ["new_order", "order_timeout"]
    assert world.order(order["id"]).status is Status.UNSERVED


def test_a_retry_asks_everybody_anew(world: World) -> None:
    """By the order's owner, after no_nearby_driver."""
    cara = world.customer("cara")
    order = hail(world, cara)
    world.pass_time(1800)
    world.sweep()
    _, socket = driver(world, "5")
    assert world.post(f"/v1/orders/{order['id']}/retry", by=cara).status == 200
    assert types(socket) == ["new_order"]


def test_a_declined_order_waits_too(world: World) -> None:
    """The driver who said no is not asked again while nobody else was."""
    dan, socket = driver(world, "5")
    order = hail(world)
    world.post(f"/v1/driver/orders/{order['id']}/decline", by=dan)
    sweep_for(world, 30)
    assert types(socket) == ["new_order"]
    _, new = driver(world, "6")
    sweep_for(world, 15)
    assert types(new) == ["new_order"]


def test_a_waiting_order_can_be_cancelled(world: World) -> None:
    """And is offered to nobody after that."""
    cara = world.customer("cara")
    order = hail(world, cara)
    assert world.post(f"/v1/orders/{order['id']}/cancel", by=cara).status == 200
    _, socket = driver(world, "5")
    sweep_for(world, 30)
    assert types(socket) == []


def sweep_for(world: World, seconds: float) -> None:
    """Let time pass with a pass of the sweep every 15 s."""
    for _ in range(round(seconds / 15)):
        world.pass_time(15)
        world.sweep()


def lapse(world: World, *near: Someone, within_s: float = 12) -> None:
    """Let an offer lapse while these drivers report where they are."""
    world.pass_time(290)
    for who in near:
        be_at(world, who, DEPOT if who.id == "5" else FAR)
    world.pass_time(within_s)
