"""Placing an order, and whom it is offered to (S0-07, S0-16, S0-17, S0-34, S0-42)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Role
from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import CourierRow
from tests.builders import DEPOT, north_of
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.world import World

AT_DEPOT = {"pickup_lat": DEPOT[0], "pickup_lng": DEPOT[1]}


def test_a_new_order_is_assigned_when_a_courier_is_found(world: World) -> None:
    """S0-16, S0-17"""
    dan, cara = world.courier(), world.customer()
    hers, his = world.connect(cara), world.connect(dan)
    order = world.place(cara, customer_id="mallory", status="delivered", notes=" ring twice ")
    assert (order["status"], order["customer_id"], order["courier_id"]) == (
        "assigned",
        "cara",
        "dan",
    )
    assert order["notes"] == "ring twice"
    assert isinstance(order["id"], str)
    (told,) = his.take()
    assert told["event"] == "order.assigned"
    assert told["data"]["order_id"] == order["id"]
    (status,) = hers.take()
    assert (status["event"], status["data"]["status"]) == ("order.status", "assigned")
    assert status["data"]["pickup_address"] == "1 Depot Road"


def test_a_new_order_without_a_courier_says_so_at_once(world: World) -> None:
    """S0-16, S0-17"""
    cara = world.customer()
    hers = world.connect(cara)
    order = world.place(cara)
    assert order["status"] == "no_nearby_driver"
    assert "courier_id" not in order
    data = {"order_id": order["id"], "status": "no_nearby_driver"}
    assert hers.take() == [{"event": "order.status", "data": data}]


@pytest.mark.parametrize("role", [Role.COURIER, Role.MERCHANT, Role.ADMIN])
def test_only_customers_place_orders(world: World, role: Role) -> None:
    """S0-16"""
    assert world.post("/v1/orders", {}, world.someone(role, "x")).status == 403
    assert world.post("/v1/orders", {}).status == 401


def test_the_nearest_of_the_connected_is_asked_then_the_next(world: World) -> None:
    """S0-42, ambiguity j"""
    couriers = {
        "far": world.courier("far", north_of(DEPOT, 3000)),
        "near": world.courier("near", north_of(DEPOT, 1000)),
        "offline": world.courier("offline", north_of(DEPOT, 10)),
        "beyond": world.courier("beyond", north_of(DEPOT, 5100)),
    }
    for id_ in ("far", "near", "beyond"):
        world.connect(couriers[id_])
    order = world.place(world.customer())
    asked = [order["courier_id"]]
    for _ in range(3):
        answer = world.step("decline", order["id"], couriers[asked[-1]])
        asked.append(answer.body.get("courier_id", "nobody"))
        if asked[-1] == "nobody":
            break
    assert asked == ["near", "far", "offline", "nobody"]


def test_without_coordinates_whoever_has_waited_longest_is_asked(world: World) -> None:
    """Ambiguity i"""
    for id_, place in (("first", None), ("second", DEPOT)):
        world.courier(id_, place)
        world.clock.advance(1)
    order = world.place(world.customer(), pickup_lat=None, pickup_lng=None)
    assert order["courier_id"] == "first"


def test_a_courier_far_from_everything_is_asked_where_distance_is_unknown(world: World) -> None:
    """Ambiguity i: any available courier"""
    world.courier("far", (-DEPOT[0], -DEPOT[1]))
    order = world.place(world.customer(), pickup_lat=None, pickup_lng=None)
    assert order["courier_id"] == "far"


def test_the_radius_is_a_setting(make_world: Any) -> None:
    world = make_world(settings={"dispatch_radius_m": 500.0})
    world.courier("far", north_of(DEPOT, 600))
    assert world.place(world.customer())["status"] == "no_nearby_driver"
    world.courier("near", north_of(DEPOT, 400))
    assert world.place(world.customer())["courier_id"] == "near"


def test_a_position_too_old_counts_as_none(world: World) -> None:
    world.courier()
    world.clock.advance(121)
    assert world.place(world.customer())["status"] == "no_nearby_driver"


def test_a_courier_who_has_an_order_is_not_asked(world: World) -> None:
    """S0-41"""
    world.courier()
    first, second = world.place(world.customer("cara")), world.place(world.customer("bob"))
    assert (first["courier_id"], second["status"]) == ("dan", "no_nearby_driver")


def test_orders_across_the_date_line_find_their_courier(world: World) -> None:
    world.courier("east", (-16.8, 179.999))
    order = world.place(world.customer(), pickup_lat=-16.8, pickup_lng=-179.999)
    assert order["courier_id"] == "east"


def test_an_unserved_order_can_be_tried_again_by_its_owner(world: World) -> None:
    """Ambiguity l"""
    cara = world.customer()
    hers = world.connect(cara)
    order = world.place(cara)
    dan = world.courier()
    path = f"/v1/orders/{order['id']}/retry"
    assert world.post(path, by=world.customer("bob")).status == 404
    assert world.post(path, by=dan).status == 404
    again = world.post(path, by=cara)
    assert (again.status, again.body["status"], again.body["courier_id"]) == (
        200,
        "assigned",
        "dan",
    )
    assert world.post(path, by=cara).status == 409
    assert [frame["data"]["status"] for frame in hers.take()] == ["no_nearby_driver", "assigned"]


def test_an_order_can_be_cancelled_before_pickup(world: World) -> None:
    """Gap: cancel; ambiguity n: a cancelled order is not active. The courier is free again."""
    cara, dan = world.customer(), world.courier()
    order = world.place(cara)
    path = f"/v1/orders/{order['id']}/cancel"
    assert world.post(path, by=world.customer("bob")).status == 404
    assert world.post(path, {"reason": "x" * 501}, cara).status == 400
    assert world.post(path, {"reason": "late"}, cara).body["status"] == "cancelled"
    assert world.post(path, by=cara).status == 200
    assert world.get("/v1/customer/active-order", cara).body == {"active": False}
    assert world.step("accept", order["id"], dan).status == 409
    assert CourierRow.get("dan").order_id is None
    assert world.place(cara)["courier_id"] == "dan"


def test_an_order_under_way_can_not_be_cancelled(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    order = world.place(cara)
    for verb in ("accept", "arrived", "picked"):
        world.step(verb, order["id"], dan)
    answer = world.post(f"/v1/orders/{order['id']}/cancel", by=cara)
    assert (answer.status, answer.body["error"]) == (409, "invalid_transition")


def test_an_order_is_read_by_those_who_have_a_part_in_it(world: World) -> None:
    """Ambiguity n: for an outsider there is none"""
    cara, dan, ada = world.customer(), world.courier(), world.admin()
    order = world.place(cara)
    for who, status in ((cara, 200), (dan, 200), (ada, 200), (world.customer("bob"), 404)):
        assert world.get(f"/v1/orders/{order['id']}", who).status == status
    assert world.get(f"/v1/orders/{order['id']}", cara).body == order
    for unknown in ("1", "0", "-1", "x", "9" * 30):
        assert world.get(f"/v1/orders/{unknown}", ada).status == 404


def test_when_the_queue_is_down_nothing_is_written(world: World) -> None:
    world.courier()
    world.queue.down = True
    cara = world.customer()
    body = {"pickup_address": "a", "dropoff_address": "b", "receiver_phone": "1", **AT_DEPOT}
    answer = world.post("/v1/orders", body, cara)
    assert (answer.status, answer.body["error"]) == (503, "unavailable")
    assert world.get("/v1/customer/active-order", cara).body == {"active": False}
    assert CourierRow.get("dan").order_id is None
    assert world.connect(cara).status == 503


class Lagging(OrderTable):
    """An orders table whose indexes do not show yet what was written: AWS promises no more."""

    def find_newest_active(self, customer_id: str) -> Order | None:
        return None


def test_an_order_just_placed_is_active_though_no_index_shows_it(
    make_world: MakeWorld, dynamo: Engine
) -> None:
    """S0-25: of two, the newer; and only one's own."""
    world = make_world(orders=Lagging(dynamo.connection))
    cara = world.customer("cara")
    for courier in ("dan", "eve"):
        world.courier(courier)
    assert world.get("/v1/customer/active-order", cara).body == {"active": False}
    for _ in range(2):
        world.clock.advance(1)
        order_id = world.place(cara)["id"]
        assert world.get("/v1/customer/active-order", cara).body["order"]["id"] == order_id
    assert world.post(f"/v1/orders/{order_id}/cancel", {}, cara).status == 200
    assert world.get("/v1/customer/active-order", cara).body == {"active": False}
    assert world.get("/v1/customer/active-order", world.customer("dan")).body == {"active": False}
