"""All five contracts at once, in one process, about the same orders (P-13)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.checked import connect
from tests.e2e.conftest import Stack
from tests.e2e.courier.town import Frame, Socket, Someone, Town, a_town, sample

_ids = itertools.count(7_000_000)


@pytest.fixture
def town(stack: Stack) -> Iterator[Town]:
    """A town on the shared stack."""
    with a_town(stack) as found:
        yield found


class Ears:
    """One socket of a person, and how its contract calls what it says."""

    def __init__(self, town: Town, who: Someone, path: str, key: str) -> None:
        url = f"{town.stack.ws_url}{path}{'&' if '?' in path else '?'}token={who.token}"
        self.socket = Socket(town.closing.enter_context(connect(url, proxy=None)))
        self._key = key

    def hear(self, name: str, about: object = None) -> Frame:
        """The next frame of that name, about that order; others before it are passed over."""
        while True:
            frame = self.socket.next()
            if frame.get(self._key) == name and (about is None or _order_of(frame) == str(about)):
                return frame

    def say(self, **message: Any) -> None:
        """Send a message."""
        self.socket.say(json.dumps(message))


def _order_of(frame: Frame) -> str:
    """Which order a frame is about, in whatever contract."""
    data = frame.get("data", {})
    found = data.get("order", data)
    for key in ("id", "orderId", "ride_id", "delivery_id", "order_id"):
        if key in found:
            return str(found[key])
    return ""


def person(town: Town, role: str, **claims: Any) -> Someone:
    """Somebody with a profile and a number for an id."""
    who = Someone(town, role, str(next(_ids)), **claims)
    assert who.put("me", {"name": f"{role} {who.id}", "phone": "+911234567890"}).status == 200
    return who


def feed(town: Town, who: Someone, role: str, *types: str) -> Ears:
    """Who listens to the feed."""
    ears = Ears(town, who, "/api/websocket/ws", "type")
    ears.say(type="auth", token=who.token, user_id=who.id, user_role=role)
    ears.hear("authenticated")
    ears.say(type="subscribe", events=list(types))
    ears.hear("subscription_updated")
    ears._key = "event_type"
    return ears


def test_five_contracts_speak_of_the_same_orders(town: Town) -> None:
    """P-13, X16: a parcel, a meal and a ride between the same two people, each on all sockets."""
    cara, dan = person(town, "customer"), person(town, "driver")
    cook = person(town, "restaurant", restaurant_ids=["42"])
    on_duty = {"available": True, "lat": town.lat, "lng": town.lng}
    hers = {
        "parcels": Ears(town, cara, "/api/v1/ws/customer", "event"),
        "meals": Ears(town, cara, "/orders", "event"),
        "rides": Ears(town, cara, "/api/v1/ws/rides", "event"),
        "feed": feed(town, cara, "customer", "delivery_accepted", "delivery_completed"),
    }
    his = {
        "parcels": Ears(town, dan, "/api/v1/ws/courier", "event"),
        "hails": Ears(town, dan, "/ws/driver/orders/", "type"),
        "meals": Ears(town, dan, "/orders", "event"),
        "rides": Ears(town, dan, "/api/v1/ws/rides", "event"),
    }
    kitchen = Ears(town, cook, "/orders", "event")
    his["hails"].hear("initial_orders")
    assert dan.post("courier/availability", on_duty).status == 200

    parcel = town.order(cara)
    assert his["parcels"].hear("order.assigned")["data"]["order_id"] == parcel["id"]
    assert his["hails"].hear("new_order")["order"]["id"] == int(parcel["id"])
    assert dan.post(f"driver/orders/{parcel['id']}/accept").status == 200
    assert hers["parcels"].hear("order.status")["data"]["status"] == "assigned"
    accepted = hers["parcels"].hear("order.status")
    assert accepted["data"].keys() <= sample("status_accepted")["data"].keys()
    assert hers["feed"].hear("delivery_accepted", parcel["id"])

    meal = cara.post(
        "restaurants/42/orders",
        {
            "items": [{"name": "Soup", "quantity": 2, "price": 4.5}],
            "deliveryAddress": "2 Door Street",
        },
    )
    assert meal.status == 201, meal.body
    meal_id = meal.json["id"]
    assert kitchen.hear("new-order", meal_id)
    for word in ("confirmed", "preparing", "ready_for_pickup"):
        kitchen.say(event="update-order-status", data={"orderId": meal_id, "status": word})
        updated = hers["meals"].hear("order-updated", meal_id)
        assert updated["data"]["order"]["status"] == word
    his["meals"].say(event="accept-order", data={"orderId": meal_id})
    his["meals"].hear("error")  # he has a parcel in his hands

    for step in ("arrived", "picked", "delivered"):
        assert dan.step(step, parcel["id"]).status == 200
    assert hers["feed"].hear("delivery_completed", parcel["id"])
    his["meals"].say(event="accept-order", data={"orderId": meal_id})
    taken = his["meals"].hear("order-accepted")["data"]["order"]
    assert (taken["status"], taken["driverId"]) == ("out_for_delivery", int(dan.id))
    his["meals"].say(event="update-order-status", data={"orderId": meal_id, "status": "delivered"})
    assert hers["feed"].hear("delivery_completed", meal_id)

    his["rides"].say(event="go_online", data={})
    his["rides"].hear("go_online_response")
    his["rides"].say(event="update_location", data={"latitude": town.lat, "longitude": town.lng})
    his["rides"].hear("update_location_response")
    there = {"latitude": town.lat + 0.02, "longitude": town.lng}
    hers["rides"].say(
        event="request_ride",
        data={
            "pickup": {"latitude": town.lat, "longitude": town.lng},
            "destination": there,
            "vehicle_type": "standard",
        },
    )
    ride_id = hers["rides"].hear("request_ride_response")["data"]["ride_id"]
    assert his["rides"].hear("new_ride_request")["data"]["ride_id"] == ride_id
    his["rides"].say(event="accept_ride", data={"ride_id": ride_id})
    update = hers["rides"].hear("ride_status_update", ride_id)
    assert update["data"]["status"] == "arrivingToPickup"
    assert hers["feed"].hear("delivery_accepted", ride_id)
