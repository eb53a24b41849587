"""The sweep: lists what is due, in case a wakeup was lost, and puts it on the queue.

It does nothing else: what is due is worked off by as many Lambdas as there are, and a pass that
lists takes as long for 10 as for 10,000. What a pass lists and what a wakeup says is the same: this
is to be looked at. Whoever looks finds out whether there is something to do.

There are passes of two kinds, four in a minute, as EventBridge can't tick under one:

 whole    Once a minute, called by the schedule itself: all that is due. It first sends the wakeups
          of the others. What is on the queue already stays due until it is handled, so it would be
          listed again by each whole pass: see EnqueuedMemory.
 recent   The three between, by a wakeup each (SweepDue): what has fallen due since the pass before.
          Whatever process makes it needs no memory: what is older has been listed before.

A recent pass that is lost, late or fails is made up for by the next whole one. So nothing waits in
between, which would be billed; and what both its own wakeup and a recent pass have missed is found
within a minute.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from chalicelib.domain.due import Due
from chalicelib.domain.messaging.wakeups import ConnectionsDue, OrdersDue, SweepDue, Wakeup
from chalicelib.errors import Overdue
from chalicelib.services.ports import Clock, ConnectionStore, OrderStore, WakeupSender

log = logging.getLogger(__name__)

PASSES = 4  # in a minute, one of them whole
PASS_INTERVAL = timedelta(seconds=15)  # spec 000, Notes: every 15 s with a 15 s cutoff
_OVERLAP = timedelta(seconds=5)  # of recent passes: an index is behind, and a message comes late
_TOO_LATE = timedelta(minutes=1)  # for a recent pass: a whole one has come since

ORDERS_PER_WAKEUP = 20  # one after the other, 50 ms each where couriers are searched
CONNECTIONS_PER_WAKEUP = 64  # side by side, a post each
_WAKEUPS_PER_CALL = 10  # AWS quota: messages in one call of SQS
_MAX_REMEMBERED = 200_000  # ids of a kind: 50 MB; what is beyond is left to the next pass
_FIRST_REPEAT = timedelta(seconds=30)
_LONGEST_REPEAT = timedelta(minutes=16)
_STUCK_AFTER = timedelta(seconds=90)  # it was enqueued three times by then

IsOutOfTime = Callable[[], bool]
"""Tells whether so little of the invocation's time is left that nothing more should be begun."""

T = TypeVar("T", int, str)


def is_never_out_of_time() -> bool:
    """Always leave time enough."""
    return False


class _Enqueued(NamedTuple):
    """One id was enqueued for its deadline `at`: since when, and when it may be again."""

    at: datetime
    since: datetime
    repeat_at: datetime


class EnqueuedMemory(Generic[T]):
    """Remembers what this process enqueued, by id and deadline.

    What is still due is enqueued again after a pause that doubles. While its message waits for an
    hour, one process enqueues it nine times; each time too many costs the one read that finds it
    not due any more. Another process, or one that was started anew, remembers nothing: that is one
    time more.
    """

    def __init__(self) -> None:
        self._records: dict[T, _Enqueued] = {}

    def may_enqueue(self, due: Due[T], now: datetime) -> bool:
        """Tell whether an id may be enqueued now."""
        record = self._find_record(due)
        return now >= record.repeat_at if record else len(self._records) < _MAX_REMEMBERED

    def record_enqueued(self, due: Due[T], now: datetime) -> None:
        """Remember that an id was enqueued."""
        record = self._find_record(due)
        since = record.since if record else now
        pause = min(max(now - since, _FIRST_REPEAT), _LONGEST_REPEAT)
        self._records[due.id] = _Enqueued(due.at, since, now + pause)

    def is_stuck(self, due: Due[T], now: datetime) -> bool:
        """Tell whether an id was enqueued for this deadline long ago, and again since."""
        record = self._find_record(due)
        return record is not None and now - record.since >= _STUCK_AFTER

    def drop_old(self, now: datetime) -> None:
        """Forget the ids that were not listed when they could have been enqueued again: they are
        done."""
        oldest = now - 2 * PASSES * PASS_INTERVAL
        self._records = {id_: one for id_, one in self._records.items() if one.repeat_at > oldest}

    def _find_record(self, due: Due[T]) -> _Enqueued | None:
        """Find what is remembered of an id. With another deadline it is due for another reason."""
        record = self._records.get(due.id)
        return record if record and record.at == due.at else None


@dataclass(frozen=True)
class _DueKind(Generic[T]):
    """How one kind of what is due is enqueued: `size` ids in a wakeup, until a time."""

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
        self._orders_memory = EnqueuedMemory[int]()
        self._connections_memory = EnqueuedMemory[str]()

    def run_minute(self, is_out_of_time: IsOutOfTime = is_never_out_of_time) -> None:
        """Send the wakeups of a minute's recent passes, and make its whole one. Raises Overdue in
        the end if either failed, as nothing else would tell of it."""
        steps = (self._send_recent_passes, partial(self.run_pass, is_out_of_time))
        failed = [step for step in steps if not _try_step(step)]
        if failed:
            raise Overdue("a pass of the sweep failed; it is in the log")

    def _send_recent_passes(self) -> None:
        """Send the wakeups of the passes until the schedule calls again."""
        now, delays = self._clock(), [n * PASS_INTERVAL for n in range(1, PASSES)]
        self._queue.send_wakeups([(SweepDue(now + delay), delay) for delay in delays])

    def run_recent_pass(
        self, due_at: datetime, is_out_of_time: IsOutOfTime = is_never_out_of_time
    ) -> None:
        """Enqueue what has fallen due since the pass before the one of `due_at`. Nothing that is
        long late: that is another's by now. Never raises: what fails is left to the whole pass."""
        now = self._clock()
        if now - due_at >= _TOO_LATE:
            return
        since = min(now, due_at) - PASS_INTERVAL - _OVERLAP
        memories = EnqueuedMemory[int](), EnqueuedMemory[str]()
        _try_step(lambda: self._enqueue_all(*memories, is_out_of_time, since))

    def run_pass(self, is_out_of_time: IsOutOfTime = is_never_out_of_time) -> None:
        """Enqueue all that is due now, or what there is time for. Connections come first and have
        half of the time, so that no number of orders keeps a connection from its heartbeat.

        Raises the first failure after both kinds have been tried; Overdue for what has been
        enqueued several times and is still due.
        """
        self._enqueue_all(self._orders_memory, self._connections_memory, is_out_of_time, None)

    def _enqueue_all(
        self,
        orders_memory: EnqueuedMemory[int],
        connections_memory: EnqueuedMemory[str],
        is_out_of_time: IsOutOfTime,
        since: datetime | None,
    ) -> None:
        """Enqueue what is due; what fell due before `since` only if that is None. Raises as
        run_pass does."""
        now, failures = self._clock(), []
        connections = _DueKind(
            connections_memory,
            ConnectionsDue,
            CONNECTIONS_PER_WAKEUP,
            until=now + PASS_INTERVAL / 2,
        )
        orders = _DueKind(orders_memory, OrdersDue, ORDERS_PER_WAKEUP, until=now + PASS_INTERVAL)
        list_connections = partial(self._connections.list_due, since=since)
        list_orders = partial(self._orders.list_due, since=since)
        for enqueue in (
            partial(self._enqueue_due, list_connections, connections, is_out_of_time),
            partial(self._enqueue_due, list_orders, orders, is_out_of_time),
        ):
            try:
                enqueue()
            except Exception as error:  # noqa: BLE001 - raised below: one must not stop the other
                failures.append(error)
        if failures:
            raise failures[0]

    def _enqueue_due(
        self,
        list_due: Callable[[datetime], Iterable[Due[T]]],
        kind: _DueKind[T],
        is_out_of_time: IsOutOfTime,
    ) -> None:
        """Enqueue what is listed, as it is read: the first is handled while the last is not listed
        yet. Raises Overdue and what the listing or the queue raises, but only in the end: what is
        read already is enqueued."""
        kind.memory.drop_old(self._clock())
        waiting: list[Due[T]] = []
        stuck: list[T] = []
        try:
            for due in list_due(self._clock()):
                now = self._clock()
                if is_out_of_time() or now >= kind.until:
                    break
                if kind.memory.is_stuck(due, now):
                    stuck.append(due.id)
                if kind.memory.may_enqueue(due, now):
                    waiting.append(due)
                if len(waiting) == kind.size * _WAKEUPS_PER_CALL:
                    self._send_batch(kind, waiting)
                    waiting = []
        finally:
            self._send_batch(kind, waiting)
        if stuck:
            raise Overdue(f"{len(stuck)} still due long after they were handed on: {stuck[:10]}")

    def _send_batch(self, kind: _DueKind[T], batch: list[Due[T]]) -> None:
        """Send as many wakeups as one call takes. What could not be sent is not remembered, and
        comes with the next pass."""
        if not batch:
            return
        ids = [due.id for due in batch]
        shares = [tuple(ids[n : n + kind.size]) for n in range(0, len(ids), kind.size)]
        self._queue.send_wakeups([(kind.make_wakeup(share), timedelta(0)) for share in shares])
        now = self._clock()
        for due in batch:
            kind.memory.record_enqueued(due, now)


def _try_step(step: Callable[[], object]) -> bool:
    """Take a step; log its failure, and say whether it went well."""
    try:
        step()
    except Exception:
        log.exception("sweep: the rest waits for the next whole pass")
        return False
    return True
