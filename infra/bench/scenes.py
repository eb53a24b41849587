"""One order of every flow, told step by step.

Its people have profiles and addresses of ordinary length, and all of them are online.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from infra.bench.stage import CallRefused, Stage, mint_stage_token

HERE = (12.9716, 77.5946)
DOOR = (12.9789, 77.6412)
PARCEL = {
    "pickup_address": "12 Mahatma Gandhi Road, Ashok Nagar, Bengaluru 560001",
    "pickup_lat": HERE[0],
    "pickup_lng": HERE[1],
    "dropoff_address": "Flat 4B, 27 Double Road, Indiranagar, Bengaluru 560038",
    "dropoff_lat": DOOR[0],
    "dropoff_lng": DOOR[1],
    "receiver_phone": "+919845012345",
    "notes": "Ring twice; leave it with the guard if nobody answers.",
}
HAIL = {
    "address_from": PARCEL["pickup_address"],
    "address_to": PARCEL["dropoff_address"],
    "latitude_from": HERE[0],
    "longitude_from": HERE[1],
    "latitude_to": DOOR[0],
    "longitude_to": DOOR[1],
}
RIDE = {
    "pickup": {"latitude": HERE[0], "longitude": HERE[1], "address": PARCEL["pickup_address"]},
    "destination": {"latitude": DOOR[0], "longitude": DOOR[1], "address": "27 Double Road"},
    "vehicle_type": "standard",
}
MEAL = {
    "items": [
        {"name": "Masala dosa", "quantity": 2, "price": 90.0},
        {"name": "Filter coffee", "quantity": 2, "price": 35.0},
    ],
    "deliveryAddress": PARCEL["dropoff_address"],
}
PROFILE = {
    "name": "Ravi Shankar Kumar",
    "phone": "+919876543210",
    "profile_picture": "https://images.example.com/couriers/4f1d2c3b/portrait-256.jpg",
    "vehicle": "Honda Activa KA-01-AB-1234",
    "vehicle_type": "standard",
}

Step = tuple[str, Callable[[], Any]]
Scene = Callable[["Cast"], Iterator[Step]]


class Cast:
    """A customer, a courier and a restaurant's owner, each with a token and a profile."""

    def __init__(self, on: Stage, name: str) -> None:
        self.on = on
        self.name = name
        self.customer = mint_stage_token("customer", f"{name}-customer")
        self.courier = mint_stage_token("courier", f"{name}-courier")
        self.owner = mint_stage_token(
            "merchant", f"{name}-owner", restaurant_ids=[f"{name}-restaurant"]
        )
        self.order = ""
        on.call_rest("PUT", "me", self.customer, {"name": "Asha Rao", "phone": "+919812345678"})
        on.call_rest("PUT", "me", self.courier, PROFILE)

    def go_on_duty(self, at: tuple[float, float] = HERE) -> None:
        """Make the courier available at a point."""
        here = {"available": True, "lat": at[0], "lng": at[1]}
        self.on.call_rest("POST", "courier/availability", self.courier, here)

    def go_off_duty(self) -> None:
        """Take the courier out of the others' way."""
        self.on.call_rest("POST", "courier/availability", self.courier, {"available": False})

    def send_fix(self, north: float = 0.0) -> None:
        """Send a position of the courier: at the pickup, or so many degrees further north."""
        at = {"lat": HERE[0] + north, "lng": HERE[1]}
        more = {"heading": 87.5, "speed": 7.2, "accuracy": 6.0}
        self.on.call_rest("POST", "courier/location", self.courier, {**at, **more})

    def place_order(self, path: str, body: Mapping[str, Any]) -> None:
        """Place the customer's order by REST."""
        made = self.on.call_rest("POST", path, self.customer, body)
        self.order = str(made.get("order_id") or made["id"])

    def take_step(self, what: str) -> None:
        """Take one of the courier's steps by REST."""
        self.on.call_rest("POST", f"courier/orders/{what}", self.courier, {"order_id": self.order})

    def send_message(self, who: str, event: str, **data: Any) -> Any:
        """Send a message over somebody's socket; return the answer's data. Raises CallRefused."""
        answers = [
            json.loads(f)
            for f in self.on.send_frame(f"{self.name}-{who}", _make_message(event, data))
        ]
        if any(a["event"] == "error" or a["data"].get("status") == "error" for a in answers):
            raise CallRefused(f"{event}: {answers}")
        return answers[-1]["data"] if answers else {}


def _make_message(event: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"event": event, "data": data}


def play_delivery(cast: Cast) -> Iterator[Step]:
    """Deliver a parcel (spec 000)."""
    cast.go_on_duty()
    cast.on.connect(f"{cast.name}-customer", "customer", cast.customer)
    cast.on.connect(f"{cast.name}-courier", "courier", cast.courier)
    yield "create, assign", lambda: cast.place_order("orders", PARCEL)
    yield "accept", lambda: cast.take_step("accept")
    yield "arrive", lambda: cast.take_step("arrived")
    yield "pick up", lambda: cast.take_step("picked")
    yield "deliver", lambda: cast.take_step("delivered")


def play_hail(cast: Cast) -> Iterator[Step]:
    """Deliver a driver's order (spec 004), its customer on spec 000's socket."""
    cast.go_on_duty()
    cast.on.connect(f"{cast.name}-customer", "customer", cast.customer)
    cast.on.connect(f"{cast.name}-courier", "drivers", cast.courier)
    accept = lambda: cast.on.call_rest("POST", f"driver/orders/{cast.order}/accept", cast.courier)  # noqa: E731
    yield "create, offer", lambda: cast.place_order("driver-orders", HAIL)
    yield "accept", accept
    yield "arrive", lambda: cast.take_step("arrived")
    yield "pick up", lambda: cast.take_step("picked")
    yield "deliver", lambda: cast.take_step("delivered")


def play_ride(cast: Cast) -> Iterator[Step]:
    """Drive somebody (spec 001): it is offered to one driver near by."""
    for who, bearer in (("customer", cast.customer), ("courier", cast.courier)):
        cast.on.connect(f"{cast.name}-{who}", "rides")
        cast.send_message(who, "authenticate", token=bearer)
    cast.send_message("courier", "go_online")
    here = {"latitude": HERE[0], "longitude": HERE[1]}
    cast.send_message("courier", "update_location", **here)

    def request() -> None:
        cast.order = str(cast.send_message("customer", "request_ride", **RIDE)["ride_id"])

    yield "request, call", request
    yield "accept", lambda: cast.send_message("courier", "accept_ride", ride_id=cast.order)
    cast.on.pass_time(2)
    cast.send_message("courier", "update_location", **here)
    yield "start", lambda: cast.send_message("courier", "start_ride", ride_id=cast.order)
    yield "complete", lambda: cast.send_message("courier", "complete_ride", ride_id=cast.order)


def play_food(cast: Cast) -> Iterator[Step]:
    """Deliver a meal (spec 002, plain JSON)."""
    cast.go_on_duty()
    for who, bearer in (
        ("customer", cast.customer),
        ("owner", cast.owner),
        ("courier", cast.courier),
    ):
        cast.on.connect(f"{cast.name}-{who}", "food", bearer)

    def update(who: str, status: str) -> Callable[[], Any]:
        return lambda: cast.send_message(
            who, "update-order-status", orderId=int(cast.order), status=status
        )

    yield "create", lambda: cast.place_order(f"restaurants/{cast.name}-restaurant/orders", MEAL)
    yield "confirm", update("owner", "confirmed")
    yield "prepare", update("owner", "preparing")
    yield "ready, shown to the pool", update("owner", "ready_for_pickup")
    yield "accept", lambda: cast.send_message("courier", "accept-order", orderId=int(cast.order))
    yield "deliver", update("courier", "delivered")


SCENES: Mapping[str, Scene] = {
    "delivery": play_delivery,
    "hail": play_hail,
    "ride": play_ride,
    "food": play_food,
}
