"""What those who run couriers are shown by REST: figures."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.contracts.figures import DEFAULT_HOURS
from chalicelib.domain.ops.hours import MAX_HOURS
from infra.documents.shapes import (
    INTEGER,
    MOMENT,
    NUMBER,
    Fields,
    Schema,
    array_of,
    map_of,
    nullable,
    output_object,
    ref,
    with_words,
)

_PERCENT = nullable({"type": "number", "minimum": 0, "maximum": 100})
_PERCENTILES = output_object({"p50": nullable(INTEGER), "p95": nullable(INTEGER)})
_COUNTS = map_of(INTEGER)

HOURS_QUERY: Fields = {
    "hours": {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_HOURS,
        "default": DEFAULT_HOURS,
        "description": "For how many hours, this one among them.",
    }
}
CURRENT_FIGURES: Fields = {
    "orders": with_words(INTEGER, "Unfinished, and active."),
    "searching": with_words(INTEGER, "Of them, wait for a courier to accept."),
    "unassigned": with_words(INTEGER, "Of them, have no courier, whatever they wait for."),
    "late": with_words(INTEGER, "Of them, past what was promised, or will be."),
    "unserved": with_words(INTEGER, "Found no courier in the last 24 hours."),
    "oldest_searching_s": nullable(INTEGER),
    "couriers": with_words(INTEGER, "On duty."),
    "couriers_idle": INTEGER,
    "couriers_idle_percent": _PERCENT,
}
_SPAN: Fields = {
    "orders": with_words(INTEGER, "Became active in this time."),
    "first_offer_ms": _PERCENTILES,
    "assign_ms": _PERCENTILES,
    "offers_per_order": nullable(NUMBER),
    "accepted_percent": with_words(_PERCENT, "Of the offers that were answered or lapsed."),
    "declined_percent": _PERCENT,
    "ignored_percent": _PERCENT,
    "unserved_percent": with_words(_PERCENT, "Of the orders."),
    "pickup_wait_s": _PERCENTILES,
    "door_wait_s": _PERCENTILES,
    "on_time_percent": with_words(_PERCENT, "Of the orders that were promised by a time."),
    "couriers_idle_percent": with_words(
        _PERCENT, "Of couriers on duty, once a minute while somebody watches the board, and now."
    ),
    "ends": with_words(_COUNTS, "How many orders came to each end."),
    "reasons": with_words(_COUNTS, "How many ended for each reason."),
}
OPS_SCHEMAS: Mapping[str, Schema] = {
    "Figures": output_object(
        {
            "now": output_object(
                {
                    **CURRENT_FIGURES,
                    "sockets": INTEGER,
                    "wakeup_lag_ms": with_words(INTEGER, "How long what is overdue longest waits."),
                }
            ),
            "hours": with_words(array_of(ref("HourFigures")), "In UTC, the newest last."),
            "total": output_object(_SPAN),
        }
    ),
    "HourFigures": output_object({"hour": MOMENT, **_SPAN}),
}
