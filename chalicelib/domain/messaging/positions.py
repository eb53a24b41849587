"""Positions: how far a client has heard, held by the client itself.

A position is a set of places, one of each log that its connection hears, each with the log's epoch:

    6929a1f03c9e04d7.12                          one log: all up to place 12
    6929a1f03c9e04d7.12~6929a2b7d00183aa.0       two: an owner's own, and that of a restaurant

An epoch says in which second a log was born, with 32 random bits: no two logs share one, and a log
that is lost and made anew has another. So places need no name of the log that they are of. Clients
take a position for an opaque text.

A frame from one of several logs says where that one is, and of the others what its connection had
been told as it joined them: it may say too little of those, and never too much. So what comes after
a position may be repeated, and nothing is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from secrets import token_hex
from typing import NamedTuple

from chalicelib.errors import InvalidInput

NOW = "now"  # the end of each log

_MAX_PLACES = 64  # an owner's log, and those of their restaurants
MAX_POSITION = 3000
_SEPARATOR = "~"
_PLACE = re.compile(r"([0-9A-Za-z_-]{1,32})\.([0-9]{1,20})", re.ASCII)
_SEQ_DIGITS = 16


class LogPlace(NamedTuple):
    """A place in a log: everything up to it has been heard."""

    epoch: str
    seq: int


def make_epoch(now: datetime) -> str:
    """Make the epoch of a log that is born now."""
    return f"{int(now.timestamp()):08x}{token_hex(4)}"


def encode_position(places: Iterable[LogPlace]) -> str:
    """Encode a position."""
    return _SEPARATOR.join(f"{place.epoch}.{place.seq}" for place in places)


def join_position(place: LogPlace, others: str) -> str:
    """Encode a position from a place in one log, and the position in the others."""
    here = encode_position([place])
    return f"{here}{_SEPARATOR}{others}" if others else here


def encode_offset(place: LogPlace) -> str:
    """Encode a position in one log so that texts sort as places do."""
    return f"{place.epoch}.{place.seq:0{_SEQ_DIGITS}d}"


def parse_position(value: object, name: str = "from") -> tuple[LogPlace, ...]:
    """Parse a position. Raises InvalidInput where it can't be one."""
    if isinstance(value, str) and len(value) <= MAX_POSITION:
        found = [_PLACE.fullmatch(part) for part in value.split(_SEPARATOR)]
        places = [LogPlace(match[1], int(match[2])) for match in found if match]
        if len(places) == len(found) <= _MAX_PLACES:
            return tuple(places)
    raise InvalidInput(f"{name} must be a position, or {NOW}.", field=name)


def find_seq(position: str, epoch: str, name: str = "from") -> int | None:
    """Find the place that a position has in the log of an epoch: of several, as no position of ours
    has, the first, so that nothing is left out. None where it has none. Raises InvalidInput."""
    places = parse_position(position, name)
    return min((place.seq for place in places if place.epoch == epoch), default=None)


def read_position(value: object, name: str = "from") -> str | None:
    """Check a position that a client sends, or NOW; None where it sends none. Raises
    InvalidInput."""
    if value is None:
        return None
    if value != NOW:
        parse_position(value, name)
    return str(value)
