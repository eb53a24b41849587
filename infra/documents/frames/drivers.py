"""What is said by spec 004."""

from __future__ import annotations

from chalicelib.contracts.base import REFRESH, REFRESHED
from infra.documents.frames.said import (
    EMPTY,
    ERROR,
    NOTHING,
    REFRESH_TOKEN,
    Said,
    wrap_type,
)
from infra.documents.shapes import (
    INTEGER,
    STRING,
    array_of,
    output_object,
)
from infra.documents.views import (
    HAIL_ORDER,
    NUMBER_OR_TEXT,
    PENDING_HAIL,
)

DRIVERS = Said(
    messages={"ping": NOTHING, REFRESH: REFRESH_TOKEN},
    answers={"ping": "pong", REFRESH: REFRESHED},
    pushed={
        "new_order": output_object({"order": output_object(*HAIL_ORDER), "message": STRING}),
        "order_timeout": output_object({"order_id": INTEGER, "message": STRING}),
    },
    own={
        "connection_established": output_object({"message": STRING, "driver_id": NUMBER_OR_TEXT}),
        "initial_orders": output_object(
            {"orders": array_of(output_object(*PENDING_HAIL)), "message": STRING}
        ),
        "pong": EMPTY,
        REFRESHED: EMPTY,
        "error": ERROR,
    },
    wrap=wrap_type,
    wrap_asked=wrap_type,
)
