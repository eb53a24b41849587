"""SQS may be quicker than API Gateway: a greeting that runs while $connect has not returned."""

from __future__ import annotations

from tests.functional.world import World


def test_what_waited_is_heard_though_the_greeting_came_too_early(world: World) -> None:
    """A post is answered with 410 until $connect has returned."""
    dan, cara = world.courier(), world.customer()
    order = world.place(cara)
    world.post("/v1/courier/orders/accept", {"order_id": order["id"]}, dan)
    world.pass_time(30)
    socket = world.connect(cara, greet=False)
    world.gateway.drop(socket.id)
    world.pump()
    world.gateway.connect(socket.id)
    world.pass_time(5)
    assert [frame["data"]["status"] for frame in socket.frames] == ["assigned", "accepted"]


def test_a_connection_that_is_gone_for_good_is_forgotten(world: World) -> None:
    cara = world.customer()
    socket = world.connect(cara, greet=False)
    world.gateway.drop(socket.id)
    world.pass_time(300)  # by any clock it would be open by now
    assert world.waybill.connections.get_connection(socket.id) is None
