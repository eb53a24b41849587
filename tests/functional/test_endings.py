"""Somebody can always end it: an admin whatever it is, its deadline what nobody collects. Whoever
has a part in it hears of it in the words of their contract, and its courier is free at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.messaging.wakeups import SearchDue
from chalicelib.domain.orders.model import Status
from chalicelib.store.tables import CourierRow, OrderRow
from tests.builders import DEPOT
from tests.functional.conftest import MakeWorld
from tests.functional.kitchen import Kitchen, Packets, Plain, a_driver, names
from tests.functional.world import Answer, Someone, World

TTL_S = 7200


@pytest.fixture
def kitchen(world: World) -> Kitchen:
    return Kitchen(world)


def cancel(world: World, order_id: Any, by: Someone | None = None) -> Answer:
    return world.post(f"/v1/orders/{order_id}/cancel", {"reason": "lost"}, by or world.admin())


def assign(world: World, order_id: int, courier_id: str) -> Answer:
    body = {"courier_id": courier_id}
    return world.post(f"/v1/admin/orders/{order_id}/assign", body, world.admin())


def busy_with(courier_id: str) -> int | None:
    found = CourierRow.get(courier_id).attribute_values.get("order_id")
    return None if found is None else int(found)


def test_a_delivery_whose_courier_is_lost_is_ended_by_an_admin_alone(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    order_id = world.place(cara)["id"]
    for verb in ("accept", "arrived", "picked"):
        world.step(verb, order_id, dan)
    refused = cancel(world, order_id, cara)
    assert (refused.status, refused.body["error"]) == (409, "invalid_transition")
    assert "cancelled" not in refused.body["details"]["allowed"]
    assert cancel(world, order_id, dan).status == 404
    answer = cancel(world, order_id)
    assert (answer.status, answer.body["status"]) == (200, "cancelled")
    assert cancel(world, order_id).status == 200
    assert busy_with("dan") is None
    assert world.get("/v1/customer/active-order", cara).body == {"active": False}
    assert world.get("/v1/courier/active-order", dan).body == {"active": False}
    assert world.step("delivered", order_id, dan).status == 409
    assert world.place(cara)["courier_id"] == "dan"


def test_a_hail_under_way_is_ended_and_its_driver_hears_of_it(world: World) -> None:
    """Spec 004 has one word for it."""
    driver = world.courier("7")
    socket = world.connect(driver, "drivers")
    body = {
        "address_from": "a",
        "address_to": "b",
        "latitude_from": DEPOT[0],
        "longitude_from": DEPOT[1],
    }
    order_id = world.post("/v1/driver-orders", body, world.customer()).body["id"]
    for verb in ("accept", "arrived", "picked"):
        assert world.step(verb, str(order_id), driver).status == 200
    socket.take()
    assert cancel(world, order_id).body["status"] == "cancelled"
    (frame,) = socket.take()
    assert (frame["type"], frame["order_id"]) == ("order_timeout", order_id)
    assert busy_with("7") is None


STATES = {
    "pending": (),
    "confirmed": ("confirmed",),
    "preparing": ("confirmed", "preparing"),
    "ready_for_pickup": ("confirmed", "preparing", "ready_for_pickup"),
}


@pytest.mark.parametrize("steps", STATES.values(), ids=STATES)
def test_a_meal_is_ended_by_an_admin_in_each_state_of_the_kitchen(
    kitchen: Kitchen, steps: tuple[str, ...]
) -> None:
    world = kitchen.world
    user, owner = Packets(world, kitchen.customer), Packets(world, kitchen.owner)
    (driver,) = kitchen.drivers("456")
    order_id = kitchen.place()
    kitchen.update(order_id, *steps)
    for party in (user, owner, driver):
        party.take()
    assert cancel(world, order_id, kitchen.customer).status == (409 if steps else 200)
    assert cancel(world, order_id).body["status"] == "cancelled"
    for party in (user, owner):
        ((name, data),) = party.heard()
        assert (name, data["order"]["status"]) == ("order-updated", "cancelled")
    was_open = steps == STATES["ready_for_pickup"]
    assert names(driver.heard()) == (["order-taken"] if was_open else [])
    assert driver.emit("get-available-orders") == [("available-orders", {"orders": []})]


def test_a_meal_on_its_way_is_ended_and_its_driver_is_free(kitchen: Kitchen) -> None:
    world, order_id = kitchen.world, kitchen.ready()
    (driver,) = kitchen.drivers("456")
    user, owner = Packets(world, kitchen.customer), Packets(world, kitchen.owner)
    driver.emit("accept-order", {"orderId": order_id})
    for party in (user, owner, driver):
        party.take()
    assert cancel(world, order_id).body["status"] == "cancelled"
    for party in (user, owner, driver):
        ((name, data),) = party.heard()
        assert (name, data["order"]["status"]) == ("order-updated", "cancelled")
    assert busy_with("456") is None
    late = driver.emit("update-order-status", {"orderId": order_id, "status": "delivered"})
    assert names(late) == ["error"]


def test_a_meal_of_a_lost_driver_is_given_to_another(kitchen: Kitchen) -> None:
    world, order_id = kitchen.world, kitchen.ready()
    lost, other = kitchen.drivers("456", "457")
    lost.emit("accept-order", {"orderId": order_id})
    world.step("reached", str(order_id), world.someone(a_driver(world).role, "456"))
    world.clock.advance(TTL_S)
    for driver in (lost, other):
        driver.take()
    answer = assign(world, order_id, "457")
    assert (answer.body["status"], answer.body["driverId"]) == ("ready_for_pickup", 457)
    assert names(lost.heard()) == ["order-taken"]
    assert names(other.heard()) == ["order-assigned"]
    assert (busy_with("456"), busy_with("457")) == (None, order_id)
    late = lost.emit("update-order-status", {"orderId": order_id, "status": "delivered"})
    assert names(late) == ["error"]
    for status in ("out_for_delivery", "delivered"):
        heard = other.emit("update-order-status", {"orderId": order_id, "status": status})
        assert names(heard) == ["order-updated"]
    assert world.order(order_id).status is Status.DONE


def waits(world: World) -> list[SearchDue]:
    """The wakeups of waits that are in the queue."""
    return [m.wakeup for m in world.queue.waiting if isinstance(m.wakeup, SearchDue)]


@pytest.mark.parametrize("by", ["its wakeup", "the sweep"])
def test_a_meal_that_nobody_collects_ends_by_itself(kitchen: Kitchen, by: str) -> None:
    world = kitchen.world
    parties = Plain(world, kitchen.customer), Plain(world, kitchen.owner)
    order_id, driver = kitchen.ready(), Plain(world, a_driver(world))
    if by == "the sweep":
        world.queue.waiting.clear()
    world.pass_time(TTL_S - 1)
    world.sweep()
    assert world.order(order_id).status is Status.READY
    for party in parties:
        party.heard()
    world.pass_time(1)
    if by == "the sweep":
        world.sweep()
    assert world.order(order_id).status is Status.UNSERVED
    for party in parties:
        ((name, data),) = party.heard()
        assert (name, data["order"]["status"]) == ("order-updated", "cancelled")
    assert names(driver.heard()) == ["order-taken"]
    world.pass_time(60)
    assert waits(world) == []
    left = OrderRow.get(order_id).serialize().keys()
    assert not left & {"deadline_at", "open_pool", "active_merchant", "active_customer"}


def test_a_meal_that_its_driver_never_collects_ends_and_frees_them(make_world: MakeWorld) -> None:
    """They have as long as anybody had, from when it was assigned."""
    kitchen = Kitchen(make_world(settings={"food_ready_ttl": timedelta(seconds=600)}))
    world, order_id = kitchen.world, kitchen.ready()
    driver = Plain(world, a_driver(world))
    world.pass_time(540)
    assert assign(world, order_id, "456").status == 200
    world.pass_time(120)
    assert world.order(order_id).status is Status.READY
    world.pass_time(600)
    assert world.order(order_id).status is Status.UNSERVED
    assert busy_with("456") is None
    assert names(driver.heard()) == ["order-assigned", "order-updated"]


def test_the_wakeup_of_a_wait_ends_with_it(kitchen: Kitchen) -> None:
    """It is sent on every 15 min, but not once somebody has come."""
    world, order_id = kitchen.world, kitchen.ready()
    (driver,) = kitchen.drivers("456")
    (wait,) = waits(world)
    assert wait == SearchDue(order_id, world.clock.now + timedelta(seconds=TTL_S))
    driver.emit("accept-order", {"orderId": order_id})
    world.pass_time(901)
    assert waits(world) == []


def test_how_long_it_waits_is_a_setting(make_world: MakeWorld) -> None:
    kitchen = Kitchen(make_world(settings={"food_ready_ttl": timedelta(seconds=60)}))
    order_id = kitchen.ready()
    kitchen.world.pass_time(61)
    assert kitchen.world.order(order_id).status is Status.UNSERVED
