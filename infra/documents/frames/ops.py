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
    choice,
    described,
    listed,
    nullable,
    only,
    told,
)

_ZONE = described(STRING, "An H3 cell.")
_DEGREES = {"lat": nullable(NUMBER), "lng": nullable(NUMBER)}
_PLACE = told({**_DEGREES, "address": STRING})
BOARD_ORDER = told(
    {
        "id": STRING,
        "flow": choice(FLOWS),
        "state": choice(Status),
        "since": described(MOMENT, "When it came to this state."),
        "created_at": MOMENT,
        "age_s": described(INTEGER, "Since it was placed, as of the frame's `at`."),
        "offers": described(INTEGER, "How many were made; to all near by, or in a pool, is one."),
        "customer_id": STRING,
        "courier_id": described(nullable(STRING), "Who has accepted it."),
        "courier_name": nullable(STRING),
        "offered_to": described(nullable(STRING), "Who is asked now."),
        "merchant_id": nullable(STRING),
        "external_id": nullable(STRING),
        "eta": described(nullable(MOMENT), "When it will be at its drop-off."),
        "due": described(nullable(MOMENT), "By when it was promised."),
        "late": BOOLEAN,
        "zone": described(nullable(_ZONE), "Its pickup's."),
        "lat": described(nullable(NUMBER), "Its pickup's, as `lng` is."),
        "lng": nullable(NUMBER),
        "pickup": _PLACE,
        "dropoff": _PLACE,
        "reason": described(nullable(STRING), "The last that was given for a step."),
    }
)
BOARD_COURIER = told(
    {
        "id": STRING,
        "name": nullable(STRING),
        **_DEGREES,
        "zone": described(nullable(_ZONE), "That of the last position."),
        "fix_at": described(nullable(MOMENT), "When that was known, by the server's clock."),
        "fix_age_s": nullable(INTEGER),
        "on_duty": described(BOOLEAN, "False of who has an order by hand, and is off duty."),
        "paused": BOOLEAN,
        "order_id": described(nullable(STRING), "The order at hand, be it merely offered."),
        "idle_since": nullable(MOMENT),
        "vehicle_type": nullable(STRING),
    }
)
FIGURES_NOW = told(CURRENT_FIGURES)
_POS = described(STRING, "Where a client is with this frame.")
_FRAME = {"pos": _POS, "at": described(MOMENT, "For when the board was read.")}
_ROWS = {
    **_FRAME,
    "zone": described(nullable(_ZONE), "The one that was asked for."),
    "orders": listed(BOARD_ORDER),
    "couriers": listed(BOARD_COURIER),
}
OPS = Said(
    messages={"ping": NOTHING, REFRESH: REFRESH_TOKEN},
    answers={"ping": "pong", REFRESH: REFRESHED},
    pushed={
        SNAPSHOT: told(
            {**_ROWS, "part": INTEGER, "parts": INTEGER},
            {"figures": described(FIGURES_NOW, "In the last part.")},
        ),
        DELTA: told(
            {
                **_ROWS,
                "removed": described(listed(STRING), "Ids of orders that are not there any more."),
                "removed_couriers": listed(STRING),
                "figures": FIGURES_NOW,
            },
            {
                "reset": described(
                    listed(only("couriers")), "Forget all couriers first: all are told anew."
                )
            },
        ),
        RESUMED: told({**_FRAME, "from": STRING, "to": STRING}),
        GAP: told({**_FRAME, "from": STRING, "oldest": STRING}),
    },
    own={
        "pong": told({"pos": _POS}),
        REFRESHED: told({"pos": _POS}),
        "error": told({"code": choice(list_codes()), "message": STRING, "pos": _POS}),
    },
    wrap=wrap_type,
    wrap_asked=wrap_type,
    resumes=False,
)
