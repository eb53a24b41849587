"""The sweep: lists what is due, in case a wakeup was lost, and hands it to the queue in shares.

It does nothing else, so that what is due is worked off by as many Lambdas as there are. What the
queue has of it already is not put there again by each pass: see Handed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from chalicelib.domain.due import Due
from chalicelib.domain.messaging.wakeups import ConnectionsDue, OrdersDue, Wakeup
from chalicelib.errors import Overdue
from chalicelib.services.ports import Clock, ConnectionStore, OrderStore, WakeupSender

log = logging.getLogger(__name__)

PASSES = 4  # EventBridge can't tick under a minute
PASS_INTERVAL = timedelta(seconds=15)  # spec 000, Notes: every 15 s with a 15 s cutoff

ORDERS_PER_WAKEUP = (
    20  # orders in one wakeup: one after the other, 50 ms each where couriers are searched
)
CONNECTIONS_PER_WAKEUP = 64  # connections in one wakeup: side by side, a post each
_WAKEUPS_PER_CALL = 10  # wakeups in one call, as SQS takes them
_MAX_REMEMBERED = 200_000  # ids remembered of a kind: 50 MB; the next pass goes on
_FIRST_REPEAT = timedelta(seconds=30)
_LONGEST_REPEAT = timedelta(minutes=16)
_STUCK_AFTER = timedelta(seconds=90)  # it was handed on three times by then

IsOutOfTime = Callable[[], bool]
"""Whether so little of the invocation's time is left that nothing more should be begun."""

T = TypeVar("T", int, str)


def is_never_out_of_time() -> bool:
    """There is time enough."""
    return False


class _Enqueued(NamedTuple):
    """That an id is handed on for the deadline `at`, since when, and when it may be again."""

    deadline: datetime
    since: datetime
    repeat_at: datetime


class EnqueuedMemory(Generic[T]):
    """Remembers what this process handed on, by id and deadline. What is still due is handed on
    again after a pause that doubles: while its message waits for an hour, it is queued nine times
    by one process, and each that is too many costs the one read that finds it not due any more.

    Another process, or one that was started anew, remembers nothing: that is one time more.
    """

    def __init__(self) -> None:
        self._hands: dict[T, _Enqueued] = {}

    def may_enqueue(self, due: Due[T], now: datetime) -> bool:
        """Whether to hand it on now."""
        known = self._find_record(due)
        return now >= known.repeat_at if known else len(self._hands) < _MAX_REMEMBERED

    def record_enqueued(self, due: Due[T], now: datetime) -> None:
        """Note that it was handed on."""
        known = self._find_record(due)
        since = known.since if known else now
        pause = min(max(now - since, _FIRST_REPEAT), _LONGEST_REPEAT)
        self._hands[due.id] = _Enqueued(due.at, since, now + pause)

    def is_stuck(self, due: Due[T], now: datetime) -> bool:
        """Whether it was handed on for this deadline long ago, and again since."""
        known = self._find_record(due)
        return known is not None and now - known.since >= _STUCK_AFTER

    def _find_record(self, due: Due[T]) -> _Enqueued | None:
        known = self._hands.get(due.id)
        return known if known and known.deadline == due.at else None

    def drop_old(self, now: datetime) -> None:
        """Forget what was not listed when it could have been handed on again: it is done."""
        oldest = now - 4 * PASS_INTERVAL
        self._hands = {id_: hand for id_, hand in self._hands.items() if hand.repeat_at > oldest}


@dataclass(frozen=True)
class _DueKind(Generic[T]):
    """How one kind of what is due is handed on: `size` ids in a `wakeup`, until a time."""

    memory: EnqueuedMemory[T]
    make_wakeup: Callable[[tuple[T, ...]], Wakeup]
    size: int
    until: datetime


class Sweeper:
    """Makes passes over all that is due."""

    def __init__(
        self, orders: OrderStore, connections: ConnectionStore, queue: WakeupSender, clock: Clock
    ) -> None:
        self._orders = orders
        self._connections = connections
        self._queue = queue
        self._clock = clock
        self._looks, self._beats = EnqueuedMemory[int](), EnqueuedMemory[str]()

    def run_passes(
        self, sleep: Callable[[float], object], out_of_time: IsOutOfTime = is_never_out_of_time
    ) -> None:
        """Make PASSES passes, PASS_EVERY apart. Raises Overdue in the end if any failed, as nothing
        else would tell of it."""
        failed = 0
        for n in range(PASSES):
            if n:
                sleep(PASS_INTERVAL.total_seconds())
            failed += not self._try_pass(out_of_time)
            if out_of_time():
                break
        if failed:
            raise Overdue(f"{failed} passes of the sweep failed; each is in the log")

    def _try_pass(self, out_of_time: IsOutOfTime) -> bool:
        try:
            self.run_pass(out_of_time)
        except Exception:
            log.exception("sweep: the rest waits for the next pass")
            return False
        return True

    def run_pass(self, out_of_time: IsOutOfTime = is_never_out_of_time) -> None:
        """One pass: hand on all that is due now, or what there is time for. Heartbeats come first
        and have half of the time, so that no number of orders keeps a socket from its ping.

        Raises the first failure after both have been tried; Overdue for what has been handed on
        several times and is still due.
        """
        now, failures = self._clock(), []
        beats = _DueKind(
            self._beats, ConnectionsDue, CONNECTIONS_PER_WAKEUP, now + PASS_INTERVAL / 2
        )
        looks = _DueKind(self._looks, OrdersDue, ORDERS_PER_WAKEUP, now + PASS_INTERVAL)
        for hand_on in (
            partial(self._enqueue_due, self._connections.list_due, beats, out_of_time),
            partial(self._enqueue_due, self._orders.list_due, looks, out_of_time),
        ):
            try:
                hand_on()
            except Exception as error:  # noqa: BLE001 - raised below: one must not stop the other
                failures.append(error)
        if failures:
            raise failures[0]

    def _enqueue_due(
        self,
        due: Callable[[datetime], Iterable[Due[T]]],
        share: _DueKind[T],
        out_of_time: IsOutOfTime,
    ) -> None:
        """Hand on what is listed and may be, as it is read. Raises Overdue, and what the listing
        or the queue raises, in the end if it can be."""
        share.memory.drop_old(self._clock())
        waiting: list[Due[T]] = []
        stuck: list[T] = []
        try:
            for one in due(self._clock()):
                now = self._clock()
                if out_of_time() or now >= share.until:
                    break
                if share.memory.is_stuck(one, now):
                    stuck.append(one.id)
                if share.memory.may_enqueue(one, now):
                    waiting.append(one)
                if len(waiting) == share.size * _WAKEUPS_PER_CALL:
                    self._send_batch(share, waiting)
                    waiting = []
        finally:
            self._send_batch(share, waiting)
        if stuck:
            raise Overdue(f"{len(stuck)} still due long after they were handed on: {stuck[:10]}")

    def _send_batch(self, share: _DueKind[T], dues: list[Due[T]]) -> None:
        """One call. What could not be sent is not noted, and comes with the next pass."""
        if not dues:
            return
        ids = [due.id for due in dues]
        shares = [tuple(ids[n : n + share.size]) for n in range(0, len(ids), share.size)]
        self._queue.send_wakeups([(share.make_wakeup(some), timedelta(0)) for some in shares])
        now = self._clock()
        for due in dues:
            share.memory.record_enqueued(due, now)
