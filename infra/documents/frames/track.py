"""What is said to whoever has a tracking link."""

from __future__ import annotations

from chalicelib.domain.orders.model import Status
from infra.documents.answers import TRACKED_PLACE
from infra.documents.frames.said import EMPTY, NOTHING, Said, list_codes, wrap_type
from infra.documents.shapes import INTEGER, STRING, choice, output_object

TRACK = Said(
    messages={"ping": NOTHING},
    answers={"ping": "pong"},
    pushed={
        "order.changed": output_object({"version": INTEGER, "status": choice(Status)}),
        "courier.position": output_object(
            {"version": INTEGER, **TRACKED_PLACE}, {"eta_minutes": INTEGER}
        ),
    },
    own={
        "connected": EMPTY,
        "pong": EMPTY,
        "error": output_object({"code": choice(list_codes()), "message": STRING}),
    },
    wrap=wrap_type,
    wrap_asked=wrap_type,
    resumes=False,
)
