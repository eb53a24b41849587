"""A courier hands an accepted order back before its pickup: it is searched for anew without them,
a few times, and in one write with the courier's release."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from chalicelib.domain.orders import commands
from chalicelib.domain.orders.model import Status
from chalicelib.domain.orders.reasons import ALLOWED_REASONS, Reason
from chalicelib.domain.people import Role
from chalicelib.errors import Conflict, Unavailable
from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import CourierRow
from tests.builders import DEPOT, north_of
from tests.faults import Crash, CrashingProxy
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.hails import hail
from tests.functional.kitchen import Kitchen, Packets, names
from tests.functional.rides import a_driver, a_ride, a_rider
from tests.functional.test_races import at_once, failures
from tests.functional.world import Answer, Someone, World


def release(world: World, order_id: Any, by: Someone, **changes: Any) -> Answer:
    body = {"order_id": str(order_id), "reason": "vehicle", **changes}
    given = {name: value for name, value in body.items() if value is not None}
    return world.post("/v1/courier/orders/release", given, by)


def busy_with(courier_id: str) -> int | None:
    found = CourierRow.get(courier_id).attribute_values.get("order_id")
    return None if found is None else int(found)


def fleet(world: World, number: int) -> dict[str, Someone]:
    """So many couriers, the nearest first."""
    ids = [f"d{n}" for n in range(number)]
    return {id_: world.courier(id_, north_of(DEPOT, 100 * n)) for n, id_ in enumerate(ids)}


@pytest.mark.parametrize("until", [("accept",), ("accept", "arrived")])
def test_a_released_order_goes_to_the_next_and_its_customer_hears_it_as_declined(
    world: World, until: tuple[str, ...]
) -> None:
    cara, couriers = world.customer(), fleet(world, 2)
    hers, _, other = (world.connect(one) for one in (cara, *couriers.values()))
    order_id = world.place(cara)["id"]
    for verb in until:
        world.step(verb, order_id, couriers["d0"])
    hers.take()
    answer = release(world, order_id, couriers["d0"], note="a flat tyre")
    assert (answer.status, answer.body["status"]) == (200, "assigned")
    shown = {name: answer.body[name] for name in ("state", "reason", "note", "courier_id")}
    assert shown == {
        "state": "offered",
        "reason": "vehicle",
        "note": "a flat tyre",
        "courier_id": "d1",
    }
    assert [frame["data"]["status"] for frame in hers.take()] == ["declined", "assigned"]
    assert [frame["event"] for frame in other.take()] == ["order.assigned"]
    assert (busy_with("d0"), busy_with("d1")) == (None, int(order_id))
    assert "accepted" not in world.order(order_id).timeline
    for verb in ("accept", "arrived", "picked", "delivered"):
        assert world.step(verb, order_id, couriers["d1"]).status == 200
    assert "reason" not in world.get(f"/v1/orders/{order_id}", cara).body


def test_three_releases_search_again_and_a_fourth_makes_it_unserved(world: World) -> None:
    cara, couriers = world.customer(), fleet(world, 6)
    hers = world.connect(cara)
    order_id = world.place(cara)["id"]
    for n in range(4):
        assert world.order(order_id).courier_id == f"d{n}"
        world.step("accept", order_id, couriers[f"d{n}"])
        hers.take()
        answer = release(world, order_id, couriers[f"d{n}"])
        said = [frame["data"]["status"] for frame in hers.take()]
        if n < 3:
            assert (answer.body["state"], said) == ("offered", ["declined", "assigned"])
    assert (answer.body["state"], answer.body["reason"]) == ("unserved", "vehicle")
    assert said == ["declined", "no_nearby_driver"]
    assert [busy_with(id_) for id_ in couriers] == [None] * 6
    # Its customer may have it searched for anew, by anybody.
    retried = world.post(f"/v1/orders/{order_id}/retry", {}, cara)
    assert (retried.body["state"], retried.body["courier_id"]) == ("offered", "d0")


@pytest.mark.parametrize("most", [0, 1])
def test_how_often_is_a_setting(make_world: MakeWorld, most: int) -> None:
    world = make_world(settings={"releases_max": most})
    cara, couriers = world.customer(), fleet(world, 3)
    order_id = world.place(cara)["id"]
    for n in range(most + 1):
        world.step("accept", order_id, couriers[f"d{n}"])
        last = release(world, order_id, couriers[f"d{n}"])
    assert last.body["state"] == "unserved"


def test_without_anybody_else_a_released_order_is_unserved_at_once(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    order_id = world.place(cara)["id"]
    world.step("accept", order_id, dan)
    assert release(world, order_id, dan).body["state"] == "unserved"
    assert busy_with("dan") is None
    assert world.place(cara)["courier_id"] == "dan"  # another order may well be theirs


def test_only_an_order_before_pickup_is_released_and_only_by_its_courier(world: World) -> None:
    cara, couriers = world.customer(), fleet(world, 2)
    dan, eve = couriers["d0"], couriers["d1"]
    order_id = world.place(cara)["id"]
    offered = release(world, order_id, dan)
    assert (offered.status, offered.body["error"]) == (409, "invalid_transition")
    assert offered.body["details"]["to"] == "released"
    world.step("accept", order_id, dan)
    assert release(world, order_id, eve).status == 403
    assert release(world, order_id, cara).status == 403
    assert release(world, "123", dan).status == 404
    for verb in ("arrived", "picked"):
        world.step(verb, order_id, dan)
    assert release(world, order_id, dan).status == 409
    world.step("delivered", order_id, dan)
    assert release(world, order_id, dan).status == 409
    assert world.order(order_id).releases == 0


@pytest.mark.parametrize(
    "reason", [None, "", "Vehicle", "changed_mind", 5, True, [], {}, "x" * 900]
)
def test_a_release_without_a_known_reason_is_refused_with_those_that_are(
    world: World, reason: Any
) -> None:
    dan = world.courier()
    order_id = world.place(world.customer())["id"]
    world.step("accept", order_id, dan)
    answer = release(world, order_id, dan, reason=reason)
    assert (answer.status, answer.body["error"]) == (400, "invalid_input")
    assert answer.body["details"]["allowed"] == list(ALLOWED_REASONS[Role.COURIER])
    assert world.order(order_id).version == 2


@pytest.mark.parametrize("note", [5, [], "x" * 201, "a\x00b"])
def test_a_note_is_a_text_of_two_hundred_characters(world: World, note: Any) -> None:
    dan = world.courier()
    order_id = world.place(world.customer())["id"]
    world.step("accept", order_id, dan)
    answer = release(world, order_id, dan, note=note)
    assert (answer.status, answer.body["details"]["field"]) == (400, "note")
    assert release(world, order_id, dan, note="x" * 200).status == 200


def test_a_released_hail_waits_for_another_driver_and_is_never_its_first_one_s_again(
    world: World,
) -> None:
    """It asks again whom it asked before, but nobody who gave it back."""
    dan = world.courier("7")
    order_id = hail(world)["id"]
    world.step("accept", str(order_id), dan)
    assert release(world, order_id, dan).body["state"] == "searching"
    for _ in range(6):
        world.pass_time(10)
        world.post("/v1/courier/location", {"lat": DEPOT[0], "lng": DEPOT[1]}, dan)
        assert world.order(order_id).courier_id is None
    world.courier("8")
    world.pass_time(11)
    assert world.order(order_id).courier_id == "8"


def test_a_released_meal_is_in_the_pool_again_for_all_but_its_driver(world: World) -> None:
    kitchen = Kitchen(world)
    order_id = kitchen.ready()
    first, second = kitchen.drivers("456", "457")
    user, owner = Packets(world, kitchen.customer), Packets(world, kitchen.owner)
    first.emit("accept-order", {"orderId": order_id})
    for client in (first, second, user, owner):
        client.take()
    dan, eve = (world.someone(Role.COURIER, id_) for id_ in ("456", "457"))
    answer = release(world, order_id, dan)
    assert (answer.status, answer.body["state"]) == (200, "ready")
    ((name, data),) = user.heard()
    assert (name, data["order"]["status"], data["order"]["driverId"]) == (
        "order-updated",
        "ready_for_pickup",
        None,
    )
    assert names(owner.heard()) == ["order-updated"]
    assert names(second.heard()) == ["new-available-order"]
    assert first.heard() == []
    assert first.emit("get-available-orders") == [("available-orders", {"orders": []})]
    ((_, listed),) = second.emit("get-available-orders")
    assert [order["id"] for order in listed["orders"]] == [order_id]
    refused = first.emit("accept-order", {"orderId": order_id})
    assert refused == [("error", {"message": "Order is no longer available."})]
    assert busy_with("456") is None
    assert names(second.emit("accept-order", {"orderId": order_id})) == [
        "order-accepted",
        "order-updated",
    ]
    world.step("reached", str(order_id), eve)
    late = release(world, order_id, eve)
    assert (late.status, late.body["error"]) == (409, "invalid_transition")
    assert world.step("delivered", str(order_id), eve).status == 200


def test_a_meal_that_nobody_takes_after_a_release_ends_as_any_other(world: World) -> None:
    kitchen = Kitchen(world)
    order_id = kitchen.ready()
    (driver,) = kitchen.drivers("456")
    driver.emit("accept-order", {"orderId": order_id})
    release(world, order_id, world.someone(Role.COURIER, "456"))
    world.pass_time(7205)
    assert world.order(order_id).status is Status.UNSERVED


@pytest.mark.parametrize(
    ("reallocate", "state", "said"),
    [(True, "searching", "findingDriver"), (False, "cancelled", "canceled")],
)
def test_a_ride_is_released_as_its_driver_cancels_it(
    make_world: MakeWorld, reallocate: bool, state: str, said: str
) -> None:
    world = make_world(settings={"reallocate_on_driver_cancel": reallocate})
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    answer = release(world, ride_id, driver.person)
    assert (answer.status, answer.body["state"]) == (200, state)
    assert rider.statuses()[-1] == said
    assert busy_with(driver.id) is None
    assert world.get(f"/v1/rides/{ride_id}", rider.person).body["reason"] == "vehicle"


def test_a_ride_under_way_is_not_released(world: World) -> None:
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver, "started")
    answer = release(world, ride_id, driver.person)
    assert (answer.status, answer.body["error"]) == (409, "invalid_transition")
    assert world.order(ride_id).status is Status.IN_TRANSIT
    assert release(world, ride_id, world.courier("eve")).status == 404


def test_between_a_release_and_a_pickup_one_wins(engine_world: World) -> None:
    world = engine_world
    step = world.waybill.courier_orders.take_step
    for n in range(3):
        there = (DEPOT[0] + n, DEPOT[1])
        dan, cara = world.courier(f"dan{n}", there), world.customer(f"cara{n}")
        order_id = int(world.place(cara, pickup_lat=there[0])["id"])
        for verb in ("accept", "arrived"):
            world.step(verb, str(order_id), dan)
        outcomes = at_once(
            [
                partial(step, dan.actor, order_id, commands.Release(Reason("vehicle"))),
                partial(step, dan.actor, order_id, commands.PickUp()),
            ]
        )
        (lost,) = failures(outcomes)
        assert isinstance(lost, Conflict)
        order = world.order(order_id)
        assert (order.status, order.releases) in ((Status.IN_TRANSIT, 0), (Status.UNSERVED, 1))
        assert busy_with(dan.id) == (order_id if order.status is Status.IN_TRANSIT else None)


def test_between_a_release_and_a_cancel_nothing_is_left_held(engine_world: World) -> None:
    world = engine_world
    for n in range(3):
        there = (DEPOT[0] + n, DEPOT[1])
        dan, cara = world.courier(f"dan{n}", there), world.customer(f"cara{n}")
        world.courier(f"eve{n}", north_of(there, 300))
        order_id = int(world.place(cara, pickup_lat=there[0])["id"])
        world.step("accept", str(order_id), dan)
        outcomes = at_once(
            [
                partial(
                    world.waybill.courier_orders.take_step,
                    dan.actor,
                    order_id,
                    commands.Release(Reason("vehicle")),
                ),
                partial(world.waybill.customer_orders.cancel_order, cara.actor, order_id, None),
            ]
        )
        assert not [one for one in failures(outcomes) if isinstance(one, Unavailable)]
        assert world.order(order_id).status is Status.CANCELLED
        assert busy_with(dan.id) is busy_with(f"eve{n}") is None


def test_of_many_releases_at_once_one_is_counted(engine_world: World) -> None:
    world = engine_world
    dan, eve = world.courier("dan"), world.courier("eve", north_of(DEPOT, 300))
    order_id = int(world.place(world.customer())["id"])
    world.step("accept", str(order_id), dan)
    command = commands.Release(Reason("vehicle"))
    step = partial(world.waybill.courier_orders.take_step, dan.actor, order_id, command)
    outcomes = at_once([step] * 8)
    assert len(failures(outcomes)) == 7
    assert all(isinstance(error, Conflict) for error in failures(outcomes))
    order = world.order(order_id)
    assert (order.releases, order.courier_id, order.status) == (1, "eve", Status.OFFERED)
    assert (busy_with("dan"), busy_with(eve.id)) == (None, order_id)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_the_commit_of_a_release_loses_nothing(
    make_engine_world: MakeWorld, engine: Engine, when: str
) -> None:
    orders = CrashingProxy(OrderTable(engine.connection))
    world = make_engine_world(orders=orders)
    cara, dan = world.customer(), world.courier("dan")
    world.courier("eve", north_of(DEPOT, 300))
    hers = world.connect(cara)
    order_id = world.place(cara)["id"]
    world.step("accept", order_id, dan)
    world.pass_time(6)
    hers.take()
    orders.crash_at(when, "commit_order")
    with pytest.raises(Crash):
        release(world, order_id, dan)
    world.pass_time(10)
    said = [frame["data"]["status"] for frame in hers.take()]
    if when == "before":
        assert (said, busy_with("dan")) == ([], int(order_id))
        assert release(world, order_id, dan).status == 200
        return
    assert said == ["declined", "assigned"]
    assert (busy_with("dan"), busy_with("eve")) == (None, int(order_id))
    world.pass_time(60)  # the new offer's own wakeup was sent before the crash, too
    assert world.order(order_id).status is Status.UNSERVED
