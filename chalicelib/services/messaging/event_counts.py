"""Counting events as they are logged. Counting never hinders delivering: what fails is logged."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from zlib import crc32

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.event_stats import EventCount, ReasonCount
from chalicelib.domain.people import Role
from chalicelib.services.ports import CounterStore

log = logging.getLogger(__name__)

IsCounted = Callable[[Event], bool]
"""Tells whether spec 003 has words for an event: the others are not counted."""

_Key = tuple[date, str, int]  # day, type or reason, shard of the recipient


class EventCounter:
    """Counts events by day and type, and the reasons that they tell by day and code."""

    def __init__(self, store: CounterStore, is_counted: IsCounted) -> None:
        self._store = store
        self._is_counted = is_counted

    def count_events(self, logged: Sequence[Event], delivered: Sequence[Event]) -> None:
        """Count events that were appended to logs, and those that subscribers were delivered.

        Reasons go with the counts of the events that tell them: in the same write.
        """
        logged_by_key, delivered_by_key = self._count_by_key(logged), self._count_by_key(delivered)
        counts = [
            EventCount(*key, logged=logged_by_key[key], delivered=delivered_by_key[key])
            for key in logged_by_key | delivered_by_key
        ]
        reasons = [ReasonCount(*key, given) for key, given in _count_reasons(logged).items()]
        if not counts and not reasons:
            return
        try:
            self._store.add_counts(counts, reasons)
        except Exception:
            log.exception("%d events were not counted", len(logged))

    def _count_by_key(self, events: Sequence[Event]) -> Counter[_Key]:
        return Counter(
            (event.at.date(), event.type, _find_shard(event))
            for event in events
            if self._is_counted(event)
        )


def _count_reasons(events: Sequence[Event]) -> Counter[_Key]:
    """Count the reasons that events tell. The customer's copy counts: everybody else's is of the
    same fact, and each fact with a reason has one for its customer."""
    return Counter(
        (event.at.date(), str(event.data["reason_code"]), _find_shard(event))
        for event in events
        if "reason_code" in event.data and event.audience is Role.CUSTOMER
    )


def _find_shard(event: Event) -> int:
    return crc32(event.to.encode())
