"""Distances on the globe, in metres, and the H3 cells and spots that index free couriers."""

from __future__ import annotations

from collections.abc import Iterator
from math import asin, atan2, cos, degrees, radians, sin, sqrt
from typing import Any

EARTH_RADIUS_M = 6_371_008.8
CELL_RESOLUTION = 7  # about 5 km² and 1.4 km an edge: a city block of couriers, not a city

# From the edge of its cell, a point has at least k · _RING_M - _RIM_M to whatever lies beyond
# ring k: over the whole globe no less than 1.07, 2.74 and 4.28 km were seen for k = 1 … 3.
_RING_M = 1_450.0
_RIM_M = 450.0
_PLANE_FACTOR = 0.95  # the plane is not the globe: less than is measured, to be sure

# A spot is a point as one number, to within _SPOT_ERROR_M. Who is indexed by a spot is no farther
# from it than SPOT_KEPT_M: each time that they are, the index is written anew, three units.
SPOT_KEPT_M = 350.0
_SPOT_STEPS = 10_000  # a degree
_SPOT_ROW = 4_000_000  # more than there are steps around the globe
_SPOT_ERROR_M = 10.0

Point = tuple[float, float]


def measure_distance_m(a: Point, b: Point) -> float:
    """Measure the great circle between two (latitude, longitude) points, in metres: haversine."""
    lat1, lng1, lat2, lng2 = map(radians, (*a, *b))
    h = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lng2 - lng1) / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(h)))


def compute_bearing(a: Point, b: Point) -> float:
    """Compute the direction in which `b` lies from `a`: degrees clockwise from north, below 360."""
    lat1, lng1, lat2, lng2 = map(radians, (*a, *b))
    east = sin(lng2 - lng1) * cos(lat2)
    north = cos(lat1) * sin(lat2) - sin(lat1) * cos(lat2) * cos(lng2 - lng1)
    return round(degrees(atan2(east, north)), 1) % 360


def load_h3() -> Any:
    """Load H3 at its first use: it takes a tenth of a cold start, and most functions need none."""
    import h3

    return h3


def find_cell(point: Point) -> str:
    """Return the H3 cell that a point lies in."""
    return str(load_h3().latlng_to_cell(point[0], point[1], CELL_RESOLUTION))


def find_spot(point: Point) -> int:
    """Return the spot that a point lies in."""
    lat, lng = point
    return round((lat + 90) * _SPOT_STEPS) * _SPOT_ROW + round((lng + 180) * _SPOT_STEPS)


def measure_to_spot_m(point: Point, spot: int) -> float:
    """Measure the metres from a point to the middle of a spot."""
    row, column = divmod(spot, _SPOT_ROW)
    return measure_distance_m(point, (row / _SPOT_STEPS - 90, column / _SPOT_STEPS - 180))


def measure_least_m(point: Point, spot: int) -> float:
    """Measure the metres that surely lie between a point and whoever is indexed by a spot."""
    return max(0.0, measure_to_spot_m(point, spot) - SPOT_KEPT_M - _SPOT_ERROR_M)


def iterate_rings(point: Point, radius_m: float) -> Iterator[tuple[list[str], float]]:
    """Yield the cells outward from a point, ring by ring, until the radius is covered.

    Yields (cells of ring k, metres around the point that rings 0…k surely cover): as far as the
    edge of its own cell, and from there across k rings. Cells that are surely out of reach are left
    out: half of the outer rings, and each cell is a query.
    """
    centre, k = find_cell(point), 0
    edge_m = _measure_to_edge_m(point, centre)
    while True:
        covered_m = edge_m + max(0.0, k * _RING_M - _RIM_M)
        ring = sorted(load_h3().grid_ring(centre, k))
        yield [cell for cell in ring if _measure_to_cell_m(point, cell) <= radius_m], covered_m
        if covered_m >= radius_m:
            return
        k += 1


def _measure_to_cell_m(point: Point, cell: str) -> float:
    """Measure the least metres from a point to a cell: as far as to its middle, less the way from
    there to its farthest corner."""
    h3 = load_h3()
    middle = h3.cell_to_latlng(cell)
    reach_m = max(measure_distance_m(middle, corner) for corner in h3.cell_to_boundary(cell))
    return max(0.0, measure_distance_m(point, middle) - reach_m - 1.0)


def _measure_to_edge_m(point: Point, cell: str) -> float:
    """Measure the metres from a point to the nearest edge of its cell, on the plane around it."""
    lat, lng = point
    m_per_degree = radians(1) * EARTH_RADIUS_M
    corners = [
        (
            ((corner[1] - lng + 180) % 360 - 180) * m_per_degree * cos(radians(lat)),
            (corner[0] - lat) * m_per_degree,
        )
        for corner in load_h3().cell_to_boundary(cell)
    ]
    sides = zip(corners, [*corners[1:], corners[0]], strict=True)
    return max(0.0, _PLANE_FACTOR * min(_measure_to_segment_m(a, b) for a, b in sides) - 1.0)


def _measure_to_segment_m(a: Point, b: Point) -> float:
    """Measure the distance of (0, 0) from the segment a-b."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    along = -(a[0] * dx + a[1] * dy) / ((dx * dx + dy * dy) or 1.0)
    t = min(1.0, max(0.0, along))
    return sqrt((a[0] + t * dx) ** 2 + (a[1] + t * dy) ** 2)
