"""The agenda: what is to happen, in order of time. The clock jumps from one entry to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count
from math import ceil

from chalicelib.domain.messaging.wakeups import Wakeup

Action = Callable[[], object]

_LONGEST_DELAY_S = 900  # AWS quota of SQS


class Agenda:
    """A virtual clock and what is planned by it. Entries of one time run in the order in which they
    were planned, so that a run depends on its seed alone."""

    def __init__(self, start: datetime) -> None:
        self.start = start
        self.now = start
        self._entries: list[tuple[datetime, int, Action]] = []
        self._numbers = count()

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def plan_at(self, at: datetime, action: Action) -> None:
        """Plan an action for a time; at once, if that has passed."""
        heappush(self._entries, (max(at, self.now), next(self._numbers), action))

    def plan_in(self, seconds: float, action: Action) -> None:
        """Plan an action for so many seconds from now."""
        self.plan_at(self.now + timedelta(seconds=seconds), action)

    def run(self, until: datetime | None = None) -> None:
        """Run everything that is planned, and what is planned meanwhile; `until` a time at most."""
        while self._entries and (until is None or self._entries[0][0] <= until):
            self.now, _, action = heappop(self._entries)
            action()


class MemoryQueue:
    """Implements services.ports.WakeupSender: wakeups come by the agenda, each once, after whole
    seconds as SQS counts them."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        self.handle_wakeup: Callable[[Wakeup], object] = lambda wakeup: None

    def send_wakeups(self, wakeups: Iterable[tuple[Wakeup, timedelta]]) -> None:
        """Plan each wakeup to be handled after its delay."""
        for wakeup, delay in wakeups:
            delay_s = ceil(max(0.0, min(delay.total_seconds(), _LONGEST_DELAY_S)))
            self._agenda.plan_in(delay_s, partial(self.handle_wakeup, wakeup))
