"""The whole way of one order, and that the support of these tests says what happened."""

from __future__ import annotations

from tests.functional.world import World


def test_an_order_goes_from_the_customer_to_the_door(world: World) -> None:
    dan, cara = world.courier("dan"), world.customer("cara")
    courier, customer = world.connect(dan), world.connect(cara)
    order = world.place(cara)
    assert [frame["event"] for frame in courier.take()] == ["order.assigned"]
    for verb in ("accept", "arrived", "picked", "delivered"):
        assert world.step(verb, order["id"], dan).status == 200
    world.pass_time(60)
    statuses = [frame["data"]["status"] for frame in customer.take()]
    assert statuses == ["assigned", "accepted", "arrived", "picked_up", "delivered"]
    world.pass_time(300)  # a wakeup comes after the wait at the pickup
    assert customer.take() == []
    assert world.queue.waiting == world.queue.dead == world.gateway.refused == []
