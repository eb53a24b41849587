"""Lists of rows, split so that each part fits into one frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

MAX_FRAME = 128 * 1024  # AWS quota: bytes of a frame
_ENVELOPE = 2 * 1024  # more than all takes that is no row
MAX_ROWS = MAX_FRAME - _ENVELOPE

Part = dict[str, list[msgspec.Raw]]


def split_rows(lists: Mapping[str, Sequence[Any]], most: int = MAX_ROWS) -> list[Part]:
    """Split lists of rows into parts, each with all lists and at most so many bytes of rows. There
    is at least one part; the order of the rows, and of the lists, is kept."""
    parts: list[Part] = [{name: [] for name in lists}]
    size = 0
    for name, rows in lists.items():
        for row in rows:
            encoded = msgspec.json.encode(row)
            length = len(encoded) + 1  # and a comma
            if size and size + length > most:
                parts.append({each: [] for each in lists})
                size = 0
            parts[-1][name].append(msgspec.Raw(encoded))
            size += length
    return parts
