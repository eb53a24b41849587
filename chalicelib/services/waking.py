"""Wakeups and the sweep: what happens without anybody asking. All of it is safe to do twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

from chalicelib.domain.events import Outbox
from chalicelib.errors import NotFound
from chalicelib.services.broadcast import Broadcast
from chalicelib.services.dispatching import Dispatching
from chalicelib.services.greeting import Greeting
from chalicelib.services.mailbox import LEASE
from chalicelib.services.ports import Clock, ConnectionStore, OrderStore, Queue
from chalicelib.services.presence import Presence
from chalicelib.services.relay import Relay
from chalicelib.services.wakeups import AuthDeadline, Beat, Expire, FanOut, Greet, Search, Wakeup
from chalicelib.services.wakeups import Relay as RelayWakeup

log = logging.getLogger(__name__)

PASSES = 4  # EventBridge can't tick under a minute
PASS_EVERY = timedelta(seconds=15)  # spec 000, Notes: every 15 s with a 15 s cutoff

T = TypeVar("T")


class Waking:
    """Handles one wakeup. `settle` does what an outbox's events entail, once however often."""

    def __init__(
        self,
        load: Callable[[str], Outbox | None],
        relay: Relay,
        settle: Callable[[Outbox], None],
        dispatching: Dispatching,
        greeting: Greeting,
        presence: Presence,
        broadcast: Broadcast,
        queue: Queue,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._presence = presence
        self._broadcast = broadcast
        self._load = load
        self._relay = relay
        self._settle = settle
        self._dispatching = dispatching
        self._greeting = greeting
        self._queue = queue

    def handle(self, wakeup: Wakeup) -> None:
        """Do what a wakeup asks for; too early, send it on. Raises what must be retried."""
        again = self._again_in(wakeup)
        if again > timedelta(0):
            self._queue.send([(wakeup, again)])

    def _again_in(self, wakeup: Wakeup) -> timedelta:
        if isinstance(wakeup, Expire):
            return self._expire(wakeup)
        if isinstance(wakeup, Search):
            return self._search(wakeup)
        if isinstance(wakeup, Greet):
            return self._greeting.greet(wakeup.connection_id)
        if isinstance(wakeup, RelayWakeup):
            return self._relay_again(wakeup)
        if isinstance(wakeup, AuthDeadline):
            self._presence.end_unauthenticated(wakeup.connection_id)
        elif isinstance(wakeup, Beat):
            self._presence.check(wakeup.connection_id)
        elif isinstance(wakeup, FanOut):
            self._broadcast.say(wakeup.listeners, wakeup.event)
        return timedelta(0)

    def _expire(self, wakeup: Expire) -> timedelta:
        try:
            return self._dispatching.expire(wakeup.order_id, wakeup.seq)
        except NotFound:  # the commit that it was sent for never came
            return timedelta(0)

    def _search(self, wakeup: Search) -> timedelta:
        try:
            return self._dispatching.end_search(wakeup.order_id, wakeup.due)
        except NotFound:
            return timedelta(0)

    def _relay_again(self, wakeup: RelayWakeup) -> timedelta:
        if wakeup.to and self._relay.done(wakeup.stream, wakeup.version, wakeup.to):
            return timedelta(0)
        outbox = self._load(wakeup.stream)
        if outbox:
            self._settle(outbox)
        finished = outbox is None or self._relay.again(outbox)
        if wakeup.awaited_until and (outbox.newest if outbox else 0) < wakeup.version:
            return wakeup.awaited_until - self._clock()  # its commit may be slow
        return timedelta(0) if finished else LEASE + timedelta(seconds=1)


class Sweeper:
    """Looks after whatever is due, in case a wakeup was lost. Heartbeats, of which many may be due
    at once, are sent side by side in `pool`; orders are not, as looking after one uses it too."""

    def __init__(
        self,
        orders: OrderStore,
        connections: ConnectionStore,
        dispatching: Dispatching,
        presence: Presence,
        pool: ThreadPoolExecutor,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._orders = orders
        self._connections = connections
        self._dispatching = dispatching
        self._presence = presence
        self._clock = clock

    def run(self, sleep: Callable[[float], object]) -> None:
        """Make PASSES passes, PASS_EVERY apart."""
        for n in range(PASSES):
            if n:
                sleep(PASS_EVERY.total_seconds())
            self.sweep()

    def sweep(self) -> None:
        """One pass over all that is due now. What fails is logged and stops nothing else."""
        now = self._clock()
        self._each(map, self._orders.due(now), self._dispatching.look_after)
        self._each(self._pool.map, self._connections.due(now), self._presence.check)

    @staticmethod
    def _each(
        over: Callable[..., Iterable[None]], ids: Iterable[T], do: Callable[[T], None]
    ) -> None:
        try:
            for _ in over(lambda id_: _try(do, id_), ids):
                pass
        except Exception:
            log.exception("sweep: the rest waits for the next pass")


def _try(do: Callable[[T], None], id_: T) -> None:
    try:
        do(id_)
    except Exception:
        log.exception("sweep: %s", id_)
