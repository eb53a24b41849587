"""How orders are shown, by each contract and by all: what several bodies and frames have alike."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.contracts.courier import socket as courier
from chalicelib.contracts.drivers import socket as drivers
from chalicelib.contracts.food import orders as food
from chalicelib.contracts.rides import bodies as rides
from chalicelib.domain.money.payments import CURRENCY
from chalicelib.domain.orders.model import Status
from chalicelib.domain.orders.proof import Stop
from infra.documents.shapes import (
    INTEGER,
    MOMENT,
    NUMBER,
    STRING,
    Fields,
    Schema,
    array_of,
    choice,
    map_of,
    nullable,
    only,
    output_object,
    ref,
    with_words,
)

AMOUNT = with_words(NUMBER, "In units of the currency, with up to two decimals.")
CURRENCY_CODE = only(CURRENCY)
NUMBER_OR_TEXT: Schema = {"type": ["integer", "string"]}
NAIVE_MOMENT: Schema = {"type": "string", "description": "UTC, to the second, without an offset."}
WINDOWS: Fields = dict.fromkeys(("pickup_from", "pickup_by", "dropoff_by"), MOMENT)
_REFUND: Fields = {"payment_id": STRING, "amount": AMOUNT}
# What each view of an order shows beside its contract's own fields.
OPTIONS: Fields = {
    "waiting_since": with_words(MOMENT, "Since when its courier waits at a stop."),
    "no_show_at": with_words(MOMENT, "From when on a no-show can be said."),
    "reason": STRING,
    "note": STRING,
    "parent_id": with_words(STRING, "The order that this one tries again."),
    "external_id": STRING,
    "metadata": map_of(STRING),
    "due": with_words(output_object({"amount": AMOUNT}), "Still to be paid."),
    "refund_due": output_object(_REFUND),
    "refunded": output_object({**_REFUND, "refunded_at": MOMENT}),
    "price": ref("Price"),
    **WINDOWS,
    "proof": output_object({}, {stop.value: ref("StopProof") for stop in Stop}),
}
STATE: Fields = {"state": with_words(choice(Status), "The status in no contract's words.")}
PLACES: Fields = {
    f"{end}_{part}": one
    for end in ("pickup", "dropoff")
    for part, one in (("address", STRING), ("lat", NUMBER), ("lng", NUMBER))
}
DELIVERY: tuple[Fields, Fields] = (
    {
        "id": STRING,
        "status": choice(courier.STATUS_WORDS.values()),
        "customer_id": STRING,
        "pickup_address": STRING,
        "dropoff_address": STRING,
        "created_at": MOMENT,
        "updated_at": MOMENT,
        **STATE,
    },
    {"courier_id": STRING, **PLACES, "receiver_phone": STRING, "notes": STRING, **OPTIONS},
)
FOOD_ORDER: tuple[Fields, Fields] = (
    {
        "id": INTEGER,
        "status": choice(food.STATUS_WORDS.values()),
        "userId": NUMBER_OR_TEXT,
        "restaurantId": nullable(NUMBER_OR_TEXT),
        "driverId": nullable(NUMBER_OR_TEXT),
        "items": array_of(ref("ItemShown")),
        "totalAmount": AMOUNT,
        "deliveryAddress": STRING,
        "createdAt": MOMENT,
        "updatedAt": MOMENT,
    },
    {"notes": STRING},
)
_DEGREES = with_words(STRING, "Degrees, to six places.")
HAIL_ORDER: tuple[Fields, Fields] = (
    {
        "id": INTEGER,
        "order_code": STRING,
        "status": choice([*drivers.STATUS_WORDS.values(), "declined"]),
        "order_type": STRING,
        "created_at": NAIVE_MOMENT,
        "address_from": STRING,
        "address_to": STRING,
    },
    {
        **{f"{p}_{e}": _DEGREES for e in ("from", "to") for p in ("latitude", "longitude")},
        "distance_to_pickup_km": NUMBER,
    },
)
PENDING_HAIL: tuple[Fields, Fields] = (
    {"id": INTEGER, "order_code": STRING, "status": STRING, "address_from": STRING}
    | {"address_to": STRING},
    {"distance_to_pickup_km": NUMBER},
)
_TRIP: Fields = {"fare": AMOUNT, "distance": with_words(NUMBER, "Kilometres.")} | {
    "duration": with_words(INTEGER, "Seconds.")
}
RIDE_STATUS = choice(rides.STATUS_WORDS.values())
RIDE: tuple[Fields, Fields] = (
    {
        "id": STRING,
        "status": RIDE_STATUS,
        "pickup": STRING,
        "destination": STRING,
        "pickup_location": ref("RidePlace"),
        "destination_location": ref("RidePlace"),
    },
    {
        "vehicle_type": STRING,
        "notes": STRING,
        "estimated_fare": AMOUNT,
        "driver": ref("RideDriver"),
        "driver_info": ref("RideDriver"),
        "eta_minutes": INTEGER,
        **_TRIP,
    },
)
ESTIMATE: Fields = {
    "ride_id": STRING,
    "estimated_fare": AMOUNT,
    "estimated_duration": with_words(INTEGER, "Minutes."),
}
FLOW_VIEWS: Mapping[str, tuple[Fields, Fields]] = {
    "delivery": DELIVERY,
    "hail": HAIL_ORDER,
    "ride": RIDE,
    "food": FOOD_ORDER,
}


def show(order: tuple[Fields, Fields], more: Fields | None = None) -> Schema:
    """Describe an order as REST shows it: its contract's fields, and those of all flows."""
    always, sometimes = order
    return output_object({**(more or {}), **always, **STATE}, {**sometimes, **OPTIONS})
