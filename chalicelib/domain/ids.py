"""Ids: 53-bit integers that grow with time, exact in every JavaScript client."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

IdSource = Callable[[], int]

_EPOCH = datetime(2024, 1, 1, tzinfo=timezone.utc)
_RANDOM_BITS = 12  # 41 bits of milliseconds last until 2093
MAX_ID = 2**53 - 1


def make_id(now: datetime) -> int:
    """Make a new id: milliseconds since 2024, then 12 random bits.

    Two made in one millisecond may meet, once in 4,096: rows are put on the condition that there
    is none, and the loser draws again.
    """
    ms = int((now - _EPOCH).total_seconds() * 1000)
    return (ms << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)


def find_first_id(at: datetime, later: timedelta = timedelta(0)) -> int:
    """Find the least id that can be made at a time, or so much later; 0 before there were any,
    MAX_ID where there will be none any more."""
    ms = (at - _EPOCH + later) // timedelta(milliseconds=1)
    return max(0, min(ms << _RANDOM_BITS, MAX_ID))


def parse_id(text: object) -> int | None:
    """Read the id that a client names, as a number or its decimal digits; None if it is neither."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text if 0 < text <= MAX_ID else None
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 16:
        return parse_id(int(text))
    return None
