"""Contract food under races and crashes, on both engines."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from chalicelib.domain.orders.model import Status
from chalicelib.domain.people import Actor, Role
from chalicelib.errors import OfferGone, PostFailed
from chalicelib.store.couriers import CourierTable
from tests.functional.kitchen import Kitchen, Packets, names
from tests.functional.world import World

MakeWorld = Callable[..., World]


def test_of_fifteen_drivers_one_gets_it(make_engine_world: MakeWorld) -> None:
    """S2-21, P-08."""
    kitchen = Kitchen(make_engine_world())
    order_id = kitchen.ready()
    drivers = kitchen.drivers(*map(str, range(500, 515)))
    for driver in drivers:
        driver.take()
    ask = f'42/orders,1["accept-order",{{"orderId":{order_id}}}]'
    with ThreadPoolExecutor(15) as pool:
        list(pool.map(lambda driver: driver.socket.say(ask), drivers))
    heard = [dict(driver.heard()) for driver in drivers]
    (winner,) = [said for said in heard if "order-accepted" in said]
    losers = [said for said in heard if said is not winner]
    assert "order-taken" not in winner
    assert all(said["order-taken"] == {"orderId": order_id} for said in losers)
    assert {said["error"]["message"] for said in losers} == {"Order is no longer available."}
    order = kitchen.world.order(order_id)
    assert (order.status, order.courier_id) == (
        Status.IN_TRANSIT,
        str(winner["order-accepted"]["order"]["driverId"]),
    )


def test_of_two_hundred_accepts_at_once_one_wins(make_engine_world: MakeWorld) -> None:
    """P-08."""
    kitchen = Kitchen(make_engine_world())
    order_id, couriers = kitchen.ready(), CourierTable(ThreadPoolExecutor(1))
    drivers = [Actor(str(n), Role.COURIER) for n in range(1000, 1200)]

    def accept(driver: Actor) -> str:
        try:
            return (
                kitchen.world.waybill.courier_orders.accept_order(driver, order_id).courier_id or ""
            )
        except OfferGone as gone:
            return gone.message

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda driver: couriers.add_socket(driver.id, "c"), drivers))
        came_to = list(pool.map(accept, drivers))
    winner = kitchen.world.order(order_id).courier_id or "nobody"
    assert sorted(came_to) == sorted([winner, *["Order is no longer available."] * 199])
    assert couriers.find_occupied(driver.id for driver in drivers) == {winner}


def test_of_two_orders_a_driver_gets_one(make_engine_world: MakeWorld) -> None:
    """X16."""
    kitchen = Kitchen(make_engine_world())
    orders = [kitchen.ready() for _ in range(3)]
    sockets = kitchen.drivers("456", "456", "456")
    with ThreadPoolExecutor(3) as pool:
        list(
            pool.map(
                lambda pair: pair[0].emit("accept-order", {"orderId": pair[1]}),
                zip(sockets, orders, strict=True),
            )
        )
    held = [kitchen.world.order(order_id).courier_id for order_id in orders]
    assert sorted(held, key=str) == ["456", None, None]


def test_of_a_cancel_and_a_confirm_one_comes_first(make_engine_world: MakeWorld) -> None:
    kitchen = Kitchen(make_engine_world())
    for _ in range(5):
        order_id = kitchen.place()
        owner = Packets(kitchen.world, kitchen.owner)
        ask = f'42/orders,["update-order-status",{{"orderId":{order_id},"status":"confirmed"}}]'
        with ThreadPoolExecutor(2) as pool:
            confirmed = pool.submit(owner.socket.say, ask)
            path = f"/v1/orders/{order_id}/cancel"
            cancelled = pool.submit(kitchen.world.post, path, {}, kitchen.customer)
            confirmed.result()
        status = kitchen.world.order(order_id).status
        assert status in (Status.CONFIRMED, Status.CANCELLED)
        assert (cancelled.result().status == 200) is (status is Status.CANCELLED)


def test_what_could_not_be_posted_to_a_restaurant_is_posted_later(make_world: MakeWorld) -> None:
    """P-04: a restaurant's mailbox is as good as a person's."""
    kitchen = Kitchen(make_world())
    owner = Packets(kitchen.world, kitchen.owner)
    kitchen.world.gateway.fail(owner.socket.id, PostFailed("503"))
    kitchen.place()
    assert owner.heard() == []
    kitchen.world.pass_time(6)
    assert names(owner.heard()) == ["new-order"]


def test_an_answer_that_can_not_be_posted_ends_the_connection(make_world: MakeWorld) -> None:
    """The client comes again, rather than to wait for an answer that never comes."""
    kitchen = Kitchen(make_world())
    user = Packets(kitchen.world)
    kitchen.world.gateway.fail(user.socket.id, PostFailed("503"))
    assert user.connect({"token": kitchen.customer.token}) == []
    assert kitchen.world.gateway.closed == [user.socket.id]
    assert Packets(kitchen.world, kitchen.customer).answer[0].startswith("40/orders,")


def test_who_comes_while_a_restaurants_mailbox_is_in_use_misses_nothing(
    make_world: MakeWorld,
) -> None:
    kitchen = Kitchen(make_world())
    first = Packets(kitchen.world, kitchen.owner)
    come: list[Packets] = []

    def meanwhile(connection_id: str, frame: str) -> None:
        if "new-order" in frame and connection_id == first.socket.id and not come:
            come.append(Packets(kitchen.world))
            come[0].socket.say(f'40/orders,{{"token":"{kitchen.owner.token}"}}')

    kitchen.world.gateway.before_post = meanwhile
    kitchen.place()
    kitchen.place()
    assert names(first.heard()) == ["new-order", "new-order"]
    assert sum("new-order" in packet for packet in come[0].take()) >= 1
