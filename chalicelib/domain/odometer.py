"""How far a courier has come: what their fixes add up to, less what only a receiver moved."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chalicelib.domain.geo import Point, bearing, distance_m

STANDING_M = 10.0  # nearer than this a receiver wanders while it stands
FASTEST_M_S = 70.0  # 250 km/h: whatever is faster was a jump of the receiver, and no way was made
LEAST_GAP_S = 1.0  # between two fixes, spec 001; phones may tell whole seconds only


class Mark(msgspec.Struct, frozen=True):
    """Where a courier was, and when (epoch seconds)."""

    point: Point
    at_s: int


class Odometer(msgspec.Struct, frozen=True):
    """Metres that are added up, and the marks since; the first of them is counted already."""

    added_m: float = 0.0
    track: tuple[Mark, ...] = ()

    @property
    def reading_m(self) -> float:
        """All the way, in metres."""
        return self.added_m + _along(self.track)[0]

    @property
    def heading(self) -> float:
        """The direction from the last mark but one to the last: degrees from north, 0 if none."""
        return bearing(self.track[-2].point, self.track[-1].point) if len(self.track) > 1 else 0.0

    def added_up(self) -> Odometer:
        """The same reading, with no more marks than it takes to go on."""
        metres, kept = _along(self.track)
        return Odometer(round(self.added_m + metres, 1), kept)


def _along(track: Sequence[Mark]) -> tuple[float, tuple[Mark, ...]]:
    """The metres along a track, and what is left of it: the mark up to which they are counted,
    and the last one."""
    if not track:
        return 0.0, ()
    metres, counted, last = 0.0, track[0], track[0]
    for mark in track[1:]:
        step_m = distance_m(counted.point, mark.point)
        if _jumped(last, mark):
            counted = mark
        elif step_m >= STANDING_M:
            metres, counted = metres + step_m, mark
        last = mark
    return metres, (counted,) if counted == last else (counted, last)


def _jumped(a: Mark, b: Mark) -> bool:
    seconds = max(LEAST_GAP_S, b.at_s - a.at_s)
    return distance_m(a.point, b.point) > FASTEST_M_S * seconds
