"""Times as rows hold them: integers, epoch milliseconds or seconds."""

from __future__ import annotations

from datetime import datetime, timezone


def to_epoch_ms(at: datetime) -> int:
    """Epoch milliseconds."""
    return int(at.timestamp() * 1000)


def from_epoch_ms(value: int | float) -> datetime:
    """The aware UTC time of epoch milliseconds."""
    return datetime.fromtimestamp(value / 1000, tz=timezone.utc)
