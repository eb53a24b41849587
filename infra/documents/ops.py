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
    described,
    listed,
    map_of,
    nullable,
    ref,
    told,
)

_PERCENT = nullable({"type": "number", "minimum": 0, "maximum": 100})
_PERCENTILES = told({"p50": nullable(INTEGER), "p95": nullable(INTEGER)})
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
    "orders": described(INTEGER, "Unfinished, and active."),
    "searching": described(INTEGER, "Of them, wait for a courier to accept."),
    "unassigned": described(INTEGER, "Of them, have no courier, whatever they wait for."),
    "late": described(INTEGER, "Of them, past what was promised, or will be."),
    "unserved": described(INTEGER, "Found no courier in the last 24 hours."),
    "oldest_searching_s": nullable(INTEGER),
    "couriers": described(INTEGER, "On duty."),
    "couriers_idle": INTEGER,
    "couriers_idle_percent": _PERCENT,
}
_SPAN: Fields = {
    "orders": described(INTEGER, "Became active in this time."),
    "first_offer_ms": _PERCENTILES,
    "assign_ms": _PERCENTILES,
    "offers_per_order": nullable(NUMBER),
    "accepted_percent": described(_PERCENT, "Of the offers that were answered or lapsed."),
    "declined_percent": _PERCENT,
    "ignored_percent": _PERCENT,
    "unserved_percent": described(_PERCENT, "Of the orders."),
    "pickup_wait_s": _PERCENTILES,
    "door_wait_s": _PERCENTILES,
    "on_time_percent": described(_PERCENT, "Of the orders that were promised by a time."),
    "couriers_idle_percent": described(
        _PERCENT, "Of couriers on duty, once a minute while somebody watches the board, and now."
    ),
    "ends": described(_COUNTS, "How many orders came to each end."),
    "reasons": described(_COUNTS, "How many ended for each reason."),
}
OPS_SCHEMAS: Mapping[str, Schema] = {
    "Figures": told(
        {
            "now": told(
                {
                    **CURRENT_FIGURES,
                    "sockets": INTEGER,
                    "wakeup_lag_ms": described(INTEGER, "How long what is overdue longest waits."),
                }
            ),
            "hours": described(listed(ref("HourFigures")), "In UTC, the newest last."),
            "total": told(_SPAN),
        }
    ),
    "HourFigures": told({"hour": MOMENT, **_SPAN}),
}
