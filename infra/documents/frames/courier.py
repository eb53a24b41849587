"""What is said by spec 000."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.contracts.base import REFRESH, REFRESHED
from infra.documents.frames.said import (
    EMPTY,
    ERROR,
    REFRESH_TOKEN,
    Said,
    wrap_asked_event,
    wrap_event,
)
from infra.documents.requests import make_fix
from infra.documents.shapes import (
    STRING,
    Fields,
    Schema,
    choice,
    output_object,
)
from infra.documents.views import (
    PLACES,
)

_ADDRESSES: Fields = {"pickup_address": STRING, "dropoff_address": STRING}
_OFFER = output_object(
    {"order_id": STRING, "customer_id": STRING, **_ADDRESSES},
    {**PLACES, "receiver_phone": STRING},
)
_LOST = output_object({"order_id": STRING, "customer_id": STRING})
# Those that spec 000 tells customers of.
COURIER_STATUSES = (
    *("assigned", "accepted", "declined", "arrived"),
    *("picked_up", "delivered", "no_nearby_driver"),
)
_STATUS = output_object(
    {"order_id": STRING, "status": choice(COURIER_STATUSES)},
    {
        **PLACES,
        "receiver_phone": STRING,
        "courier_name": STRING,
        "courier_phone": STRING,
        "courier_profile_picture": STRING,
    },
)
_COURIER_OWN: Mapping[str, Schema] = {"error": ERROR, "heartbeat": EMPTY, REFRESHED: EMPTY}
COURIER = Said(
    messages={REFRESH: REFRESH_TOKEN, "location.update": make_fix("lat", "lng", "ts")},
    answers={REFRESH: REFRESHED},
    pushed={
        "order.assigned": _OFFER,
        "order.assignment_timed_out": _LOST,
        "order.reassigned_away": _LOST,
        "order.no_nearby_driver": _LOST,
    },
    own=_COURIER_OWN,
    wrap=wrap_event,
    wrap_asked=wrap_asked_event,
)
CUSTOMER = Said(
    messages={REFRESH: REFRESH_TOKEN},
    answers={REFRESH: REFRESHED},
    pushed={"order.status": _STATUS},
    own=_COURIER_OWN,
    wrap=wrap_event,
    wrap_asked=wrap_asked_event,
)
