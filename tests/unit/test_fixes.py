"""Positions as phones send them: what is unknown, what is nowhere, and which time is meant."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contracts import fixes
from chalicelib.contracts.courier.socket import read_location
from chalicelib.contracts.moments import format_iso, read_moment
from chalicelib.domain.people import Fix
from chalicelib.errors import InvalidInput
from tests.builders import NOW, a_fix

UNKNOWN: list[Any] = [
    *(None, -1, -1.0, "-1", "-1.0", 65535, 65535.0, "65535", 32767, 2**32 - 1, 1e308, 3.4028235e38),
    *("", " ", "NaN", "nan", "Infinity", "-Infinity", "inf", "null", "undefined", "unknown", "N/A"),
]
OPTIONAL = ["heading", "speed", "accuracy", "altitude"]


def a_reading(**changes: Any) -> Fix:
    """A fix read on contract courier."""
    return read_location({"lat": 1.5, "lng": 2.5, **changes}, NOW)


@pytest.mark.parametrize("name", OPTIONAL)
@pytest.mark.parametrize("value", UNKNOWN, ids=repr)
def test_what_platforms_send_for_unknown_is_unknown(name: str, value: Any) -> None:
    assert a_reading(**{name: value}) == a_reading()


@pytest.mark.parametrize("name", ["heading", "speed", "accuracy"])
@pytest.mark.parametrize("value", [-0.5, -2, -180, -1e9])
def test_what_can_not_be_negative_is_unknown_where_it_is(name: str, value: float) -> None:
    """CLLocation: a negative value is an invalid one."""
    assert a_reading(**{name: value}) == a_reading()


@pytest.mark.parametrize("name", OPTIONAL)
@pytest.mark.parametrize("value", [True, [], {}, "north", "1,5", "0x10", "1 2", "\u0661"])
def test_nonsense_is_refused_and_named(name: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        a_reading(**{name: value})
    assert refused.value.details == {"field": name}


def test_what_is_known_is_kept_also_as_a_text() -> None:
    told = {"heading": "45.5", "speed": 0, "accuracy": 0, "altitude": -2}
    fix = a_reading(**told)
    assert (fix.heading, fix.speed, fix.accuracy, fix.altitude) == (45.5, 0, 0, -2)


@pytest.mark.parametrize(
    ("lat", "lng"),
    [
        (0, 0),
        (0.0, -0.0),
        (1e-07, -1e-07),
        (None, None),
        ("", ""),
        ("NaN", "NaN"),
        (52.5, "NaN"),
        ("Infinity", "-Infinity"),
        (None, 13.4),
        ("null", "null"),
        (" nan ", 13.4),
    ],
)
def test_zero_zero_and_unknown_coordinates_are_no_place(lat: Any, lng: Any) -> None:
    assert not a_reading(lat=lat, lng=lng).is_real_place


@pytest.mark.parametrize(("lat", "lng"), [(0, 13.4), (52.5, 0), (0.001, 0), (-1, -1)])
def test_a_place_on_the_equator_or_the_meridian_is_a_place(lat: float, lng: float) -> None:
    assert a_reading(lat=lat, lng=lng).is_real_place


@pytest.mark.parametrize(
    "place",
    [
        {},
        {"lat": 1},
        {"lng": 1},
        {"lat": "12", "lng": 1},
        {"lat": True, "lng": 1},
        {"lat": 91, "lng": 1},
        {"lat": [], "lng": 1},
        {"lat": "north", "lng": 1},
    ],
)
def test_coordinates_that_are_missing_or_wrong_are_refused(place: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        read_location(place, NOW)
    names = {"lat": "latitude", "lng": "longitude"}
    wanted = {names[name]: value for name, value in place.items()}
    with pytest.raises(InvalidInput):
        fixes.read_fix(wanted, NOW, "latitude", "longitude", "timestamp")


def test_a_fix_is_vague_beyond_an_accuracy_that_is_known() -> None:
    assert a_fix(accuracy=200.5).is_vague(200)
    assert not a_fix(accuracy=200).is_vague(200)
    assert not a_fix(accuracy=None).is_vague(200)
    for unknown in UNKNOWN:
        assert not a_reading(accuracy=unknown).is_vague(200)


AT = datetime(2031, 5, 6, 7, 8, 0, tzinfo=timezone.utc)
AT_S = int(AT.timestamp())


@pytest.mark.parametrize(
    ("value", "at"),
    [
        *((value, AT) for value in (AT_S, AT_S * 1000, str(AT_S), str(AT_S * 1000), float(AT_S))),
        (f"{AT_S}.250", AT + timedelta(seconds=0.25)),
        (AT_S * 1000 + 250, AT + timedelta(seconds=0.25)),
        ("1.9E12", datetime.fromtimestamp(1_900_000_000, timezone.utc)),
        *(
            (text, AT)
            for text in (
                *("2031-05-06T07:08:00Z", "2031-05-06T07:08Z", "2031-05-06 07:08:00z"),
                *("2031-05-06T12:38:00+05:30", "2031-05-06T12:38:00+0530", "20310506T070800Z"),
                *("2031-05-06T09:08:00+02", "2031-05-06T03:38:00-03:30", "2031-05-06T07:08:00"),
                *("2031-05-06T03:38:00\u221203:30", "2031-05-05T17:08:00-14:00"),
                *("2031-05-06 09:08:00 +02:00", " 2031-05-06T07:08:00-00:00 "),
            )
        ),
        ("2031-05-06T07:08:00.5Z", AT + timedelta(seconds=0.5)),
        ("2031-05-06T07:08:00,25Z", AT + timedelta(seconds=0.25)),
        ("2031-05-06T12:38:00.123456789+05:30", AT + timedelta(microseconds=123456)),
    ],
)
def test_a_time_means_what_it_says_and_is_utc(value: Any, at: datetime) -> None:
    read = read_moment(value, "ts", NOW)
    assert read == at
    assert read.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "now", "2031-05-06", "07:08:00", "2031-13-06T07:08:00Z", "2031-05-06T25:08:00Z"),
        *("2031-05-06T07:08:00+25:00", "2031-05-06T07:08:00+05:60", "2031-05-06T07:08:60Z"),
        *("Tue, 06 May 2031 07:08:00 GMT", "2031-05-06T07:08:00 UTC", "2031-05-06T07:08:00 Europe"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2031-02-29T00:00:00Z"),
        *("NaN", "1e99", "-", "0x7f", "1_900_000_000", "\u0661\u0669", AT_S * 1_000_000, 10**400),
        *(float("nan"), float("inf"), 1e300, True, [], {}),
    ],
    ids=repr,
)
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_moment(value, "ts", NOW)
    assert refused.value.details == {"field": "ts"}


@pytest.mark.parametrize("value", [None, -1, 0, 65535])
def test_a_time_that_is_unknown_is_now(value: int | None) -> None:
    assert a_reading(ts=value).at == NOW


@given(st.datetimes(datetime(1973, 6, 1), datetime(2130, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_every_offset_comes_out_as_utc(naive: datetime, offset_min: int) -> None:
    at = naive.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    read = read_moment(at.isoformat(), "ts", NOW)
    assert read == at
    shown = format_iso(at)
    assert shown == format_iso(read)
    assert shown.endswith("Z")
    assert abs(read_moment(shown, "ts", NOW) - at) < timedelta(milliseconds=1)
