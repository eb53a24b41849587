"""How far a courier has come."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.geo import compute_bearing
from chalicelib.domain.odometer import MAX_SPEED_M_S, MIN_MOVE_M, Odometer, TrackPoint
from tests.builders import DEPOT, north_of


def driven(*places: tuple[float, int]) -> Odometer:
    """(metres north of the depot, at which second) as an odometer."""
    return Odometer(0.0, tuple(TrackPoint(north_of(DEPOT, metres), s) for metres, s in places))


def test_the_way_is_along_the_marks() -> None:
    assert driven((0, 0), (300, 10), (0, 20)).reading_m == pytest.approx(600, abs=1)
    assert Odometer().reading_m == driven((0, 0)).reading_m == 0


def test_a_receiver_that_stands_makes_no_way() -> None:
    still = driven(*[(MIN_MOVE_M * 0.9 * (n % 2), n) for n in range(100)])
    assert still.reading_m == 0


def test_slow_steps_add_up() -> None:
    assert driven(*[(4 * n, n) for n in range(101)]).reading_m == pytest.approx(400, abs=12)


def test_a_jump_there_and_back_is_no_way_even_after_a_long_stand() -> None:
    """What counts is the time since the last fix, not since the last move."""
    stood = [(0.0, n) for n in range(100)]
    assert driven(*stood, (5000, 100), (0, 101), (60, 102)).reading_m == pytest.approx(60, abs=1)


def test_after_a_jump_that_stays_the_way_goes_on_from_there() -> None:
    assert driven((0, 0), (5000, 1), (5060, 2)).reading_m == pytest.approx(60, abs=1)


def test_a_gap_in_the_fixes_is_no_jump() -> None:
    """A tunnel: as far as one may drive in the time."""
    assert driven((0, 0), (2000, 60)).reading_m == pytest.approx(2000, abs=2)


def test_fixes_in_one_second_are_a_second_apart() -> None:
    """Phones may tell whole seconds."""
    assert driven((0, 7), (MAX_SPEED_M_S - 1, 7)).reading_m > 60
    assert driven((0, 7), (MAX_SPEED_M_S + 1, 7)).reading_m == 0


@pytest.mark.parametrize("speed_m_s", [20, 40, 69])
@given(gaps=st.lists(st.floats(1.0, 6.0), min_size=1, max_size=30))
def test_whoever_drives_fast_loses_no_way(speed_m_s: float, gaps: list[float]) -> None:
    """Whatever part of a second their positions are of."""
    times = list(accumulate(gaps, initial=0.4))
    driven_ = driven(*((speed_m_s * at_s, int(at_s)) for at_s in times))
    assert driven_.reading_m == pytest.approx(speed_m_s * (times[-1] - times[0]), rel=0.001)


steps = st.lists(st.tuples(st.integers(-200, 200), st.integers(0, 5)), min_size=1, max_size=40)


@given(steps, st.data())
def test_adding_up_on_the_way_changes_no_reading(
    moves: list[tuple[int, int]], data: st.DataObject
) -> None:
    metres, seconds, marks = 0, 0, []
    for step_m, step_s in moves:
        metres, seconds = metres + step_m, seconds + step_s
        marks.append(TrackPoint(north_of(DEPOT, metres), seconds))
    cut = data.draw(st.integers(0, len(marks)))
    half = Odometer(0.0, tuple(marks[:cut])).fold_track()
    assert len(half.track) <= 4
    whole = Odometer(half.counted_m, half.track + tuple(marks[cut:]))
    assert whole.reading_m == pytest.approx(Odometer(0.0, tuple(marks)).reading_m, abs=0.06)


@pytest.mark.parametrize(
    ("to", "degrees"), [((1, 0), 0), ((0, 1), 90), ((-1, 0), 180), ((0, -1), 270), ((0, 0), 0)]
)
def test_a_bearing_is_clockwise_from_north(to: tuple[float, float], degrees: float) -> None:
    assert compute_bearing((0.0, 0.0), to) == degrees
    there = Odometer(0.0, (TrackPoint((5.0, 5.0), 0), TrackPoint((0.0, 0.0), 1), TrackPoint(to, 2)))
    assert there.heading == degrees
