"""Counts events as they are logged. Counting never hinders telling: what fails is only logged."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from zlib import crc32

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.event_stats import EventCount
from chalicelib.services.ports import CounterStore

log = logging.getLogger(__name__)

IsCounted = Callable[[Event], bool]
"""Whether spec 003 has words for an event: the others are not counted."""

_Key = tuple[date, str, int]


class EventCounter:
    """Keeps the counters."""

    def __init__(self, store: CounterStore, worded: IsCounted) -> None:
        self._store = store
        self._worded = worded

    def count_events(self, logged: Sequence[Event], heard: Sequence[Event]) -> None:
        """Count events that were put into logs, and those that subscribers were told of."""
        put, told = self._count_by_key(logged), self._count_by_key(heard)
        counts = [EventCount(*key, logged=put[key], delivered=told[key]) for key in put | told]
        if not counts:
            return
        try:
            self._store.add_counts(counts)
        except Exception:
            log.exception("%d events were not counted", len(logged))

    def _count_by_key(self, events: Sequence[Event]) -> Counter[_Key]:
        return Counter(
            (event.at.date(), event.type, crc32(event.to.encode()))
            for event in events
            if self._worded(event)
        )
