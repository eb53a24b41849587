"""How many attempts a process has under way for one endpoint."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

MAX_IN_FLIGHT = 4  # of a batch of ten: the others of a receiver that hangs are put off
_WAIT_S = 1.0  # one that answers has let somebody in by then


class InFlight:
    """Counts attempts by endpoint. Safe under threads."""

    def __init__(self, most: int = MAX_IN_FLIGHT, wait_s: float = _WAIT_S) -> None:
        self._most = most
        self._wait_s = wait_s
        self._counts: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def enter(self, endpoint_id: str) -> Iterator[bool]:
        """Be one of the attempts of an endpoint for the time of the block, once there is room.
        Gives False if there is none within a moment."""
        with self._changed:
            is_entered = self._changed.wait_for(
                lambda: self._counts[endpoint_id] < self._most, self._wait_s
            )
            self._counts[endpoint_id] += is_entered
        try:
            yield is_entered
        finally:
            with self._changed:
                self._counts[endpoint_id] -= is_entered
                if not self._counts[endpoint_id]:
                    del self._counts[endpoint_id]
                self._changed.notify_all()
