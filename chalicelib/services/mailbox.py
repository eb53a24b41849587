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

A holder stops posting when its lease is about to run out, so that two never post at once, and
gives it back with what is left in `todo`. A connection that is gone is forgotten and nothing else
changes; a frame that is too large is logged and skipped; if posting fails for now, `delivered_to`
stays where posting came to, and the wakeup tries again. People who are offline have a
`delivered_to` that stands still: connecting drains from there. Connections that subscribe (spec
003) have a place of their own for each type of event, `heard`, so that one that comes late is told
what no subscriber was, however much the others have heard meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import NamedTuple

from msgspec.structs import replace

from chalicelib.domain.connections import Connection, Listener
from chalicelib.domain.events import Event, Outbox
from chalicelib.domain.mailboxes import REMEMBERED_FOR, Mailbox
from chalicelib.errors import FrameTooLarge, Gone, PostFailed, Stale
from chalicelib.services.ports import Clock, Gateway, MailboxStore, Words

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=10)
_MARGIN = timedelta(seconds=4)  # a post may take that long; none is begun later
_DRAIN = 1000  # events kept for somebody who is offline
_MISSED = 100  # more are not told to others between the opening of a connection and its greeting
_FEW = 10
_ROUND = 10  # events posted before it is noted how far that came
_SKEW = timedelta(minutes=1)  # more than two clocks differ
_LEASE_TRIES = 3
_ARRIVAL = "arrival#"

Streams = Callable[[str], Outbox | None]
Forget = Callable[[str, str], None]
Tally = Callable[[Sequence[Event], Sequence[Event]], None]
Skip = Callable[[str, Event], bool]
"""Whether an event has become pointless for the connection of that id."""


class Welcome(NamedTuple):
    """What a greeting makes pointless, the outbox whose state it has told, if any, and the
    connection that has been let in by it."""

    skip: Skip
    outbox: Outbox | None = None
    newcomer: Connection | None = None


def nothing(connection_id: str, event: Event) -> bool:
    """Skips nothing."""
    return False


class Held(Exception):
    """Another has the lease; come back later."""


class LeaseEnding(PostFailed):
    """No time is left to post the rest in. What was posted is noted; come back soon."""


class Mailboxes:
    """`load` finds a stream's outbox; `forget` drops a connection that is gone; `tally` counts
    what was put into logs, and what of it was told to subscribers."""

    def __init__(
        self,
        store: MailboxStore,
        gateway: Gateway,
        words: Words,
        load: Streams,
        forget: Forget,
        tally: Tally,
        pool: ThreadPoolExecutor,
        clock: Clock,
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._words = words
        self._load = load
        self._forget = forget
        self._tally = tally
        self._pool = pool
        self._clock = clock

    def tell(self, person_id: str, outbox: Outbox) -> bool:
        """Take an outbox's events for a person into the log and post them.

        False if that was left to another who holds the lease, or is not done yet. Raises
        PostFailed or Stale if it must be done again.
        """
        held = self._lease_or_leave(person_id, outbox.mark)
        if held is None:
            return False
        try:
            self._serve(held, outbox)
        except LeaseEnding:
            return False
        return True

    def told(self, person_id: str, stream: str, version: int) -> bool:
        """Whether a person has been told of a stream up to a version, and of all else: a look that
        takes no lease. What a glance finds done is done: it may show what was, and that grows."""
        box = self._store.glance(person_id)
        if not box.has(stream, version):
            return False
        if all(told >= box.last_seq for told in (box.delivered_to, *box.heard.values())):
            return True
        return not any(_behind(box, listener) for listener in box.listeners(self._clock()))

    def knows(self, person_id: str, stream: str, version: int) -> bool:
        """Whether a stream's events are certainly in a person's log up to a version."""
        return self._store.glance(person_id).has(stream, version)

    def greet(self, person_id: str, welcome: Callable[[], Welcome]) -> None:
        """Run `welcome` as the one writer, then post what waits, less what `welcome` skips. What
        its outbox tells is taken in at once: told later, the greeted would hear it twice.

        Raises Held while another is the writer.
        """
        held = self._lease(person_id)
        if held is None:
            raise Held
        try:
            skip, outbox, newcomer = welcome()
            if newcomer:
                self._catch_up(held, newcomer, skip)
            held.refresh(self._store)
            if outbox and not held.box.has(outbox.stream, outbox.newest_for(person_id)):
                self._store.leave_to_holder(person_id, outbox.mark, self._clock())
        except Exception:
            held.give_back(self._store, self._clock())
            raise
        self._serve(held, outbox, skip)

    def _catch_up(self, held: _Lease, newcomer: Connection, skip: Skip) -> None:
        """Post to a connection what its person's others were told since it was opened: until it
        was let in, nothing waited for it."""
        box, now = held.box, self._clock()
        if not box.delivered_to:
            return
        since = self._store.since(box, newcomer.connected_at, _MISSED, page=_FEW)
        told = [
            event
            for event in reversed(since)
            if event.at > newcomer.connected_at
            and event.seq <= box.delivered_to
            and event.current(now)
            and not skip(newcomer.id, event)
        ]
        listener = Listener(newcomer.id, box.person_id, newcomer.contract, role=newcomer.role)
        self._post_to(listener, told, held)

    def drain(self, person_id: str, connection: Connection, skip: Skip = nothing) -> None:
        """Post what waits to those who listen, now that this connection does, less what `skip`
        says; left to whoever is the writer, if anybody is. Raises PostFailed or Stale if it must
        be done again."""
        held = self._lease_or_leave(person_id, f"{_ARRIVAL}{connection.id}@{connection.version}")
        if held:
            self._serve(held, None, skip)

    def _lease_or_leave(self, person_id: str, mark: str) -> _Lease | None:
        """Take the lease with something to do; None if that was left to whoever has it. Raises
        Stale where it changes hands too fast."""
        for _ in range(_LEASE_TRIES):
            held = self._lease(person_id, mark)
            if held or self._store.leave_to_holder(person_id, mark, self._clock()):
                return held
        raise Stale

    def _lease(self, person_id: str, mark: str | None = None) -> _Lease | None:
        holder, now = token_urlsafe(9), self._clock()
        box = self._store.lease(person_id, holder, now, now + LEASE, mark)
        return _Lease(box, holder, now + LEASE) if box else None

    def _serve(self, held: _Lease, outbox: Outbox | None, skip: Skip = nothing) -> None:
        """Steps 2 to 4, until nothing is left to do."""
        known = {outbox.stream: outbox} if outbox else {}
        try:
            while True:
                for mark in held.take_on():
                    self._take_in(held, mark, known)
                self._post(held, skip)
                if held.release(self._store, self._clock()):
                    self._count(held)
                    return
                self._check_time(held)
                held.refresh(self._store)
        except PostFailed:
            held.give_back(self._store, self._clock())
            self._count(held)
            raise

    def _count(self, held: _Lease) -> None:
        """After the head is written, so that what a dead holder took in is counted by whoever
        takes it in again, once."""
        self._tally(held.box.fresh, held.heard)

    def _take_in(self, held: _Lease, mark: str, known: dict[str, Outbox]) -> None:
        """Step 2: what the log does not have yet of a stream, up to a version. `known` are the
        outboxes at hand."""
        stream, _, number = mark.rpartition("@")
        version = int(number)
        if stream.startswith(_ARRIVAL):
            return  # only says that somebody has come
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
        """Up to which version a stream is in the log. Notes older than any wakeup are dropped, so
        that a stream without one and with old events is looked up in the log itself."""
        note = box.taken.get(outbox.stream)
        if note:
            return note[0]
        oldest = min((entry.at for entry in outbox.entries), default=None)
        if box.next_seq == 1 or oldest is None or self._clock() - oldest < REMEMBERED_FOR / 2:
            return 0
        past = self._store.since(box, oldest - _SKEW, _DRAIN)
        return max((e.version for e in past if e.stream == outbox.stream), default=0)

    def _post(self, held: _Lease, skip: Skip) -> None:
        """Step 4: post what has not been told, to everybody of this person who listens: to each
        what none of its kind has heard."""
        box, now = held.box, self._clock()
        listeners = [one for one in box.listeners(now) if _behind(box, one)]
        if not listeners:
            return
        worth = [event for event in self._waiting(box, listeners) if event.current(now)]
        size = 1 if len(listeners) == 1 else _ROUND  # side by side, each round waits for all
        rounds = [worth[n : n + size] for n in range(0, len(worth), size)] or [[]]
        for events in rounds:
            upto = box.last_seq if events is rounds[-1] else events[-1].seq
            listeners = self._post_round(held, box, listeners, events, skip)
            held.heard += [e for e in events if _subscribed(box, listeners, e)]
            for listener in listeners:
                held.box = held.box.having_told(listener.hears, upto)

    def _waiting(self, box: Mailbox, listeners: Sequence[Listener]) -> Sequence[Event]:
        """The events that some of these have not been told."""
        told = min(box.told_to(listener.hears) for listener in listeners)
        return self._store.log(box, max(told + 1, box.next_seq - _DRAIN), _DRAIN)

    def _post_round(
        self,
        held: _Lease,
        box: Mailbox,
        listeners: Sequence[Listener],
        events: Sequence[Event],
        skip: Skip,
    ) -> list[Listener]:
        """Post some events to each listener that `box` owes them to, in order, listeners side by
        side. Returns who is still there; raises once all have heard what they could."""

        def post_to(listener: Listener) -> bool:
            owed = [
                event
                for event in events
                if box.owes(event.type, event.seq, listener.hears)
                and not skip(listener.connection_id, event)
            ]
            return self._post_to(listener, owed, held)

        if len(listeners) == 1:
            return [listeners[0]] if post_to(listeners[0]) else []
        jobs = [self._pool.submit(post_to, listener) for listener in listeners]
        for failure in [job.exception() for job in jobs]:
            if failure:
                raise failure
        return [listener for listener, job in zip(listeners, jobs, strict=True) if job.result()]

    def _post_to(self, listener: Listener, events: Sequence[Event], held: _Lease) -> bool:
        """Whether the listener is still there after it."""
        for event in events:
            for frame in self._words(listener, event):
                self._check_time(held)
                try:
                    self._gateway.post(listener.connection_id, frame)
                except Gone:
                    self._forget(listener.connection_id, listener.person_id)
                    return False
                except FrameTooLarge:
                    log.error(
                        "frame too large: event %s, contract %s", event.type, listener.contract
                    )
        return True

    def _check_time(self, held: _Lease) -> None:
        if self._clock() > held.until - _MARGIN:
            raise LeaseEnding


def _subscribed(box: Mailbox, listeners: Sequence[Listener], event: Event) -> bool:
    return any(
        listener.hears is not None and box.owes(event.type, event.seq, listener.hears)
        for listener in listeners
    )


def _behind(box: Mailbox, listener: Listener) -> bool:
    return box.told_to(listener.hears) < box.last_seq


class _Lease:
    """A lease in hand: the head as it will be written back, and what was told under it."""

    def __init__(self, box: Mailbox, holder: str, until: datetime) -> None:
        self.box = box
        self.holder = holder
        self.until = until
        self.heard: list[Event] = []
        self._done = 0

    def take_on(self) -> tuple[str, ...]:
        """The marks of what is left to do, the earliest first."""
        left, self._done = self.box.todo[self._done :], len(self.box.todo)
        return left

    def release(self, store: MailboxStore, now: datetime) -> bool:
        """Step 4. False if there is more to do."""
        return store.release(self.box, self.holder, self._done, now)

    def give_back(self, store: MailboxStore, now: datetime) -> None:
        """End the lease, and leave what is not done to the next holder."""
        store.give_back(self.box, self.holder, self._done, now)

    def refresh(self, store: MailboxStore) -> None:
        """Read what has been left to do meanwhile, and who hears it by now."""
        now = store.read(self.box.person_id)
        self.box = replace(self.box, todo=now.todo, hearing=now.hearing)
