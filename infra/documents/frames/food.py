"""What is said by spec 002, as plain JSON and over Socket.IO."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.contracts.base import REFRESH, REFRESHED
from chalicelib.contracts.food.socket import ANSWER_NAMES, COMMANDS_BY_STATUS
from infra.documents.frames.said import (
    EMPTY,
    ERROR,
    FROM,
    NOTHING,
    REFRESH_TOKEN,
    Said,
    wrap_asked_event,
    wrap_event,
)
from infra.documents.requests import ID, NOTE, PIN, REASON
from infra.documents.shapes import (
    INTEGER,
    STRING,
    Schema,
    array_of,
    choice,
    input_object,
    one_of,
    only,
    output_object,
    with_words,
)
from infra.documents.views import (
    FOOD_ORDER,
)

_FOOD_ORDER = output_object({"order": output_object(*FOOD_ORDER)})
_ORDER_ID = output_object({"orderId": INTEGER})
_STATUSES = choice(word for steps in COMMANDS_BY_STATUS.values() for word in steps)
_ORDERS = output_object({"orders": array_of(output_object(*FOOD_ORDER))})
_OF_ONE_ORDER = (
    "order-created",
    "new-order",
    "new-available-order",
    "order-accepted",
    "order-assigned",
    "order-updated",
)
FOOD = Said(
    messages={
        "update-order-status": input_object(
            {"orderId": ID, "status": _STATUSES},
            {
                "pin": PIN,
                "reason": with_words(REASON, "With cancelled: a code, or words of your own."),
                "note": with_words(NOTE, "With cancelled."),
            },
        ),
        "accept-order": input_object({"orderId": ID}),
        "get-available-orders": NOTHING,
        "get-restaurant-orders": NOTHING,
        "ping": NOTHING,
        REFRESH: REFRESH_TOKEN,
    },
    answers=ANSWER_NAMES,
    pushed={
        **dict.fromkeys(_OF_ONE_ORDER, _FOOD_ORDER),
        "order-taken": _ORDER_ID,
    },
    own={
        "available-orders": _ORDERS,
        "restaurant-orders": _ORDERS,
        "pong": EMPTY,
        REFRESHED: EMPTY,
        "error": ERROR,
    },
    wrap=wrap_event,
    wrap_asked=wrap_asked_event,
)


def _wrap_packet(name: str, data: Schema) -> Schema:
    """Describe what a Socket.IO event packet carries: its name and its data, in a list."""
    return {"type": "array", "prefixItems": [only(name), data], "minItems": 2, "maxItems": 2}


def _wrap_asked_packet(name: str, data: Schema) -> Schema:
    least = 2 if data.get("required") else 1
    return {"type": "array", "prefixItems": [only(name), data], "minItems": least}


SOCKETIO = Said(
    messages={name: one for name, one in FOOD.messages.items() if name != "ping"},
    answers={name: one for name, one in FOOD.answers.items() if name != "ping"},
    pushed=FOOD.pushed,
    own={name: one for name, one in FOOD.own.items() if name != "pong"},
    wrap=_wrap_packet,
    wrap_asked=_wrap_asked_packet,
)
# Packets that are no events, by their digits: what they carry.
SOCKETIO_PACKETS: Mapping[str, Schema] = {
    "0": output_object(
        {
            "sid": STRING,
            "upgrades": array_of(STRING),
            "pingInterval": INTEGER,
            "pingTimeout": INTEGER,
            "maxPayload": INTEGER,
        }
    ),
    "40": output_object({"sid": STRING}),
    "44": ERROR,
    "43": {
        "type": "array",
        "prefixItems": [
            one_of(output_object({"ok": {"const": True}}), output_object({"error": STRING}))
        ],
        "minItems": 1,
        "maxItems": 1,
    },
}
SOCKETIO_CONNECT = input_object({}, {"token": {"type": "string"}, "from": FROM})
