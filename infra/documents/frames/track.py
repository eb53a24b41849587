"""What is said to whoever has a tracking link."""

from __future__ import annotations

from chalicelib.domain.orders.model import Status
from infra.documents.answers import TRACKED_PLACE
from infra.documents.frames.said import EMPTY, NOTHING, Said, wrap_type
from infra.documents.shapes import INTEGER, STRING, choice, told

TRACK = Said(
    messages={"ping": NOTHING},
    answers={"ping": "pong"},
    pushed={
        "order.changed": told({"version": INTEGER, "status": choice(Status)}),
        "courier.position": told({"version": INTEGER, **TRACKED_PLACE}, {"eta_minutes": INTEGER}),
    },
    own={
        "connected": EMPTY,
        "pong": EMPTY,
        "error": told({"code": STRING, "message": STRING}),
    },
    wrap=wrap_type,
    wrap_asked=wrap_type,
    add_position=None,
)
