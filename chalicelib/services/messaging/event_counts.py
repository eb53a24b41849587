"""Counts events as they are logged. Counting never hinders telling: what fails is only logged."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from zlib import crc32

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.event_stats import Count
from chalicelib.services.ports import CounterStore

log = logging.getLogger(__name__)

Worded = Callable[[Event], bool]
"""Whether spec 003 has words for an event: the others are not counted."""

_Key = tuple[date, str, int]


class Counting:
    """Keeps the counters."""

    def __init__(self, store: CounterStore, worded: Worded) -> None:
        self._store = store
        self._worded = worded

    def tally(self, logged: Sequence[Event], heard: Sequence[Event]) -> None:
        """Count events that were put into logs, and those that subscribers were told of."""
        put, told = self._counted(logged), self._counted(heard)
        counts = [Count(*key, logged=put[key], heard=told[key]) for key in put | told]
        if not counts:
            return
        try:
            self._store.add(counts)
        except Exception:
            log.exception("%d events were not counted", len(logged))

    def _counted(self, events: Sequence[Event]) -> Counter[_Key]:
        return Counter(
            (event.at.date(), event.type, crc32(event.to.encode()))
            for event in events
            if self._worded(event)
        )
