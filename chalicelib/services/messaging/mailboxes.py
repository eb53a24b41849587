"""Mailboxes: how an event reaches a person, once or more, in order, and never not at all.

Each person has a log with one writer at a time. To tell somebody what an order's outbox holds:

 1. lease   Take the lease on the mailbox, and add stream@version to its `todo`: one conditional
            update that returns its head. If another holds it, add that to `todo` all the same and
            leave: the holder does not let go before `todo` is done.
 2. take in What `todo` names, in its order and up to its versions: each event that is not in yet
            gets the next place, `next_seq`. Nothing is written.
 3. post    Everything past `delivered_to` that is still worth telling goes to each live
            connection, in order; connections side by side.
 4. release Write the head back, with the events, and end the lease, on the condition that `todo`
            has not grown.

An event's place, and so its id, is settled by what is written down: the head, `todo`, and the
outboxes, which keep what is not in every log yet. Whoever does it again comes to the same.

Where it may crash, and what happens then (tests/functional/test_crash_points.py, by these names):

 before_commit   Nothing was written. The wakeup finds nothing new.
 after_commit    The relay wakeup, sent before the commit, does 1-4 some seconds later.
 after_lease     The lease runs out after LEASE; the wakeup takes it and does what `todo` says.
 during_post     The same; the frame goes out again with the same (person, seq), its id.
 before_release  The same: a duplicate frame with the same id.

Joining may end halfway, too (tests/functional/test_joining.py): after the connection's row is
written, its wakeup joins it; after it has joined, the next holder finds its mark and serves it.

A holder stops posting when its lease is about to run out, so that two never post at once, and
gives it back with what is left in `todo`, whatever happened. How far each listener was told is
noted for each: one that is slow, or can't be posted to, falls behind alone, is tried again with
growing pauses, and ended after a minute; its client comes again and is served from its place. What
can't be taken in, worded or posted at all is left out with an error in the log ("parked: ..."), and
the rest goes on. People who are offline have a `delivered_to` that stands still: connecting drains
from there. Connections that subscribe (spec 003) have a cursor for each type of event, `heard`, so
that one that comes late is told what no subscriber was, however much the others have heard.

A connection begins where the mailbox was when it opened (`Connection.starts`): joining is one write
with a mark in `todo`, so that no holder lets go before the newcomer has been told the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import NamedTuple

from msgspec.structs import replace

from chalicelib.domain.events import Entry, Event, Outbox
from chalicelib.domain.messaging.connections import Connection, Subscriber
from chalicelib.domain.messaging.mailboxes import Mailbox, parse_arrival, parse_arrival_cursors
from chalicelib.errors import PostFailed, Stale
from chalicelib.services.messaging.posting import EngineFaults, EventPoster, SkipEvent
from chalicelib.services.ports import Clock, MailboxStore

log = logging.getLogger(__name__)

LEASE_TIME = timedelta(seconds=10)
_POST_MARGIN = timedelta(seconds=5)  # a post may take that long; none is begun later
_MAX_BACKLOG = 1000  # events kept for somebody who is offline
_MAX_LOOKED_AT = 5000  # events of the log, to find out whether a stream is in it
_CLOCK_SKEW = timedelta(minutes=1)  # more than two clocks differ
_LEASE_TRIES = 4

LoadOutbox = Callable[[str], Outbox | None]
CountEvents = Callable[[Sequence[Event], Sequence[Event]], None]
CloseConnection = Callable[[str], None]
"""Closes a connection from this side. Raises PostFailed where that can't be done now."""


class GreetingResult(NamedTuple):
    """What a greeting makes pointless, and the outbox whose state it has told, if any."""

    skip: SkipEvent
    outbox: Outbox | None = None


def skip_nothing(connection_id: str, event: Event) -> bool:
    """Skips nothing."""
    return False


class LeaseHeld(Exception):
    """Another has the lease; come back later."""


class LeaseEnding(PostFailed):
    """No time is left to post the rest in. What was posted is noted; come back soon."""


class Mailboxes:
    """`load` finds a stream's outbox; `tally` counts what was put into logs, and what of it was
    told to subscribers; `end` closes a connection that can't be posted to. `faults` are what the
    engine raises when it does not answer: they, and nothing else, are worth another try."""

    def __init__(
        self,
        store: MailboxStore,
        posting: EventPoster,
        load: LoadOutbox,
        end: CloseConnection,
        tally: CountEvents,
        faults: EngineFaults,
        clock: Clock,
    ) -> None:
        self._store = store
        self._posting = posting
        self._load = load
        self._end = end
        self._tally = tally
        self._faults = faults
        self._clock = clock

    def deliver_outbox(self, person_id: str, outbox: Outbox) -> bool:
        """Take an outbox's events for a person into the log and post them.

        False if that was left to another who holds the lease, or is not done yet. Raises PostFailed
        if the events are in the log and a listener can't be told for now, Stale if it must all be
        done again.
        """
        held = self._lease_or_enqueue(person_id, outbox.pending_id)
        if held is None:
            return False
        try:
            self._run_lease(held, outbox)
        except LeaseEnding:
            return False
        if held.box.list_lagging(self._clock()):
            raise PostFailed("a listener is behind")
        return True

    def is_delivered(self, person_id: str, stream: str, version: int) -> bool:
        """Whether a person has been told of a stream up to a version, and of all else: a look that
        takes no lease. What a glance finds done is done: it may show what was, and that grows."""
        box = self._store.get_eventually(person_id)
        if not box.has_applied(stream, version):
            return False
        return not any(box.is_behind(listener) for listener in box.list_subscribers(self._clock()))

    def is_logged(self, person_id: str, stream: str, version: int) -> bool:
        """Whether a stream's events are certainly in a person's log up to a version."""
        return self._store.get_eventually(person_id).has_applied(stream, version)

    def get_start_cursors(self, person_id: str, connection: Connection) -> dict[str, int]:
        """Where a connection begins to hear a mailbox that opens now, or asks for something else
        now. What is told to others from now on is told to it as well, whenever it joins."""
        return self._store.get_mailbox(person_id).get_start_cursors(connection)

    def is_up_to_date(self, person_id: str, connection: Connection) -> bool:
        """Whether a connection hears a mailbox and is told all that the others are."""
        return self._store.get_mailbox(person_id).is_up_to_date(
            connection.id, connection.subscriptions
        )

    def greet_and_deliver(
        self, person_id: str, connection_id: str, welcome: Callable[[], GreetingResult]
    ) -> None:
        """Run `welcome` as the one writer, then post what waits, less what `welcome` skips. What
        its outbox tells is taken in at once: told later, the greeted would hear it twice.

        Raises Held while another is the writer, PostFailed if the connection is left behind.
        """
        held = self._acquire_lease(person_id)
        if held is None:
            raise LeaseHeld
        try:
            skip, outbox = welcome()
            if outbox and not held.box.has_applied(
                outbox.stream, outbox.find_newest_version(person_id)
            ):
                self._store.enqueue_for_holder(person_id, outbox.pending_id, self._clock())
            held.refresh_pending(self._store)
        except Exception:
            self._release_partial(held)
            raise
        self._run_lease(held, outbox, skip)
        self._check_delivered(held, connection_id)

    def deliver_backlog(
        self, person_id: str, connection: Connection, skip: SkipEvent = skip_nothing
    ) -> None:
        """Post what waits to a connection that has just joined, less what `skip` says. Whoever is
        the writer, if anybody is, does it instead: joining has left a mark for them. Raises
        PostFailed or Stale if it must be done again."""
        held = self._acquire_lease(person_id)
        if held:
            self._run_lease(held, None, skip)
            self._check_delivered(held, connection.id)

    def _check_delivered(self, held: _Lease, connection_id: str) -> None:
        """Raise PostFailed if a connection has not been told all."""
        lagging = held.box.list_lagging(self._clock())
        if any(one.connection_id == connection_id for one in lagging):
            raise PostFailed("the connection is behind")

    def _lease_or_enqueue(self, person_id: str, mark: str) -> _Lease | None:
        """Take the lease with something to do; None if that was left to whoever has it. Raises
        Stale where it changes hands too fast, or too much waits for its holder."""
        for _ in range(_LEASE_TRIES):
            held = self._acquire_lease(person_id, mark)
            if held or self._store.enqueue_for_holder(person_id, mark, self._clock()):
                return held
            box = self._store.get_mailbox(person_id)
            if box.is_leased(self._clock()):
                if mark in box.pending:
                    return None
                continue
            held = self._acquire_lease(
                person_id
            )  # the mark is there, or there is no room for it yet
            if held is None or mark in held.box.pending:
                return held
            self._run_lease(held, None)
        raise Stale

    def _acquire_lease(self, person_id: str, mark: str | None = None) -> _Lease | None:
        holder, now = token_urlsafe(9), self._clock()
        box = self._store.acquire_lease(person_id, holder, now, now + LEASE_TIME, mark)
        return _Lease(box, holder, now + LEASE_TIME) if box else None

    def _run_lease(
        self, held: _Lease, outbox: Outbox | None, skip: SkipEvent = skip_nothing
    ) -> None:
        """Steps 2 to 4, until nothing is left to do. The lease is over after it, whatever happens
        short of the end of the process. Raises LeaseEnding, Stale, and the engine's faults."""
        known = {outbox.stream: outbox} if outbox else {}
        try:
            while True:
                for mark in held.list_pending():
                    self._apply_pending(held, mark, known)
                    held.count_applied()
                self._deliver_events(held, skip)
                if held.release_lease(self._store, self._clock()):
                    break
                self._check_time(held)
                held.refresh_pending(self._store)
        except Stale:
            raise  # it is another's by now
        except Exception:
            if self._release_partial(held):
                self._count_delivery(held)
            raise
        self._count_delivery(held)
        self._close_stuck(held)

    def _release_partial(self, held: _Lease) -> bool:
        """End a lease before all is done. False if that can't be done: then it runs out."""
        try:
            held.release_partial(self._store, self._clock())
        except Exception:
            log.warning("a lease is left to run out", exc_info=True)
            return False
        return True

    def _count_delivery(self, held: _Lease) -> None:
        """After the head is written, so that what a dead holder took in is counted by whoever
        takes it in again, once."""
        self._tally(held.box.unsaved, held.first_delivered)

    def _close_stuck(self, held: _Lease) -> None:
        """Close what can't be posted to. Where that fails, too, it is not the client's fault."""
        now = self._clock()
        for listener in held.failed:
            if held.box.is_stuck(listener, now):
                try:
                    self._end(listener.connection_id)
                except PostFailed:
                    log.warning("a connection that can't be posted to can't be closed either")

    def _apply_pending(self, held: _Lease, mark: str, known: dict[str, Outbox]) -> None:
        """Step 2 for one mark. One that can't be taken in stops nobody else: its own relay wakeup
        comes to it again, and ends with the dead letters."""
        try:
            arrived = parse_arrival(mark)
            if arrived is None:
                self._append_events(held, mark, known)
                return
            for one in held.box.subscribers:
                if one.subscriber.connection_id == arrived:
                    start = parse_arrival_cursors(mark)
                    held.box = held.box.admit_subscriber(one.subscriber, start, self._clock())
        except self._faults:
            raise
        except Exception:
            log.exception("parked: %s can't be taken in", mark.partition("@")[0])

    def _append_events(self, held: _Lease, mark: str, known: dict[str, Outbox]) -> None:
        """Put into the log what it does not have yet of a stream, up to a version. `known` are the
        outboxes at hand."""
        stream, _, number = mark.rpartition("@")
        version = int(number)
        if held.box.has_applied(stream, version):
            return  # a mark that is left from before
        outbox = known.get(stream)
        if outbox is None or outbox.newest_version < version:
            outbox = self._load(stream)
        if outbox is None:
            return
        known[stream] = outbox
        taken = self._find_applied_version(held.box, outbox)
        for entry in outbox.entries:
            for event in entry.events if taken < entry.version <= version else ():
                if event.to == held.box.person_id:
                    held.box = held.box.append_event(replace(event, details=outbox.details))
        if version > taken:
            held.box = held.box.mark_applied(stream, version, self._clock())

    def _find_applied_version(self, box: Mailbox, outbox: Outbox) -> int:
        """Up to which version a stream is in the log: by its note or, where that may have been
        dropped, by the log itself."""
        note = box.applied_versions.get(outbox.stream)
        if note:
            return note[0]
        mine = [e for e in outbox.entries if any(one.to == box.person_id for one in e.events)]
        old = [e for e in mine if box.may_have_dropped_applied(e.at - _CLOCK_SKEW)]
        if box.next_seq == 1 or not old:
            return 0
        return self._search_log(box, outbox.stream, old)

    def _search_log(self, box: Mailbox, stream: str, entries: Sequence[Entry]) -> int:
        """Which of these entries' versions is the newest in the log, 0 where none is. What is older
        than all that is looked at is in it: nothing comes that late."""
        since = min(entry.at for entry in entries) - _CLOCK_SKEW
        seen = 0
        for event in self._store.iterate_events_since(box, since, _MAX_LOOKED_AT):
            if event.stream == stream:
                return event.version
            seen += 1
        if seen < _MAX_LOOKED_AT:
            return 0
        return max((e.version for e in entries if e.at < event.at), default=0)

    def _deliver_events(self, held: _Lease, skip: SkipEvent) -> None:
        """Step 3: post what has not been told, to everybody of this person who listens, and note
        how far each got."""
        box, now = held.box, self._clock()
        listeners = [
            one
            for one in box.list_subscribers(now)
            if box.is_behind(one) and not box.is_backing_off(one, now)
        ]
        if not listeners:
            return
        told = min(map(box.get_lowest_cursor, listeners))
        waiting = self._store.list_events_from(
            box, max(told + 1, box.next_seq - _MAX_BACKLOG), _MAX_BACKLOG
        )
        worth = [event for event in waiting if event.is_current(now)]
        reached, fault = self._posting.post_events(
            box, listeners, worth, skip, held.until - _POST_MARGIN
        )
        to_subscribers = {
            event.seq: event
            for one in reached
            if one.subscriber.subscriptions is not None
            for event in one.posted
            if box.is_first_delivery(event)
        }
        held.first_delivered += to_subscribers.values()
        held.failed += [one.subscriber for one in reached if one.failed]
        held.box = box.apply_results(reached, self._clock())
        if fault:
            raise fault
        if any(one.cursor < box.last_seq and not one.failed for one in reached):
            raise LeaseEnding

    def _check_time(self, held: _Lease) -> None:
        if self._clock() > held.until - _POST_MARGIN:
            raise LeaseEnding


class _Lease:
    """A lease in hand: the head as it will be written back, and what was told under it."""

    def __init__(self, box: Mailbox, holder: str, until: datetime) -> None:
        self.box = box
        self.holder = holder
        self.until = until
        self.first_delivered: list[Event] = []
        self.failed: list[Subscriber] = []
        self._applied = 0

    def list_pending(self) -> tuple[str, ...]:
        """The marks of what is left to do, the earliest first."""
        return self.box.pending[self._applied :]

    def count_applied(self) -> None:
        """Note that the next mark is taken on: one that could not be read now is not given back as
        done, or its events would never be told."""
        self._applied += 1

    def release_lease(self, store: MailboxStore, now: datetime) -> bool:
        """Step 4. False if there is more to do."""
        return store.release_lease(self.box, self.holder, self._applied, now)

    def release_partial(self, store: MailboxStore, now: datetime) -> None:
        """End the lease, and leave what is not done to the next holder."""
        store.release_partial(self.box, self.holder, self._applied, now)

    def refresh_pending(self, store: MailboxStore) -> None:
        """Read what has been left to do meanwhile, and who hears it by now. Raises Stale if the
        lease is another's: what it finds there would get places that are taken."""
        now = store.get_mailbox(self.box.person_id)
        if now.holder != self.holder:
            raise Stale
        self.box = replace(self.box, pending=now.pending, subscribers=now.subscribers)
