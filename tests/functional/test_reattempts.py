"""What a child has of the order that it tries again: its people and things, the proof that is still
to be given, a price of its own from where the thing is; and not what was the first one's alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.orders.model import Status
from chalicelib.domain.people import Role
from tests.functional.conftest import MakeWorld
from tests.functional.kitchen import Kitchen
from tests.functional.rides import a_driver, a_ride, a_rider
from tests.functional.test_money import pay
from tests.functional.test_proof_pins import take
from tests.functional.test_quotes import DOOR, PARCEL, open_restaurant, quote
from tests.functional.test_undelivered import fail, reattempt
from tests.functional.test_waiting import report
from tests.functional.world import Answer, Someone, World

PINS = {"pickup": "pin", "dropoff": "pin"}
EXTRAS: dict[str, Any] = {
    "external_id": "A-1",
    "metadata": {"shelf": "7"},
    "notes": "Ring twice",
    "proof": PINS,
}


def ended(world: World, cara: Someone, dan: Someone, how: str, **changes: Any) -> dict[str, Any]:
    """An order that is returned, left or a no-show, as its customer saw it when it was placed."""
    order = world.place(cara, **changes)
    id_, pin = order["id"], order.get("proof", {}).get("pickup", {}).get("pin")
    for verb in ("accept", "arrived"):
        assert world.step(verb, id_, dan).status == 200
    if how == "no_show":
        world.pass_time(301)
        assert report(world, id_, dan).status == 200
        world.courier()  # where they are, anew
        return order
    assert take(world, "picked", id_, dan, pin).status == 200
    assert fail(world, id_, dan, "return" if how == "returned" else "leave").status == 200
    if how == "returned":
        assert world.step("returned", id_, dan).status == 200
    return order


def lines_of(body: dict[str, Any]) -> dict[str, float]:
    return {line["kind"]: line["amount"] for line in body["price"]["lines"]}


@pytest.mark.parametrize("how", ["returned", "no_show"])
def test_a_child_has_its_parents_people_and_things_and_fresh_pins(world: World, how: str) -> None:
    cara, dan = world.customer(), world.courier()
    parent = ended(world, cara, dan, how, **EXTRAS)
    child = reattempt(world, parent["id"], cara).body
    for name in ("metadata", "notes", "receiver_phone", "pickup_address", "dropoff_address"):
        assert child[name] == parent[name], name
    assert "external_id" not in child
    pins = {
        order["id"]: [order["proof"][stop]["pin"] for stop in ("pickup", "dropoff")]
        for order in (parent, child)
    }
    assert not set(pins[parent["id"]]) & set(pins[child["id"]])
    old, fresh = pins[parent["id"]], pins[child["id"]]
    for verb, nth in (("picked", 0), ("delivered", 1)):
        for step in ("accept", "arrived") if nth == 0 else ():
            assert world.step(step, child["id"], dan).status == 200
        assert take(world, verb, child["id"], dan).body["error"] == "proof_required"
        assert take(world, verb, child["id"], dan, old[nth]).body["error"] == "wrong_pin"
        assert take(world, verb, child["id"], dan, fresh[nth]).status == 200


def test_nobody_proves_the_pickup_of_what_was_left_at_the_door(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    parent = ended(world, cara, dan, "left", proof={"pickup": "pin"})
    child = reattempt(world, parent["id"], cara).body
    assert "proof" not in child
    assert child["pickup_address"] == parent["dropoff_address"]


@pytest.mark.parametrize("how", ["returned", "no_show", "left"])
def test_a_quoted_one_costs_the_way_from_where_the_thing_is_by_todays_tariff(
    make_world: MakeWorld, how: str
) -> None:
    world = make_world(settings={"delivery_tariff": (500, 200, 0)})
    cara, dan = world.customer(), world.courier()
    parent = ended(world, cara, dan, how, **PARCEL, quote_id=quote(world, cara)["quote_id"])
    way = lines_of(parent)["distance"]
    later = make_world(settings={"delivery_tariff": (600, 200, 0)}, clock=world.clock)
    child = reattempt(later, parent["id"], cara).body
    assert lines_of(child) == {"base": 6.0, "distance": 0.0 if how == "left" else way}


def test_what_was_not_quoted_costs_what_its_flow_says(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    assert "price" not in reattempt(world, ended(world, cara, dan, "returned")["id"], cara).body


@pytest.mark.parametrize("is_quoted", [False, True])
def test_who_tries_a_meal_again_pays_for_bringing_it_and_not_for_the_meal(
    world: World, is_quoted: bool
) -> None:
    open_restaurant(world)
    kitchen = Kitchen(world)
    door: dict[str, Any] = {"latitude": DOOR[0], "longitude": DOOR[1]}
    quoted = quote(world, kitchen.customer, "food") if is_quoted else {}
    more = {"quote_id": quoted["quote_id"]} if is_quoted else {}
    meal = kitchen.place(**door, **more)
    kitchen.update(meal, "confirmed", "preparing", "ready_for_pickup")
    (driver,) = kitchen.drivers("456")
    for _ in range(2):  # a child's child as well
        driver.emit("accept-order", {"orderId": meal})
        dan = world.someone(Role.COURIER, "456")
        assert fail(world, meal, dan).status == 200
        assert world.step("returned", str(meal), dan).status == 200
        child = reattempt(world, meal, kitchen.owner).body
        assert sum(lines_of(child).values()) == 30.0
        assert "items" not in lines_of(child)
        assert [item["name"] for item in child["items"]] == ["Soup", "Bread"]
        meal = child["id"]
    driver.emit("accept-order", {"orderId": meal})
    for status in ("out_for_delivery", "delivered"):
        driver.emit("update-order-status", {"orderId": meal, "status": status})
    payment = pay(world, kitchen.customer, str(meal)).body
    assert payment["amount"] == 30.0


def test_a_ride_is_estimated_anew(make_world: MakeWorld) -> None:
    world = make_world()
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver, "accepted")
    assert world.step("arrived", ride_id, driver.person).status == 200
    world.pass_time(301)
    assert report(world, ride_id, driver.person).body["state"] == "no_show"
    later = make_world(settings={"ride_tariffs": (("standard", 9000, 0, 0),)}, clock=world.clock)
    child = reattempt(later, ride_id, rider.person)
    assert child.status == 201
    estimate = later.order(child.body["id"]).details.estimate
    assert estimate is not None
    assert estimate.fare_minor == 9000
    gone = make_world(settings={"ride_tariffs": (("xl", 1, 0, 0),)}, clock=world.clock)
    assert world.post(f"/v1/orders/{child.body['id']}/cancel", {}, rider.person).status == 200
    assert reattempt(gone, ride_id, rider.person).status == 201  # it costs what it did


def test_a_childs_history_begins_with_whoever_tries_again(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    parent = ended(world, cara, dan, "returned")
    for who in (world.admin(), cara):
        child = reattempt(world, parent["id"], who).body
        path = f"/v1/orders/{child['id']}/history"
        first = world.get(path, world.admin()).body["history"][0]
        assert (first["step"], first["actor"]) == ("place", {"role": who.role.value, "id": who.id})
        world.post(f"/v1/orders/{child['id']}/cancel", {}, cara)


def at(world: World, minutes: int) -> str:
    return (world.clock.now + timedelta(minutes=minutes)).isoformat()


def try_in(world: World, order_id: str, who: Someone, key: str = "", **windows: Any) -> Answer:
    path = f"/v1/orders/{order_id}/reattempt"
    return world.call("POST", path, windows, who, {"idempotency-key": key} if key else None)


def test_a_child_has_windows_of_its_own_or_none(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    parent = ended(world, cara, dan, "returned", dropoff_by=at(world, 60))
    refused = try_in(world, parent["id"], cara, pickup_from=at(world, -5))
    assert (refused.status, refused.body["details"]["field"]) == (400, "pickup_from")
    begin, end = at(world, 120), at(world, 180)
    child = try_in(world, parent["id"], cara, "k-1", pickup_from=begin, pickup_by=end)
    assert (child.status, child.body["state"]) == (201, "scheduled")
    assert "dropoff_by" not in child.body
    again = try_in(world, parent["id"], cara, "k-1", pickup_from=begin, pickup_by=end)
    assert (again.status, again.body["id"]) == (201, child.body["id"])
    other = try_in(world, parent["id"], cara, "k-1")
    assert (other.status, other.body["error"]) == (422, "idempotency_key_reused")
    blocked = try_in(world, parent["id"], cara)
    assert (blocked.status, blocked.body["details"]) == (409, {"id": child.body["id"]})
    world.pass_time(100 * 60 + 20)
    world.courier()
    world.pass_time(60)
    assert world.order(child.body["id"]).status is Status.OFFERED
    assert world.order(child.body["id"]).parent_id == int(parent["id"])
    world.post(f"/v1/orders/{child.body['id']}/cancel", {}, cara)
    assert "pickup_from" not in reattempt(world, parent["id"], cara).body


def test_a_meal_that_is_made_waits_for_no_window(world: World) -> None:
    kitchen = Kitchen(world)
    meal = kitchen.ready()
    (driver,) = kitchen.drivers("456")
    driver.emit("accept-order", {"orderId": meal})
    dan = world.someone(Role.COURIER, "456")
    fail(world, meal, dan)
    world.step("returned", str(meal), dan)
    refused = try_in(world, str(meal), kitchen.owner, pickup_from=at(world, 120))
    assert (refused.status, refused.body["details"]) == (400, {"field": "pickup_from"})
    assert try_in(world, str(meal), kitchen.owner, dropoff_by=at(world, 120)).status == 201


def test_the_same_people_see_a_child_and_call_it_off(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    parent = ended(world, cara, dan, "returned")
    for who in (cara, world.admin()):
        child = reattempt(world, parent["id"], world.admin()).body
        shown = world.get(f"/v1/orders/{child['id']}", who).body
        assert shown["parent_id"] == parent["id"]
        listed = world.get("/v1/orders", cara).body["orders"]
        assert [o["parent_id"] for o in listed if o["id"] == child["id"]] == [parent["id"]]
        stranger = world.customer("mallory")
        assert world.get(f"/v1/orders/{child['id']}", stranger).status == 404
        assert world.post(f"/v1/orders/{child['id']}/cancel", {}, stranger).status == 404
        assert world.post(f"/v1/orders/{child['id']}/cancel", {}, who).status == 200
