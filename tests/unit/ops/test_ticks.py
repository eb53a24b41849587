"""Ticks: who may take one when, and what a position is good for."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from msgspec.structs import replace

from chalicelib.domain.ops.ticks import (
    BUSY_FOR,
    MARGIN,
    TickState,
    end_tick,
    fail_tick,
    find_oldest,
    find_turn,
    find_unseen_since,
    is_beat_due,
    is_running,
    may_come_early,
    take_tick,
)
from tests.builders import NOW

SECOND, NOTHING = timedelta(seconds=1), timedelta(0)
IDLE = TickState("e", next_at=NOW, is_stopped=True)


def after(ticks: int, state: TickState = IDLE, every: timedelta = SECOND) -> TickState:
    """So many ticks later, each of which told everybody."""
    at = state.next_at
    for _ in range(ticks):
        state = end_tick(take_tick(state, at), at, every, at)
        at += every
    return state


def test_a_tick_is_taken_once_and_by_its_own_wakeup() -> None:
    assert find_turn(IDLE, 1, NOW) == NOTHING
    taken = take_tick(IDLE, NOW)
    assert find_turn(taken, 1, NOW) == BUSY_FOR  # it comes twice, or whoever took it has died
    assert find_turn(taken, 2, NOW) == SECOND
    ended = end_tick(taken, NOW, SECOND, NOW)
    assert find_turn(ended, 1, NOW) is None
    assert find_turn(ended, 2, NOW) == SECOND
    assert find_turn(ended, 2, NOW + SECOND) == NOTHING


@pytest.mark.parametrize("number", [1, 2])
def test_whoever_took_it_is_given_up_after_a_while(number: int) -> None:
    taken = take_tick(IDLE, NOW)
    assert find_turn(taken, number, NOW + BUSY_FOR) == NOTHING
    assert find_turn(taken, 0, NOW + BUSY_FOR) is None


def test_a_clock_that_is_hours_ahead_stops_nothing() -> None:
    ended = replace(after(3), next_at=NOW + timedelta(hours=5))
    assert find_turn(ended, 4, NOW) == NOTHING
    assert not is_running(ended, NOW)
    taken = replace(take_tick(IDLE, NOW), busy_until=NOW + timedelta(hours=5))
    assert find_turn(taken, 1, NOW) == BUSY_FOR


def test_ticks_run_from_the_first_to_the_stop() -> None:
    assert not is_running(IDLE, NOW)
    taken = take_tick(IDLE, NOW)
    assert is_running(taken, NOW + BUSY_FOR)
    ended = end_tick(taken, NOW, SECOND, NOW)
    assert is_running(ended, NOW + 3 * SECOND)
    assert not is_running(ended, NOW + 30 * SECOND)  # the wakeup is lost
    assert not is_running(replace(ended, is_stopped=True), NOW)


def test_a_second_lies_between_what_two_ticks_tell_however_long_the_first_has_read() -> None:
    told = end_tick(take_tick(IDLE, NOW), NOW, SECOND, NOW + 0.4 * SECOND)
    assert find_turn(told, 2, NOW + SECOND) == 0.4 * SECOND
    assert not may_come_early(told, NOW + SECOND)
    assert may_come_early(told, NOW + 1.4 * SECOND)
    assert find_turn(told, 2, NOW + 1.4 * SECOND) == NOTHING


def test_a_newcomer_has_a_tick_early_and_never_two_in_a_second() -> None:
    slow = after(1, every=timedelta(seconds=10))
    assert not may_come_early(slow, NOW + 0.5 * SECOND)
    assert may_come_early(slow, NOW + SECOND)
    assert not may_come_early(take_tick(slow, NOW + SECOND), NOW + 3 * SECOND)


def test_beats_are_less_than_ten_seconds_apart_whoever_makes_them() -> None:
    state, beats = IDLE, [NOW]
    for n in range(60):
        now = NOW + n * 1.3 * SECOND
        if is_beat_due(state, now):
            beats.append(now)
        state = end_tick(take_tick(state, now), now, SECOND, now)
    gaps = [later - one for one, later in itertools.pairwise(beats)]
    assert max(gaps) < timedelta(seconds=10)
    assert len(beats) < 12


def test_a_position_is_turned_into_a_time_with_margin() -> None:
    state = after(300)
    now = state.next_at
    assert find_unseen_since(state, "e.300", now) == NOW + 299 * SECOND - MARGIN
    since = find_unseen_since(state, "e.100", now)
    assert since is not None
    assert NOW + 30 * SECOND - MARGIN <= since <= NOW + 99 * SECOND - MARGIN


@pytest.mark.parametrize("position", ["x.5", "e.301", "e.0", "now", "x.5~y.3"])
def test_a_position_of_no_tick_is_good_for_nothing(position: str) -> None:
    state = after(300)
    assert find_unseen_since(state, position, state.next_at) is None


def test_marks_are_few_and_of_an_hour() -> None:
    state = after(3 * 3600)
    assert 58 <= len(state.marks) <= 61
    oldest = int(find_oldest(state, state.next_at).removeprefix("e."))
    assert 7100 <= oldest <= 7300
    assert find_unseen_since(state, f"e.{oldest - 1}", state.next_at) is None
    later = state.next_at + timedelta(hours=2)
    assert find_unseen_since(state, state.position, later) is None
    assert find_oldest(state, later) == state.position


def test_a_tick_that_failed_is_told_again() -> None:
    state = after(5)
    assert state.last_told_at
    failed = fail_tick(take_tick(state, state.next_at), 5 * SECOND, state.next_at)
    assert (failed.number, failed.last_told, failed.has_told_all) == (6, 5, False)
    assert failed.interval == 5 * SECOND
    assert find_unseen_since(failed, failed.make_position(5), NOW) == state.last_told_at - MARGIN


def test_a_clock_that_is_set_back_makes_no_marks_of_the_future() -> None:
    state = after(600)
    back = end_tick(take_tick(state, NOW), NOW, SECOND, NOW)
    times = [mark.at_s for mark in back.marks]
    assert times == sorted(times)
    assert times[-1] <= NOW.timestamp()
