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
from chalicelib.domain.messaging.wakeups import Beats, Look, Wakeup
from chalicelib.errors import Overdue
from chalicelib.services.ports import Clock, ConnectionStore, OrderStore, Queue

log = logging.getLogger(__name__)

PASSES = 4  # EventBridge can't tick under a minute
PASS_EVERY = timedelta(seconds=15)  # spec 000, Notes: every 15 s with a 15 s cutoff

LOOKS = 20  # orders in one wakeup: one after the other, 50 ms each where couriers are searched
BEATS = 64  # connections in one wakeup: side by side, a post each
_CALL = 10  # wakeups in one call, as SQS takes them
_MOST_OUT = 200_000  # ids remembered of a kind: 50 MB; the next pass goes on
_FIRST_AGAIN = timedelta(seconds=30)
_LONGEST_AGAIN = timedelta(minutes=16)
_STUCK_AFTER = timedelta(seconds=90)  # it was handed on three times by then

OutOfTime = Callable[[], bool]
"""Whether so little of the invocation's time is left that nothing more should be begun."""

T = TypeVar("T", int, str)


def never() -> bool:
    """There is time enough."""
    return False


class _Hand(NamedTuple):
    """That an id is handed on for the deadline `at`, since when, and when it may be again."""

    at: datetime
    since: datetime
    again_at: datetime


class Handed(Generic[T]):
    """Remembers what this process handed on, by id and deadline. What is still due is handed on
    again after a pause that doubles: while its message waits for an hour, it is queued nine times
    by one process, and each that is too many costs the one read that finds it not due any more.

    Another process, or one that was started anew, remembers nothing: that is one time more.
    """

    def __init__(self) -> None:
        self._hands: dict[T, _Hand] = {}

    def may(self, due: Due[T], now: datetime) -> bool:
        """Whether to hand it on now."""
        known = self._known(due)
        return now >= known.again_at if known else len(self._hands) < _MOST_OUT

    def note(self, due: Due[T], now: datetime) -> None:
        """Note that it was handed on."""
        known = self._known(due)
        since = known.since if known else now
        pause = min(max(now - since, _FIRST_AGAIN), _LONGEST_AGAIN)
        self._hands[due.id] = _Hand(due.at, since, now + pause)

    def stuck(self, due: Due[T], now: datetime) -> bool:
        """Whether it was handed on for this deadline long ago, and again since."""
        known = self._known(due)
        return known is not None and now - known.since >= _STUCK_AFTER

    def _known(self, due: Due[T]) -> _Hand | None:
        known = self._hands.get(due.id)
        return known if known and known.at == due.at else None

    def forget(self, now: datetime) -> None:
        """Forget what was not listed when it could have been handed on again: it is done."""
        oldest = now - 4 * PASS_EVERY
        self._hands = {id_: hand for id_, hand in self._hands.items() if hand.again_at > oldest}


@dataclass(frozen=True)
class _Share(Generic[T]):
    """How one kind of what is due is handed on: `size` ids in a `wakeup`, until a time."""

    handed: Handed[T]
    wakeup: Callable[[tuple[T, ...]], Wakeup]
    size: int
    until: datetime


class Sweeper:
    """Makes passes over all that is due."""

    def __init__(
        self, orders: OrderStore, connections: ConnectionStore, queue: Queue, clock: Clock
    ) -> None:
        self._orders = orders
        self._connections = connections
        self._queue = queue
        self._clock = clock
        self._looks, self._beats = Handed[int](), Handed[str]()

    def run(self, sleep: Callable[[float], object], out_of_time: OutOfTime = never) -> None:
        """Make PASSES passes, PASS_EVERY apart. Raises Overdue in the end if any failed, as nothing
        else would tell of it."""
        failed = 0
        for n in range(PASSES):
            if n:
                sleep(PASS_EVERY.total_seconds())
            failed += not self._passed(out_of_time)
            if out_of_time():
                break
        if failed:
            raise Overdue(f"{failed} passes of the sweep failed; each is in the log")

    def _passed(self, out_of_time: OutOfTime) -> bool:
        try:
            self.sweep(out_of_time)
        except Exception:
            log.exception("sweep: the rest waits for the next pass")
            return False
        return True

    def sweep(self, out_of_time: OutOfTime = never) -> None:
        """One pass: hand on all that is due now, or what there is time for. Heartbeats come first
        and have half of the time, so that no number of orders keeps a socket from its ping.

        Raises the first failure after both have been tried; Overdue for what has been handed on
        several times and is still due.
        """
        now, failures = self._clock(), []
        beats = _Share(self._beats, Beats, BEATS, now + PASS_EVERY / 2)
        looks = _Share(self._looks, Look, LOOKS, now + PASS_EVERY)
        for hand_on in (
            partial(self._hand_on, self._connections.due, beats, out_of_time),
            partial(self._hand_on, self._orders.due, looks, out_of_time),
        ):
            try:
                hand_on()
            except Exception as error:  # noqa: BLE001 - raised below: one must not stop the other
                failures.append(error)
        if failures:
            raise failures[0]

    def _hand_on(
        self,
        due: Callable[[datetime], Iterable[Due[T]]],
        share: _Share[T],
        out_of_time: OutOfTime,
    ) -> None:
        """Hand on what is listed and may be, as it is read. Raises Overdue, and what the listing
        or the queue raises, in the end if it can be."""
        share.handed.forget(self._clock())
        waiting: list[Due[T]] = []
        stuck: list[T] = []
        try:
            for one in due(self._clock()):
                now = self._clock()
                if out_of_time() or now >= share.until:
                    break
                if share.handed.stuck(one, now):
                    stuck.append(one.id)
                if share.handed.may(one, now):
                    waiting.append(one)
                if len(waiting) == share.size * _CALL:
                    self._send(share, waiting)
                    waiting = []
        finally:
            self._send(share, waiting)
        if stuck:
            raise Overdue(f"{len(stuck)} still due long after they were handed on: {stuck[:10]}")

    def _send(self, share: _Share[T], dues: list[Due[T]]) -> None:
        """One call. What could not be sent is not noted, and comes with the next pass."""
        if not dues:
            return
        ids = [due.id for due in dues]
        shares = [tuple(ids[n : n + share.size]) for n in range(0, len(ids), share.size)]
        self._queue.send([(share.wakeup(some), timedelta(0)) for some in shares])
        now = self._clock()
        for due in dues:
            share.handed.note(due, now)
