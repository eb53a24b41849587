"""One order of every flow, step by step, between people with profiles and addresses of ordinary
length, everybody online."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from infra.bench.stage import Refused, Stage, token

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
        self.customer = token("customer", f"{name}-customer")
        self.courier = token("courier", f"{name}-courier")
        self.owner = token("merchant", f"{name}-owner", restaurant_ids=[f"{name}-restaurant"])
        self.order = ""
        on.rest("PUT", "me", self.customer, {"name": "Asha Rao", "phone": "+919812345678"})
        on.rest("PUT", "me", self.courier, PROFILE)

    def on_duty(self, at: tuple[float, float] = HERE) -> None:
        """The courier is available there."""
        here = {"available": True, "lat": at[0], "lng": at[1]}
        self.on.rest("POST", "courier/availability", self.courier, here)

    def off_duty(self) -> None:
        """The courier is out of the others' way."""
        self.on.rest("POST", "courier/availability", self.courier, {"available": False})

    def fix(self, north: float = 0.0) -> None:
        """The courier is at the pickup, or so many degrees further north."""
        at = {"lat": HERE[0] + north, "lng": HERE[1]}
        more = {"heading": 87.5, "speed": 7.2, "accuracy": 6.0}
        self.on.rest("POST", "courier/location", self.courier, {**at, **more})

    def place(self, path: str, body: Mapping[str, Any]) -> None:
        """The customer places an order by REST."""
        made = self.on.rest("POST", path, self.customer, body)
        self.order = str(made.get("order_id") or made["id"])

    def do(self, what: str) -> None:
        """The courier takes a step by REST."""
        self.on.rest("POST", f"courier/orders/{what}", self.courier, {"order_id": self.order})

    def say(self, who: str, event: str, **data: Any) -> Any:
        """Somebody speaks over their socket; the answer's data. Raises Refused."""
        answers = [json.loads(f) for f in self.on.say(f"{self.name}-{who}", _said(event, data))]
        if any(a["event"] == "error" or a["data"].get("status") == "error" for a in answers):
            raise Refused(f"{event}: {answers}")
        return answers[-1]["data"] if answers else {}


def _said(event: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"event": event, "data": data}


def delivery(cast: Cast) -> Iterator[Step]:
    """Spec 000."""
    cast.on_duty()
    cast.on.connect(f"{cast.name}-customer", "customer", cast.customer)
    cast.on.connect(f"{cast.name}-courier", "courier", cast.courier)
    yield "create, assign", lambda: cast.place("orders", PARCEL)
    yield "accept", lambda: cast.do("accept")
    yield "arrive", lambda: cast.do("arrived")
    yield "pick up", lambda: cast.do("picked")
    yield "deliver", lambda: cast.do("delivered")


def hail(cast: Cast) -> Iterator[Step]:
    """Spec 004; its customer on spec 000's socket."""
    cast.on_duty()
    cast.on.connect(f"{cast.name}-customer", "customer", cast.customer)
    cast.on.connect(f"{cast.name}-courier", "drivers", cast.courier)
    accept = lambda: cast.on.rest("POST", f"driver/orders/{cast.order}/accept", cast.courier)  # noqa: E731
    yield "create, offer", lambda: cast.place("driver-orders", HAIL)
    yield "accept", accept
    yield "arrive", lambda: cast.do("arrived")
    yield "pick up", lambda: cast.do("picked")
    yield "deliver", lambda: cast.do("delivered")


def ride(cast: Cast) -> Iterator[Step]:
    """Spec 001: one driver near by is called."""
    for who, bearer in (("customer", cast.customer), ("courier", cast.courier)):
        cast.on.connect(f"{cast.name}-{who}", "rides")
        cast.say(who, "authenticate", token=bearer)
    cast.say("courier", "go_online")
    here = {"latitude": HERE[0], "longitude": HERE[1]}
    cast.say("courier", "update_location", **here)

    def request() -> None:
        cast.order = str(cast.say("customer", "request_ride", **RIDE)["ride_id"])

    yield "request, call", request
    yield "accept", lambda: cast.say("courier", "accept_ride", ride_id=cast.order)
    cast.on.pass_time(2)
    cast.say("courier", "update_location", **here)
    yield "start", lambda: cast.say("courier", "start_ride", ride_id=cast.order)
    yield "complete", lambda: cast.say("courier", "complete_ride", ride_id=cast.order)


def food(cast: Cast) -> Iterator[Step]:
    """Spec 002, plain JSON."""
    cast.on_duty()
    for who, bearer in (
        ("customer", cast.customer),
        ("owner", cast.owner),
        ("courier", cast.courier),
    ):
        cast.on.connect(f"{cast.name}-{who}", "food", bearer)

    def update(who: str, status: str) -> Callable[[], Any]:
        return lambda: cast.say(who, "update-order-status", orderId=int(cast.order), status=status)

    yield "create", lambda: cast.place(f"restaurants/{cast.name}-restaurant/orders", MEAL)
    yield "confirm", update("owner", "confirmed")
    yield "prepare", update("owner", "preparing")
    yield "ready, shown to the pool", update("owner", "ready_for_pickup")
    yield "accept", lambda: cast.say("courier", "accept-order", orderId=int(cast.order))
    yield "deliver", update("courier", "delivered")


SCENES: Mapping[str, Scene] = {"delivery": delivery, "hail": hail, "ride": ride, "food": food}
