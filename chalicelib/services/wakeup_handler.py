"""Wakeups: what happens without anybody asking. All of it is safe to do twice.

A wakeup that can't be finished now is no failure of its message: it sends itself on, after a pause
that grows, and counts its tries. Two things end that. A post that failed is tried for as long as
somebody would want to hear of it; a mailbox that another holds only some times, and then the
message fails for real, so that the queue counts its receives and the dead letters' alarm rings.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec.structs import replace

from chalicelib.domain.events import Outbox
from chalicelib.domain.messaging.wakeups import (
    AuthDeadline,
    Beat,
    Beats,
    Expire,
    FanOut,
    Greet,
    HangUp,
    Look,
    Search,
    TokenEnd,
    Wakeup,
    pause_after,
)
from chalicelib.domain.messaging.wakeups import Relay as RelayWakeup
from chalicelib.errors import NotFound, PostFailed, Unfinished
from chalicelib.services.dispatch.sequential import Dispatching
from chalicelib.services.messaging.connections import Presence
from chalicelib.services.messaging.fanout import Broadcast
from chalicelib.services.messaging.greeting import Greeting
from chalicelib.services.messaging.mailboxes import LEASE
from chalicelib.services.messaging.relay import Relay
from chalicelib.services.ports import Clock, Queue
from chalicelib.services.sweeper import OutOfTime, never

log = logging.getLogger(__name__)

# A relay that finds a mailbox held comes again when that lease has run out. Together with the
# receives after that, it is over before a mailbox forgets what it took in (REMEMBERED_FOR).
HELD_TRIES = 5
HELD_PAUSE = LEASE + timedelta(seconds=1)
GREET_TRIES = 12  # two minutes, after pauses that double every other time
MOST_TRIES = 200  # of a post: more than fit into the 24 h that an event is worth telling

Again = tuple[Wakeup, timedelta]
"""A wakeup as it is to be sent on, and after what pause."""

Tried = TypeVar("Tried", RelayWakeup, Greet, HangUp)


class Waking:
    """Handles one wakeup. `settle` does what an outbox's events entail, once however often. `pool`
    checks connections side by side, as each may take a post; orders are looked after one by one,
    as looking after one uses it too."""

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
        pool: ThreadPoolExecutor,
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
        self._pool = pool

    def handle(self, wakeup: Wakeup, out_of_time: OutOfTime = never) -> None:
        """Do what a wakeup asks for; too early or unfinished, send it on. Of what the sweep lists,
        what there is no time for is left to its next pass. Raises what must be retried."""
        if isinstance(wakeup, Look):
            self._look(wakeup, out_of_time)
        elif isinstance(wakeup, Beats):
            self._check(wakeup, out_of_time)
        elif again := self._again(wakeup):
            self._queue.send([again])

    def _again(self, wakeup: Wakeup) -> Again | None:
        if isinstance(wakeup, Expire):
            return _wait(wakeup, self._expire(wakeup))
        if isinstance(wakeup, Search):
            return _wait(wakeup, self._search(wakeup))
        if isinstance(wakeup, Greet):
            return self._greet(wakeup)
        if isinstance(wakeup, RelayWakeup):
            return self._relay_again(wakeup)
        if isinstance(wakeup, HangUp):
            return self._hang_up(wakeup)
        if isinstance(wakeup, TokenEnd):
            left = self._presence.end_expired(wakeup.connection_id, wakeup.until)
            return _wait(wakeup, left)
        if isinstance(wakeup, AuthDeadline):
            self._presence.end_unauthenticated(wakeup.connection_id)
        elif isinstance(wakeup, Beat):
            self._presence.check(wakeup.connection_id)
        elif isinstance(wakeup, FanOut):
            self._broadcast.say(wakeup.listeners, wakeup.event)
        return None

    def _look(self, wakeup: Look, out_of_time: OutOfTime) -> None:
        """Look after each order. One that fails stays due, is listed by the next pass, and rings
        the sweep's alarm if that goes on: no message of its own would tell more."""
        for order_id in wakeup.order_ids:
            if out_of_time():
                return
            _try(self._dispatching.look_after, order_id)

    def _check(self, wakeup: Beats, out_of_time: OutOfTime) -> None:
        """Check each connection; as with orders, one that fails stays due."""

        def check(connection_id: str) -> None:
            if not out_of_time():
                _try(self._presence.check, connection_id)

        list(self._pool.map(check, wakeup.connection_ids))

    def _expire(self, wakeup: Expire) -> timedelta:
        try:
            return self._dispatching.expire(wakeup.order_id, wakeup.seq)
        except NotFound:  # the commit that it was sent for never came
            return timedelta(0)

    def _search(self, wakeup: Search) -> timedelta:
        try:
            return self._dispatching.search_on(wakeup.order_id, wakeup.due)
        except NotFound:
            return timedelta(0)

    def _greet(self, wakeup: Greet) -> Again | None:
        """A socket that can't be posted to now is greeted later, for as long as it may be open."""
        try:
            soon = self._greeting.greet(wakeup.connection_id)
        except PostFailed:
            return _try_later(wakeup)
        if not soon:
            return None
        return _come_back(wakeup, soon * 2 ** (wakeup.tries // 2), GREET_TRIES)

    def _hang_up(self, wakeup: HangUp) -> Again | None:
        try:
            self._presence.hang_up(wakeup.connection_id)
        except PostFailed:
            return _come_back(wakeup, pause_after(wakeup.tries), GREET_TRIES)
        return None

    def _relay_again(self, wakeup: RelayWakeup) -> Again | None:
        if wakeup.to and self._relay.done(wakeup.stream, wakeup.version, wakeup.to):
            return None
        outbox = self._load(wakeup.stream)
        again = self._tell(wakeup, outbox) if outbox else None
        if wakeup.awaited_until and (outbox.newest if outbox else 0) < wakeup.version:
            left = wakeup.awaited_until - self._clock()  # its commit may be slow
            return _wait(wakeup, left) or again
        return again

    def _tell(self, wakeup: RelayWakeup, outbox: Outbox) -> Again | None:
        """Settle and tell; that one fails must not keep the other from being done."""
        failure = None
        try:
            self._settle(outbox)
        except Exception as error:  # noqa: BLE001 - raised below
            failure = error
        try:
            held = not self._relay.again(outbox)
            again = _come_back(wakeup, HELD_PAUSE, HELD_TRIES) if held else None
        except PostFailed:
            again = _try_later(wakeup) if _worth_telling(outbox, self._clock()) else None
        if failure:
            raise failure
        return again


def _wait(wakeup: Wakeup, left: timedelta) -> Again | None:
    """A wakeup that came too early: SQS takes 15 minutes at most, and clocks differ."""
    return (wakeup, left) if left > timedelta(0) else None


def _try_later(wakeup: Tried) -> Again:
    return _come_back(wakeup, pause_after(wakeup.tries), MOST_TRIES)


def _come_back(wakeup: Tried, pause: timedelta, most_tries: int) -> Again:
    """The wakeup with one more try counted. Raises Unfinished once it had as many as it may."""
    if wakeup.tries >= most_tries:
        raise Unfinished(f"tried {wakeup.tries} times: {wakeup}")
    return replace(wakeup, tries=wakeup.tries + 1), pause


def _worth_telling(outbox: Outbox, now: datetime) -> bool:
    return any(event.current(now) for entry in outbox.entries for event in entry.events)


T = TypeVar("T")


def _try(do: Callable[[T], None], id_: T) -> None:
    try:
        do(id_)
    except Exception:
        log.exception("%s stays due: the next pass of the sweep hands it on again", id_)
