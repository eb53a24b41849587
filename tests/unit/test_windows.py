"""Windows and search plans: what may be asked for, and when couriers are searched."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib.contracts.moments import read_rfc3339
from chalicelib.domain.orders.search_plan import TOLD_BEFORE, plan_searches
from chalicelib.domain.orders.windows import Windows, check_windows, compute_activation
from chalicelib.errors import InvalidInput
from tests.builders import NOW

MINUTE, MS = timedelta(minutes=1), timedelta(milliseconds=1)
DAY, LEAD = timedelta(days=1), timedelta(minutes=20)


def at(minutes: float) -> datetime:
    """So many minutes from NOW."""
    return NOW + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    "windows",
    [
        Windows(),
        Windows(pickup_from=NOW),
        Windows(pickup_from=NOW, pickup_by=at(10)),
        Windows(dropoff_by=at(20)),
        Windows(pickup_from=NOW + 30 * DAY - MS),
        Windows(pickup_from=at(60), pickup_by=at(70), dropoff_by=at(70) + MS),
    ],
)
def test_windows_that_can_be_met(windows: Windows) -> None:
    check_windows(windows, NOW)


@pytest.mark.parametrize(
    ("windows", "field"),
    [
        (Windows(pickup_by=at(60)), "pickup_by"),
        (Windows(pickup_from=NOW - MS), "pickup_from"),
        (Windows(pickup_from=NOW + 30 * DAY), "pickup_from"),
        (Windows(pickup_from=at(60), pickup_by=at(70) - MS), "pickup_by"),
        (Windows(pickup_from=at(60), pickup_by=at(50)), "pickup_by"),
        (Windows(pickup_from=at(60), pickup_by=NOW + 31 * DAY), "pickup_by"),
        (Windows(dropoff_by=at(20) - MS), "dropoff_by"),
        (Windows(dropoff_by=NOW - DAY), "dropoff_by"),
        (Windows(pickup_from=at(60), dropoff_by=at(60)), "dropoff_by"),
        (Windows(pickup_from=at(60), pickup_by=at(90), dropoff_by=at(80)), "dropoff_by"),
        (Windows(dropoff_by=NOW + 31 * DAY), "dropoff_by"),
    ],
)
def test_windows_that_can_not_be_met(windows: Windows, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_windows(windows, NOW)
    assert refused.value.details == {"field": field}


def test_an_order_becomes_active_some_time_before_its_pickup() -> None:
    assert compute_activation(Windows(), LEAD, NOW) is None
    assert compute_activation(Windows(dropoff_by=at(60)), LEAD, NOW) is None
    assert compute_activation(Windows(pickup_from=at(20)), LEAD, NOW) is None
    assert compute_activation(Windows(pickup_from=at(21)), LEAD, NOW) == at(1)
    assert compute_activation(Windows(pickup_from=at(1)), timedelta(0), NOW) == at(1)


def test_three_searches_until_ten_minutes_before_the_pickup_must_be() -> None:
    plan = plan_searches(NOW, at(60), MINUTE)
    half, last = plan.starts
    assert plan.ends_at == at(49.5)
    assert last == at(48.5)
    assert half == at(24.25)


def test_where_there_is_no_room_for_three_there_are_fewer() -> None:
    assert plan_searches(NOW, at(12.5), MINUTE).starts == (at(1),)
    assert plan_searches(NOW, at(12), MINUTE).starts == ()
    assert plan_searches(NOW, at(5), MINUTE).ends_at == at(1)
    assert plan_searches(NOW, at(0.5), MINUTE).ends_at == at(0.5)
    assert plan_searches(NOW, NOW - DAY, MINUTE).ends_at == NOW - DAY


@given(
    st.timedeltas(timedelta(0), timedelta(days=31)), st.timedeltas(MINUTE, timedelta(minutes=30))
)
def test_searches_do_not_overlap_and_end_in_time(left: timedelta, search_time: timedelta) -> None:
    """However long there is, and however long a search takes."""
    pickup_by = NOW + left
    plan = plan_searches(NOW, pickup_by, search_time)
    assert len(plan.starts) <= 2
    assert plan.ends_at <= pickup_by
    begins = [NOW, *plan.starts]
    for begin, end in zip(begins, [*plan.starts, plan.ends_at], strict=True):
        assert end - begin >= search_time - timedelta(seconds=1) or not plan.starts
    if pickup_by - TOLD_BEFORE >= NOW + search_time + MINUTE:
        assert plan.ends_at < pickup_by - TOLD_BEFORE


@given(st.timedeltas(timedelta(0), timedelta(days=31)), st.timedeltas(timedelta(0), DAY * 31))
def test_a_plan_knows_what_is_to_come(left: timedelta, later: timedelta) -> None:
    plan, now = plan_searches(NOW, NOW + left, MINUTE), NOW + later
    assume(plan.starts)
    rest = plan.drop_started(now)
    assert not rest.has_started_next(now)
    assert plan.has_started_next(now) == (rest.starts != plan.starts)
    assert rest.next_start == next((at for at in plan.starts if at > now), None)
    assert rest.search_end == (rest.next_start or plan.ends_at)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2031-05-06T07:08:09Z", "2031-05-06T07:08:09+00:00"),
        ("2031-05-06t07:08:09.1239z", "2031-05-06T07:08:09.123000+00:00"),
        ("2031-05-06 07:08:09Z", "2031-05-06T07:08:09+00:00"),
        ("2031-05-06T07:08:09+02:00", "2031-05-06T05:08:09+00:00"),
        ("2031-05-06T00:08:09-11:30", "2031-05-06T11:38:09+00:00"),
        ("2031-05-06T07:08:09-00:00", "2031-05-06T07:08:09+00:00"),
    ],
)
def test_moments_have_their_offset(text: str, utc: str) -> None:
    assert read_rfc3339(text, "x").isoformat() == utc


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "tomorrow",
        "2031-05-06",
        "2031-05-06T07:08:09",
        "2031-05-06T07:08Z",
        " 2031-05-06T07:08:09Z",
        "2031-05-06T07:08:09Z\n",
        "2031-05-06T07:08:09.Z",
        "2031-05-06T07:08:09+2",
        "2031-05-06T07:08:09+0200",
        "2031-05-06T07:08:09+24:00",
        "2031-05-06T07:08:09+01:60",
        "2031-05-06T24:00:00Z",
        "2031-05-06T07:08:60Z",
        "2031-02-29T07:08:09Z",
        "2031-13-01T07:08:09Z",
        "0000-05-06T07:08:09Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "20310506T070809Z",
        "\u0662\u0660\u0663\u0661-05-06T07:08:09Z",
        "1935825600",
        1935825600,
        True,
        [],
        {"at": "2031-05-06T07:08:09Z"},
    ],
)
def test_anything_else_is_no_moment(text: object) -> None:
    with pytest.raises(InvalidInput):
        read_rfc3339(text, "x")
