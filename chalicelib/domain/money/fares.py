"""What a ride costs: the estimate before it, the fare after it, both by the same tariff."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import msgspec

from chalicelib.domain.details import Estimate
from chalicelib.domain.geo import Point, measure_distance_m
from chalicelib.domain.travel import ROAD_FACTOR, estimate_travel_s

STANDARD = "standard"  # spec 001, request_ride: vehicle_type


class Tariff(msgspec.Struct, frozen=True):
    """The prices of one vehicle type, in minor units."""

    base_minor: int
    per_km_minor: int
    per_minute_minor: int

    def compute_fare_minor(self, metres: float, seconds: float) -> int:
        """Compute the fare of a trip, rounded half up to a whole minor unit: customers can check
        it by hand, which Python's rounding to even would confuse."""
        run = metres / 1000 * self.per_km_minor + seconds / 60 * self.per_minute_minor
        return self.base_minor + int(run + 0.5)


Tariffs = Mapping[str, Tariff]
"""Tariffs by vehicle type, as `normalize_vehicle_type` names it."""


def normalize_vehicle_type(vehicle_type: str | None) -> str:
    """Name a vehicle type as tariffs have it: in lower case; none is the standard."""
    return (vehicle_type or "").strip().lower() or STANDARD


def estimate_trip(pickup: Point, dropoff: Point, tariff: Tariff) -> Estimate:
    """Estimate a trip's metres and seconds by road, and its fare, from the crow's line."""
    crow_m = measure_distance_m(pickup, dropoff)
    metres, seconds = crow_m * ROAD_FACTOR, estimate_travel_s(crow_m)
    return Estimate(metres, ceil(seconds), tariff.compute_fare_minor(metres, seconds))
