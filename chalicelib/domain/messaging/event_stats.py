"""Counts of events, pages of a log, and figures of who is subscribed."""

from __future__ import annotations

from datetime import date

import msgspec

from chalicelib.domain.events import Event


class EventCount(msgspec.Struct, frozen=True):
    """How many events of one type were logged on one day, for the people of one shard; and how many
    of them were delivered to a subscriber."""

    day: date
    type: str
    shard: int = 0
    logged: int = 0
    delivered: int = 0


class ReasonCount(msgspec.Struct, frozen=True):
    """How often one reason was given on one day, of the orders of the customers of one shard."""

    day: date
    reason: str
    shard: int = 0
    given: int = 0


class DayCounts(msgspec.Struct, frozen=True):
    """All that was counted on one day."""

    events: list[EventCount]
    reasons: list[ReasonCount]


class EventPage(msgspec.Struct, frozen=True):
    """Some of a person's events, the newest first. `next_seq` is where the next page begins; None
    where there is none."""

    events: list[Event]
    next_seq: int | None = None


class DeliveryStats(msgspec.Struct, frozen=True):
    """How many connections are subscribed now, and how many events wait for somebody to be."""

    connections: int
    people: int
    subscriptions: int
    queued: int
