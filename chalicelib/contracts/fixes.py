"""Positions as phones and trackers send them: what a platform sends for "unknown" is unknown.

iOS has no absent values in a location: a course, a speed or an accuracy that it does not know is
negative (CLLocation: "A negative value indicates an invalid …"). Trackers fill an unsigned field
with ones. JavaScript has NaN, which some write as a text. Receivers without a fix tell 0/0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from chalicelib.contracts.base import read_number, read_point
from chalicelib.contracts.moments import read_moment
from chalicelib.domain.people import Fix
from chalicelib.errors import InvalidInput

_UNKNOWN = frozenset({-1, 65535, 32767, -32768, 2**31 - 1, -(2**31), 2**32 - 1, -9999})
_UNKNOWN_TIMES = frozenset({-1, 0, 65535})
UNKNOWN_WORDS = frozenset(  # in whatever case
    {
        *("", "-", "n/a", "na", "nil", "none", "null", "undefined", "unknown"),
        *(sign + word for sign in ("", "+", "-") for word in ("nan", "inf", "infinity")),
    }
)
_MAX_PLAUSIBLE = 1e30  # beyond are the largest floats of each size, and what is no number
_DECIMAL = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?", re.ASCII)
_NOWHERE = (0.0, 0.0)
_EARLIEST = datetime(
    1970, 1, 1, tzinfo=timezone.utc
)  # a clock that was never set: as old as it gets

MAX_ACCURACY_M = 1e9  # an accuracy may be as bad as it likes: it is looked at, and not believed


def read_fix(data: Mapping[str, Any], now: datetime, lat: str, lng: str, at: str) -> Fix:
    """Read a position whose coordinates and time have these names. Raises InvalidInput.

    heading?, speed?, accuracy? and altitude? are degrees, metres per second and metres. Without a
    time the fix is from now. Coordinates that are there and unknown make a fix that is no place.
    """
    found = _read_coordinates(data, (lat, lng))
    told_at = data.get(at)
    found_at = read_moment(None if _is_one_of(told_at, _UNKNOWN_TIMES) else told_at, at, now)
    return Fix(
        lat=found[0],
        lng=found[1],
        at=max(found_at, _EARLIEST),
        heading=_read_measure(data, "heading", 0, 360),
        speed=_read_measure(data, "speed", 0, 1000),
        accuracy=_read_measure(data, "accuracy", 0, MAX_ACCURACY_M),
        altitude=_read_measure(data, "altitude", -1000, 100_000),
    )


def _read_coordinates(data: Mapping[str, Any], names: tuple[str, str]) -> tuple[float, float]:
    lat, lng = (None if _is_unknown_word(data.get(name)) else data.get(name) for name in names)
    if all(name in data for name in names) and (lat is None or lng is None):
        return _NOWHERE
    found = read_point(lat, lng, names)
    if found is None:
        raise InvalidInput(f"{names[0]} and {names[1]} are required.", field=names[0])
    return found


def _read_measure(data: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    value = data.get(name)
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        value = float(value)
    if value is None or _is_unknown_word(value) or _is_unknown_number(value, low):
        return None
    return read_number(value, name, low, high)


def _is_unknown_word(value: Any) -> bool:
    return isinstance(value, str) and value.strip().casefold() in UNKNOWN_WORDS


def _is_unknown_number(value: Any, low: float) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    negative = low >= 0 > value  # where nothing can be negative
    return negative or value in _UNKNOWN or not abs(value) < _MAX_PLAUSIBLE


def _is_one_of(value: Any, numbers: frozenset[int]) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and value in numbers
