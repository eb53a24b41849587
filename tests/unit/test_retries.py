"""What is beaten is tried again: later each time, and not for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.domain.retries import LONGEST_PAUSE_S, MAX_ATTEMPTS, MAX_DURATION, Retries
from chalicelib.errors import Conflict, Stale, Unavailable
from tests.fakes import Clock


class Pauses:
    """A pause that only notes how long it was to be, and lets the clock go on."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock
        self.taken: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        if self._clock:
            self._clock.advance(seconds)


def beaten(times: int) -> list[Exception]:
    return [Stale() for _ in range(times)]


def attempt(failures: list[Exception]) -> str:
    if failures:
        raise failures.pop()
    return "done"


def test_what_is_not_beaten_never_pauses() -> None:
    pause = Pauses()
    assert Retries(pause, Clock()).retry_while_stale(lambda: "done") == "done"
    assert pause.taken == []


def test_pauses_grow_up_to_a_longest_one() -> None:
    pause = Pauses()
    failures = beaten(7)
    assert (
        Retries(pause, Clock(), dice=lambda: 1.0).retry_while_stale(lambda: attempt(failures))
        == "done"
    )
    assert pause.taken == [0.05, 0.1, 0.2, 0.4, 0.8, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_each_pause_is_of_a_random_length() -> None:
    pause, throws = Pauses(), iter((0.0, 0.5, 0.25))
    failures = beaten(3)
    Retries(pause, Clock(), dice=lambda: next(throws)).retry_while_stale(lambda: attempt(failures))
    assert pause.taken == [0.0, 0.05, 0.05]


def test_it_ends_after_so_many_attempts_or_so_long() -> None:
    for clock, most in ((Clock(), MAX_ATTEMPTS), (None, MAX_ATTEMPTS - 1)):
        ticking = clock or Clock()
        pause = Pauses(None if clock else ticking)
        failures = beaten(1000)
        began = ticking()
        with pytest.raises(Unavailable):
            Retries(pause, ticking, dice=lambda: 1.0).retry_while_stale(lambda: attempt(failures))  # noqa: B023
        assert 1000 - len(failures) <= most
        longest = timedelta(seconds=LONGEST_PAUSE_S)
        assert ticking() - began <= MAX_DURATION + longest


def test_a_refusal_is_not_tried_again() -> None:
    failures: list[Exception] = [Conflict("no")]
    with pytest.raises(Conflict):
        Retries(Pauses(), Clock()).retry_while_stale(lambda: attempt(failures))


def test_where_a_loop_is_its_own_it_gets_the_numbers_of_its_attempts() -> None:
    pause = Pauses()
    attempts = Retries(pause, Clock()).pace_attempts()
    assert [next(attempts) for _ in range(3)] == [0, 1, 2]
    assert len(pause.taken) == 2
