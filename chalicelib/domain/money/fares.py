"""What a ride costs: the estimate before it, the bill after it."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import msgspec

from chalicelib.domain.details import Estimate
from chalicelib.domain.geo import Point, measure_distance_m
from chalicelib.domain.travel import ROAD_FACTOR, estimate_travel_s

STANDARD = "standard"  # spec 001, request_ride: vehicle_type


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
    crow_m = measure_distance_m(pickup, dropoff)
    metres, seconds = crow_m * ROAD_FACTOR, estimate_travel_s(crow_m)
    return Estimate(metres, ceil(seconds), tariff.compute_fare_minor(metres, seconds))
