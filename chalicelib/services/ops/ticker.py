"""The ticker: keeps the board up to date of those who watch, and costs nothing while nobody does.

 1. look    Read how far the ticks have got, and who watches. Nobody: stop, and no wakeup follows.
 2. take    Write that the next tick is taken: of two who try, one can.
 3. chain   Put the wakeup of the tick after it on the queue. Only who has taken one does so: a
            wakeup that comes twice makes no second chain.
 4. tell    Read the board, and post to each how it differs.
 5. end     Write that all were told. The tick after it may be taken from then on.

Whoever dies at any line is made up for. After 2, the same wakeup comes again. After 3, the next one
waits until BUSY_FOR has passed, and repeats what may have been told. Where a wakeup is lost, who
connects and the check of each connection that watches find that no tick came, and send another.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Lock
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from chalicelib.domain.messaging.wakeups import TickDue
from chalicelib.domain.messaging.watching import Watcher
from chalicelib.domain.ops.board import Board
from chalicelib.domain.ops.current import count_board
from chalicelib.domain.ops.duty import is_count_due
from chalicelib.domain.ops.ticks import (
    SHORTEST_INTERVAL,
    TickState,
    end_tick,
    fail_tick,
    find_turn,
    is_beat_due,
    may_come_early,
    take_tick,
)
from chalicelib.errors import Stale
from chalicelib.services.ops.telling import BoardTeller, Tick
from chalicelib.services.ports import Clock, TickStore, WakeupSender, WatcherStore

log = logging.getLogger(__name__)

_AFTER_FAILURE = timedelta(seconds=5)
_NOW = timedelta(0)
_WAITED_FOR = timedelta(seconds=0.6)


class ReadBoard(Protocol):
    """Reads the board as it is now."""

    def read(self, now: datetime) -> Board: ...


class _LastTick(NamedTuple):
    """The last tick of this process that told everybody: its position, and the board."""

    position: str
    board: Board


class BoardTicker:
    """Makes the ticks. At most `reads_per_s` rows are read in a second, on an average: where a
    board has more, ticks are further apart."""

    def __init__(
        self,
        ticks: TickStore,
        watchers: WatcherStore,
        reader: ReadBoard,
        teller: BoardTeller,
        queue: WakeupSender,
        reads_per_s: int,
        sleep: Callable[[float], object],
        clock: Clock,
    ) -> None:
        self._sleep = sleep
        self._ticks = ticks
        self._watchers = watchers
        self._reader = reader
        self._teller = teller
        self._queue = queue
        self._reads_per_s = reads_per_s
        self._clock = clock
        self._last: _LastTick | None = None
        self._working = Lock()  # a process may have several threads, and remembers one tick

    def run_tick(self, due: TickDue) -> timedelta:
        """Make the tick that is due. Returns zero, or how soon its wakeup is to come again."""
        state, now = self._ticks.get_state(), self._clock()
        if state is None or state.epoch != due.epoch:
            return _NOW
        left = find_turn(state, due.number, now)
        if left is None:
            return _NOW
        if _NOW < left <= _WAITED_FOR and state.busy_until is None:
            # Queues delay by whole seconds: sent on, this wakeup would come that much later.
            self._sleep(left.total_seconds())
            left, now = _NOW, self._clock()
        if left and not may_come_early(state, now):
            return left
        watchers = self._watchers.list_watchers(now)
        if left and not any(one.is_new for one in watchers):
            return left
        if not self._working.acquire(blocking=False):
            return SHORTEST_INTERVAL
        try:
            return self._take_turn(state, watchers, now)
        except Stale:  # another has written: look again what is so now
            return SHORTEST_INTERVAL
        finally:
            self._working.release()

    def _take_turn(self, state: TickState, watchers: Sequence[Watcher], now: datetime) -> timedelta:
        if not watchers:
            return self._stop(state, now)
        taken = self._ticks.save_state(state, take_tick(state, now))
        self._queue.send_wakeups([(TickDue(taken.epoch, taken.number + 1), taken.interval)])
        try:
            interval, board = self._tell(state, taken, watchers)
        except Exception:
            # Whatever it is: the next tick tells what this one did not. No message comes again for
            # it, as the next is on its way.
            log.exception("the board could not be told")
            self._ticks.save_state(taken, fail_tick(taken, _AFTER_FAILURE, self._clock()))
            return _NOW
        self._ticks.save_state(taken, end_tick(taken, board.at, interval, self._clock()))
        self._last = _LastTick(taken.position, board)
        self._count_duty(state, board, now)
        self._teller.probe_paused(watchers, taken, self._clock())
        return _NOW

    def _tell(
        self, before: TickState, taken: TickState, watchers: Sequence[Watcher]
    ) -> tuple[timedelta, Board]:
        """Read the board and tell everybody; return how soon the next tick may come."""
        now = self._clock()
        board = self._reader.read(now)
        # Exact only if that very tick told everybody. Its board is of this process, or unknown.
        last, self._last = self._last, None
        is_last = last is not None and last.position == before.position and before.has_told_all
        tick = Tick(
            taken, board, last.board if last and is_last else None, is_beat_due(before, now)
        )
        until = taken.busy_until or now
        pace = self._teller.tell(tick, watchers, until)
        return max(pace, timedelta(seconds=board.rows_read / self._reads_per_s)), board

    def _count_duty(self, before: TickState, board: Board, now: datetime) -> None:
        """Count how many couriers are idle, once a minute: nothing else remembers it."""
        if not is_count_due(before.taken_at, now):
            return
        figures, counted = count_board(board), self._ticks.get_duty()
        after = counted.add_count(now, figures.couriers, figures.couriers_idle)
        with suppress(Stale):  # an old reading: one count less
            self._ticks.save_duty(counted, after)

    def _stop(self, state: TickState, now: datetime) -> timedelta:
        """Note that nobody watches. Who has come meanwhile may have found the ticks running: they
        are in the room, and found by a second look."""
        if not state.is_stopped:
            state = self._ticks.save_state(state, replace(state, is_stopped=True))
            if self._watchers.list_watchers(now):
                self._queue.send_wakeups([(TickDue(state.epoch, state.number + 1), _NOW)])
        return _NOW
