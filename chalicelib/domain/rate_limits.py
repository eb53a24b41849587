"""How often one person may do a thing."""

from __future__ import annotations

from datetime import timedelta

import msgspec


class RateLimit(msgspec.Struct, frozen=True):
    """`most` times in `within`, by one person on all their connections together."""

    max_requests: int
    window: timedelta


# Spec 001, "Rate Limiting". Status updates have none: they are the system's.
LOCATION = "location"
CHAT = "chat"
DEFAULT_LIMITS: dict[str, RateLimit] = {
    LOCATION: RateLimit(1, timedelta(seconds=1)),
    CHAT: RateLimit(5, timedelta(minutes=1)),
}
