"""Whether a courier is where a fix says: verdicts, and the boxes that say the same to the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.fixes import BOX_STEPS, Trail, judge_fixes, list_boxes
from chalicelib.domain.geo import Point, measure_distance_m
from chalicelib.domain.odometer import MAX_SPEED_M_S
from chalicelib.domain.people import Fix
from tests.builders import DEPOT, NOW, north_of

KNOWN = [(0, 0), (10, 1), (20, 2)]
"""(metres north, at which second) of an established track."""

Spots = Sequence[tuple[float, float]]


def fixes_of(spots: Spots) -> list[Fix]:
    return [Fix(*north_of(DEPOT, m), NOW + timedelta(seconds=s)) for m, s in spots]


def verdicts_of(before: Spots, spots: Spots) -> list[str]:
    trail = judge_fixes(Trail(), fixes_of(before)).trail
    return [verdict.value for verdict in judge_fixes(trail, fixes_of(spots)).verdicts]


@pytest.mark.parametrize(
    ("before", "spots", "verdicts"),
    [
        ([], [(0, 0)], "kept"),
        (KNOWN, [(30, 3), (40, 4)], "kept kept"),
        (KNOWN, [(40, 4), (30, 3)], "kept kept"),  # by the device's clock
        (KNOWN, [(15, 1.5), (30, 3)], "late kept"),
        (KNOWN, KNOWN, "late late kept"),  # the same report again
        (KNOWN, [(30, 2)], "kept"),  # phones tell whole seconds
        (KNOWN, [(88, 3)], "kept"),
        (KNOWN, [(92, 3)], "far"),
        (KNOWN, [(5000, 3)], "far"),
        (KNOWN, [(5000, 3), (30, 4)], "far kept"),
        (KNOWN, [(5000, 3), (5010, 4)], "far far"),
        (KNOWN, [(5000, 3), (5010, 4), (5020, 5)], "kept kept kept"),
        (KNOWN, [(5020, 5), (5000, 3), (5010, 4)], "kept kept kept"),
        (KNOWN, [(5000, 3), (9000, 4), (30, 5)], "far far kept"),
        (KNOWN, [(5000, 3), (9000, 4), (5000, 5), (9000, 6)], "far far far far"),
        (KNOWN, [(5000, 3), (9000, 4), (9001, 5), (9002, 6)], "far kept kept kept"),
        (KNOWN, [(5000, 3), (5000, 3), (5000, 3)], "far far far"),  # one fix, thrice
        (KNOWN, [(5000, 3), (5001, 3), (5002, 3)], "far far far"),  # none is later
        (KNOWN[1:], [(5000, 3)], "kept"),  # not established: an idle phone wakes up elsewhere
        ([(0, 0), (0, 1), (0, 122)], [(5000, 123)], "kept"),  # not within two minutes
        ([(0, 0), (0, 60), (0, 120)], [(50_000, 180)], "far"),  # a phone that saves power
        (KNOWN, [(50_000, 122)], "far"),
        (KNOWN, [(50_000, 123)], "kept"),  # it was silent for too long
        ([], [*KNOWN, (5000, 3), (30, 4)], "kept kept kept far kept"),
    ],
)
def test_verdicts(before: Spots, spots: Spots, verdicts: str) -> None:
    assert " ".join(verdicts_of(before, spots)) == verdicts


@pytest.mark.parametrize("cut", [1, 2])
def test_a_jump_is_confirmed_across_reports_and_counts_as_way_from_there(cut: int) -> None:
    trail = judge_fixes(Trail(), fixes_of(KNOWN)).trail
    jump = fixes_of([(5000, 3), (5010, 4), (5020, 5)])
    first = judge_fixes(trail, jump[:cut])
    assert first.kept == []
    assert first.trail.last == trail.last
    again = judge_fixes(first.trail, jump[:cut])  # the answer was lost
    assert (again.kept, again.trail) == ([], first.trail)
    last = judge_fixes(again.trail, jump[cut:])
    assert last.kept == jump
    assert last.trail.last == jump[-1]
    assert last.trail.doubts == ()


def test_a_plausible_fix_puts_an_end_to_doubts() -> None:
    doubting = judge_fixes(Trail(), fixes_of([*KNOWN, (5000, 3), (5010, 4), (30, 5)])).trail
    assert doubting.doubts == ()
    assert judge_fixes(doubting, fixes_of([(5020, 6)])).kept == []


@pytest.mark.parametrize(
    ("there", "here", "is_jump"),
    [
        ((0.0, 179.9999), (0.0, -179.9999), False),  # across the antimeridian: 22 m
        ((0.0, 179.9999), (0.0, 179.9), True),
        ((89.9999, 0.0), (89.9999, 180.0), False),  # across the pole: 22 m
        ((-89.9999, -90.0), (-89.99, 90.0), True),
        ((0.001, 0.001), (0.0011, 0.0011), False),
    ],
)
def test_jumps_are_measured_on_the_globe(there: Point, here: Point, is_jump: bool) -> None:
    known = [Fix(*there, NOW + timedelta(seconds=s)) for s in (0, 1, 2)]
    judged = judge_fixes(Trail(), [*known, Fix(*here, NOW + timedelta(seconds=3))])
    assert (len(judged.kept) == 3) is is_jump


spots = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
moves = st.tuples(st.floats(-0.01, 0.01), st.floats(-0.02, 0.02), st.floats(0, 90))


def is_within_box(last: Point, fix: Point, seconds: float) -> bool:
    lat, lng = (round(degrees * BOX_STEPS) for degrees in last)
    return any(
        gap.total_seconds() <= seconds
        and any(box.south <= lat <= box.north and box.west <= lng <= box.east for box in boxes)
        for gap, boxes in list_boxes(fix)
    )


@given(spots, moves)
def test_nobody_in_a_box_has_made_a_jump(last: Point, move: tuple[float, float, float]) -> None:
    north, east, seconds = move
    fix = max(-90.0, min(90.0, last[0] + north)), max(-180.0, min(180.0, last[1] + east))
    if is_within_box(last, fix, seconds):
        assert measure_distance_m(last, fix) <= MAX_SPEED_M_S * max(1.0, seconds)


@given(st.floats(0, 110), st.floats(-0.5, 31))
def test_whoever_drives_straight_on_is_in_a_box(seconds: float, speed: float) -> None:
    assert is_within_box(DEPOT, north_of(DEPOT, speed * seconds), seconds)
