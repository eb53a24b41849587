"""Couriers who are ranked by time: who is asked, and what their rows have of it."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.orders.acceptance import count_answers
from chalicelib.store.tables import CourierRow
from tests.builders import DEPOT, north_of
from tests.functional.conftest import MakeWorld
from tests.functional.test_waves import asked
from tests.functional.world import Someone, World

BY_TIME = {"ranks_by_time": True}
MOST = {"courier_max_orders": 2}
IN_WAVES = {"dispatch_waves": ((5000, 1, 15), (5000, 1, 15))}


def rider(world: World, id_: str, metres: float, vehicle_type: str | None = None) -> Someone:
    """A connected courier so far from the depot, with what they drive."""
    someone = world.courier(id_, north_of(DEPOT, metres))
    world.connect(someone)
    if vehicle_type:
        profile = {"name": id_, "phone": "+911234567890", "vehicle_type": vehicle_type}
        assert world.call("PUT", "/v1/me", profile, someone).status == 200
    return someone


def noted_of(courier_id: str) -> tuple[Any, Any]:
    row = CourierRow.get(courier_id)
    return row.asked_at, row.answers


def count_of(courier_id: str) -> tuple[int, int]:
    return count_answers(int(CourierRow.get(courier_id).answers or 1))


@pytest.mark.parametrize("more", [{}, MOST, IN_WAVES], ids=["one", "stacking", "waves"])
def test_a_motorbike_comes_before_a_nearer_bicycle(
    make_world: MakeWorld, more: dict[str, object]
) -> None:
    world = make_world(settings={**BY_TIME, **more})
    rider(world, "bo", 1500, "bicycle")
    motorist = rider(world, "mo", 2000, "motorbike")
    order_id = world.place(world.customer())["id"]
    assert asked(world, order_id) == ["mo"]
    assert noted_of("mo") == (pytest.approx(world.clock.now.timestamp() * 1000), None)
    for verb in ("accept", "arrived", "picked", "delivered"):
        assert world.step(verb, order_id, motorist).status == 200
    assert count_of("mo") == (1, 0)
    assert noted_of("bo") == (None, None)


def test_who_has_an_order_is_as_quick_as_what_they_drive(make_world: MakeWorld) -> None:
    """Both bring something on the same way: the one on the motorbike is there first."""
    world = make_world(settings={**BY_TIME, **MOST})
    riders = [rider(world, "bo", 1500, "bicycle"), rider(world, "mo", 2000, "motorbike")]
    lat, lng = north_of(DEPOT, -3000)
    way = {"dropoff_lat": lat, "dropoff_lng": lng}
    for n, who in enumerate(riders):
        order_id = world.place(world.customer(f"c{n}"), **way)["id"]
        body, path = {"courier_id": who.id}, f"/v1/admin/orders/{order_id}/assign"
        assert world.post(path, body, world.admin()).status == 200
        assert world.step("accept", order_id, who).status == 200
    assert asked(world, world.place(world.customer(), **way)["id"]) == ["mo"]


def test_who_never_takes_an_order_comes_later(make_engine_world: MakeWorld) -> None:
    world = make_engine_world(settings=BY_TIME)
    never, _ = rider(world, "nat", 1000), rider(world, "yve", 1600)
    for n in range(4):
        order_id = world.place(world.customer(f"cara{n}"))["id"]
        if asked(world, order_id) == ["yve"]:
            break
        assert world.step("decline", order_id, never).status == 200
        cancelled = world.post(f"/v1/orders/{order_id}/cancel", {}, world.customer(f"cara{n}"))
        assert cancelled.status == 200, cancelled
    assert asked(world, order_id) == ["yve"]
    assert count_of("nat")[0] == count_of("nat")[1] > 0
    assert count_of("yve") == (0, 0), "an order that was cancelled is no answer"


def test_by_distance_nothing_is_noted(make_world: MakeWorld) -> None:
    world = make_world()
    bo, _ = rider(world, "bo", 1500, "bicycle"), rider(world, "mo", 2000, "motorbike")
    order_id = world.place(world.customer())["id"]
    assert asked(world, order_id) == ["bo"]
    assert world.step("decline", order_id, bo).status == 200
    assert noted_of("bo") == (None, None)
