"""A scenario: the orders and the couriers of one day, before anybody has moved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import cos, hypot, radians

from chalicelib.domain.geo import EARTH_RADIUS_M, Point

_M_PER_DEGREE = radians(1) * EARTH_RADIUS_M

Spot = tuple[float, float]
"""Metres east and north of the city's corner: the city is small enough to be flat."""


@dataclass(frozen=True)
class PlannedOrder:
    """An order that will be placed, and when it is ready; seconds from the beginning of the day."""

    id: str
    placed_s: float
    ready_s: float
    pickup: Spot
    dropoff: Spot


@dataclass(frozen=True)
class Shift:
    """A courier's working day: from when to when, where it begins, how fast they are, and which
    share of the offers they decline or let lapse."""

    courier_id: str
    on_s: float
    off_s: float
    start: Spot
    speed_m_s: float
    vehicle_type: str
    declines: float
    ignores: float


@dataclass(frozen=True)
class Scenario:
    """One day. `detour` is how much longer the way is than the straight line. Couriers with nothing
    to do go back to the nearest of `hot_spots`, where there are any."""

    name: str
    orders: tuple[PlannedOrder, ...]
    shifts: tuple[Shift, ...]
    pickup_service_s: float
    dropoff_service_s: float
    detour: float = 1.0
    hot_spots: tuple[Spot, ...] = ()
    corner: Point = (52.40, 13.20)

    @cached_property
    def _m_per_degree_east(self) -> float:
        return _M_PER_DEGREE * cos(radians(self.corner[0]))

    @property
    def end_s(self) -> float:
        """When the last shift is over and the last order is ready."""
        ends = [shift.off_s for shift in self.shifts] + [order.ready_s for order in self.orders]
        return max(ends, default=0.0)

    def locate(self, spot: Spot) -> Point:
        """Return the (latitude, longitude) of a spot."""
        (lat, lng), (east_m, north_m) = self.corner, spot
        return lat + north_m / _M_PER_DEGREE, lng + east_m / self._m_per_degree_east


def measure_m(a: Spot, b: Spot) -> float:
    """Measure the straight line between two spots."""
    return hypot(a[0] - b[0], a[1] - b[1])
