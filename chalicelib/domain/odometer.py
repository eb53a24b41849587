"""How far a courier has come: the way between fixes, less what only the receiver moved.

Steps shorter than MIN_MOVE_M are not added one by one, but measured from the last counted point: so
a slow walk counts, and a receiver that wanders around one place does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chalicelib.domain.geo import Point, compute_bearing, measure_distance_m

MIN_MOVE_M = 10.0  # nearer than this a receiver wanders while it stands
MAX_SPEED_M_S = 70.0  # 250 km/h: whatever is faster was a jump of the receiver, and no way was made
ROUGH_M = 50.0  # vaguer than this, a fix does not tell that its courier is at a door
SLOW_M_S = 3.0  # and at this speed or more they pass by
MIN_GAP_S = 1.0  # between two fixes, spec 001; phones may tell whole seconds only
_KEPT_POINTS = 2  # the last ones, beside what it takes to go on: three tell that a track is known


class TrackPoint(msgspec.Struct, frozen=True):
    """A place where a courier was, and when (epoch seconds). `is_rough`: to within more than
    ROUGH_M; `is_fast`: at SLOW_M_S or more, as its receiver said."""

    point: Point
    at_s: int
    is_rough: bool = False
    is_fast: bool = False


class Odometer(msgspec.Struct, frozen=True):
    """Metres that are counted, and the points since; the way to the first of them is counted."""

    counted_m: float = 0.0
    track: tuple[TrackPoint, ...] = ()

    @property
    def reading_m(self) -> float:
        """The whole way, in metres."""
        return self.counted_m + _measure_track(self.track)[0]

    @property
    def heading(self) -> float:
        """The direction from the last mark but one to the last: degrees from north, 0 if none."""
        return (
            compute_bearing(self.track[-2].point, self.track[-1].point)
            if len(self.track) > 1
            else 0.0
        )

    def fold_track(self) -> Odometer:
        """Return the odometer with the same reading and no more points than it takes to go on, and
        to judge the next fix: the last three, or four."""
        metres, kept = _measure_track(self.track[:-_KEPT_POINTS])
        return Odometer(round(self.counted_m + metres, 1), kept + self.track[-_KEPT_POINTS:])


def _measure_track(track: Sequence[TrackPoint]) -> tuple[float, tuple[TrackPoint, ...]]:
    """Measure the metres along a track. Returns them with what is left of the track: the point up
    to which they are counted, and the last one."""
    if not track:
        return 0.0, ()
    metres, counted, last = 0.0, track[0], track[0]
    for mark in track[1:]:
        step_m = measure_distance_m(counted.point, mark.point)
        if _is_jump(last, mark):
            counted = mark
        elif step_m >= MIN_MOVE_M:
            metres, counted = metres + step_m, mark
        last = mark
    return metres, (counted,) if counted == last else (counted, last)


def _is_jump(a: TrackPoint, b: TrackPoint) -> bool:
    # Times are cut to whole seconds: two that differ may be nearly one further apart, and whoever
    # drives fast must not lose their way by that.
    gap_s = b.at_s - a.at_s
    seconds = gap_s + 1 if gap_s > 0 else MIN_GAP_S
    return measure_distance_m(a.point, b.point) > MAX_SPEED_M_S * seconds
