"""When an event is tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.domain.webhooks.schedule import MAX_ATTEMPTS, compute_pause, parse_retry_after
from tests.builders import NOW

PAUSES_S = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]


def test_pauses_are_those_of_the_schedule_and_then_there_are_no_more() -> None:
    pauses = [compute_pause(n, None, lambda: 0.5) for n in range(1, MAX_ATTEMPTS)]
    assert pauses == [timedelta(seconds=s) for s in PAUSES_S]
    assert compute_pause(MAX_ATTEMPTS, timedelta(hours=1), lambda: 0.5) is None


@pytest.mark.parametrize(("dice", "share"), [(0.0, 0.8), (1.0, 1.2)])
def test_a_pause_is_a_fifth_longer_or_shorter(dice: float, share: float) -> None:
    for n, seconds in enumerate(PAUSES_S, 1):
        assert compute_pause(n, None, lambda: dice) == timedelta(seconds=seconds) * share


def test_of_retry_after_and_the_step_the_later_counts_up_to_a_day() -> None:
    hour, day = timedelta(hours=1), timedelta(days=1)
    assert compute_pause(1, hour, lambda: 0.5) == hour
    assert compute_pause(4, hour, lambda: 0.5) == timedelta(hours=2)
    assert compute_pause(1, timedelta(days=30), lambda: 0.5) == day
    assert compute_pause(9, timedelta(days=30), lambda: 1.0) == day * 1.2  # the step is later


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("Tue, 06 May 2031 07:18:09 GMT", 600),
        ("Tuesday, 06-May-31 07:18:09 GMT", 600),
        ("Tue May  6 07:18:09 2031", 600),
        ("0", 0),
        ("Tue, 06 May 2031 06:00:00 GMT", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("00000000000007", 7),
        ("9" * 10, 24 * 3600),
        ("9" * 5000, 24 * 3600),
        ("Tue, 06 May 99999 07:18:09 GMT", None),
        ("\x00", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_all_else_is_nothing(
    text: str | None, seconds: int | None
) -> None:
    found = parse_retry_after(text, NOW)
    assert found == (None if seconds is None else timedelta(seconds=seconds))
