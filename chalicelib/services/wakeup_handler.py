"""Wakeups: what happens without anybody asking. Handling any of them twice is harmless.

A wakeup says what must be looked at (domain/messaging/wakeups.py); the handler looks, and does what
is due by then, if anything. There are three ways to end:

 done      The message is deleted. So it is when there is nothing to do, or nothing any more.
 sent on   It came too early, or can't be finished now. That is no failure of its message: the same
           wakeup is sent again, to come after a pause, and counts its tries.
 raised    The message stays on the queue, which shows it again, and after some receives puts it
           among the dead letters, with an alarm.

How often it is sent on before it is raised depends on what it waits for. A post that failed is
tried for as long as somebody would want to have it (MAX_POST_TRIES). A mailbox that another has
leased is tried only some times (MAX_HELD_TRIES): no lease lasts that long, so something is wrong,
and the alarm must ring.

The sweep's wakeups are different: what they list and can't be finished stays due, and is listed by
the next pass. They never fail, and never are sent on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, TypeVar

from msgspec.structs import replace

from chalicelib.domain.events import Outbox
from chalicelib.domain.messaging.wakeups import (
    AuthenticationDue,
    CloseDue,
    ConnectionsDue,
    FanOutDue,
    GreetingDue,
    HeartbeatDue,
    NoShowDue,
    OfferDue,
    OrdersDue,
    RelayDue,
    ReplayDue,
    SearchDue,
    SweepDue,
    TickDue,
    TokenEndDue,
    Wakeup,
    compute_pause,
)
from chalicelib.errors import NotFound, PostFailed, Unfinished
from chalicelib.services.dispatch.sequential import SequentialDispatch
from chalicelib.services.messaging.connections import ConnectionRegistry
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.messaging.greeting import GreetingService
from chalicelib.services.messaging.leases import LEASE_TIME
from chalicelib.services.messaging.outbox import COMMIT_WITHIN
from chalicelib.services.messaging.relay import OutboxRelay
from chalicelib.services.ops.ticker import BoardTicker
from chalicelib.services.orders.waiting import NoShowNotices
from chalicelib.services.ports import Clock, WakeupSender
from chalicelib.services.sweeper import IsOutOfTime, Sweeper, is_never_out_of_time
from chalicelib.services.webhooks.reminders import WebhookReminders
from chalicelib.services.webhooks.replaying import Replays

log = logging.getLogger(__name__)

# A relay that finds a mailbox leased comes again when that lease has run out. All its tries, and
# the receives after them, are over before a mailbox forgets what it applied (APPLIED_KEPT_FOR).
MAX_HELD_TRIES = 5
HELD_PAUSE = LEASE_TIME + timedelta(seconds=1)
MAX_SOCKET_TRIES = 12  # two minutes, after pauses that double every other time
MAX_POST_TRIES = 200  # more than fit into the 24 h for which an event is worth delivering

DelayedWakeup = tuple[Wakeup, timedelta]
"""A wakeup as it is to be sent on, and after what pause."""

SummarizeEnd = Callable[[Outbox], None]
"""Keeps what is counted of the order whose outbox it is, if it has ended."""

FollowUp = Callable[[Outbox], None]
"""Makes up for what a writer that died did not do after its commit."""

RetriedWakeup = TypeVar("RetriedWakeup", RelayDue, GreetingDue, CloseDue)
T = TypeVar("T")


class WakeupHandler:
    """Handles one wakeup.

    `follow_ups` do in turn what follows from an outbox's events, each of them once, however often
    it is called. `pool` checks connections side by side, as each may take a post; orders are
    checked one by one, as checking one uses the pool, too.
    """

    def __init__(
        self,
        load_outbox: Callable[[str], Outbox | None],
        relay: OutboxRelay,
        follow_ups: Sequence[FollowUp],
        dispatch: SequentialDispatch,
        no_shows: NoShowNotices,
        greeting: GreetingService,
        registry: ConnectionRegistry,
        fanout: FanOut,
        replays: Replays,
        queue: WakeupSender,
        pool: ThreadPoolExecutor,
        clock: Clock,
        reminders: WebhookReminders,
        sweeper: Sweeper,
        summarize_end: SummarizeEnd,
        ticker: BoardTicker,
    ) -> None:
        self._load_outbox = load_outbox
        self._relay = relay
        self._follow_ups = follow_ups
        self._dispatch = dispatch
        self._no_shows = no_shows
        self._greeting = greeting
        self._registry = registry
        self._fanout = fanout
        self._replays = replays
        self._queue = queue
        self._pool = pool
        self._clock = clock
        self._reminders = reminders
        self._sweeper = sweeper
        self._summarize_end = summarize_end
        self._ticker = ticker

    def handle_wakeup(
        self, wakeup: Wakeup, is_out_of_time: IsOutOfTime = is_never_out_of_time
    ) -> None:
        """Handle a wakeup, and send it on if it is too early or unfinished. Of what the sweep
        lists, what there is no time for is left to its next pass. Raises what must be retried by
        the queue."""
        if isinstance(wakeup, OrdersDue):
            self._check_orders(wakeup, is_out_of_time)
        elif isinstance(wakeup, ConnectionsDue):
            self._check_connections(wakeup, is_out_of_time)
        elif isinstance(wakeup, SweepDue):
            self._sweeper.run_recent_pass(wakeup.due_at, is_out_of_time)
        elif delayed := _HANDLERS[type(wakeup)](self, wakeup):
            self._queue.send_wakeups([delayed])

    # The sweep's

    def _check_orders(self, wakeup: OrdersDue, is_out_of_time: IsOutOfTime) -> None:
        """Handle the deadline of each order. One that fails stays due, is listed by the next pass,
        and rings the sweep's alarm if that goes on: a message of its own would tell no more."""
        for order_id in wakeup.order_ids:
            if is_out_of_time():
                return
            _try_check(self._dispatch.act_on_deadline, order_id)

    def _check_connections(self, wakeup: ConnectionsDue, is_out_of_time: IsOutOfTime) -> None:
        """Check each connection; as with orders, one that fails stays due. Reminders of webhooks
        are listed with them."""
        connection_ids = self._reminders.send_reminded(wakeup.connection_ids)

        def check(connection_id: str) -> None:
            if not is_out_of_time():
                _try_check(self._registry.check_connection, connection_id)

        list(self._pool.map(check, connection_ids))

    # Deadlines of one order

    def _expire_offer(self, wakeup: OfferDue) -> DelayedWakeup | None:
        try:
            left = self._dispatch.expire_offer(wakeup.order_id, wakeup.seq)
        except NotFound:  # the commit that the wakeup was sent for never came
            return None
        return _delay_wakeup(wakeup, left)

    def _search_courier(self, wakeup: SearchDue) -> DelayedWakeup | None:
        try:
            left = self._dispatch.search_if_due(wakeup.order_id, wakeup.due_at)
        except NotFound:
            return None
        return _delay_wakeup(wakeup, left)

    def _tell_of_no_show(self, wakeup: NoShowDue) -> DelayedWakeup | None:
        try:
            left = self._no_shows.tell_if_due(wakeup.order_id, wakeup.due_at)
        except NotFound:
            return None
        return _delay_wakeup(wakeup, left)

    # Connections

    def _greet_connection(self, wakeup: GreetingDue) -> DelayedWakeup | None:
        """Greet a connection; one that can't be posted to now is greeted later, for as long as it
        may be open."""
        try:
            pause = self._greeting.greet_connection(wakeup.connection_id, wakeup.courier_id)
        except PostFailed:
            return _retry_post(wakeup)
        if not pause:
            return None
        return _retry_wakeup(wakeup, pause * 2 ** (wakeup.tries // 2), MAX_SOCKET_TRIES)

    def _close_socket(self, wakeup: CloseDue) -> DelayedWakeup | None:
        try:
            self._registry.close_socket(wakeup.connection_id)
        except PostFailed:
            return _retry_wakeup(wakeup, compute_pause(wakeup.tries), MAX_SOCKET_TRIES)
        return None

    def _close_if_expired(self, wakeup: TokenEndDue) -> DelayedWakeup | None:
        left = self._registry.close_if_expired(wakeup.connection_id, wakeup.ends_at)
        return _delay_wakeup(wakeup, left)

    def _close_if_unauthenticated(self, wakeup: AuthenticationDue) -> None:
        self._registry.close_if_unauthenticated(wakeup.connection_id)

    def _check_connection(self, wakeup: HeartbeatDue) -> None:
        self._registry.check_connection(wakeup.connection_id)

    def _post_to_subscribers(self, wakeup: FanOutDue) -> None:
        self._fanout.post_to_subscribers(wakeup.subscribers, wakeup.event)

    def _run_tick(self, wakeup: TickDue) -> DelayedWakeup | None:
        return _delay_wakeup(wakeup, self._ticker.run_tick(wakeup))

    # Outboxes

    def _replay_page(self, wakeup: ReplayDue) -> DelayedWakeup | None:
        following = self._replays.replay_page(wakeup)
        return (following, timedelta(0)) if following else None

    def _relay_outbox(self, wakeup: RelayDue) -> DelayedWakeup | None:
        """Deliver a stream's outbox again. Mostly all of it was delivered right after the commit:
        where that is all there is to do, the recipients' mailboxes tell so, and the aggregate is
        not read. The wakeup was sent before the commit, and may come before it, too: then it waits
        for the version until the commit can't come any more."""
        stream, version, recipients = wakeup.stream, wakeup.version, wakeup.recipients
        is_delivered = self._relay.is_delivered
        if wakeup.is_offer:
            is_delivered = self._relay.is_offer_delivered
        is_done = recipients and is_delivered(stream, version, recipients)
        # It names the endpoints that its sender knew of.
        if is_done and not self._relay.may_miss_endpoint(stream, self._find_sent_at(wakeup)):
            return None
        outbox = self._load_outbox(stream)
        delayed = self._follow_up_and_deliver(wakeup, outbox) if outbox else None
        if wakeup.awaited_until and (outbox.newest_version if outbox else 0) < version:
            return _delay_wakeup(wakeup, wakeup.awaited_until - self._clock()) or delayed
        return delayed

    def _find_sent_at(self, wakeup: RelayDue) -> datetime:
        """Find when a wakeup was sent first: now, where it does not say."""
        until = wakeup.awaited_until
        return until - COMMIT_WITHIN if until else self._clock()

    def _follow_up_and_deliver(self, wakeup: RelayDue, outbox: Outbox) -> DelayedWakeup | None:
        """Follow up and deliver: that one of them fails must not keep the other from being done."""
        failure = None
        try:
            for follow_up in self._follow_ups:
                follow_up(outbox)
        except Exception as error:  # noqa: BLE001 - raised below
            failure = error
        delayed = self._deliver_again(wakeup, outbox)
        if failure:
            raise failure
        # Once, and not again with each try to deliver; nobody waits for what is counted.
        if wakeup.ends and not wakeup.tries and outbox.newest_version >= wakeup.version:
            self._summarize_end(outbox)
        return delayed

    def _deliver_again(self, wakeup: RelayDue, outbox: Outbox) -> DelayedWakeup | None:
        try:
            sent_at = self._find_sent_at(wakeup)
            recipients = (*wakeup.recipients, *wakeup.others)
            if self._relay.deliver_again(outbox, recipients, sent_at):
                return None
        except PostFailed:
            is_worth_it = _has_current_events(outbox, self._clock())
            return _retry_post(wakeup) if is_worth_it else None
        return _retry_wakeup(wakeup, HELD_PAUSE, MAX_HELD_TRIES)


# What handles each wakeup but the sweep's; it returns the wakeup if that is to be sent on.
_HANDLERS: Mapping[type, Callable[[WakeupHandler, Any], DelayedWakeup | None]] = {
    RelayDue: WakeupHandler._relay_outbox,
    OfferDue: WakeupHandler._expire_offer,
    SearchDue: WakeupHandler._search_courier,
    NoShowDue: WakeupHandler._tell_of_no_show,
    GreetingDue: WakeupHandler._greet_connection,
    CloseDue: WakeupHandler._close_socket,
    TokenEndDue: WakeupHandler._close_if_expired,
    AuthenticationDue: WakeupHandler._close_if_unauthenticated,
    HeartbeatDue: WakeupHandler._check_connection,
    FanOutDue: WakeupHandler._post_to_subscribers,
    TickDue: WakeupHandler._run_tick,
    ReplayDue: WakeupHandler._replay_page,
}


def _delay_wakeup(wakeup: Wakeup, left: timedelta) -> DelayedWakeup | None:
    """Send on a wakeup that came too early: SQS delays 15 minutes at most, and clocks differ."""
    return (wakeup, left) if left > timedelta(0) else None


def _retry_post(wakeup: RetriedWakeup) -> DelayedWakeup:
    return _retry_wakeup(wakeup, compute_pause(wakeup.tries), MAX_POST_TRIES)


def _retry_wakeup(wakeup: RetriedWakeup, pause: timedelta, max_tries: int) -> DelayedWakeup:
    """Send on a wakeup with one more try counted. Raises Unfinished once it had as many as it
    may."""
    if wakeup.tries >= max_tries:
        raise Unfinished(f"tried {wakeup.tries} times: {wakeup}")
    return replace(wakeup, tries=wakeup.tries + 1), pause


def _has_current_events(outbox: Outbox, now: datetime) -> bool:
    return any(event.is_current(now) for entry in outbox.entries for event in entry.events)


def _try_check(check: Callable[[T], None], id_: T) -> None:
    try:
        check(id_)
    except Exception:
        # A connection's id is hashed where it is written, and an order's is none.
        named = {"order_id" if isinstance(id_, int) else "connection_id": id_}
        log.exception("stays due: the next pass of the sweep hands it on again", extra=named)
