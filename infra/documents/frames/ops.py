"""What is said to those who watch the dispatcher's board."""

from __future__ import annotations

from chalicelib.contracts.base import REFRESH, REFRESHED
from chalicelib.contracts.ops.socket import DELTA, SNAPSHOT
from chalicelib.contracts.renderer import GAP, RESUMED
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.model import Status
from infra.documents.frames.said import (
    NOTHING,
    REFRESH_TOKEN,
    Said,
    list_codes,
    wrap_type,
)
from infra.documents.ops import CURRENT_FIGURES
from infra.documents.shapes import (
    BOOLEAN,
    INTEGER,
    MOMENT,
    NUMBER,
    STRING,
    array_of,
    choice,
    nullable,
    only,
    output_object,
    with_words,
)

_ZONE = with_words(STRING, "An H3 cell.")
_DEGREES = {"lat": nullable(NUMBER), "lng": nullable(NUMBER)}
_PLACE = output_object({**_DEGREES, "address": STRING})
BOARD_ORDER = output_object(
    {
        "id": STRING,
        "flow": choice(FLOWS),
        "state": choice(Status),
        "since": with_words(MOMENT, "When it came to this state."),
        "created_at": MOMENT,
        "age_s": with_words(INTEGER, "Since it was placed, as of the frame's `at`."),
        "offers": with_words(INTEGER, "How many were made; to all near by, or in a pool, is one."),
        "customer_id": STRING,
        "courier_id": with_words(nullable(STRING), "Who has accepted it."),
        "courier_name": nullable(STRING),
        "offered_to": with_words(nullable(STRING), "Who is asked now."),
        "merchant_id": nullable(STRING),
        "external_id": nullable(STRING),
        "eta": with_words(nullable(MOMENT), "When it will be at its drop-off."),
        "due": with_words(nullable(MOMENT), "By when it was promised."),
        "late": BOOLEAN,
        "zone": with_words(nullable(_ZONE), "Its pickup's."),
        "lat": with_words(nullable(NUMBER), "Its pickup's, as `lng` is."),
        "lng": nullable(NUMBER),
        "pickup": _PLACE,
        "dropoff": _PLACE,
        "reason": with_words(nullable(STRING), "The last that was given for a step."),
    }
)
BOARD_COURIER = output_object(
    {
        "id": STRING,
        "name": nullable(STRING),
        **_DEGREES,
        "zone": with_words(nullable(_ZONE), "That of the last position."),
        "fix_at": with_words(nullable(MOMENT), "When that was known, by the server's clock."),
        "fix_age_s": nullable(INTEGER),
        "on_duty": with_words(BOOLEAN, "False of who has an order by hand, and is off duty."),
        "paused": BOOLEAN,
        "order_id": with_words(nullable(STRING), "The order at hand, be it merely offered."),
        "idle_since": nullable(MOMENT),
        "vehicle_type": nullable(STRING),
    }
)
FIGURES_NOW = output_object(CURRENT_FIGURES)
_POS = with_words(STRING, "Where a client is with this frame.")
_FRAME = {"pos": _POS, "at": with_words(MOMENT, "For when the board was read.")}
_ROWS = {
    **_FRAME,
    "zone": with_words(nullable(_ZONE), "The one that was asked for."),
    "orders": array_of(BOARD_ORDER),
    "couriers": array_of(BOARD_COURIER),
}
OPS = Said(
    messages={"ping": NOTHING, REFRESH: REFRESH_TOKEN},
    answers={"ping": "pong", REFRESH: REFRESHED},
    pushed={
        SNAPSHOT: output_object(
            {**_ROWS, "part": INTEGER, "parts": INTEGER},
            {"figures": with_words(FIGURES_NOW, "In the last part.")},
        ),
        DELTA: output_object(
            {
                **_ROWS,
                "removed": with_words(
                    array_of(STRING), "Ids of orders that are not there any more."
                ),
                "removed_couriers": array_of(STRING),
                "figures": FIGURES_NOW,
            },
            {
                "reset": with_words(
                    array_of(only("couriers")), "Forget all couriers first: all are told anew."
                )
            },
        ),
        RESUMED: output_object({**_FRAME, "from": STRING, "to": STRING}),
        GAP: output_object({**_FRAME, "from": STRING, "oldest": STRING}),
    },
    own={
        "pong": output_object({"pos": _POS}),
        REFRESHED: output_object({"pos": _POS}),
        "error": output_object({"code": choice(list_codes()), "message": STRING, "pos": _POS}),
    },
    wrap=wrap_type,
    wrap_asked=wrap_type,
    resumes=False,
)
