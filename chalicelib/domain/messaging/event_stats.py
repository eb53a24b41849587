"""What can be said about events in the mass: counts, pages, and who listens."""

from __future__ import annotations

from datetime import date

import msgspec

from chalicelib.domain.events import Event


class EventCount(msgspec.Struct, frozen=True):
    """Some events of one type, logged on one day for people of one shard; and how many of them a
    subscriber was told of."""

    day: date
    type: str
    shard: int = 0
    logged: int = 0
    delivered: int = 0


class EventPage(msgspec.Struct, frozen=True):
    """Some of a person's events; `next_seq` leads on, None where there are no more."""

    events: list[Event]
    next_seq: int | None = None


class DeliveryStats(msgspec.Struct, frozen=True):
    """Who listens now, and what waits for those who do not."""

    connections: int
    people: int
    subscriptions: int
    queued: int
