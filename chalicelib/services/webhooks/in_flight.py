"""The attempts that a process has under way for each endpoint."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MAX_IN_FLIGHT = 4  # of a batch of ten: the others of a receiver that hangs are put off
HANGS_AFTER_S = 2.0
_WAIT_S = 1.0  # a receiver that answers has let somebody in by then


class InFlight:
    """Knows the attempts by endpoint. Safe under threads. `clock` is monotonic."""

    def __init__(
        self,
        most: int = MAX_IN_FLIGHT,
        wait_s: float = _WAIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._wait_s = wait_s
        self._clock = clock
        self._begun: defaultdict[str, list[float]] = defaultdict(list)  # oldest first
        self._changed = threading.Condition()  # with a lock that may be taken again

    @contextmanager
    def enter(self, endpoint_id: str) -> Iterator[bool]:
        """Be one of the attempts of an endpoint for the time of the block, once there is room.
        Gives False if there is none within a moment; at once, if the receiver hangs."""
        with self._changed:
            wait_s = 0.0 if self.is_hanging(endpoint_id) else self._wait_s
            is_entered = self._changed.wait_for(
                lambda: len(self._begun[endpoint_id]) < self._most, wait_s
            )
            began = self._clock()
            if is_entered:
                self._begun[endpoint_id].append(began)
        try:
            yield is_entered
        finally:
            if is_entered:
                self._leave(endpoint_id, began)

    def is_hanging(self, endpoint_id: str) -> bool:
        """Tell whether an attempt has had no answer for a while."""
        with self._changed:
            begun = self._begun.get(endpoint_id)
            return bool(begun) and self._clock() - min(begun or ()) >= HANGS_AFTER_S

    def _leave(self, endpoint_id: str, began: float) -> None:
        with self._changed:
            self._begun[endpoint_id].remove(began)
            if not self._begun[endpoint_id]:
                del self._begun[endpoint_id]
            self._changed.notify_all()
