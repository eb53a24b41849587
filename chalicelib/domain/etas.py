"""How long a way takes: a guess from the distance, in whole minutes."""

from __future__ import annotations

from math import ceil

from chalicelib.domain.geo import Point, measure_distance_m
from chalicelib.domain.money.fares import ROAD_FACTOR, SPEED_M_S

TO_PICKUP_MIN = 10  # where nothing is known of the distance
TO_DROPOFF_MIN = 20
TO_READY_MIN = 15  # a shop's guess; no contract lets it say its own
PROMISED_MIN = 30  # spec 003, order_created: "30 minutes"


def way_m(start: Point | None, end: Point | None) -> float | None:
    """The metres between two places; None where either is unknown."""
    return measure_distance_m(start, end) if start and end else None


def minutes(distance: float | None, unknown: int) -> int:
    """The minutes for a distance in metres, at least 1; `unknown` where it is None."""
    return unknown if distance is None else max(1, ceil(distance * ROAD_FACTOR / SPEED_M_S / 60))
