"""Orders that are to be picked up by a time: up to three searches, and an end in time."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from chalicelib.domain.orders.model import Status
from tests.functional import rides
from tests.functional.conftest import MakeWorld
from tests.functional.hails import driver, hail
from tests.functional.schedules import (
    later,
    place,
    plan_of,
    run_sweeps,
    stored,
)
from tests.functional.world import World


def test_a_delivery_is_searched_three_times_then_its_customer_hears_in_time(world: World) -> None:
    cara = world.customer()
    hers = world.connect(cara)
    pickup_by = world.clock.now + timedelta(minutes=90)
    order = place(world, cara, pickup_by=pickup_by.isoformat())
    searched: list[datetime] = []
    version = 1
    while due := stored(order).deadline_at:
        run_sweeps(world, order, due)
        if stored(order).version > version:
            version = stored(order).version
            searched.append(stored(order).updated_at)
        assert world.clock.now < pickup_by
    begin = stored(order).timeline["activated"]
    assert len(searched) == 3
    assert searched[0] == begin
    assert (
        timedelta(0) <= searched[1] - (begin + (searched[2] - begin) / 2) <= timedelta(seconds=30)
    )
    told_before = pickup_by - searched[2]
    assert timedelta(minutes=10) <= told_before <= timedelta(minutes=12)
    assert [frame["data"]["status"] for frame in hers.take()] == ["no_nearby_driver"]


@pytest.mark.parametrize("nth", [1, 2])
def test_a_later_search_finds_a_courier(world: World, nth: int) -> None:
    order = place(world, pickup_by=later(world, 90))
    run_sweeps(world, order, world.clock.now + timedelta(minutes=41))
    assert stored(order).status is Status.SEARCHING
    run_sweeps(world, order, plan_of(order).starts[nth - 1] - timedelta(seconds=1))
    dan = world.courier()
    socket = world.connect(dan)
    run_sweeps(world, order, world.clock.now + timedelta(seconds=16), [dan])
    assert [frame["event"] for frame in socket.take()] == ["order.assigned"]
    assert world.step("accept", order["id"], dan).status == 200
    assert stored(order).plan is None
    for verb in ("arrived", "picked", "delivered"):
        assert world.step(verb, order["id"], dan).status == 200


def test_who_let_the_first_search_pass_is_asked_again_in_the_next(world: World) -> None:
    dan = world.courier()
    socket = world.connect(dan)
    order = place(world, pickup_by=later(world, 90))
    until = world.clock.now + timedelta(minutes=85)
    run_sweeps(world, order, until, [dan])
    asked = [frame["event"] for frame in socket.take()]
    assert asked.count("order.assigned") == 3
    assert stored(order).status is Status.UNSERVED
    assert stored(order).updated_at <= world.clock.now - timedelta(minutes=5)


def test_offers_end_with_the_last_search(world: World) -> None:
    """Any number of couriers may let it pass: the customer hears in time all the same."""
    pickup_by = world.clock.now + timedelta(minutes=90)
    order = place(world, pickup_by=pickup_by.isoformat())
    crowd = [world.courier(f"dan-{n}") for n in range(6)]
    run_sweeps(world, order, pickup_by - timedelta(minutes=10), crowd)
    assert stored(order).status is Status.UNSERVED
    assert pickup_by - stored(order).updated_at >= timedelta(minutes=10)


def test_an_unserved_order_is_tried_again_as_any_other(world: World) -> None:
    cara = world.customer()
    order = place(world, cara, pickup_by=later(world, 90))
    run_sweeps(world, order, world.clock.now + timedelta(minutes=80))
    dan = world.courier()
    retried = world.post(f"/v1/orders/{order['id']}/retry", by=cara)
    assert (retried.status, retried.body["status"]) == (200, "assigned")
    world.step("decline", order["id"], dan)
    assert stored(order).status is Status.UNSERVED


def test_a_hail_waits_between_its_searches(make_world: MakeWorld) -> None:
    world = make_world(settings={"hail_search_ttl": timedelta(minutes=5)})
    order = hail(world, pickup_from=later(world, 60), pickup_by=later(world, 180))
    run_sweeps(
        world, order, world.clock.now + timedelta(minutes=70)
    )  # its search of 30 min just ended
    first, last = plan_of(order).starts
    assert stored(order).next_search_at == first
    run_sweeps(world, order, first - timedelta(seconds=10))
    _, socket = driver(world, "dan")
    assert socket.take() == []
    run_sweeps(world, order, first + timedelta(seconds=15))
    assert [frame["type"] for frame in socket.take()] == ["new_order"]
    assert plan_of(order).starts == (last,)


def test_a_ride_is_called_out_again_in_each_search(world: World) -> None:
    rider, dora = rides.a_rider(world), rides.a_driver(world)
    begin = world.clock.now
    answer = rider.did(
        "request_ride", **rides.WISH, pickup_from=later(world, 60), pickup_by=later(world, 120)
    )
    order = {"id": answer["ride_id"]}
    run_sweeps(world, order, begin + timedelta(minutes=112), [dora.person])
    # The first search says it twice, as ever: a post may be lost, and the next look confirms it.
    assert len(dora.heard("new_ride_request")) == 2 + 1 + 1
    assert dora.heard("ride_request_closed") == [
        {"ride_id": answer["ride_id"], "reason": "expired"}
    ]
    assert rider.statuses() == ["canceled"]
    assert stored(order).updated_at <= begin + timedelta(minutes=110)


def test_a_ride_can_be_taken_between_its_searches(world: World) -> None:
    rider, dora = rides.a_rider(world), rides.a_driver(world)
    answer = rider.did(
        "request_ride", **rides.WISH, pickup_from=later(world, 20), pickup_by=later(world, 120)
    )
    order = {"id": answer["ride_id"]}
    run_sweeps(world, order, world.clock.now + timedelta(minutes=10))
    assert stored(order).status is Status.SEARCHING
    assert dora.did("accept_ride", ride_id=answer["ride_id"])


@pytest.mark.parametrize("minutes", [10, 11, 12, 15])
def test_an_order_for_very_soon_is_searched_once_at_least(world: World, minutes: int) -> None:
    world.courier()
    order = place(world, minutes=0, pickup_by=later(world, minutes))
    assert order["status"] == "assigned"


def test_an_order_whose_time_was_slept_through_is_unserved(world: World) -> None:
    """An outage of hours: nobody is sent for what should have been picked up long ago."""
    world.courier()
    order = place(world, pickup_by=later(world, 90))
    world.clock.advance(timedelta(hours=3).total_seconds())
    world.courier()
    world.sweep()
    assert stored(order).status is Status.UNSERVED
