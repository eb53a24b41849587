"""What a way costs by a tariff: the estimate before it, and for rides the fare after it."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import msgspec
from msgspec.structs import replace

from chalicelib.domain.details import Estimate, OrderDetails
from chalicelib.domain.geo import Point, measure_distance_m
from chalicelib.domain.price_lines import BASE, DISTANCE, TIME, PriceLine
from chalicelib.domain.travel import ROAD_FACTOR, estimate_travel_s
from chalicelib.errors import InvalidInput

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

    def itemize_fare(self, metres: float, seconds: float) -> tuple[PriceLine, ...]:
        """List what makes up a fare; a line for the time only where time costs something.

        The lines add up to compute_fare_minor exactly: what rounding them one by one would lose or
        add is in the time's, which is never negative by it.
        """
        run_minor = self.compute_fare_minor(metres, seconds) - self.base_minor
        if not self.per_minute_minor:
            return PriceLine(BASE, self.base_minor), PriceLine(DISTANCE, run_minor)
        way_minor = int(metres / 1000 * self.per_km_minor + 0.5)
        return (
            PriceLine(BASE, self.base_minor),
            PriceLine(DISTANCE, way_minor),
            PriceLine(TIME, run_minor - way_minor),
        )


Tariffs = Mapping[str, Tariff]
"""Tariffs by vehicle type, as `normalize_vehicle_type` names it."""


def normalize_vehicle_type(vehicle_type: str | None) -> str:
    """Name a vehicle type as tariffs have it: in lower case; none is the standard."""
    return (vehicle_type or "").strip().lower() or STANDARD


def find_tariff(tariffs: Tariffs, vehicle_type: str | None) -> Tariff:
    """Find the tariff of a vehicle type. Raises InvalidInput where there is none."""
    found = tariffs.get(normalize_vehicle_type(vehicle_type))
    if found is None:
        known = ", ".join(sorted(tariffs))
        raise InvalidInput(f"vehicle_type must be one of {known}.", field="vehicle_type")
    return found


def estimate_trip(pickup: Point, dropoff: Point, tariff: Tariff) -> Estimate:
    """Estimate a trip's metres and seconds by road, and its fare, from the crow's line."""
    metres, seconds = _estimate_way(pickup, dropoff)
    return Estimate(metres, ceil(seconds), tariff.compute_fare_minor(metres, seconds))


def estimate_anew(details: OrderDetails, tariffs: Tariffs) -> OrderDetails:
    """Return the details of a trip with the estimate that they have now. Raises InvalidInput for a
    vehicle type without a tariff."""
    pickup, dropoff = details.pickup.point, details.dropoff.point
    if pickup is None or dropoff is None:
        return details
    tariff = find_tariff(tariffs, details.vehicle_type)
    return replace(details, estimate=estimate_trip(pickup, dropoff, tariff))


def itemize_trip(pickup: Point, dropoff: Point, tariff: Tariff) -> tuple[PriceLine, ...]:
    """List what makes up the fare that estimate_trip estimates."""
    return tariff.itemize_fare(*_estimate_way(pickup, dropoff))


def _estimate_way(pickup: Point, dropoff: Point) -> tuple[float, float]:
    """Estimate the metres and the seconds by road."""
    crow_m = measure_distance_m(pickup, dropoff)
    return crow_m * ROAD_FACTOR, estimate_travel_s(crow_m)
