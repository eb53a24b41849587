"""How long a way takes: one guess from the crow's line, in whole minutes, for every contract."""

from __future__ import annotations

from math import ceil

from chalicelib.domain.geo import Point, measure_distance_m

ROAD_FACTOR = 1.3  # roads are that much longer than the crow's line
SPEED_M_S = 25_000 / 3600  # through a city

# Said where the distance is not known.
TO_PICKUP_MIN = 10
TO_DROPOFF_MIN = 20
TO_READY_MIN = 15  # a shop's guess; no contract lets it say its own
PROMISED_MIN = 30  # spec 003, order_created: "30 minutes"


def measure_way_m(start: Point | None, end: Point | None) -> float | None:
    """Measure the metres of the crow's line between two places; None where either is unknown."""
    return measure_distance_m(start, end) if start and end else None


def estimate_minutes(start: Point | None, end: Point | None) -> int | None:
    """Estimate the whole minutes from one place to another; None where either is unknown."""
    distance_m = measure_way_m(start, end)
    return None if distance_m is None else to_whole_minutes(estimate_travel_s(distance_m))


def estimate_minutes_or(distance_m: float | None, unknown: int) -> int:
    """Estimate the whole minutes for a distance in metres; `unknown` where it is None."""
    return unknown if distance_m is None else to_whole_minutes(estimate_travel_s(distance_m))


def estimate_travel_s(distance_m: float, speed_m_s: float = SPEED_M_S) -> float:
    """Estimate the seconds by road for a distance in metres on the crow's line."""
    return distance_m * ROAD_FACTOR / speed_m_s


def to_whole_minutes(seconds: float) -> int:
    """Round seconds up to whole minutes, at least 1: nobody is told that it takes none."""
    return max(1, ceil(seconds / 60))
