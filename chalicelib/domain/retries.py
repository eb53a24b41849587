"""Retries of a change that another writer beat: later each time, at random, and not for ever.

Writers that try again at once meet again at once. Pauses that grow, each of a random length, let
them through one by one: 48 on one row are through within some 5 s.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TypeVar

from chalicelib.errors import Stale, Unavailable

T = TypeVar("T")

MAX_ATTEMPTS = 40
MAX_DURATION = timedelta(seconds=12)  # two such loops in one request still end before Lambda's 29 s
FIRST_PAUSE_S = 0.05  # about what an attempt takes
LONGEST_PAUSE_S = 1.0


def _get_utc_now() -> datetime:
    return datetime.now(timezone.utc)


class Retries:
    """Paces attempts. `pause` waits for so many seconds; `dice` gives a number from 0 to 1."""

    def __init__(
        self,
        pause: Callable[[float], object] = time.sleep,
        clock: Callable[[], datetime] = _get_utc_now,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._pause = pause
        self._clock = clock
        self._dice = dice

    def pace_attempts(self) -> Iterator[int]:
        """Yield the number of each attempt, from 0, after a pause before all but the first. Ends
        when there have been enough of them, or the time is up."""
        began = self._clock()
        for n in range(MAX_ATTEMPTS):
            if n:
                if self._clock() - began >= MAX_DURATION:
                    return
                longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (n - 1))
                self._pause(self._dice() * longest_s)
            yield n

    def retry_while_stale(self, attempt: Callable[[], T]) -> T:
        """Return what `attempt` returns, calling it again while it raises Stale. Raises
        Unavailable when there are no attempts left."""
        for _ in self.pace_attempts():
            with suppress(Stale):
                return attempt()
        raise Unavailable("This is changing too fast; try again.")
