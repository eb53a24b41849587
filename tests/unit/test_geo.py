"""Distances against known ones, and the promise that rings make."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.geo import find_cell, iterate_rings, measure_distance_m

# Great-circle distances on a sphere of the mean radius, in km.
KNOWN = [
    ((51.5074, -0.1278), (48.8566, 2.3522), 343.6),  # London - Paris
    ((40.7128, -74.0060), (34.0522, -118.2437), 3935.8),  # New York - Los Angeles
    ((-33.8688, 151.2093), (-36.8485, 174.7633), 2155.9),  # Sydney - Auckland
    ((0.0, 179.5), (0.0, -179.5), 111.2),  # across the date line
    ((90.0, 0.0), (-90.0, 0.0), 20015.1),  # pole to pole
]
points = st.tuples(st.floats(-89.5, 89.5), st.floats(-180, 180))


@pytest.mark.parametrize(("a", "b", "km"), KNOWN)
def test_distances_are_the_known_ones(
    a: tuple[float, float], b: tuple[float, float], km: float
) -> None:
    assert measure_distance_m(a, b) / 1000 == pytest.approx(km, abs=0.6)


@given(points, points)
def test_a_distance_is_the_same_both_ways_and_never_negative(
    a: tuple[float, float], b: tuple[float, float]
) -> None:
    assert measure_distance_m(a, b) == pytest.approx(measure_distance_m(b, a), abs=1e-6)
    assert 0 <= measure_distance_m(a, b) <= 20_015_200
    assert measure_distance_m(a, a) == 0


def moved(point: tuple[float, float], bearing: float, metres: float) -> tuple[float, float]:
    """The point that lies that far in a direction."""
    lat, lng, d = math.radians(point[0]), math.radians(point[1]), metres / 6_371_008.8
    there = math.asin(math.sin(lat) * math.cos(d) + math.cos(lat) * math.sin(d) * math.cos(bearing))
    turned = math.atan2(
        math.sin(bearing) * math.sin(d) * math.cos(lat),
        math.cos(d) - math.sin(lat) * math.sin(there),
    )
    return math.degrees(there), (math.degrees(lng + turned) + 540) % 360 - 180


@settings(max_examples=300, deadline=None)
@given(points, st.floats(0, 2 * math.pi), st.floats(0, 1))
def test_whoever_is_within_what_rings_cover_is_in_one_of_their_cells(
    centre: tuple[float, float], bearing: float, share: float
) -> None:
    cells: set[str] = set()
    for ring, covered_m in iterate_rings(centre, 5000):
        cells |= set(ring)
        within_m = min(covered_m, 5000)
        assert find_cell(moved(centre, bearing, within_m * share)) in cells


@given(points, st.floats(1, 20_000))
def test_rings_end_when_the_radius_is_covered(centre: tuple[float, float], radius_m: float) -> None:
    covered = [covered_m for _, covered_m in iterate_rings(centre, radius_m)]
    assert covered[-1] >= radius_m
    assert covered == sorted(covered)
    assert all(c < radius_m for c in covered[:-1])


@given(points)
def test_no_cell_is_read_twice(centre: tuple[float, float]) -> None:
    cells = [cell for ring, _ in iterate_rings(centre, 5000) for cell in ring]
    assert len(cells) == len(set(cells))


@given(points)
def test_half_of_the_cells_around_are_out_of_reach_and_left_out(
    centre: tuple[float, float],
) -> None:
    """Five kilometres: 61 cells in five rings, of which a circle touches 20 to 40."""
    assert 15 <= sum(len(ring) for ring, _ in iterate_rings(centre, 5000)) <= 45
