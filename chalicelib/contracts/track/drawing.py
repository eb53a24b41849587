"""A drawing of a courier and the drop-off: north is up, one metre is the same in all directions.

It takes no map of anybody's: what is shown of the town is how far and in which direction.
"""

from __future__ import annotations

from math import cos, radians
from typing import Any

from chalicelib.domain.geo import EARTH_RADIUS_M, Point

WIDTH, HEIGHT = 320, 200
_MARGIN = 32
_MAX_PX_PER_M = 0.4  # what is nearer than some streets is not told apart
_MAX_BAR_PX = 80
_M_PER_DEGREE = radians(1) * EARTH_RADIUS_M


def draw_way(courier: Point, dropoff: Point | None) -> dict[str, Any]:
    """Place a courier and the drop-off on a sheet of WIDTH by HEIGHT, as
    {courier: [x, y], dropoff?: [x, y], bar?: {px, m}}; `bar` is its scale."""
    centre = [WIDTH / 2, HEIGHT / 2]
    if dropoff is None:
        return {"courier": centre}
    east_m, north_m = _measure_offset_m(dropoff, courier)
    px_per_m = min(
        _MAX_PX_PER_M,
        (WIDTH - 2 * _MARGIN) / max(abs(east_m), 1.0),
        (HEIGHT - 2 * _MARGIN) / max(abs(north_m), 1.0),
    )
    x, y = east_m * px_per_m / 2, north_m * px_per_m / 2
    return {
        "courier": [round(centre[0] + x, 1), round(centre[1] - y, 1)],
        "dropoff": [round(centre[0] - x, 1), round(centre[1] + y, 1)],
        "bar": _make_bar(px_per_m),
    }


def _measure_offset_m(start: Point, end: Point) -> tuple[float, float]:
    """Measure how far east and north of `start` a point is, on the plane around it."""
    turn = (end[1] - start[1] + 180) % 360 - 180  # the shorter way around the globe
    return turn * _M_PER_DEGREE * cos(radians(start[0])), (end[0] - start[0]) * _M_PER_DEGREE


def _make_bar(px_per_m: float) -> dict[str, Any]:
    """Make the longest bar of 1, 2 or 5 times a power of ten metres that fits."""
    lengths_m = [digit * 10**power for power in range(8) for digit in (1, 2, 5)]
    fitting = [m for m in lengths_m if m * px_per_m <= _MAX_BAR_PX]
    longest_m = fitting[-1] if fitting else lengths_m[0]
    return {"px": round(longest_m * px_per_m, 1), "m": longest_m}
