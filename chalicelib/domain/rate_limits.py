"""How often one person may do what."""

from __future__ import annotations

from datetime import timedelta

import msgspec


class Limit(msgspec.Struct, frozen=True):
    """`most` times in `within`, by one person on all their connections together."""

    most: int
    within: timedelta


# Spec 001, "Rate Limiting". Status updates have none: they are the system's.
LOCATION = "location"
CHAT = "chat"
LIMITS: dict[str, Limit] = {
    LOCATION: Limit(1, timedelta(seconds=1)),
    CHAT: Limit(5, timedelta(minutes=1)),
}
