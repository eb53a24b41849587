"""Figures by the hour: percentiles, parts of a whole, hours without orders."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contracts.figures import read_hours, render_hour
from chalicelib.domain.ops.hours import (
    HourSample,
    Percentiles,
    begin_hour,
    compute_figures,
    find_hour,
    find_percentiles,
)
from chalicelib.domain.ops.summary import OrderSummary
from chalicelib.domain.orders.model import Status
from chalicelib.errors import InvalidInput


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=200))
def test_a_percentile_is_the_least_value_that_so_many_are_within(values: list[int]) -> None:
    found = find_percentiles(values)
    for least, share in ((found.p50, 0.5), (found.p95, 0.95)):
        assert least in values
        assert sum(value <= least for value in values) >= share * len(values)
        assert sum(value < least for value in values) < share * len(values)


def test_nothing_has_no_percentiles() -> None:
    assert find_percentiles([]) == Percentiles()


def test_an_hour_without_orders_is_there_and_says_nothing() -> None:
    shown = render_hour(0, compute_figures(HourSample()))
    assert shown["hour"] == "1970-01-01T00:00:00.000Z"
    assert shown["orders"] == 0
    assert shown["ends"] == shown["reasons"] == {}
    assert shown["assign_ms"] == {"p50": None, "p95": None}
    percents = [value for name, value in shown.items() if name.endswith(("_percent", "_order"))]
    assert percents == [None] * 7


def test_hours_are_of_utc_whatever_clocks_on_walls_do() -> None:
    for at in (datetime(2026, 3, 29, 1, 59, tzinfo=timezone.utc), datetime.max.replace(year=2090)):
        aware = at.replace(tzinfo=timezone.utc)
        hour = find_hour(int(aware.timestamp() * 1000))
        assert begin_hour(hour) == aware.replace(minute=0, second=0, microsecond=0)


def test_each_percent_is_of_what_it_says() -> None:
    sample = HourSample()
    for one in (
        OrderSummary("delivery", 0, Status.DONE, 9, offers=3, accepted=1, declined=1, ignored=1),
        OrderSummary("delivery", 0, Status.DONE, 9, offers=1, accepted=1, on_time=True),
        OrderSummary("hail", 0, Status.UNSERVED, 9, reason="too_far"),
        OrderSummary("ride", 0, offers=1, on_time=False),
    ):
        sample.add_order(one)
    figures = compute_figures(sample)
    assert (figures.orders, figures.offers_per_order) == (4, 1.25)
    assert (figures.accepted_percent, figures.declined_percent) == (50.0, 25.0)
    assert (figures.ignored_percent, figures.unserved_percent) == (25.0, 25.0)
    assert figures.on_time_percent == 50.0
    assert (figures.ends, figures.reasons) == ({"done": 2, "unserved": 1}, {"too_far": 1})


summaries = st.builds(
    OrderSummary,
    flow=st.just("delivery"),
    started_ms=st.just(0),
    end=st.sampled_from([None, Status.DONE, Status.UNSERVED]),
    reason=st.sampled_from([None, "other"]),
    first_offer_ms=st.none() | st.integers(0, 99),
    offers=st.integers(0, 3),
    on_time=st.sampled_from([None, True, False]),
)


@given(st.lists(summaries), st.lists(summaries))
def test_samples_add_up(some: list[OrderSummary], others: list[OrderSummary]) -> None:
    whole, first, second = HourSample(), HourSample(), HourSample()
    for one in some:
        first.add_order(one)
        whole.add_order(one)
    for one in others:
        second.add_order(one)
        whole.add_order(one)
    first.add_sample(second)
    assert compute_figures(first) == compute_figures(whole)


@pytest.mark.parametrize(("text", "hours"), [("1", 1), ("168", 168), ("024", 24)])
def test_hours_are_read(text: str, hours: int) -> None:
    assert read_hours({"hours": text}) == hours
    assert read_hours({}) == 24


@pytest.mark.parametrize(
    "text", ["0", "169", "-1", "1.5", "1e2", "NaN", "٣", "²", "\0", " 1", "9" * 5000, "+1", "0x1"]
)
def test_hours_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_hours({"hours": text})
