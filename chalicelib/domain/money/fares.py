"""What a ride costs, and how long it takes: estimates before it, the bill after it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from math import ceil

import msgspec

from chalicelib.domain.details import Estimate
from chalicelib.domain.geo import Point, measure_distance_m

STANDARD = "standard"  # spec 001, request_ride: vehicle_type
ROAD_FACTOR = 1.3  # roads are that much longer than the crow's line
SPEED_M_S = 25_000 / 3600  # through a city


class Tariff(msgspec.Struct, frozen=True):
    """Prices of one vehicle type, in minor units."""

    base_minor: int
    per_km_minor: int
    per_minute_minor: int

    def compute_fare_minor(self, metres: float, seconds: float) -> int:
        """The fare, to the nearest minor unit, half up."""
        run = metres / 1000 * self.per_km_minor + seconds / 60 * self.per_minute_minor
        return self.base_minor + int(run + 0.5)


Tariffs = Mapping[str, Tariff]
"""By vehicle type, as `vehicle_key` has it."""


def normalize_vehicle_type(vehicle_type: str | None) -> str:
    """The name by which a vehicle type is looked up: case does not count, none is the standard."""
    return (vehicle_type or "").strip().lower() or STANDARD


def estimate_trip(pickup: Point, dropoff: Point, tariff: Tariff) -> Estimate:
    """What a trip will come to, from the crow's line."""
    metres = measure_distance_m(pickup, dropoff) * ROAD_FACTOR
    seconds = metres / SPEED_M_S
    return Estimate(metres, ceil(seconds), tariff.compute_fare_minor(metres, seconds))


def estimate_eta_minutes(start: Point | None, end: Point | None) -> int | None:
    """Whole minutes from here to there, at least 1; None where either is unknown."""
    if start is None or end is None:
        return None
    return max(1, ceil(measure_distance_m(start, end) * ROAD_FACTOR / SPEED_M_S / 60))


def to_whole_minutes(seconds: float) -> int:
    """Whole minutes, at least 1."""
    return max(1, ceil(timedelta(seconds=seconds) / timedelta(minutes=1)))
