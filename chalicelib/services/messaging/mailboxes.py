"""Mailboxes: how an event reaches a person: at least once, in order, always under the same id.

Each person (and each restaurant) has a mailbox: a log of events, and a head. The head is one row:
the place of the next event (`next_seq`), who subscribes, up to where each subscriber has been
delivered to (cursors), and what is to be appended (`pending`). A mailbox has one writer at a time,
the holder of its lease. To deliver an outbox takes four steps:

 1. lease    Take the lease and add the outbox's pending id, stream@version, to `pending`: one
             conditional update, which returns the head. If another holds the lease, add the id all
             the same and leave: by rule 3 the holder delivers it. (An offer does both in the very
             transaction that commits it, on the condition that the courier's head is as it was read
             just before, and nobody's: planned_leases.py. If only that does not hold, the offer is
             committed without it, and its lease is taken as any other.)
 2. append   For each pending id, in order: give each event that the log does not have yet the next
             place. This happens in memory (appending.py); nothing is written.
 3. deliver  Post to each subscriber, in order, what lies past its cursor and is still worth it;
             subscribers side by side (posting.py).
 4. release  Write the head back with the appended events and the cursors, and end the lease, on
             the condition that `pending` has not grown. If it has, go on with step 2.

     free ──1 lease──▶ leased ──2 append──▶ appended ──3 deliver──▶ delivered ──4 release──▶ free
                          ▲                                             │
                          └───────────── `pending` has grown ───────────┘
     From any state but `free`, back to `free`: the holder gives up (`release_partial`) or dies, and
     the lease runs out. The next holder then begins with step 2.

What must hold:

 Rule 1. One writer. Only the holder appends, posts and writes the head. It begins no post when the
         lease is about to run out, so that two never post at once.
 Rule 2. An event keeps its id. The id on the wire is (person, place in the log), and the place
         depends only on what is stored: the head, the order of `pending`, and the outboxes. A
         successor of a dead holder comes to the same places.
 Rule 3. Nothing pending is lost. An id leaves `pending` only by the write that puts its events into
         the log; and a lease is not ended while `pending` has an id that its holder has not read.
 Rule 4. An outbox keeps its entries until the log of every recipient has them (relay.py). So
         whatever `pending` names can be read. (A chat message's lease is taken while it is being
         written, `lease_early`. Another holder meets its id too early only if the writer was
         stopped: they drop the id, and the relay wakeup adds it again.)
 Rule 5. A cursor moves after the posts, never before. A crash repeats frames, and omits none.
 Rule 6. No subscriber waits for another. One that is slow, or can't be posted to, falls behind
         alone: it is tried again after growing pauses, and closed after a minute. Its client
         reconnects and goes on from its cursor.
 Rule 7. A connection misses nothing from the moment when it opened: its cursors of then are stored
         with it (`Connection.start_cursors`), and subscribing is one write with an arrival in
         `pending`, so that no holder ends its lease before the newcomer was delivered the rest.
         They are decided then, once: a successor of a dead holder begins where that one did. (So
         what an earlier connection of its client left is taken over here, and not on admission.)
 Rule 8. What can never go well stops nobody. An event that can't be appended, rendered or posted
         at all is left out, with an error in the log ("parked: ..."), and the rest goes on.

Where it may crash, and what happens then (tests/functional/test_crash_points.py, by these names):

 before_commit   Nothing was written. The relay wakeup finds nothing new.
 after_commit    The relay wakeup, sent before the commit, does steps 1 to 4 some seconds later. (If
                 the commit took a lease, too: as after_lease.)
 before_lease    The same.
 after_lease     The lease runs out after LEASE_TIME; the wakeup takes it and does what is pending.
 during_post     The same; the frame goes out, then or again, with the same id.
 after_post      The same: a duplicate frame with the same id.
 before_release  The same.
 after_release   All is done. The wakeup reads that in the head.

Subscribing may end halfway, too (tests/functional/test_joining.py): after the connection's row is
written, its wakeup subscribes it; after that, the next holder finds its arrival and delivers.

A webhook endpoint has a mailbox, too (endpoints.py). Its one subscriber is the webhook queue:
step 3 sends it a message for each event, and the cursor moves after that.

A client may hold its own position instead (positions.py): then its connection is told first what is
kept after that, past the lease (resuming.py), and subscribes from where that ended. It has a cursor
here as any other, but none that a later connection could go on from.

People who are offline have cursors that stand still: when they connect, the backlog is delivered
from there. Connections that subscribe to some types (spec 003) have a cursor for each type, so that
one that comes late is delivered what no subscriber to that type was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from secrets import token_urlsafe

from msgspec.structs import replace

from chalicelib.domain.events import Event, Outbox
from chalicelib.domain.messaging.connections import Connection, Subscriber
from chalicelib.domain.messaging.cursors import DeliveryResult
from chalicelib.domain.messaging.mailboxes import Mailbox
from chalicelib.domain.webhooks.delivery import SendDue
from chalicelib.domain.webhooks.endpoint import parse_endpoint_id
from chalicelib.errors import PostFailed, Stale
from chalicelib.services.messaging.appending import LoadOutbox, LogAppender
from chalicelib.services.messaging.endpoints import EndpointDirectory, NoEndpoints
from chalicelib.services.messaging.leases import (
    LEASE_TIME,
    LeaseEnding,
    LeaseHeld,
    MailboxLease,
)
from chalicelib.services.messaging.posting import EngineFaults, EventPoster, SkipEvent, skip_nothing
from chalicelib.services.ports import Clock, MailboxStore, WebhookQueue

log = logging.getLogger(__name__)

_MAX_BACKLOG = 1000  # events kept for somebody who is offline
_MAX_SENT = 100  # messages between two looks at the clock
_MAX_ENDPOINT_ROUNDS = 3  # of steps 2 to 4 under one lease
_LEASE_TRIES = 4

CountEvents = Callable[[Sequence[Event], Sequence[Event]], None]
"""Counts the events that were appended to logs, and those that subscribers were delivered."""

CloseConnection = Callable[[str], None]
"""Closes a connection from this side. Raises PostFailed where that can't be done now."""


class Mailboxes:
    """Delivers to people through their mailboxes. `faults` are what the engine raises when it does
    not answer: only these are worth another try, everything else is parked (rule 8)."""

    def __init__(
        self,
        store: MailboxStore,
        poster: EventPoster,
        load_outbox: LoadOutbox,
        close_connection: CloseConnection,
        count_events: CountEvents,
        faults: EngineFaults,
        clock: Clock,
        endpoints: EndpointDirectory | None = None,
        webhook_queue: WebhookQueue | None = None,
    ) -> None:
        self._webhook_queue = webhook_queue
        self._store = store
        self._poster = poster
        endpoints = endpoints or NoEndpoints()
        self._appender = LogAppender(store, load_outbox, faults, clock, endpoints)
        self._close_connection = close_connection
        self._count_events = count_events
        self._clock = clock

    # What may be asked of a mailbox, without its lease

    def is_delivered(self, person_id: str, stream: str, version: int) -> bool:
        """Tell whether a person's subscribers have been delivered a stream up to a version, and
        all else. One eventually consistent read: what was done then is done."""
        return self.list_delivered(person_id, stream, version) is not None

    def list_delivered(self, person_id: str, stream: str, version: int) -> list[Event] | None:
        """List the events of one version of a stream that have been delivered to a person, as far
        as the head still has them; None if is_delivered does not hold. The same one read."""
        box = self._store.get_eventually(person_id)
        if not box.has_applied(stream, version):
            return None
        if box.is_undelivered_to_any(self._clock()):
            return None
        return [e for e in box.tail if (e.stream, e.version) == (stream, version)]

    def is_logged(self, person_id: str, stream: str, version: int) -> bool:
        """Tell whether a person's log certainly has the events of a stream up to a version."""
        return self._store.get_eventually(person_id).has_applied(stream, version)

    def is_up_to_date(self, person_id: str, connection: Connection) -> bool:
        """Tell whether a connection subscribes to a mailbox and has been delivered all of it."""
        box = self._store.get_mailbox(person_id)
        return box.is_up_to_date(connection)

    def get_start_cursors(self, person_id: str, connection: Connection) -> dict[str, int]:
        """Return where a connection begins in a mailbox that opens now, or asks for other types
        now (rule 7)."""
        return self._store.get_mailbox(person_id).get_start_cursors(connection, self._clock())

    # What is delivered

    def lease_early(self, person_id: str, outbox: Outbox) -> MailboxLease | None:
        """Take the lease for an outbox that is being written, with its id pending; None if another
        has the lease. They are not left the outbox: they would look for it too early."""
        return self._acquire_lease(person_id, outbox.pending_id)

    def deliver_outbox(
        self, person_id: str, outbox: Outbox, lease: MailboxLease | None = None
    ) -> bool:
        """Append an outbox's events for a person to their log, and deliver them. `lease` is what
        `lease_early` returned.

        Returns False if that was left to another who holds the lease, or is not done yet. Raises
        PostFailed if the log has the events but a subscriber can't be posted to now; Stale if all
        of it must be done again.
        """
        lease = lease or self._lease_or_enqueue(person_id, outbox)
        if lease is None:
            return False
        lease.outboxes[outbox.stream] = outbox
        try:
            self._complete(lease)
        except LeaseEnding:
            return False
        if lease.box.list_lagging(self._clock()):
            raise PostFailed("a subscriber is behind")
        return True

    def end_early_lease(self, lease: MailboxLease) -> None:
        """End what `lease_early` returned for an outbox that could not be written, after having
        done what else is pending. Raises as deliver_backlog."""
        self._complete(lease)

    def deliver_backlog(
        self, person_id: str, connection: Connection, skip: SkipEvent = skip_nothing
    ) -> None:
        """Deliver to a connection that has just subscribed what waits for it, less what `skip`
        names. If another holds the lease, the holder does that: subscribing has left an arrival in
        `pending`. Raises PostFailed or Stale if it must be done again."""
        lease = self._acquire_lease(person_id)
        if lease:
            lease.skip = skip
            self._complete(lease)
            lease.check_delivered(connection.id)

    @contextmanager
    def hold_lease(self, person_id: str) -> Iterator[MailboxLease]:
        """Hold a mailbox's lease while a block runs; then do steps 2 to 4, and end the lease.

        Within the block nothing else is posted to the person's connections by way of the mailbox.
        The block may set the lease's `skip`, and enqueue an outbox. If it raises, the lease is
        ended, and what is pending stays for the next holder. (If the process dies in it, the lease
        runs out.) Raises LeaseHeld if another has the lease, and as `deliver_backlog` does.
        """
        lease = self._acquire_lease(person_id)
        if lease is None:
            raise LeaseHeld
        try:
            yield lease
            lease.refresh()  # the block may have subscribed a connection, or enqueued an outbox
        except Exception:
            lease.release_partial()
            raise
        self._complete(lease)

    # Step 1

    def _lease_or_enqueue(self, person_id: str, outbox: Outbox) -> MailboxLease | None:
        """Take the lease with an outbox pending; None if it was left to another who has the lease.
        Raises Stale where the lease changes hands too fast, or too much is pending."""
        pending_id = outbox.pending_id
        for _ in range(_LEASE_TRIES):
            lease = self._acquire_lease(person_id, pending_id)
            if lease:
                return lease
            if self._store.enqueue_for_holder(person_id, pending_id, self._clock()):
                return None
            # Neither went: the id is pending already, `pending` is full, or the lease has just
            # changed hands. Only a look at the head tells which.
            box = self._store.get_mailbox(person_id)
            if box.is_leased(self._clock()):
                if pending_id in box.pending:
                    return None
                continue
            lease = self._acquire_lease(person_id)
            if lease is None or pending_id in lease.box.pending:
                return lease
            self._complete(lease)  # `pending` is full: make room, and try again
        raise Stale

    def _acquire_lease(self, person_id: str, pending_id: str | None = None) -> MailboxLease | None:
        holder, now = token_urlsafe(9), self._clock()
        until = now + LEASE_TIME
        box = self._store.acquire_lease(person_id, holder, now, until, pending_id)
        return MailboxLease(self._store, box, holder, until, self._clock) if box else None

    # Steps 2 to 4

    def _complete(self, lease: MailboxLease) -> None:
        """Do steps 2 to 4 until nothing is pending. However this ends, short of the end of the
        process, the lease is over after it. Raises LeaseEnding, Stale, and the engine's faults."""
        try:
            self._run_steps(lease)
        except Stale:
            raise  # the lease is another's by now: nothing to end, nothing to count
        except Exception:
            if lease.release_partial():
                self._count_delivery(lease)
            raise
        self._count_delivery(lease)
        self._close_stuck(lease)

    def _run_steps(self, lease: MailboxLease) -> None:
        for rounds in count(1):
            self._appender.apply_pending(lease)  # step 2
            self._deliver_events(lease)  # step 3
            if lease.release():  # step 4
                return
            lease.check_time()
            # Whoever commits must not go on for all others who commit meanwhile: an endpoint may
            # hear of every order. The next of them goes on; each has a wakeup of its own.
            if lease.box.is_endpoints and rounds >= _MAX_ENDPOINT_ROUNDS:
                raise LeaseEnding
            lease.refresh()

    def _deliver_events(self, lease: MailboxLease) -> None:
        """Step 3: post the events past its cursor to each subscriber, and note how far each got.

        A subscriber that can't be posted to now falls behind alone; LeaseEnding is raised only for
        one that would have been posted to, had there been time (rule 6).
        """
        if lease.box.is_endpoints:
            self._send_to_queue(lease)
            return
        subscribers = self._choose_subscribers(lease)
        if not subscribers:
            return
        box, now = lease.box, self._clock()
        cursor = min(map(box.get_lowest_cursor, subscribers))
        first_seq = max(cursor + 1, box.next_seq - _MAX_BACKLOG)
        backlog = self._store.list_events_from(box, first_seq, _MAX_BACKLOG)
        positioned = {one.connection_id for one in subscribers if one.is_positioned}
        events = [e for e in backlog if e.is_current(now) or (positioned and e.is_open(now))]
        skip = _skip_late(lease.skip, positioned, now)
        results, fault = self._poster.post_events(box, subscribers, events, skip, lease.post_until)
        lease.first_delivered += _find_first_deliveries(box, results)
        lease.failed += [result.subscriber for result in results if result.failed]
        lease.box = box.apply_results(results, self._clock())
        if fault:
            raise fault
        if any(result.cursor < box.last_seq and not result.failed for result in results):
            raise LeaseEnding

    def _choose_subscribers(self, lease: MailboxLease) -> list[Subscriber]:
        """Choose the subscribers to post to now: those that are behind and not backing off. One
        whose client holds its position must not be left out what is beyond the backlog: it counts
        as failed, is closed, and its client comes back to its place."""
        box, now = lease.box, self._clock()
        behind = [one for one in box.list_subscribers(now) if box.is_behind(one)]
        chosen = [one for one in behind if not box.is_backing_off(one, now)]
        stranded = [one for one in chosen if self._is_stranded(box, one)]
        if stranded:
            lease.failed += stranded
            left = [DeliveryResult(s, box.get_lowest_cursor(s), failed=True) for s in stranded]
            lease.box = box.apply_results(left, now)
        return [one for one in chosen if one not in stranded]

    @staticmethod
    def _is_stranded(box: Mailbox, subscriber: Subscriber) -> bool:
        """Tell whether a subscriber whose client holds its position is further behind than what is
        delivered at once."""
        cursor = box.get_lowest_cursor(subscriber)
        return subscriber.is_positioned and cursor + 1 < box.next_seq - _MAX_BACKLOG

    def _send_to_queue(self, lease: MailboxLease) -> None:
        """Step 3 of an endpoint's mailbox: send a message for each event past the cursor to the
        webhook queue. Raises Unavailable, LeaseEnding; the cursor is where that began.

        The messages are there before the head is written, so the sender may not find an event yet.
        If this process dies now, a successor may even give its place to another: nobody outside has
        heard of it, as the sender reads the log that is written.
        """
        queue, endpoint_id = self._webhook_queue, parse_endpoint_id(lease.box.person_id)
        if queue is None or endpoint_id is None:
            return
        while lease.box.delivered_to < lease.box.last_seq:
            lease.check_time()
            first = lease.box.delivered_to + 1
            end = min(first + _MAX_SENT, lease.box.next_seq)
            queue.send_sends((SendDue(endpoint_id, n), timedelta(0)) for n in range(first, end))
            lease.box = replace(lease.box, delivered_to=end - 1)

    def _count_delivery(self, lease: MailboxLease) -> None:
        """Count what was appended and delivered. Only after the head is written: what a dead
        holder appended is counted by whoever appends it again, once. Of an endpoint nothing is
        counted: others have heard the same."""
        if lease.box.is_endpoints:
            return
        self._count_events(lease.box.unsaved, lease.first_delivered)

    def _close_stuck(self, lease: MailboxLease) -> None:
        """Close the connections that could not be posted to for long (rule 6). One that can't be
        closed either stays: then it is not the client's fault, and may pass."""
        now = self._clock()
        for subscriber in lease.failed:
            if lease.box.is_stuck(subscriber, now) or self._is_stranded(lease.box, subscriber):
                try:
                    self._close_connection(subscriber.connection_id)
                except PostFailed:
                    log.warning("a connection that can't be posted to can't be closed either")


def _skip_late(skip: SkipEvent, positioned: Container[str], now: datetime) -> SkipEvent:
    """Make what skips, beside what `skip` does, events that are not worth delivering any more. The
    connection of a client that holds its position is told what is kept, however late that is."""

    def skip_event(connection_id: str, event: Event) -> bool:
        is_late = connection_id not in positioned and not event.is_current(now)
        return is_late or skip(connection_id, event)

    return skip_event


def _find_first_deliveries(box: Mailbox, results: Sequence[DeliveryResult]) -> list[Event]:
    """List the events that a subscriber to their type was delivered and none had been before: each
    once, though several subscribers may have been delivered it side by side."""
    first = {
        event.seq: event
        for result in results
        if result.subscriber.subscriptions is not None
        for event in result.posted
        if box.is_first_delivery(result.subscriber, event)
    }
    return list(first.values())
