"""Decoders of what rows hold, each built once, by one thread at a time.

msgspec 0.22 looks into a struct's annotations as it first meets it. A second thread that meets the
struct meanwhile takes what is half built, and the whole process ends, without an error.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
_building = Lock()


def decode_json(text: bytes | str, kind: type[T]) -> T:
    """Decode JSON. Raises msgspec.DecodeError for what is none of its kind."""
    return _get_decoder(kind).decode(text)


def _get_decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    found = _decoders.get(kind)
    if found is None:
        with _building:
            found = _decoders.setdefault(kind, msgspec.json.Decoder(kind))
    return found
