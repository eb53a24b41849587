"""Distances on the globe, in metres, and the H3 cells that index free couriers."""

from __future__ import annotations

from collections.abc import Iterator
from math import asin, cos, radians, sin, sqrt

import h3

EARTH_RADIUS_M = 6_371_008.8
CELL_RESOLUTION = 7  # about 5 km² and 1.4 km an edge: a city block of couriers, not a city

# Rings 0…k leave nothing nearer than k · _RING_M - _RIM_M unsearched: seen over the whole globe,
# the nearest point outside is 1.44, 3.25, 4.61 and 6.16 km away for k = 1 … 4.
_RING_M = 1_450.0
_RIM_M = 200.0

Point = tuple[float, float]


def distance_m(a: Point, b: Point) -> float:
    """The great-circle distance between two (latitude, longitude) points: haversine."""
    lat1, lng1, lat2, lng2 = map(radians, (*a, *b))
    h = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lng2 - lng1) / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(h)))


def cell_of(point: Point) -> str:
    """The H3 cell that a point lies in."""
    return str(h3.latlng_to_cell(point[0], point[1], CELL_RESOLUTION))


def rings(point: Point, radius_m: float) -> Iterator[tuple[list[str], float]]:
    """Cells outward from a point until the radius is covered.

    Yields (cells of ring k, metres around the point that rings 0…k surely cover).
    """
    centre, k = cell_of(point), 0
    while True:
        covered_m = max(0.0, k * _RING_M - _RIM_M)
        yield sorted(h3.grid_ring(centre, k)), covered_m
        if covered_m >= radius_m:
            return
        k += 1
