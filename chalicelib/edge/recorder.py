"""Keeps samples until an invocation ends, and prints them then: no call, no layer, a write a line.

What says how an order went is printed by the invocation that committed it. What may wait (lags) is
printed with that, or every FLUSH_EVERY_S seconds: one line for many invocations costs a hundredth.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from chalicelib.domain.measures import Sample
from chalicelib.edge.aws.emf import MAX_VALUES, format_lines

FLUSH_EVERY = timedelta(seconds=30)

Observer = Callable[[Sample], None]
"""Hears of each sample at once, as the local run's page of metrics does."""


def write_line(line: str) -> None:
    """Write a line to standard output, whole: several threads write there."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Recorder:
    """Records samples of one process. Safe under threads."""

    def __init__(
        self,
        stage: str,
        clock: Callable[[], datetime],
        write: Callable[[str], object] = write_line,
    ) -> None:
        self._stage = stage
        self._clock = clock
        self._write = write
        self._lock = Lock()
        self._kept: list[Sample] = []
        self._flushed_at: datetime | None = None
        self._observers: tuple[Observer, ...] = ()

    def add_observer(self, observer: Observer) -> None:
        """Let somebody hear of each sample from now on."""
        self._observers = (*self._observers, observer)

    def record(self, sample: Sample) -> None:
        """Keep a sample until it is printed, and tell the observers."""
        for observer in self._observers:
            observer(sample)
        if not sample.metric.is_local:
            with self._lock:
                self._kept.append(sample)

    def flush(self) -> None:
        """Print what is kept, unless all of it may wait."""
        if not self._kept:
            return
        now = self._clock()
        with self._lock:
            kept = self._kept
            if not self._is_due(kept, now):
                return
            self._kept, self._flushed_at = [], now
        for line in format_lines(kept, self._stage, int(now.timestamp() * 1000)):
            self._write(line)

    def _is_due(self, kept: list[Sample], now: datetime) -> bool:
        if self._flushed_at is None or now - self._flushed_at >= FLUSH_EVERY:
            return True
        return len(kept) >= MAX_VALUES or not all(sample.metric.waits for sample in kept)
