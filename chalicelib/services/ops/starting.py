"""Starting the ticks that keep the board up to date (ticker.py), when somebody begins to watch."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.domain.messaging.positions import make_epoch
from chalicelib.domain.messaging.wakeups import TickDue
from chalicelib.domain.ops.ticks import SHORTEST_INTERVAL, TickState, is_running
from chalicelib.errors import Stale
from chalicelib.services.ports import Clock, TickStore, WakeupSender


class TickStarter:
    """Has ticks come. A wakeup too many is harmless: of one number one tick is made."""

    def __init__(self, ticks: TickStore, queue: WakeupSender, clock: Clock) -> None:
        self._ticks = ticks
        self._queue = queue
        self._clock = clock

    def start(self) -> None:
        """Have a tick come soon, as somebody has just begun to watch: they are in their room
        already, or ticks could stop without having seen them. Raises Unavailable."""
        now = self._clock()
        state = self._ticks.get_state() or self._begin(now)
        is_far = state.busy_until is None and state.next_at - now > SHORTEST_INTERVAL
        if is_far or not is_running(state, now):
            self._send_tick(state)

    def keep_running(self) -> None:
        """Have a tick come where none does, though somebody watches. Raises Unavailable."""
        now = self._clock()
        state = self._ticks.get_state() or self._begin(now)
        if not is_running(state, now):
            self._send_tick(state)

    def _send_tick(self, state: TickState) -> None:
        self._queue.send_wakeups([(TickDue(state.epoch, state.number + 1), timedelta(0))])

    def _begin(self, now: datetime) -> TickState:
        """Write the first state; where another has just done so, read theirs."""
        first = TickState(make_epoch(now), next_at=now, is_stopped=True)
        try:
            return self._ticks.save_state(None, first)
        except Stale:
            found = self._ticks.get_state()
            assert found is not None, "it was written by another"
            return found
