"""The feed beside the other contracts: what it tells of meals, rides and hails, and to whom."""

from __future__ import annotations

from chalicelib.contracts.feed.events import TYPE_BY_NAME
from tests.builders import DEPOT, north_of
from tests.functional.feeds import a_feed, a_profile, types_of
from tests.functional.hails import driver, hail
from tests.functional.kitchen import Kitchen, Packets, a_driver
from tests.functional.rides import a_driver as a_ride_driver
from tests.functional.rides import a_rider, locate, request
from tests.functional.world import World

EARNED = ["earning_recorded", "wallet_updated"]


def test_a_meal_is_created_confirmed_ready_brought_and_earned(world: World) -> None:
    """S3-20, S3-21, S3-22, and the courier's S3-11."""
    kitchen = Kitchen(world)
    at = {"latitude": DEPOT[0], "longitude": DEPOT[1]}
    profile = {"name": "XYZ Kirana", "address": "1 Market Square", **at}
    assert world.call("PUT", "/v1/restaurants/789", profile, kitchen.owner).status == 200
    customer = a_profile(world, kitchen.customer)
    socket = a_feed(world, customer, *TYPE_BY_NAME)
    owner = a_feed(world, a_profile(world, kitchen.owner), *TYPE_BY_NAME)
    order_id = kitchen.ready()
    created, confirmed, ready = socket.take()
    order = created["data"]
    assert created["event_level"] == confirmed["event_level"] == ready["event_level"] == "high"
    assert order["items"] == [
        {"name": "Soup", "quantity": 2, "price": 9},
        {"name": "Bread", "quantity": 1, "price": 0.1},
    ]
    assert (order["total_amount"], order["delivery_fee"], order["total_with_fee"]) == (
        9.1,
        30,
        39.1,
    )
    assert confirmed["data"] == {
        "order_id": str(order_id),
        "confirmation_time": "2031-05-06T07:08:09.001Z",
        "shop_name": "XYZ Kirana",
        "estimated_ready_time": "2031-05-06T07:23:09.001Z",
    }
    assert ready["data"] == {
        "order_id": str(order_id),
        "ready_at": "2031-05-06T07:08:09.001Z",
        "pickup_by": "2031-05-06T07:18:09.001Z",
    }
    courier = a_profile(world, a_driver(world))
    earnings, packets = a_feed(world, courier, *TYPE_BY_NAME), Packets(world, courier)
    packets.emit("accept-order", {"orderId": order_id})
    packets.emit("update-order-status", {"orderId": order_id, "status": "delivered"})
    assert types_of(socket.take()) == ["delivery_accepted", "delivery_completed"]
    assert types_of(earnings.take()) == EARNED
    assert owner.take() == []


def test_a_hail_is_told_as_a_delivery(world: World) -> None:
    """Ambiguity m: no items, no amounts."""
    dan, _ = driver(world, "5")
    socket = a_feed(world, a_profile(world, world.customer("cara")), *TYPE_BY_NAME)
    earnings = a_feed(world, a_profile(world, dan), *TYPE_BY_NAME)
    order_id = hail(world, world.customer("cara"))["id"]
    world.post(f"/v1/driver/orders/{order_id}/accept", {}, dan)
    for verb in ("arrived", "picked", "reached", "delivered"):
        assert world.step(verb, order_id, dan).status == 200
    frames = socket.take()
    assert types_of(frames) == [
        "order_created",
        "delivery_accepted",
        "delivery_arrived",
        "delivery_completed",
    ]
    assert (frames[0]["data"]["items"], frames[0]["data"]["total_with_fee"]) == ([], 0)
    assert types_of(earnings.take()) == EARNED


def test_a_ride_is_told_as_a_delivery_at_its_fare(world: World) -> None:
    """Ambiguity m."""
    rider, dora = a_rider(world), a_ride_driver(world)
    socket = a_feed(world, rider.person, *TYPE_BY_NAME)
    earnings = a_feed(world, dora.person, *TYPE_BY_NAME)
    ride_id = request(rider)
    dora.did("accept_ride", ride_id=ride_id)
    dora.did("start_ride", ride_id=ride_id)
    locate(dora, north_of(DEPOT, 1000))
    dora.did("complete_ride", ride_id=ride_id)
    frames = socket.take()
    assert types_of(frames) == [
        "order_created",
        "delivery_accepted",
        "delivery_in_transit",
        "location_updated",
        "delivery_completed",
    ]
    assert frames[0]["data"]["total_with_fee"] > 0
    assert types_of(earnings.take()) == EARNED


def test_one_persons_sockets_on_every_contract_each_hear_their_own_words(world: World) -> None:
    """A person may hold several sockets, on different contracts; each gets its own wording."""
    dan, cara = world.courier("dan"), a_profile(world, world.customer("cara"))
    plain, feed = world.connect(cara), a_feed(world, cara, "delivery_accepted")
    order_id = world.place(cara)["id"]
    world.step("accept", order_id, dan)
    assert [frame["event"] for frame in plain.take()] == ["order.status"] * 2
    assert types_of(feed.take()) == ["delivery_accepted"]


def test_a_feed_socket_does_not_make_a_courier_one_who_can_be_asked_first(world: World) -> None:
    """Offers are not heard there: one who listens on spec 000 comes first, though further away."""
    near = a_profile(world, world.courier("near"))
    far = world.courier("far", north_of(DEPOT, 500))
    a_feed(world, near, *TYPE_BY_NAME)
    listening = world.connect(far)
    world.place(world.customer("cara"))
    assert [frame["event"] for frame in listening.take()] == ["order.assigned"]
