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
from chalicelib.domain.messaging.connections import Connection, Listener
from chalicelib.domain.messaging.mailboxes import Mailbox, arrival_cursors, arrival_of
from chalicelib.errors import PostFailed, Stale
from chalicelib.services.messaging.posting import Faults, Posting, Skip
from chalicelib.services.ports import Clock, MailboxStore

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=10)
_MARGIN = timedelta(seconds=5)  # a post may take that long; none is begun later
_DRAIN = 1000  # events kept for somebody who is offline
_LOOKED_AT = 5000  # events of the log, to find out whether a stream is in it
_SKEW = timedelta(minutes=1)  # more than two clocks differ
_LEASE_TRIES = 4

Streams = Callable[[str], Outbox | None]
Tally = Callable[[Sequence[Event], Sequence[Event]], None]
End = Callable[[str], None]
"""Closes a connection from this side. Raises PostFailed where that can't be done now."""


class Welcome(NamedTuple):
    """What a greeting makes pointless, and the outbox whose state it has told, if any."""

    skip: Skip
    outbox: Outbox | None = None


def nothing(connection_id: str, event: Event) -> bool:
    """Skips nothing."""
    return False


class Held(Exception):
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
        posting: Posting,
        load: Streams,
        end: End,
        tally: Tally,
        faults: Faults,
        clock: Clock,
    ) -> None:
        self._store = store
        self._posting = posting
        self._load = load
        self._end = end
        self._tally = tally
        self._faults = faults
        self._clock = clock

    def tell(self, person_id: str, outbox: Outbox) -> bool:
        """Take an outbox's events for a person into the log and post them.

        False if that was left to another who holds the lease, or is not done yet. Raises PostFailed
        if the events are in the log and a listener can't be told for now, Stale if it must all be
        done again.
        """
        held = self._lease_or_leave(person_id, outbox.mark)
        if held is None:
            return False
        try:
            self._serve(held, outbox)
        except LeaseEnding:
            return False
        if held.box.lagging(self._clock()):
            raise PostFailed("a listener is behind")
        return True

    def told(self, person_id: str, stream: str, version: int) -> bool:
        """Whether a person has been told of a stream up to a version, and of all else: a look that
        takes no lease. What a glance finds done is done: it may show what was, and that grows."""
        box = self._store.glance(person_id)
        if not box.has(stream, version):
            return False
        return not any(box.is_behind(listener) for listener in box.listeners(self._clock()))

    def knows(self, person_id: str, stream: str, version: int) -> bool:
        """Whether a stream's events are certainly in a person's log up to a version."""
        return self._store.glance(person_id).has(stream, version)

    def start_for(self, person_id: str, connection: Connection) -> dict[str, int]:
        """Where a connection begins to hear a mailbox that opens now, or asks for something else
        now. What is told to others from now on is told to it as well, whenever it joins."""
        return self._store.read(person_id).start_for(connection)

    def serves(self, person_id: str, connection: Connection) -> bool:
        """Whether a connection hears a mailbox and is told all that the others are."""
        return self._store.read(person_id).serves(connection.id, connection.hears)

    def greet(self, person_id: str, connection_id: str, welcome: Callable[[], Welcome]) -> None:
        """Run `welcome` as the one writer, then post what waits, less what `welcome` skips. What
        its outbox tells is taken in at once: told later, the greeted would hear it twice.

        Raises Held while another is the writer, PostFailed if the connection is left behind.
        """
        held = self._lease(person_id)
        if held is None:
            raise Held
        try:
            skip, outbox = welcome()
            if outbox and not held.box.has(outbox.stream, outbox.newest_for(person_id)):
                self._store.leave_to_holder(person_id, outbox.mark, self._clock())
            held.refresh(self._store)
        except Exception:
            self._give_back(held)
            raise
        self._serve(held, outbox, skip)
        self._check_served(held, connection_id)

    def drain(self, person_id: str, connection: Connection, skip: Skip = nothing) -> None:
        """Post what waits to a connection that has just joined, less what `skip` says. Whoever is
        the writer, if anybody is, does it instead: joining has left a mark for them. Raises
        PostFailed or Stale if it must be done again."""
        held = self._lease(person_id)
        if held:
            self._serve(held, None, skip)
            self._check_served(held, connection.id)

    def _check_served(self, held: _Lease, connection_id: str) -> None:
        """Raise PostFailed if a connection has not been told all."""
        lagging = held.box.lagging(self._clock())
        if any(one.connection_id == connection_id for one in lagging):
            raise PostFailed("the connection is behind")

    def _lease_or_leave(self, person_id: str, mark: str) -> _Lease | None:
        """Take the lease with something to do; None if that was left to whoever has it. Raises
        Stale where it changes hands too fast, or too much waits for its holder."""
        for _ in range(_LEASE_TRIES):
            held = self._lease(person_id, mark)
            if held or self._store.leave_to_holder(person_id, mark, self._clock()):
                return held
            box = self._store.read(person_id)
            if box.held(self._clock()):
                if mark in box.todo:
                    return None
                continue
            held = self._lease(person_id)  # the mark is there, or there is no room for it yet
            if held is None or mark in held.box.todo:
                return held
            self._serve(held, None)
        raise Stale

    def _lease(self, person_id: str, mark: str | None = None) -> _Lease | None:
        holder, now = token_urlsafe(9), self._clock()
        box = self._store.lease(person_id, holder, now, now + LEASE, mark)
        return _Lease(box, holder, now + LEASE) if box else None

    def _serve(self, held: _Lease, outbox: Outbox | None, skip: Skip = nothing) -> None:
        """Steps 2 to 4, until nothing is left to do. The lease is over after it, whatever happens
        short of the end of the process. Raises LeaseEnding, Stale, and the engine's faults."""
        known = {outbox.stream: outbox} if outbox else {}
        try:
            while True:
                for mark in held.take_on():
                    self._take_on(held, mark, known)
                    held.count_taken_on()
                self._post(held, skip)
                if held.release(self._store, self._clock()):
                    break
                self._check_time(held)
                held.refresh(self._store)
        except Stale:
            raise  # it is another's by now
        except Exception:
            if self._give_back(held):
                self._count(held)
            raise
        self._count(held)
        self._end_stuck(held)

    def _give_back(self, held: _Lease) -> bool:
        """End a lease before all is done. False if that can't be done: then it runs out."""
        try:
            held.give_back(self._store, self._clock())
        except Exception:
            log.warning("a lease is left to run out", exc_info=True)
            return False
        return True

    def _count(self, held: _Lease) -> None:
        """After the head is written, so that what a dead holder took in is counted by whoever
        takes it in again, once."""
        self._tally(held.box.fresh, held.heard)

    def _end_stuck(self, held: _Lease) -> None:
        """Close what can't be posted to. Where that fails, too, it is not the client's fault."""
        now = self._clock()
        for listener in held.failed:
            if held.box.is_stuck(listener, now):
                try:
                    self._end(listener.connection_id)
                except PostFailed:
                    log.warning("a connection that can't be posted to can't be closed either")

    def _take_on(self, held: _Lease, mark: str, known: dict[str, Outbox]) -> None:
        """Step 2 for one mark. One that can't be taken in stops nobody else: its own relay wakeup
        comes to it again, and ends with the dead letters."""
        try:
            arrived = arrival_of(mark)
            if arrived is None:
                self._take_in(held, mark, known)
                return
            for one in held.box.hearing:
                if one.listener.connection_id == arrived:
                    start = arrival_cursors(mark)
                    held.box = held.box.letting_in(one.listener, start, self._clock())
        except self._faults:
            raise
        except Exception:
            log.exception("parked: %s can't be taken in", mark.partition("@")[0])

    def _take_in(self, held: _Lease, mark: str, known: dict[str, Outbox]) -> None:
        """Put into the log what it does not have yet of a stream, up to a version. `known` are the
        outboxes at hand."""
        stream, _, number = mark.rpartition("@")
        version = int(number)
        if held.box.has(stream, version):
            return  # a mark that is left from before
        outbox = known.get(stream)
        if outbox is None or outbox.newest < version:
            outbox = self._load(stream)
        if outbox is None:
            return
        known[stream] = outbox
        taken = self._taken(held.box, outbox)
        for entry in outbox.entries:
            for event in entry.events if taken < entry.version <= version else ():
                if event.to == held.box.person_id:
                    held.box = held.box.putting(replace(event, job=outbox.job))
        if version > taken:
            held.box = held.box.noting(stream, version, self._clock())

    def _taken(self, box: Mailbox, outbox: Outbox) -> int:
        """Up to which version a stream is in the log: by its note or, where that may have been
        dropped, by the log itself."""
        note = box.taken.get(outbox.stream)
        if note:
            return note[0]
        mine = [e for e in outbox.entries if any(one.to == box.person_id for one in e.events)]
        old = [e for e in mine if box.may_have_forgotten(e.at - _SKEW)]
        if box.next_seq == 1 or not old:
            return 0
        return self._look_up(box, outbox.stream, old)

    def _look_up(self, box: Mailbox, stream: str, entries: Sequence[Entry]) -> int:
        """Which of these entries' versions is the newest in the log, 0 where none is. What is older
        than all that is looked at is in it: nothing comes that late."""
        since = min(entry.at for entry in entries) - _SKEW
        seen = 0
        for event in self._store.since(box, since, _LOOKED_AT):
            if event.stream == stream:
                return event.version
            seen += 1
        if seen < _LOOKED_AT:
            return 0
        return max((e.version for e in entries if e.at < event.at), default=0)

    def _post(self, held: _Lease, skip: Skip) -> None:
        """Step 3: post what has not been told, to everybody of this person who listens, and note
        how far each got."""
        box, now = held.box, self._clock()
        listeners = [
            one for one in box.listeners(now) if box.is_behind(one) and not box.rests(one, now)
        ]
        if not listeners:
            return
        told = min(map(box.told_to, listeners))
        waiting = self._store.log(box, max(told + 1, box.next_seq - _DRAIN), _DRAIN)
        worth = [event for event in waiting if event.current(now)]
        reached, fault = self._posting.post(box, listeners, worth, skip, held.until - _MARGIN)
        to_subscribers = {
            event.seq: event
            for one in reached
            if one.listener.hears is not None
            for event in one.posted
            if box.is_new(event)
        }
        held.heard += to_subscribers.values()
        held.failed += [one.listener for one in reached if one.failed]
        held.box = box.having_told(reached, self._clock())
        if fault:
            raise fault
        if any(one.upto < box.last_seq and not one.failed for one in reached):
            raise LeaseEnding

    def _check_time(self, held: _Lease) -> None:
        if self._clock() > held.until - _MARGIN:
            raise LeaseEnding


class _Lease:
    """A lease in hand: the head as it will be written back, and what was told under it."""

    def __init__(self, box: Mailbox, holder: str, until: datetime) -> None:
        self.box = box
        self.holder = holder
        self.until = until
        self.heard: list[Event] = []
        self.failed: list[Listener] = []
        self._done = 0

    def take_on(self) -> tuple[str, ...]:
        """The marks of what is left to do, the earliest first."""
        return self.box.todo[self._done :]

    def count_taken_on(self) -> None:
        """Note that the next mark is taken on: one that could not be read now is not given back as
        done, or its events would never be told."""
        self._done += 1

    def release(self, store: MailboxStore, now: datetime) -> bool:
        """Step 4. False if there is more to do."""
        return store.release(self.box, self.holder, self._done, now)

    def give_back(self, store: MailboxStore, now: datetime) -> None:
        """End the lease, and leave what is not done to the next holder."""
        store.give_back(self.box, self.holder, self._done, now)

    def refresh(self, store: MailboxStore) -> None:
        """Read what has been left to do meanwhile, and who hears it by now. Raises Stale if the
        lease is another's: what it finds there would get places that are taken."""
        now = store.read(self.box.person_id)
        if now.holder != self.holder:
            raise Stale
        self.box = replace(self.box, todo=now.todo, hearing=now.hearing)
