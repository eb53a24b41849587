"""Times as rows hold them: integers, epoch milliseconds or seconds."""

from __future__ import annotations

from datetime import datetime, timezone


def to_epoch_ms(at: datetime) -> int:
    """Convert an aware time to epoch milliseconds."""
    return int(at.timestamp() * 1000)


def from_epoch_ms(value: int | float) -> datetime:
    """Convert epoch milliseconds to an aware UTC time."""
    return datetime.fromtimestamp(value / 1000, tz=timezone.utc)
