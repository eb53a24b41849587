"""How many couriers were idle, by the hour."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.domain.ops.duty import DutyCount, DutyHours, is_count_due
from chalicelib.domain.ops.hours import MAX_HOURS, HourSample, compute_figures, find_hour
from tests.builders import NOW

HOUR = find_hour(int(NOW.timestamp() * 1000))


def test_counts_of_an_hour_add_up_and_old_hours_are_dropped() -> None:
    duty = DutyHours().add_count(NOW, 4, 1).add_count(NOW, 2, 2)
    assert duty.get_count(HOUR) == DutyCount(6, 3)
    assert duty.get_count(HOUR - 1) == DutyCount()
    later = duty.add_count(NOW + timedelta(hours=MAX_HOURS - 1), 1, 0)
    assert set(later.hours) == {HOUR, HOUR + MAX_HOURS - 1}
    latest = later.add_count(NOW + timedelta(hours=MAX_HOURS), 1, 0)
    assert HOUR not in latest.hours


def test_each_minute_is_counted_once_whoever_reads_in_it() -> None:
    minute = NOW.replace(second=0, microsecond=0)
    assert is_count_due(None, minute)
    assert not is_count_due(minute, minute + timedelta(seconds=59))
    assert is_count_due(minute + timedelta(seconds=59), minute + timedelta(seconds=60))


def test_an_hour_in_which_nobody_was_counted_has_no_share() -> None:
    sample = HourSample()
    assert compute_figures(sample).couriers_idle_percent is None
    sample.add_duty(6, 3)
    other = HourSample()
    other.add_duty(2, 1)
    sample.add_sample(other)
    assert compute_figures(sample).couriers_idle_percent == 50.0
