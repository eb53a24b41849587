"""Orders that wait, in virtual time: some Lambdas take wakeups off a queue, as a sweep and the
orders themselves put them there. The real Sweeper and the real Waking, over tables in memory."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.due import Due
from chalicelib.domain.messaging.wakeups import (
    ConnectionsDue,
    OrdersDue,
    SearchDue,
    Wakeup,
)
from chalicelib.errors import Overdue
from chalicelib.services.sweeper import Sweeper
from chalicelib.services.wakeup_handler import WakeupHandler
from chalicelib.services.webhooks.reminders import WebhookReminders
from chalicelib.store.shards import read_in_turns
from chalicelib.store.tables import SHARDS
from tests.builders import NOW
from tests.fakes import Clock

LOOK_S = 0.05  # four rings, a batch get and a put
READ_S = 0.005  # one that finds an order not due
AGAIN = timedelta(seconds=10)
SOCKET = "socket="


class SweepTown:
    """So many orders, all due at the beginning, and so many Lambdas.

    `waits` says that an order that was looked after is to be looked at again, by a wakeup that is
    sent then; else it is done.
    """

    def __init__(self, orders: int, lambdas: int, *, waits: bool) -> None:
        self.clock = Clock(NOW)
        self.deadlines = dict.fromkeys(range(orders), NOW)
        self.looks: Counter[int] = Counter()
        self.reads = 0  # looks that found an order not due
        self.beats: list[datetime] = []
        self.sent: list[Wakeup] = []
        self.ready = [(NOW, n) for n in range(lambdas)]
        self.waits = waits
        self._messages: list[tuple[datetime, int, Wakeup]] = []
        self.sweeper = Sweeper(self._as(Orders), self._as(Sockets), self._queue(), self.clock)
        nobody: Any = None
        self._waking = WakeupHandler(
            nobody, nobody, nobody, self._as(Looking), nobody, nobody, self._as(Checking),
            nobody, nobody, self._queue(), self._as(InTurn), self.clock,
            WebhookReminders(nobody, nobody), self.sweeper, nobody, nobody,
        )  # fmt: skip

    def _as(self, part: Any) -> Any:
        return part(self)

    def _queue(self) -> Any:
        return self

    def send_wakeups(self, wakeups: Iterable[tuple[Wakeup, timedelta]]) -> None:
        """As SQS: whole seconds of delay."""
        for wakeup, delay in wakeups:
            self.sent.append(wakeup)
            due = self.clock.now + timedelta(seconds=-(-delay.total_seconds() // 1))
            heapq.heappush(self._messages, (due, len(self.sent), wakeup))

    def arm(self) -> None:
        """Send every order's own wakeup."""
        self.send_wakeups((SearchDue(id_, at), timedelta(0)) for id_, at in self.deadlines.items())

    def live(self, seconds: float, *, sweeps: bool = True) -> None:
        """Let time pass: the schedule calls each minute, and whoever is idle takes a message."""
        until, next_pass = self.clock.now + timedelta(seconds=seconds), self.clock.now
        while True:
            starts = self._next_start()
            now = min(next_pass if sweeps else until, starts or until)
            if now >= until:
                break
            if sweeps and now == next_pass:
                self.clock.now = now
                with suppress(Overdue):  # a backlog of minutes is said to be one, and goes on
                    self.sweeper.run_minute()
                next_pass += timedelta(minutes=1)
            else:
                self._work(now)
        self.clock.now = until

    def _next_start(self) -> datetime | None:
        if not self._messages or not self.ready:
            return None
        return max(self._messages[0][0], self.ready[0][0])

    def _work(self, now: datetime) -> None:
        _, number = heapq.heappop(self.ready)
        _, _, wakeup = heapq.heappop(self._messages)
        self.clock.now = now
        self._waking.handle_wakeup(wakeup)
        heapq.heappush(self.ready, (self.clock.now, number))

    def handed(self) -> Counter[int]:
        """How often the sweep handed on each order."""
        return Counter(
            id_ for one in self.sent if isinstance(one, OrdersDue) for id_ in one.order_ids
        )

    @property
    def pings(self) -> int:
        """How often the sweep handed on the socket."""
        return sum(
            SOCKET in one.connection_ids for one in self.sent if isinstance(one, ConnectionsDue)
        )


class Orders:
    """As the store lists them."""

    def __init__(self, town: SweepTown) -> None:
        self._town = town

    def list_due(self, now: datetime, since: datetime | None = None) -> Iterator[Due[int]]:
        """What is due when the pass begins."""
        late: list[list[Due[int]]] = [[] for _ in range(SHARDS)]
        for id_, at in self._town.deadlines.items():
            if at <= now and (since is None or at >= since):
                late[id_ % SHARDS].append(Due(id_, at))
        return read_in_turns(lambda shard: iter(sorted(late[shard], key=lambda due: due.at)))


class Sockets:
    """One socket, which is due at each pass."""

    def __init__(self, town: SweepTown) -> None:
        self._town = town

    def list_due(self, now: datetime, since: datetime | None = None) -> Iterator[Due[str]]:
        """The socket."""
        return iter([Due(SOCKET, now)])


class Looking:
    """As dispatch does, in its time: the wakeup goes out before the deadline moves."""

    def __init__(self, town: SweepTown) -> None:
        self._town = town

    def search_if_due(self, order_id: int, due: datetime) -> timedelta:
        """Look, if it is time."""
        left = due - self._town.clock.now
        if left <= timedelta(0):
            self.act_on_deadline(order_id)
        return max(left, timedelta(0))

    def act_on_deadline(self, order_id: int) -> None:
        """Look, if it is due."""
        town = self._town
        due = town.deadlines.get(order_id)
        if due is None or due > town.clock.now:
            town.reads += 1
            town.clock.advance(READ_S)
            return
        town.clock.advance(LOOK_S)
        town.looks[order_id] += 1
        if not town.waits:
            del town.deadlines[order_id]
            return
        next_at = town.clock.now + AGAIN
        town.send_wakeups([(SearchDue(order_id, next_at), AGAIN)])
        town.deadlines[order_id] = next_at


class Checking:
    """Notes when the socket was checked."""

    def __init__(self, town: SweepTown) -> None:
        self._town = town

    def check_connection(self, connection_id: str) -> None:
        """Check it."""
        self._town.beats.append(self._town.clock.now)


class InTurn:
    """A pool of one thread: this one."""

    def __init__(self, town: SweepTown) -> None:
        self._town = town

    @staticmethod
    def map(do: Any, of: Iterable[Any]) -> list[Any]:
        """One after the other."""
        return [do(one) for one in of]
