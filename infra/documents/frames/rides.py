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
    array_of,
    choice,
    input_object,
    one_of,
    only,
    output_object,
    ref,
    text,
)
from infra.documents.views import (
    AMOUNT,
    RIDE,
    RIDE_STATUS,
    WINDOWS,
)

_RIDE_ID: Fields = {"ride_id": ID}
_DRIVER = ref("RideDriver")
_RIDE_DATA = output_object(*RIDE)
_CHAT_MESSAGE = output_object(
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
        input_object({"token": TOKEN}),
        {"user_type": choice(rides.USER_TYPES.values()), "user_id": STRING},
    ),
    "go_online": (NOTHING, {"driver_id": STRING}),
    "go_offline": (NOTHING, {}),
    "update_location": (make_fix("latitude", "longitude", "timestamp"), {}),
    "accept_ride": (input_object(_RIDE_ID), {"driver_info": _DRIVER}),
    "start_ride": (input_object(_RIDE_ID, {"pin": PIN}), {}),
    "complete_ride": (
        input_object(_RIDE_ID, {"pin": PIN}),
        {
            "ride_data": output_object(
                {"id": STRING}, {"fare": AMOUNT, "distance": NUMBER, "duration": INTEGER}
            )
        },
    ),
    "cancel_ride": (input_object(_RIDE_ID, {"reason": REASON, "note": NOTE}), {}),
    "request_ride": (
        REQUESTS["NewRide"],
        {"ride_id": STRING, "estimated_fare": AMOUNT, "estimated_duration": INTEGER},
    ),
    "rate_driver": (REQUESTS["DriverRating"], {}),
    "join_ride_room": (
        input_object(_RIDE_ID),
        {
            "ride_data": output_object(
                {"id": STRING, "status": RIDE_STATUS, "pickup": STRING, "destination": STRING}
            )
        },
    ),
    "get_ride_state": (input_object(_RIDE_ID), {"ride_data": _RIDE_DATA}),
    "send_chat_message": (
        input_object({**_RIDE_ID, "message": text(MAX_TEXT_LENGTH)}),
        {"chat_id": STRING},
    ),
    "get_ride_chats": (
        input_object(_RIDE_ID, {"before": ID}),
        {"chats": array_of(ref("ChatEntry"))},
    ),
}
_RIDE_OPTIONAL: Mapping[str, Fields] = {"request_ride": WINDOWS}
_CODES = [ERROR_CODES.get(code, code.upper()) for code in list_codes()]
_RIDE_ERROR = output_object(
    {"status": only("error"), "message": STRING, "code": choice(_CODES)}, {"detail": STRING}
)


def _wrap_ride(name: str, data: Schema) -> Schema:
    return output_object({"event": only(name), "data": data}, {"event_id": _EVENT_ID})


def _wrap_asked_ride(name: str, data: Schema) -> Schema:
    frame = input_object({"event": only(name)}, {"data": data, "event_id": _EVENT_ID})
    words = "`action` and `type` are read where there is no `event`."
    return {**frame, **require_data(data), "description": words}


def _answer_ride(name: str, fields: Fields) -> Schema:
    good = output_object(
        {"status": only("success"), "message": STRING, **fields}, _RIDE_OPTIONAL.get(name, {})
    )
    return one_of(good, _RIDE_ERROR)


_RIDE_UPDATE = output_object(
    {
        "ride_id": STRING,
        "status": RIDE_STATUS,
        "data": output_object(
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
        "new_ride_request": output_object(
            {
                "ride_id": STRING,
                "pickup": ref("RidePlace"),
                "destination": ref("RidePlace"),
                "vehicle_type": STRING,
                "fare_estimate": AMOUNT,
                "rider_info": output_object({"rating": NUMBER}, {"name": STRING}),
            },
            {"notes": STRING},
        ),
        "ride_request_closed": output_object(
            {"ride_id": STRING, "reason": choice(["taken", "canceled", "expired"])}
        ),
        "driver_location_update": output_object(
            {
                "ride_id": STRING,
                "driver_id": STRING,
                "latitude": NUMBER,
                "longitude": NUMBER,
                "heading": NUMBER,
            }
        ),
        "chat_message": _CHAT_MESSAGE,
        "server_message": output_object({"msg": STRING}),
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
