"""What is said by spec 001."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.contracts.rides import bodies as rides
from chalicelib.contracts.rides.socket import ERROR_CODES, MAX_EVENT_ID, MIN_EVENT_ID
from chalicelib.domain.orders.chat import MAX_TEXT_LENGTH
from infra.documents.frames.said import (
    EMPTY,
    NOTHING,
    TOKEN,
    Said,
    list_codes,
    require_data,
)
from infra.documents.requests import ID, NOTE, PIN, REASON, REQUESTS, make_fix
from infra.documents.shapes import (
    INTEGER,
    NUMBER,
    STRING,
    Fields,
    Schema,
    asked,
    choice,
    listed,
    one_of,
    only,
    ref,
    text,
    told,
)
from infra.documents.views import (
    AMOUNT,
    RIDE,
    RIDE_STATUS,
    WINDOWS,
)

_RIDE_ID: Fields = {"ride_id": ID}
_DRIVER = ref("RideDriver")
_RIDE_DATA = told(*RIDE)
_CHAT_MESSAGE = told(
    {
        "id": STRING,
        "ride_id": STRING,
        "sender_id": STRING,
        "sender_type": choice(rides.USER_TYPES.values()),
        "message": STRING,
        "timestamp": INTEGER,
    }
)
_EVENT_ID: Schema = {
    "type": ["string", "integer"],
    "maxLength": MAX_EVENT_ID,
    "minimum": MIN_EVENT_ID,
    "description": "Comes back in the answer. With 16 characters or more it is an idempotency key.",
}
_RIDE_MESSAGES: Mapping[str, tuple[Schema, Fields]] = {
    "authenticate": (
        asked({"token": TOKEN}),
        {"user_type": choice(rides.USER_TYPES.values()), "user_id": STRING},
    ),
    "go_online": (NOTHING, {"driver_id": STRING}),
    "go_offline": (NOTHING, {}),
    "update_location": (make_fix("latitude", "longitude", "timestamp"), {}),
    "accept_ride": (asked(_RIDE_ID), {"driver_info": _DRIVER}),
    "start_ride": (asked(_RIDE_ID, {"pin": PIN}), {}),
    "complete_ride": (
        asked(_RIDE_ID, {"pin": PIN}),
        {
            "ride_data": told(
                {"id": STRING}, {"fare": AMOUNT, "distance": NUMBER, "duration": INTEGER}
            )
        },
    ),
    "cancel_ride": (asked(_RIDE_ID, {"reason": REASON, "note": NOTE}), {}),
    "request_ride": (
        REQUESTS["NewRide"],
        {"ride_id": STRING, "estimated_fare": AMOUNT, "estimated_duration": INTEGER},
    ),
    "rate_driver": (REQUESTS["DriverRating"], {}),
    "join_ride_room": (
        asked(_RIDE_ID),
        {
            "ride_data": told(
                {"id": STRING, "status": RIDE_STATUS, "pickup": STRING, "destination": STRING}
            )
        },
    ),
    "get_ride_state": (asked(_RIDE_ID), {"ride_data": _RIDE_DATA}),
    "send_chat_message": (
        asked({**_RIDE_ID, "message": text(MAX_TEXT_LENGTH)}),
        {"chat_id": STRING},
    ),
    "get_ride_chats": (asked(_RIDE_ID, {"before": ID}), {"chats": listed(ref("ChatEntry"))}),
}
_RIDE_OPTIONAL: Mapping[str, Fields] = {"request_ride": WINDOWS}
_CODES = [ERROR_CODES.get(code, code.upper()) for code in list_codes()]
_RIDE_ERROR = told(
    {"status": only("error"), "message": STRING, "code": choice(_CODES)}, {"detail": STRING}
)


def _wrap_ride(name: str, data: Schema) -> Schema:
    return told({"event": only(name), "data": data}, {"event_id": _EVENT_ID})


def _wrap_asked_ride(name: str, data: Schema) -> Schema:
    frame = asked({"event": only(name)}, {"data": data, "event_id": _EVENT_ID})
    words = "`action` and `type` are read where there is no `event`."
    return {**frame, **require_data(data), "description": words}


def _answer_ride(name: str, fields: Fields) -> Schema:
    good = told(
        {"status": only("success"), "message": STRING, **fields}, _RIDE_OPTIONAL.get(name, {})
    )
    return one_of(good, _RIDE_ERROR)


_RIDE_UPDATE = told(
    {
        "ride_id": STRING,
        "status": RIDE_STATUS,
        "data": told(
            {"message": STRING},
            {"driver": _DRIVER, "driver_info": _DRIVER, "reason": STRING, "eta_minutes": INTEGER},
        ),
    },
    {"eta_minutes": INTEGER},
)
RIDES = Said(
    messages={name: message for name, (message, _) in _RIDE_MESSAGES.items()},
    answers={name: f"{name}_response" for name in _RIDE_MESSAGES},
    pushed={
        "ride_status_update": _RIDE_UPDATE,
        "new_ride_request": told(
            {
                "ride_id": STRING,
                "pickup": ref("RidePlace"),
                "destination": ref("RidePlace"),
                "vehicle_type": STRING,
                "fare_estimate": AMOUNT,
                "rider_info": told({"rating": NUMBER}, {"name": STRING}),
            },
            {"notes": STRING},
        ),
        "ride_request_closed": told(
            {"ride_id": STRING, "reason": choice(["taken", "canceled", "expired"])}
        ),
        "driver_location_update": told(
            {
                "ride_id": STRING,
                "driver_id": STRING,
                "latitude": NUMBER,
                "longitude": NUMBER,
                "heading": NUMBER,
            }
        ),
        "chat_message": _CHAT_MESSAGE,
        "server_message": told({"msg": STRING}),
    },
    own={
        **{
            f"{name}_response": _answer_ride(name, fields)
            for name, (_, fields) in _RIDE_MESSAGES.items()
        },
        "error": _RIDE_ERROR,
        "heartbeat": EMPTY,
    },
    wrap=_wrap_ride,
    wrap_asked=_wrap_asked_ride,
)
