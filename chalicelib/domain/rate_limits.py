"""How often one person may do a thing."""

from __future__ import annotations

from datetime import timedelta

import msgspec


class RateLimit(msgspec.Struct, frozen=True):
    """At most `max_requests` within `window`.

    Three count by it, each where the count costs no call of its own: the allowances table, for a
    person on all their connections (store/allowances.py); a connection's row, for that connection
    (services/messaging/connections.py); a courier's row, for their fixes (courier_positions.py).
    """

    max_requests: int
    window: timedelta


# Spec 001, "Rate Limiting". Status updates have none: they are the system's.
LOCATION = "location"
CHAT = "chat"
DEFAULT_LIMITS: dict[str, RateLimit] = {
    LOCATION: RateLimit(1, timedelta(seconds=1)),
    CHAT: RateLimit(5, timedelta(minutes=1)),
}
