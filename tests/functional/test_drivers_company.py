"""Contract `drivers` beside contract `courier`: each is told of the same order in its own words."""

from __future__ import annotations

from tests.builders import DEPOT, north_of
from tests.functional.hails import be_at, driver, hail, pending, types
from tests.functional.world import Socket, World


def events(socket: Socket) -> list[str]:
    """What spec 000 calls the frames since the last take."""
    return [frame["event"] for frame in socket.take()]


def statuses(socket: Socket) -> list[str]:
    """The statuses that a customer has heard since the last take."""
    return [frame["data"]["status"] for frame in socket.take()]


def test_a_driver_carries_a_parcel_and_its_customer_sees_each_step(world: World) -> None:
    """A 000 order on a 004 socket: an integer id here, the same as a text there."""
    dan, socket = driver(world, "5", north_of(DEPOT, 2500))
    cara = world.customer("cara")
    customer = world.connect(cara)
    parcel = world.place(cara)
    [frame] = socket.take()
    assert frame["type"] == "new_order"
    assert frame["order"] == {
        "id": int(parcel["id"]),
        "order_code": f"ORD-{parcel['id']}",
        "status": "pending",
        "order_type": "pickup",
        "created_at": world.clock.now.strftime("%Y-%m-%dT%H:%M:%S"),
        "address_from": "1 Depot Road",
        "address_to": "2 Door Street",
        "latitude_from": "12.971600",
        "longitude_from": "77.594600",
        "distance_to_pickup_km": 2.5,
    }
    assert world.post(f"/v1/driver/orders/{parcel['id']}/accept", by=dan).status == 200
    for verb in ("arrived", "picked", "delivered"):
        assert world.step(verb, parcel["id"], dan).status == 200
    assert statuses(customer) == ["assigned", "accepted", "arrived", "picked_up", "delivered"]
    assert types(socket) == []


def test_a_parcels_offer_lapses_after_its_own_fifteen_seconds(world: World) -> None:
    """X1: the time to answer is the order's, not the socket's; one order_timeout, though the
    search ended with it."""
    dan, socket = driver(world, "5")
    world.place(world.customer("cara"))
    world.pass_time(14.9)
    assert types(socket) == ["new_order"]
    world.pass_time(3)
    assert types(socket) == ["order_timeout"]
    assert pending(world, dan) == []


def test_a_courier_of_spec_000_is_offered_a_hail_without_a_receivers_phone(world: World) -> None:
    """S0-07, ambiguity m of spec 000: a hail has nobody who receives it."""
    dan, cara = world.courier("dan"), world.customer("cara")
    courier, customer = world.connect(dan), world.connect(cara)
    order = hail(world, cara)
    [frame] = courier.take()
    assert frame == {
        "event": "order.assigned",
        "data": {
            "order_id": str(order["id"]),
            "customer_id": "cara",
            "pickup_address": "1 Depot Road",
            "pickup_lat": DEPOT[0],
            "pickup_lng": DEPOT[1],
            "dropoff_address": "2 Door Street",
            "dropoff_lat": 12.98,
            "dropoff_lng": 77.6,
        },
    }
    for verb in ("accept", "arrived", "picked", "delivered"):
        assert world.step(verb, str(order["id"]), dan).status == 200
    assert statuses(customer) == ["assigned", "accepted", "arrived", "picked_up", "delivered"]


def test_a_hail_passes_from_a_courier_of_spec_000_to_a_driver(world: World) -> None:
    """Both hear of the same lapse: the one timed out and reassigned away, the other new_order."""
    courier = world.connect(world.courier("dan"))
    eve, at_eve = driver(world, "6", north_of(DEPOT, 100))
    cara = world.customer("cara")
    customer = world.connect(cara)
    hail(world, cara)
    assert events(courier) == ["order.assigned"]
    world.pass_time(290)
    be_at(world, eve)
    world.pass_time(12)
    assert events(courier) == ["order.assignment_timed_out", "order.reassigned_away"]
    assert types(at_eve) == ["new_order"]
    assert statuses(customer) == ["assigned", "assigned"]


def test_one_driver_on_both_contracts_hears_each_in_its_own_words(world: World) -> None:
    """A socket's contract decides its words, not the person."""
    dan, here = driver(world, "5")
    there = world.connect(dan)
    hail(world)
    assert types(here) == ["new_order"]
    assert events(there) == ["order.assigned"]
    world.pass_time(301)
    assert types(here) == ["order_timeout"]
    assert events(there) == ["order.assignment_timed_out"]


def test_a_driver_holds_one_unfinished_order_of_any_kind(world: World) -> None:
    """X16: a second order waits, or goes to another."""
    dan, socket = driver(world, "5")
    parcel = world.place(world.customer("cara"))
    waiting = hail(world, world.customer("carl"))
    assert waiting["status"] == "searching"
    assert len(pending(world, dan)) == 1
    for verb in ("accept", "arrived", "picked", "delivered"):
        assert world.step(verb, parcel["id"], dan).status == 200
    world.pass_time(15)
    world.sweep()
    assert types(socket) == ["new_order", "new_order"]
    assert [order["id"] for order in pending(world, dan)] == [waiting["id"]]
