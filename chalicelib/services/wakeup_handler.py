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
    AuthenticationDue,
    CloseDue,
    ConnectionsDue,
    FanOutDue,
    GreetingDue,
    HeartbeatDue,
    OfferDue,
    OrdersDue,
    SearchDue,
    TokenEndDue,
    Wakeup,
    compute_pause,
)
from chalicelib.domain.messaging.wakeups import RelayDue as RelayWakeup
from chalicelib.errors import NotFound, PostFailed, Unfinished
from chalicelib.services.dispatch.sequential import SequentialDispatch
from chalicelib.services.messaging.connections import ConnectionRegistry
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.messaging.greeting import GreetingService
from chalicelib.services.messaging.leases import LEASE_TIME
from chalicelib.services.messaging.relay import OutboxRelay
from chalicelib.services.ports import Clock, WakeupSender
from chalicelib.services.sweeper import IsOutOfTime, is_never_out_of_time

log = logging.getLogger(__name__)

# A relay that finds a mailbox held comes again when that lease has run out. Together with the
# receives after that, it is over before a mailbox forgets what it took in (REMEMBERED_FOR).
MAX_HELD_TRIES = 5
HELD_PAUSE = LEASE_TIME + timedelta(seconds=1)
MAX_SOCKET_TRIES = 12  # two minutes, after pauses that double every other time
MAX_POST_TRIES = 200  # of a post: more than fit into the 24 h that an event is worth telling

DelayedWakeup = tuple[Wakeup, timedelta]
"""A wakeup as it is to be sent on, and after what pause."""

RetriedWakeup = TypeVar("RetriedWakeup", RelayWakeup, GreetingDue, CloseDue)


class WakeupHandler:
    """Handles one wakeup. `settle` does what an outbox's events entail, once however often. `pool`
    checks connections side by side, as each may take a post; orders are looked after one by one,
    as looking after one uses it too."""

    def __init__(
        self,
        load: Callable[[str], Outbox | None],
        relay: OutboxRelay,
        settle: Callable[[Outbox], None],
        dispatching: SequentialDispatch,
        greeting: GreetingService,
        presence: ConnectionRegistry,
        broadcast: FanOut,
        queue: WakeupSender,
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

    def handle_wakeup(
        self, wakeup: Wakeup, out_of_time: IsOutOfTime = is_never_out_of_time
    ) -> None:
        """Do what a wakeup asks for; too early or unfinished, send it on. Of what the sweep lists,
        what there is no time for is left to its next pass. Raises what must be retried."""
        if isinstance(wakeup, OrdersDue):
            self._check_orders(wakeup, out_of_time)
        elif isinstance(wakeup, ConnectionsDue):
            self._check_connections(wakeup, out_of_time)
        elif again := self._handle_one(wakeup):
            self._queue.send_wakeups([again])

    def _handle_one(self, wakeup: Wakeup) -> DelayedWakeup | None:
        if isinstance(wakeup, OfferDue):
            return _delay_wakeup(wakeup, self._expire_offer(wakeup))
        if isinstance(wakeup, SearchDue):
            return _delay_wakeup(wakeup, self._search_courier(wakeup))
        if isinstance(wakeup, GreetingDue):
            return self._greet_connection(wakeup)
        if isinstance(wakeup, RelayWakeup):
            return self._relay_outbox(wakeup)
        if isinstance(wakeup, CloseDue):
            return self._close_socket(wakeup)
        if isinstance(wakeup, TokenEndDue):
            left = self._presence.close_if_expired(wakeup.connection_id, wakeup.ends_at)
            return _delay_wakeup(wakeup, left)
        if isinstance(wakeup, AuthenticationDue):
            self._presence.close_if_unauthenticated(wakeup.connection_id)
        elif isinstance(wakeup, HeartbeatDue):
            self._presence.check_connection(wakeup.connection_id)
        elif isinstance(wakeup, FanOutDue):
            self._broadcast.post_to_subscribers(wakeup.subscribers, wakeup.event)
        return None

    def _check_orders(self, wakeup: OrdersDue, out_of_time: IsOutOfTime) -> None:
        """Look after each order. One that fails stays due, is listed by the next pass, and rings
        the sweep's alarm if that goes on: no message of its own would tell more."""
        for order_id in wakeup.order_ids:
            if out_of_time():
                return
            _try_check(self._dispatching.handle_deadline, order_id)

    def _check_connections(self, wakeup: ConnectionsDue, out_of_time: IsOutOfTime) -> None:
        """Check each connection; as with orders, one that fails stays due."""

        def check(connection_id: str) -> None:
            if not out_of_time():
                _try_check(self._presence.check_connection, connection_id)

        list(self._pool.map(check, wakeup.connection_ids))

    def _expire_offer(self, wakeup: OfferDue) -> timedelta:
        try:
            return self._dispatching.expire_offer(wakeup.order_id, wakeup.seq)
        except NotFound:  # the commit that it was sent for never came
            return timedelta(0)

    def _search_courier(self, wakeup: SearchDue) -> timedelta:
        try:
            return self._dispatching.search_if_due(wakeup.order_id, wakeup.due_at)
        except NotFound:
            return timedelta(0)

    def _greet_connection(self, wakeup: GreetingDue) -> DelayedWakeup | None:
        """A socket that can't be posted to now is greeted later, for as long as it may be open."""
        try:
            soon = self._greeting.greet_connection(wakeup.connection_id)
        except PostFailed:
            return _retry_post(wakeup)
        if not soon:
            return None
        return _retry_wakeup(wakeup, soon * 2 ** (wakeup.tries // 2), MAX_SOCKET_TRIES)

    def _close_socket(self, wakeup: CloseDue) -> DelayedWakeup | None:
        try:
            self._presence.close_socket(wakeup.connection_id)
        except PostFailed:
            return _retry_wakeup(wakeup, compute_pause(wakeup.tries), MAX_SOCKET_TRIES)
        return None

    def _relay_outbox(self, wakeup: RelayWakeup) -> DelayedWakeup | None:
        if wakeup.recipients and self._relay.is_delivered(
            wakeup.stream, wakeup.version, wakeup.recipients
        ):
            return None
        outbox = self._load(wakeup.stream)
        again = self._follow_up_and_deliver(wakeup, outbox) if outbox else None
        if wakeup.awaited_until and (outbox.newest_version if outbox else 0) < wakeup.version:
            left = wakeup.awaited_until - self._clock()  # its commit may be slow
            return _delay_wakeup(wakeup, left) or again
        return again

    def _follow_up_and_deliver(self, wakeup: RelayWakeup, outbox: Outbox) -> DelayedWakeup | None:
        """Settle and tell; that one fails must not keep the other from being done."""
        failure = None
        try:
            self._settle(outbox)
        except Exception as error:  # noqa: BLE001 - raised below
            failure = error
        try:
            held = not self._relay.deliver_again(outbox)
            again = _retry_wakeup(wakeup, HELD_PAUSE, MAX_HELD_TRIES) if held else None
        except PostFailed:
            again = _retry_post(wakeup) if _has_current_events(outbox, self._clock()) else None
        if failure:
            raise failure
        return again


def _delay_wakeup(wakeup: Wakeup, left: timedelta) -> DelayedWakeup | None:
    """A wakeup that came too early: SQS takes 15 minutes at most, and clocks differ."""
    return (wakeup, left) if left > timedelta(0) else None


def _retry_post(wakeup: RetriedWakeup) -> DelayedWakeup:
    return _retry_wakeup(wakeup, compute_pause(wakeup.tries), MAX_POST_TRIES)


def _retry_wakeup(wakeup: RetriedWakeup, pause: timedelta, most_tries: int) -> DelayedWakeup:
    """The wakeup with one more try counted. Raises Unfinished once it had as many as it may."""
    if wakeup.tries >= most_tries:
        raise Unfinished(f"tried {wakeup.tries} times: {wakeup}")
    return replace(wakeup, tries=wakeup.tries + 1), pause


def _has_current_events(outbox: Outbox, now: datetime) -> bool:
    return any(event.is_current(now) for entry in outbox.entries for event in entry.events)


T = TypeVar("T")


def _try_check(do: Callable[[T], None], id_: T) -> None:
    try:
        do(id_)
    except Exception:
        log.exception("%s stays due: the next pass of the sweep hands it on again", id_)
