"""Contract food: an order's way, and who hears what of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.domain.messaging.connections import Connection, name_pool_room
from chalicelib.domain.orders.model import Status
from chalicelib.domain.people import Actor, Role
from chalicelib.store.connections import ConnectionTable
from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import OrderRow
from tests.functional.kitchen import (
    BREAD,
    ORDER,
    SOUP,
    Heard,
    Kitchen,
    Packets,
    Plain,
    a_driver,
    an_owner,
    as_in_frames,
    names,
    placed,
)
from tests.functional.world import World


@pytest.fixture
def kitchen(world: World) -> Kitchen:
    return Kitchen(world)


def test_an_order_reads_back_as_it_was_placed(kitchen: Kitchen) -> None:
    """S2-24: the bare Order, 201, totals in decimals."""
    order = placed(kitchen.world, kitchen.customer)
    assert order == {
        "id": order["id"],
        "status": "pending",
        "userId": 123,
        "restaurantId": 789,
        "driverId": None,
        "items": [SOUP, BREAD],
        "totalAmount": 9.1,
        "deliveryAddress": "2 Door Street",
        "createdAt": "2031-05-06T07:08:09.000Z",
        "updatedAt": "2031-05-06T07:08:09.000Z",
        "state": "pending",
    }
    assert isinstance(order["id"], int)
    for reader in (kitchen.customer, kitchen.owner, kitchen.world.admin()):
        assert kitchen.world.get(f"/v1/orders/{order['id']}", reader).body == order
    stranger = an_owner(kitchen.world, "788", id_="78")
    assert kitchen.world.get(f"/v1/orders/{order['id']}", stranger).status == 404


@pytest.mark.parametrize("role", [Role.COURIER, Role.MERCHANT, Role.ADMIN])
def test_only_users_place_orders(kitchen: Kitchen, role: Role) -> None:
    """S2-24."""
    world = kitchen.world
    assert world.post("/v1/restaurants/789/orders", ORDER, world.someone(role, "9")).status == 403
    assert world.post("/v1/restaurants/789/orders", ORDER).status == 401


def test_an_order_that_makes_no_sense_is_refused_and_not_written(kitchen: Kitchen) -> None:
    answer = kitchen.world.post(
        "/v1/restaurants/789/orders", {**ORDER, "items": []}, kitchen.customer
    )
    assert (answer.status, answer.body["error"]) == (400, "invalid_input")
    assert Packets(kitchen.world, kitchen.owner).emit("get-restaurant-orders") == [
        ("restaurant-orders", {"orders": []})
    ]


def test_a_restaurant_is_described_by_its_owner_and_is_the_pickup(kitchen: Kitchen) -> None:
    world, body = (
        kitchen.world,
        {
            "name": "Soupery",
            "address": "Kitchen Lane",
            "latitude": 12.9,
            "longitude": 77.5,
        },
    )
    path = "/v1/restaurants/789"
    assert world.get(path, kitchen.owner).status == 404
    answer = world.call("PUT", path, body, kitchen.owner)
    assert (answer.status, answer.body) == (200, {"id": 789, **body})
    assert world.get(path, world.admin()).body == answer.body
    assert world.call("PUT", path, {**body, "name": "Bisque"}, world.admin()).status == 200
    stranger = an_owner(world, "788", id_="78")
    for method in ("GET", "PUT"):
        assert world.call(method, path, body, stranger).status == 403
        assert world.call(method, path, body, kitchen.customer).status == 403
        assert world.call(method, path, body).status == 401
    assert world.call("PUT", path, {"name": "X"}, kitchen.owner).status == 400
    pickup = world.order(kitchen.place()).details.pickup
    assert (pickup.address, pickup.lat, pickup.lng) == ("Kitchen Lane", 12.9, 77.5)


def test_everybody_hears_of_every_step(kitchen: Kitchen) -> None:
    """S2-10 to S2-15, S2-18."""
    world = kitchen.world
    user, owner = Packets(world, kitchen.customer), Packets(world, kitchen.owner)
    driver, rival = kitchen.drivers("456", "457")
    order = as_in_frames(placed(world, kitchen.customer))
    assert user.heard() == [("order-created", {"order": order})]
    assert owner.heard() == [("new-order", {"order": order})]
    for status in ("confirmed", "preparing", "ready_for_pickup"):
        updated = [("order-updated", {"order": {**order, "status": status}})]
        asked = {"orderId": order["id"], "status": status}
        assert owner.emit("update-order-status", asked) == updated
        assert user.heard() == updated
    open_ = [("new-available-order", {"order": {**order, "status": "ready_for_pickup"}})]
    assert driver.heard() == rival.heard() == open_
    out = {"order": {**order, "status": "out_for_delivery", "driverId": 456}}
    assert driver.emit("accept-order", {"orderId": order["id"]}) == [
        ("order-accepted", out),
        ("order-updated", out),
    ]
    assert user.heard() == owner.heard() == [("order-updated", out)]
    assert rival.heard() == [("order-taken", {"orderId": order["id"]})]
    done = [("order-updated", {"order": {**out["order"], "status": "delivered"}})]
    asked = {"orderId": order["id"], "status": "delivered"}
    assert driver.emit("update-order-status", asked) == done
    assert user.heard() == owner.heard() == done
    assert rival.heard() == []


def test_the_same_in_plain(kitchen: Kitchen) -> None:
    """S2-04."""
    world = kitchen.world
    user, owner = Plain(world, kitchen.customer), Plain(world, kitchen.owner)
    driver, rival = Plain(world, a_driver(world)), Plain(world, a_driver(world, "457"))
    order_id = kitchen.place()
    assert names(owner.heard()) == ["new-order"]
    for status in ("confirmed", "preparing", "ready_for_pickup"):
        asked = {"orderId": order_id, "status": status}
        assert names(owner.emit("update-order-status", asked)) == ["order-updated"]
    assert names(driver.emit("accept-order", {"orderId": order_id})) == [
        "new-available-order",
        "order-accepted",
        "order-updated",
    ]
    assert names(rival.emit("accept-order", {"orderId": order_id})) == [
        "new-available-order",
        "order-taken",
        "error",
    ]
    asked = {"orderId": order_id, "status": "delivered"}
    assert names(driver.emit("update-order-status", asked)) == ["order-updated"]
    assert names(user.heard()) == ["order-created", *["order-updated"] * 5]


def test_both_forms_speak_to_each_other(kitchen: Kitchen) -> None:
    user, owner = Packets(kitchen.world, kitchen.customer), Plain(kitchen.world, kitchen.owner)
    order_id = kitchen.place()
    owner.emit("update-order-status", {"orderId": order_id, "status": "confirmed"})
    assert names(user.heard()) == ["order-created", "order-updated"]


def test_a_plain_client_may_ping(kitchen: Kitchen) -> None:
    assert Plain(kitchen.world, kitchen.customer).emit("ping") == [("pong", {})]


def test_the_second_driver_is_told_that_it_is_gone(kitchen: Kitchen) -> None:
    """S2-21."""
    order_id = kitchen.ready()
    first, second = kitchen.drivers("456", "457")
    first.emit("accept-order", {"orderId": order_id})
    second.take()
    assert second.emit("accept-order", {"orderId": order_id}) == [
        ("error", {"message": "Order is no longer available."})
    ]


def test_accepting_again_changes_nothing(kitchen: Kitchen) -> None:
    order_id = kitchen.ready()
    (driver,) = kitchen.drivers("456")
    driver.emit("accept-order", {"orderId": order_id})
    version = kitchen.world.order(order_id).version
    assert driver.emit("accept-order", {"orderId": order_id}, ack=2) == [("2", {"ok": True})]
    asked = {"orderId": order_id, "status": "out_for_delivery"}
    assert driver.emit("update-order-status", asked, ack=3) == [("3", {"ok": True})]
    assert kitchen.world.order(order_id).version == version


def test_a_driver_has_one_unfinished_order_at_a_time(kitchen: Kitchen) -> None:
    """Ambiguity l."""
    first, second = kitchen.ready(), kitchen.ready()
    (driver,) = kitchen.drivers("456")
    driver.emit("accept-order", {"orderId": first})
    (error,) = driver.emit("accept-order", {"orderId": second})
    assert error == ("error", {"message": "You have another order that is not finished."})
    kitchen.ready()
    assert driver.heard() == []  # who is busy is not told of more
    driver.emit("update-order-status", {"orderId": first, "status": "delivered"})
    assert "order-accepted" in names(driver.emit("accept-order", {"orderId": second}))


def test_a_driver_off_duty_elsewhere_may_take_a_meal(kitchen: Kitchen) -> None:
    """Ambiguity l: this contract has no availability."""
    kitchen.world.courier("456", available=False)
    order_id = kitchen.ready()
    (driver,) = kitchen.drivers("456")
    assert "order-accepted" in names(driver.emit("accept-order", {"orderId": order_id}))


@pytest.mark.parametrize("status", ["pending", "confirmed", "preparing", "delivered"])
def test_only_what_is_ready_can_be_taken(kitchen: Kitchen, status: str) -> None:
    """S2-20."""
    steps = ["confirmed", "preparing", "ready_for_pickup"]
    order_id = kitchen.place()
    (driver, other) = kitchen.drivers("456", "457")
    if status == "delivered":
        kitchen.update(order_id, *steps)
        other.emit("accept-order", {"orderId": order_id})
        other.emit("update-order-status", {"orderId": order_id, "status": "delivered"})
    else:
        kitchen.update(order_id, *steps[: ["pending", *steps].index(status)])
    driver.take()
    assert driver.emit("accept-order", {"orderId": order_id}) == [
        ("error", {"message": "Order is not available."})
    ]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"orderId": 5, "status": "confirmed"}, "There is no such order."),
        ({"orderId": "x", "status": "confirmed"}, "Invalid order ID."),
        ({"status": "confirmed"}, "Invalid order ID."),
        ({"orderId": None, "status": "delivered"}, "Insufficient permissions."),
        ({"orderId": 5, "status": "eaten"}, "Invalid status."),
        ({"orderId": 5}, "Invalid status."),
    ],
)
def test_mistakes_are_answered_and_the_socket_stays_open(
    kitchen: Kitchen, asked: dict[str, Any], says: str
) -> None:
    """S2-17, S2-19."""
    owner = Packets(kitchen.world, kitchen.owner)
    assert owner.emit("update-order-status", asked) == [("error", {"message": says})]
    assert names(owner.emit("get-restaurant-orders")) == ["restaurant-orders"]
    assert kitchen.world.gateway.closed == []


def test_a_skipped_step_is_an_invalid_transition(kitchen: Kitchen) -> None:
    """S2-18, S2-19."""
    owner, order_id = Packets(kitchen.world, kitchen.owner), kitchen.place()
    owner.take()
    assert owner.emit("update-order-status", {"orderId": order_id, "status": "preparing"}) == [
        ("error", {"message": "Invalid status transition: pending to preparing."})
    ]
    assert kitchen.world.order(order_id).status is Status.PENDING


def test_users_update_nothing(kitchen: Kitchen) -> None:
    """S2-06."""
    user, order_id = Packets(kitchen.world, kitchen.customer), kitchen.place()
    user.take()
    assert user.emit("update-order-status", {"orderId": order_id, "status": "cancelled"}) == [
        ("error", {"message": "Insufficient permissions."})
    ]


def test_another_restaurants_orders_are_out_of_reach(kitchen: Kitchen) -> None:
    """S2-20."""
    stranger = Packets(kitchen.world, an_owner(kitchen.world, "788", id_="78"))
    order_id = kitchen.place()
    assert stranger.heard() == []
    assert stranger.emit("get-restaurant-orders") == [("restaurant-orders", {"orders": []})]
    assert stranger.emit("update-order-status", {"orderId": order_id, "status": "confirmed"}) == [
        ("error", {"message": "There is no such order."})
    ]


def test_another_drivers_orders_are_out_of_reach(kitchen: Kitchen) -> None:
    """S2-20."""
    order_id = kitchen.ready()
    first, second = kitchen.drivers("456", "457")
    first.emit("accept-order", {"orderId": order_id})
    second.take()
    (error,) = second.emit("update-order-status", {"orderId": order_id, "status": "delivered"})
    assert error[0] == "error"
    assert kitchen.world.order(order_id).status is Status.IN_TRANSIT


@pytest.mark.parametrize(
    ("after", "possible"),
    [
        ([], True),
        (["confirmed"], True),
        (["confirmed", "preparing"], False),
        (["confirmed", "preparing", "ready_for_pickup"], False),
    ],
)
def test_a_restaurant_cancels_until_it_cooks(
    kitchen: Kitchen, after: list[str], possible: bool
) -> None:
    """Ambiguities c and k."""
    user, order_id = Packets(kitchen.world, kitchen.customer), kitchen.place()
    kitchen.update(order_id, *after)
    user.take()
    owner = Packets(kitchen.world, kitchen.owner)
    owner.emit("update-order-status", {"orderId": order_id, "status": "cancelled"})
    assert (kitchen.world.order(order_id).status is Status.CANCELLED) is possible
    assert names(user.heard()) == (["order-updated"] if possible else [])


def test_a_user_cancels_by_rest_while_it_is_pending(kitchen: Kitchen) -> None:
    """Ambiguity k."""
    owner, order_id = Packets(kitchen.world, kitchen.owner), kitchen.place()
    user = Packets(kitchen.world, kitchen.customer)
    user.take()
    owner.take()
    path = f"/v1/orders/{order_id}/cancel"
    answer = kitchen.world.post(path, {"reason": "not hungry"}, kitchen.customer)
    assert (answer.status, answer.body["status"]) == (200, "cancelled")
    for party in (user, owner):
        ((name, data),) = party.heard()
        assert (name, data["order"]["status"]) == ("order-updated", "cancelled")
    late = kitchen.place()
    kitchen.update(late, "confirmed")
    answer = kitchen.world.post(f"/v1/orders/{late}/cancel", {}, kitchen.customer)
    assert (answer.status, answer.body["error"]) == (409, "invalid_transition")


def test_available_orders_are_those_that_nobody_has_newest_last(kitchen: Kitchen) -> None:
    """S2-08, S2-23."""
    kitchen.place()
    first, second, third = [kitchen.ready() for _ in range(3)]
    one, two = kitchen.drivers("456", "457")
    one.emit("accept-order", {"orderId": second})
    two.take()
    ((name, data),) = two.emit("get-available-orders", {})
    assert name == "available-orders"
    assert [order["id"] for order in data["orders"]] == [first, third]
    assert {order["status"] for order in data["orders"]} == {"ready_for_pickup"}


def test_restaurant_orders_are_the_unfinished_ones_of_all_of_ones_restaurants(
    kitchen: Kitchen,
) -> None:
    """S2-09, ambiguity i."""
    owner = an_owner(kitchen.world, "789", "790")
    ids = [kitchen.place("789"), kitchen.place("790"), kitchen.place("791")]
    gone = kitchen.place("789")
    kitchen.update(gone, "cancelled")
    client = Plain(kitchen.world, owner)
    client.heard()
    ((_, data),) = client.emit("get-restaurant-orders")
    assert [order["id"] for order in data["orders"]] == ids[:2]


def test_an_owner_of_two_restaurants_hears_of_both_once(kitchen: Kitchen) -> None:
    """S2-05, ambiguity i."""
    owner = Packets(kitchen.world, an_owner(kitchen.world, "789", "790", "789"))
    kitchen.place("789")
    kitchen.place("790")
    assert names(owner.heard()) == ["new-order", "new-order"]


def test_an_owner_who_orders_at_home_hears_each_copy_on_its_own_socket(kitchen: Kitchen) -> None:
    """S2-05: one copy per connection, though both are in the person's room."""
    world = kitchen.world
    as_owner, as_user = Packets(world, kitchen.owner), Packets(world, world.customer("77"))
    order = placed(world, world.customer("77"))
    kitchen.update(order["id"], "confirmed")
    assert names(as_owner.heard()) == ["new-order", "order-updated"]
    assert names(as_user.heard()) == ["order-created", "order-updated"]


def test_a_restaurant_that_was_away_hears_what_came_in(kitchen: Kitchen) -> None:
    """S2-05: rooms come from the token at every connect, and nothing is lost meanwhile."""
    first, second = kitchen.place(), kitchen.place()
    owner = Packets(kitchen.world, kitchen.owner)
    assert owner.answer[0].startswith("40/orders,")
    heard = [data["order"]["id"] for _, data in map(_parsed, owner.answer[1:])]
    assert heard == [first, second]
    assert Packets(kitchen.world, kitchen.owner).answer[1:] == []


def test_a_restaurant_in_plain_that_was_away_hears_what_came_in(kitchen: Kitchen) -> None:
    kitchen.place()
    assert names(Plain(kitchen.world, kitchen.owner).heard()) == ["new-order"]


def test_a_driver_who_comes_back_goes_on_with_the_order(kitchen: Kitchen) -> None:
    """S2-05: active orders are rejoined."""
    order_id = kitchen.ready()
    (driver,) = kitchen.drivers("456")
    driver.emit("accept-order", {"orderId": order_id})
    driver.socket.lose()
    (again,) = kitchen.drivers("456")
    asked = {"orderId": order_id, "status": "delivered"}
    assert names(again.emit("update-order-status", asked)) == ["order-updated"]


def test_every_socket_of_a_person_hears_it(kitchen: Kitchen) -> None:
    phone, tablet = (Packets(kitchen.world, kitchen.customer) for _ in range(2))
    kitchen.place()
    assert names(phone.heard()) == names(tablet.heard()) == ["order-created"]


def test_an_admin_gives_an_order_to_a_driver(kitchen: Kitchen) -> None:
    """S2-16, ambiguities b and o."""
    world, order_id = kitchen.world, kitchen.ready()
    user, owner = Packets(world, kitchen.customer), Packets(world, kitchen.owner)
    driver, rival = kitchen.drivers("456", "457")
    for client in (user, owner, driver, rival):
        client.take()
    answer = world.post(f"/v1/admin/orders/{order_id}/assign", {"courier_id": "456"}, world.admin())
    assert (answer.status, answer.body["driverId"]) == (200, 456)
    assert answer.body["status"] == "ready_for_pickup"
    shown = as_in_frames(answer.body)
    assert driver.heard() == [("order-assigned", {"order": shown})]
    assert user.heard() == owner.heard() == [("order-updated", {"order": shown})]
    assert rival.heard() == [("order-taken", {"orderId": order_id})]
    assert rival.emit("accept-order", {"orderId": order_id}) == [
        ("error", {"message": "Order is no longer available."})
    ]
    assert rival.emit("get-available-orders") == [("available-orders", {"orders": []})]
    out = {"orderId": order_id, "status": "out_for_delivery"}
    ((name, data),) = driver.emit("update-order-status", out)
    assert (name, data["order"]["status"]) == ("order-updated", "out_for_delivery")


def test_an_admin_gives_an_order_to_another_driver(kitchen: Kitchen) -> None:
    """Ambiguity o."""
    world, order_id = kitchen.world, kitchen.ready()
    first, second, third = kitchen.drivers("456", "457", "458")
    path = f"/v1/admin/orders/{order_id}/assign"
    world.post(path, {"courier_id": "456"}, world.admin())
    for driver in (first, second, third):
        driver.take()
    assert world.post(path, {"courier_id": "457"}, world.admin()).status == 200
    assert first.heard() == [("order-taken", {"orderId": order_id})]
    assert names(second.heard()) == ["order-assigned"]
    assert third.heard() == []
    other = kitchen.ready()
    assert "order-accepted" in names(first.emit("accept-order", {"orderId": other}))
    answer = world.post(f"/v1/admin/orders/{order_id}/assign", {"courier_id": "456"}, world.admin())
    assert (answer.status, answer.body["error"]) == (409, "courier_busy")


def test_only_ready_orders_are_assigned_and_only_by_dispatchers(kitchen: Kitchen) -> None:
    world = kitchen.world
    kitchen.drivers("456")
    path, body = f"/v1/admin/orders/{kitchen.place()}/assign", {"courier_id": "456"}
    assert world.post(path, body, world.admin()).status == 409
    assert world.post(path, body, kitchen.owner).status == 409
    assert world.post(path, body, kitchen.customer).status == 403


def test_a_large_pool_is_told_in_chunks(kitchen: Kitchen) -> None:
    """S2-13: all drivers, 100 at once and the others by wakeups."""
    world, connections = kitchen.world, ConnectionTable()
    for n in range(120):
        world.gateway.connect(f"d{n}")
        driver = Connection(
            f"d{n}", "food", world.clock(), person_id=f"driver{n}", role=Role.COURIER
        )
        connections.add_to_room(name_pool_room("food"), driver)
    kitchen.ready()
    assert told(world) == 100
    world.pump()
    assert told(world) == 120


def test_lists_have_a_hundred_orders_at_most(kitchen: Kitchen) -> None:
    """S2-23: the pool's the newest, lest those that nobody wants hide them; a restaurant's those
    that have waited longest."""
    world = kitchen.world
    orders, sample = OrderTable(world.engine.connection), world.order(kitchen.ready())
    for n in range(1, 104):
        orders.commit_order(None, replace(sample, id=n, version=1, entries=()))
    ((_, data),) = kitchen.drivers("456")[0].emit("get-available-orders")
    assert [order["id"] for order in data["orders"]] == [*range(5, 104), sample.id]
    ((_, data),) = Packets(world, kitchen.owner).emit("get-restaurant-orders")
    assert [order["id"] for order in data["orders"]] == list(range(1, 101))


def told(world: World) -> int:
    return sum("new-available-order" in frame for _, frame in world.gateway.posted)


def test_a_dead_connection_in_the_pool_is_forgotten_and_the_others_are_told(
    kitchen: Kitchen,
) -> None:
    dead, alive = kitchen.drivers("456", "457")
    dead.socket.lose()
    kitchen.ready()
    assert names(alive.heard()) == ["new-available-order"]
    assert (
        len(ConnectionTable().list_subscribers(name_pool_room("food"), kitchen.world.clock())) == 1
    )


def test_a_courier_of_another_contract_goes_off_duty_with_a_meal_in_hand(
    kitchen: Kitchen,
) -> None:
    order_id = kitchen.ready()
    courier = kitchen.world.courier("456")
    (driver,) = kitchen.drivers("456")
    driver.emit("accept-order", {"orderId": order_id})
    answer = kitchen.world.post("/v1/courier/availability", {"available": False}, courier)
    assert answer.status == 200
    assert kitchen.world.order(order_id).courier_id == "456"
    assert kitchen.world.step("arrived", str(order_id), courier).status == 409
    assert kitchen.world.step("delivered", str(order_id), courier).status == 200


def _parsed(packet: str) -> Heard:
    name, data = json.loads(packet.removeprefix("42/orders,"))
    return name, data


def test_an_order_that_can_not_be_read_hides_no_other(kitchen: Kitchen) -> None:
    bad, good = kitchen.ready(), kitchen.ready()
    OrderRow(bad).update(actions=[OrderRow.doc.set(b"?")])
    pool = kitchen.world.waybill.open_pool
    driver = Actor("456", Role.COURIER)
    owner = Actor("77", Role.MERCHANT, restaurant_ids=("789",))
    for found in (pool.list_open_orders(driver, "food"), pool.list_restaurant_orders(owner)):
        assert [order.id for order in found] == [good]
