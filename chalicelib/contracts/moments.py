"""Times as clients send them, and as they are shown: inside and on the wire always UTC."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

from chalicelib.errors import InvalidInput

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECONDS_FROM = 1e11  # as seconds that is the year 5138, as milliseconds 1973
_NUMBER = re.compile(r"[+-]?\d{1,19}(\.\d{1,9})?([eE]\+?\d{1,2})?", re.ASCII)
# Not datetime.fromisoformat: what that takes depends on Python's version.
_ISO = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)[Tt ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?"
    r" ?(?:([Zz])|([+-])([01]\d|2[0-3])(?::?([0-5]\d))?)?",
    re.ASCII,
)
RFC3339 = r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,20}))?([Zz]|[+-]\d\d:\d\d)"
_RFC3339 = re.compile(RFC3339, re.ASCII)
_MINUS = str.maketrans({"\u2212": "-"})  # ISO 8601 writes a minus, keyboards a hyphen


def read_moment(value: Any, name: str, now: datetime) -> datetime:
    """Read epoch seconds or milliseconds (a number or its digits) or an ISO 8601 time, as UTC.

    An ISO time without an offset is UTC. `now` where the value is None. Raises InvalidInput.
    """
    if value is None:
        return now
    try:
        return _parse_moment(value)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{name} must be epoch seconds or milliseconds, or an ISO time.", field=name
        ) from None


def read_rfc3339(value: Any, name: str) -> datetime:
    """Read an RFC 3339 time, as UTC to the millisecond, which is what is shown of it. It must say
    its offset: a time without one is another in each place. Raises InvalidInput."""
    found = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    try:
        if found is None:
            raise ValueError
        at = _from_iso(f"{found[1]}T{found[2]}{found[4]}")
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{name} must be a time with its offset, as 2026-01-27T10:30:00+01:00.", field=name
        ) from None
    return at.replace(microsecond=int((found[3] or "").ljust(3, "0")[:3]) * 1000)


def format_iso(at: datetime) -> str:
    """Write a time in UTC as 2026-01-27T10:30:00.123Z."""
    return f"{format_naive_iso(at)}.{at.microsecond // 1000:03d}Z"


def format_naive_iso(at: datetime) -> str:
    """Write a time in UTC, to the second, without saying that it is UTC."""
    return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


def _parse_moment(value: Any) -> datetime:
    if isinstance(value, str):
        text = value.strip().translate(_MINUS)
        return _from_epoch(float(text)) if _NUMBER.fullmatch(text) else _from_iso(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    return _from_epoch(value)


def _from_epoch(value: float) -> datetime:
    if abs(value) > _MILLISECONDS_FROM:
        return _EPOCH + timedelta(milliseconds=value)
    return _EPOCH + timedelta(seconds=value)


def _from_iso(text: str) -> datetime:
    found = _ISO.fullmatch(text)
    if found is None:
        raise ValueError
    year, month, day, hour, minute, second, part, _, sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    at = datetime(
        int(year),
        int(month),
        int(day),
        int(hour),
        int(minute),
        int(second or 0),
        int((part or "0").ljust(6, "0")[:6]),
        timezone(-offset if sign == "-" else offset),
    )
    return at.astimezone(timezone.utc)
