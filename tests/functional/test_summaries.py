"""Summaries, kept with the day's lists as orders end: once each, whoever dies."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.ops.summary import OrderSummary
from chalicelib.domain.orders.listing import name_home_list
from chalicelib.domain.orders.model import Status
from chalicelib.store.compression import unpack
from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import ListingRow
from tests.faults import Crash, CrashingProxy
from tests.functional.conftest import MakeWorld
from tests.functional.kitchen import Kitchen
from tests.functional.rides import a_driver, a_ride, a_rider
from tests.functional.schedules import place
from tests.functional.world import World

STEPS = ("accept", "arrived", "picked", "reached", "delivered")


def find_summary(world: World, order_id: int | str) -> OrderSummary | None:
    """What is kept of an order with its day's list."""
    row = ListingRow.get(name_home_list(world.order(order_id)), int(order_id))
    return unpack(row.doc, OrderSummary) if row.doc else None


def get_summary(world: World, order_id: int | str) -> OrderSummary:
    found = find_summary(world, order_id)
    assert found, order_id
    return found


def deliver(world: World, order_id: str, dan: Any) -> None:
    for verb in STEPS:
        world.pass_time(5)
        assert world.step(verb, order_id, dan).status == 200


def test_a_delivery_is_summarized_by_the_wakeup_of_its_end(world: World) -> None:
    dan, cara = world.courier(), world.customer()
    id_ = world.place(cara)["id"]
    deliver(world, id_, dan)
    assert find_summary(world, id_) is None
    world.pass_time(6)
    summary = get_summary(world, id_)
    assert (summary.flow, summary.end) == ("delivery", Status.DONE)
    assert (summary.offers, summary.accepted) == (1, 1)
    assert (summary.first_offer_ms, summary.assign_ms) == (0, 5000)
    assert (summary.pickup_wait_s, summary.door_wait_s) == (5, 5)


def test_what_comes_after_the_end_leaves_the_summary_alone(world: World) -> None:
    dan, cara = world.courier(), world.customer()
    id_ = world.place(cara)["id"]
    deliver(world, id_, dan)
    world.pass_time(6)
    row = ListingRow(name_home_list(world.order(id_)), int(id_))
    row.update(actions=[ListingRow.doc.remove()])
    tipped = world.post(f"/v1/orders/{id_}/tip", {"amount": 5}, cara)
    assert tipped.status in (200, 201), tipped
    world.pass_time(60)
    assert find_summary(world, id_) is None  # nobody wrote it again


def test_rides_and_meals_are_summarized_too(world: World) -> None:
    ride_id = a_ride(a_rider(world), a_driver(world), "completed")
    kitchen = Kitchen(world)
    meal_id = kitchen.ready()
    courier = kitchen.drivers("456")[0]
    world.pass_time(30)
    courier.emit("accept-order", {"orderId": meal_id})
    world.pass_time(6)
    ride = get_summary(world, ride_id)
    assert (ride.flow, ride.end, ride.offers, ride.accepted) == ("ride", Status.DONE, 1, 1)
    world.post(f"/v1/orders/{meal_id}/cancel", {"reason": "fraud"}, world.admin())
    world.pass_time(6)
    meal = get_summary(world, meal_id)
    assert (meal.flow, meal.end, meal.offers, meal.accepted) == ("food", Status.CANCELLED, 1, 1)
    assert (meal.assign_ms, meal.reason, meal.merchant_id) == (30_000, "fraud", "789")


def test_an_order_that_is_searched_for_again_has_no_summary_until_its_next_end(
    world: World,
) -> None:
    cara = world.customer()
    id_ = world.place(cara)["id"]
    world.pass_time(6)
    assert get_summary(world, id_).end is Status.UNSERVED
    assert int(id_) in world.waybill.board.read(world.clock.now).orders
    world.pass_time(25 * 3600)
    assert int(id_) not in world.waybill.board.read(world.clock.now).orders
    dan = world.courier()
    assert world.post(f"/v1/orders/{id_}/retry", {}, cara).status == 200
    assert find_summary(world, id_) is None
    world.pass_time(5)
    row = world.waybill.board.read(world.clock.now).orders[int(id_)]
    assert row.state is Status.OFFERED
    deliver(world, id_, dan)
    world.pass_time(6)
    assert get_summary(world, id_).end is Status.DONE
    assert int(id_) not in world.waybill.board.read(world.clock.now).orders


def test_a_scheduled_order_is_listed_on_the_day_it_becomes_active(world: World) -> None:
    cara = world.customer()
    id_ = place(world, cara, minutes=60 * 30)["id"]
    assert not world.waybill.board.read(world.clock.now).orders
    world.pass_time(60 * 60 * 29.7)
    world.courier()
    world.sweep()
    assert world.order(id_).status is Status.OFFERED
    world.pass_time(6)
    assert set(world.waybill.board.read(world.clock.now).orders) == {int(id_)}
    world.post(f"/v1/orders/{id_}/cancel", {}, cara)
    world.pass_time(6)
    started = get_summary(world, id_).started_ms / 1000
    assert world.clock.now.timestamp() - started < 30


def test_nobody_counts_what_was_called_off_before_anybody_knew(world: World) -> None:
    cara = world.customer()
    id_ = place(world, cara)["id"]
    world.post(f"/v1/orders/{id_}/cancel", {}, cara)
    world.pass_time(60)
    assert find_summary(world, id_) is None


def test_who_dies_after_the_commit_of_an_end_is_made_up_for(make_world: MakeWorld) -> None:
    orders = CrashingProxy(OrderTable(make_world().engine.connection))
    world = make_world(orders=orders)
    cara = world.customer()
    world.courier()
    id_ = world.place(cara)["id"]
    world.pass_time(6)
    orders.crash_at("after", "commit_order")
    with pytest.raises(Crash):
        world.post(f"/v1/orders/{id_}/cancel", {}, cara)
    world.pass_time(10)
    assert get_summary(world, id_).end is Status.CANCELLED
