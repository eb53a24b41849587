"""Ids: exact in JavaScript, growing with time, and read from whatever a client sends."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.ids import MAX_ID, make_id, parse_id

times = st.datetimes(datetime(2024, 1, 2), datetime(2093, 1, 1), timezones=st.just(timezone.utc))


@given(times)
def test_an_id_fits_into_53_bits(now: datetime) -> None:
    assert 0 < make_id(now) <= MAX_ID == 2**53 - 1
    id_ = make_id(now)
    assert int(float(id_)) == id_


@given(times, st.integers(1, 10**9))
def test_later_ids_are_larger(now: datetime, ms: int) -> None:
    assert make_id(now) < make_id(now + timedelta(milliseconds=ms))


def test_ids_of_one_millisecond_differ_nearly_always() -> None:
    now = datetime(2026, 1, 27, tzinfo=timezone.utc)
    assert len({make_id(now) for _ in range(100)}) > 90


@given(st.integers(1, MAX_ID))
def test_an_id_is_read_from_a_number_and_from_its_digits(id_: int) -> None:
    assert parse_id(id_) == parse_id(str(id_)) == id_


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        MAX_ID + 1,
        1.0,
        1.5,
        True,
        False,
        None,
        [],
        {},
        b"1",
        "",
        "0",
        "-1",
        "+1",
        " 1",
        "1.0",
    ],
)
def test_what_is_no_id_is_none(value: Any) -> None:
    assert parse_id(value) is None


@pytest.mark.parametrize("text", ["1e3", "x", "９", "²", "1" * 17, str(MAX_ID + 1), "\ud800"])
def test_what_only_looks_like_an_id_is_none(text: str) -> None:
    assert parse_id(text) is None
