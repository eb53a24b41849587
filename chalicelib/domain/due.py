"""Something that must be looked at by a time that has come."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T", int, str)


class Due(msgspec.Struct, Generic[T], frozen=True):
    """The id of an order or of a connection, and the deadline that has passed."""

    id: T
    at: datetime
