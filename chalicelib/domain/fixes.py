"""Judging fixes: whether a courier is where a fix of theirs says.

Fixes are judged in the order of their device's clock, against the last one that was kept. Faster
than MAX_SPEED_M_S from there is a jump. It is suspect where the track is established: a receiver
that knew its place a moment ago is wrong now, or has been wrong, and only what comes next can tell.
Two later fixes that go on from it confirm it: then the courier is there. Until then it is a doubt,
which is remembered with the courier and moves them nowhere. Without an established track a jump
counts at once: an idle phone that wakes up somewhere else is there.

`list_boxes` has the same rule as boxes around a fix, for a condition that the store can check: what
is within one is surely no jump.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import Enum
from math import cos, radians
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from chalicelib.domain.geo import EARTH_RADIUS_M, Point, measure_distance_m
from chalicelib.domain.odometer import MAX_SPEED_M_S, MIN_GAP_S
from chalicelib.domain.people import Fix

ESTABLISHED_FIXES = 3
ESTABLISHED_WITHIN = timedelta(minutes=2)
CONFIRMING_FIXES = 2
CLOCK_SKEW = timedelta(seconds=5)  # a phone may be so far ahead, and is taken at its word

_SAME_PLACE_M = 0.1
# The boxes' least gaps between two fixes, in seconds, and their sides as parts of the way that is
# no jump: two oblong ones, both within the circle of that way.
_BOX_GAPS_S = (0.0, 1.5, 2.2, 3.3, 5.0, 7.5, 11.0, 20.0, 40.0, 80.0)
_BOX_SIDES = ((0.92, 0.38), (0.38, 0.92))
_BOX_MARGIN_M = 3.0
BOX_STEPS = 100_000  # a degree


class Verdict(str, Enum):
    """What became of one fix."""

    KEPT = "kept"
    LATE = "late"  # older than the last one kept
    FAR = "far"  # a jump that nothing has confirmed
    VAGUE = "vague"  # of no place, or of none that is known well enough
    FUTURE = "future"  # ahead of our clock by more than clocks differ


class Trail(msgspec.Struct, frozen=True):
    """What is remembered of a courier's fixes: the last one that was kept, at what time the last
    ones were kept, and the jumps since, which nothing has confirmed. `known_at` is the time of the
    position, which may be a vague one: then there is no `last`."""

    last: Fix | None = None
    known_at: datetime | None = None
    kept_at: tuple[datetime, ...] = ()
    doubts: tuple[Fix, ...] = ()

    def keep(self, *fixes: Fix) -> Trail:
        """Return the trail after fixes that are kept."""
        kept_at = (*self.kept_at, *(fix.at for fix in fixes))[-ESTABLISHED_FIXES:]
        return Trail(fixes[-1], fixes[-1].at, kept_at)

    def is_established(self, at: datetime) -> bool:
        """Say whether a fix of a time is judged against the last one: the last ones came within two
        minutes, and it comes no later after them."""
        if self.last is None or len(self.kept_at) < ESTABLISHED_FIXES:
            return False
        is_recent = at - self.last.at <= ESTABLISHED_WITHIN
        return is_recent and self.kept_at[-1] - self.kept_at[0] <= ESTABLISHED_WITHIN


class Judgement(NamedTuple):
    """What became of some fixes: a verdict of each, those that count newly, by their time, and the
    trail after them."""

    verdicts: list[Verdict]
    kept: list[Fix]
    trail: Trail


class Box(NamedTuple):
    """A box of the globe, in steps of BOX_STEPS a degree."""

    south: int
    north: int
    west: int
    east: int


def judge_fixes(trail: Trail, fixes: Sequence[Fix]) -> Judgement:
    """Judge fixes that are neither vague nor from the future. The verdicts are in their order."""
    verdicts = [Verdict.FAR] * len(fixes)
    kept: list[Fix] = []
    doubted: list[int] = []  # which of the fixes are the doubts now
    for index in sorted(range(len(fixes)), key=lambda index: fixes[index].at):
        fix = fixes[index]
        if trail.known_at is not None and fix.at < trail.known_at:
            verdicts[index] = Verdict.LATE
        elif is_repeat(trail, fix):
            verdicts[index] = Verdict.KEPT  # sent again: it adds nothing
        elif not _is_suspect(trail, fix):
            verdicts[index], doubted = Verdict.KEPT, []
            kept.append(fix)
            trail = trail.keep(fix)
        else:
            trail, doubted = _doubt(trail, fix, index, doubted)
            if len(trail.doubts) > CONFIRMING_FIXES:
                for one in doubted:
                    verdicts[one] = Verdict.KEPT
                kept += trail.doubts
                trail, doubted = trail.keep(*trail.doubts), []
    return Judgement(verdicts, kept, trail)


def is_repeat(trail: Trail, fix: Fix) -> bool:
    """Say whether a fix is the last one that was kept, sent again."""
    return trail.last is not None and _is_same(trail.last, fix)


def _doubt(trail: Trail, fix: Fix, index: int, doubted: list[int]) -> tuple[Trail, list[int]]:
    """Return the trail after a jump, and which fixes are its doubts: one more of those that go on
    from each other, or the first of others."""
    doubts = trail.doubts
    if any(_is_same(one, fix) for one in doubts):
        return trail, [*doubted, index]  # sent again: it confirms nothing
    if not doubts or _is_jump(doubts[-1], fix):
        return replace(trail, doubts=(fix,)), [index]
    if fix.at <= doubts[-1].at:
        return trail, doubted  # no later one
    return replace(trail, doubts=(*doubts, fix)), [*doubted, index]


def _is_suspect(trail: Trail, fix: Fix) -> bool:
    last = trail.last
    return last is not None and trail.is_established(fix.at) and _is_jump(last, fix)


def _is_jump(a: Fix, b: Fix) -> bool:
    seconds = max(MIN_GAP_S, abs((b.at - a.at).total_seconds()))
    return measure_distance_m(a.point, b.point) > MAX_SPEED_M_S * seconds


def _is_same(a: Fix, b: Fix) -> bool:
    """Say whether two fixes are the same one. (Places are rounded as they are stored, and times cut
    to a millisecond.)"""
    is_same_time = int(a.at.timestamp() * 1000) == int(b.at.timestamp() * 1000)
    return is_same_time and measure_distance_m(a.point, b.point) < _SAME_PLACE_M


def list_boxes(point: Point) -> Iterator[tuple[timedelta, list[Box]]]:
    """List boxes around a fix, by the time that has passed since the one before: a courier who was
    in one of them so long before, or longer, has made no jump. Outside of all boxes a courier may
    have made none either, as they are smaller than the circle: such a fix is judged."""
    for gap_s in _BOX_GAPS_S:
        way_m = MAX_SPEED_M_S * max(MIN_GAP_S, gap_s) - _BOX_MARGIN_M
        boxes = [_make_box(point, tall * way_m, wide * way_m) for tall, wide in _BOX_SIDES]
        yield timedelta(seconds=gap_s), boxes


def _make_box(point: Point, up_m: float, along_m: float) -> Box:
    lat, lng = point
    m_per_degree = radians(1) * EARTH_RADIUS_M
    up = up_m / m_per_degree
    # A degree is longest on the side that is nearer to the equator.
    shrink = cos(radians(max(0.0, abs(lat) - up)))
    along = along_m / (m_per_degree * max(shrink, 1e-9))
    # Beyond a pole or the antimeridian the numbers begin anew: there the box ends.
    return Box(
        round(max(-90.0, lat - up) * BOX_STEPS),
        round(min(90.0, lat + up) * BOX_STEPS),
        round(max(-180.0, lng - along) * BOX_STEPS),
        round(min(180.0, lng + along) * BOX_STEPS),
    )
