"""Resuming: telling a connection what is kept after a position that its client holds.

 1. resolve  Read the heads of its logs, and find in each the place to start after. Where the
             position is of another epoch, ahead of the log, or older than what is kept, that is a
             gap: the start is then before the oldest event that is kept.
 2. claim    Write that into the connection's row: one at a time is at it.
 3. answer   Post `resumed` or `gap`.
 4. tell     Post what is kept after the start, with positions, one log after the other.
 5. finish   Write how far that got. The connection then joins its mailboxes from there.

All this is past the mailboxes' leases: a client that was away for a week keeps no other device
waiting. What is appended meanwhile is told by step 4, or after the joining (rule 7 of
mailboxes.py). It may die at any line, and is then done again: frames are repeated, with the same
positions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from secrets import token_urlsafe
from typing import NamedTuple

from msgspec.structs import replace

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection, Resumption, Subscriber
from chalicelib.domain.messaging.cursors import POSITIONED
from chalicelib.domain.messaging.mailboxes import Mailbox
from chalicelib.domain.messaging.positions import (
    NOW,
    LogPlace,
    encode_position,
    find_seq,
)
from chalicelib.errors import Gone, PostFailed, Stale
from chalicelib.services.messaging.kept_log import KeptLog, split_runs
from chalicelib.services.messaging.leases import LeaseHeld
from chalicelib.services.messaging.mailboxes import Mailboxes
from chalicelib.services.messaging.posting import EventPoster, SkipEvent
from chalicelib.services.ports import Clock, ConnectionStore, FrameSender, MailboxStore

RenderAnswer = Callable[[Connection, str, str], str]
"""Renders `resumed` or `gap`: the connection, the position that it starts from, and the other."""

FinishConnection = Callable[[Connection], Connection]
"""What the row of a connection becomes."""

_TELL_WITHIN = timedelta(seconds=15)  # of a function's time; another call goes on
_CLAIM_TIME = timedelta(seconds=25)  # longer than anybody is at it who lives
_PAGE = 100  # events that are told between two looks at the clock
_WRITE_TRIES = 10


class ResumptionPending(Exception):
    """It can't be told yet, or not all of it: come back soon."""


class LogStart(NamedTuple):
    """After which place a log is told. `oldest` is the oldest that is kept, where there is a gap;
    of an empty log its end."""

    mailbox: str
    start: LogPlace
    end: LogPlace
    oldest: LogPlace | None = None


class ConnectionResumer:
    """Tells connections what is kept."""

    def __init__(
        self,
        store: MailboxStore,
        kept: KeptLog,
        mailboxes: Mailboxes,
        connections: ConnectionStore,
        poster: EventPoster,
        sender: FrameSender,
        render_resumed: RenderAnswer,
        render_gap: RenderAnswer,
        clock: Clock,
    ) -> None:
        self._store = store
        self._kept = kept
        self._mailboxes = mailboxes
        self._connections = connections
        self._poster = poster
        self._sender = sender
        self._render_resumed = render_resumed
        self._render_gap = render_gap
        self._clock = clock

    def with_ends(self, connection: Connection, mailboxes: Sequence[str]) -> Connection:
        """Return a connection that asked for what comes from now on with the ends of its logs. They
        must be written before its client can know that it is connected."""
        resumption = connection.resumption
        if resumption is None or resumption.asked != NOW:
            return connection
        asked = encode_position(self._kept.get_head(name).end for name in mailboxes)
        return replace(connection, resumption=replace(resumption, asked=asked, from_now=True))

    def resume(
        self,
        connection: Connection,
        mailboxes: Sequence[str],
        first_frames: Sequence[str],
        finish: FinishConnection,
        skip: SkipEvent,
    ) -> Connection:
        """Tell a connection what is kept, after `first_frames`; return its row, which is written as
        `finish` makes it, when it may join its rooms. Raises ResumptionPending where another is at
        it, time is up or its client has subscribed to more meanwhile; Stale, Gone, PostFailed. Then
        it is to be called again."""
        until = self._clock() + _TELL_WITHIN
        telling, starts = self._claim_connection(connection, mailboxes)
        try:
            if starts:
                self._post_answer(telling, starts, first_frames)
            for name in telling.resumption.start:
                self._tell_log(telling, name, skip, until)
        except (PostFailed, ResumptionPending):
            self._write(telling.connection, lambda c: telling.note_progress(c))
            raise
        cursors = {name: {POSITIONED: self._find_cursor(telling, name)} for name in mailboxes}
        finished = self._write(telling.connection, lambda c: telling.finish(finish(c), cursors))
        if not finished.is_positioned:
            raise ResumptionPending
        return finished

    def _claim_connection(
        self, connection: Connection, mailboxes: Sequence[str]
    ) -> tuple[_Telling, list[LogStart]]:
        """Claim a connection (step 2); return it with the starts of its logs (step 1), none where
        it was answered before. Raises as resume does."""
        resumption, now = connection.resumption, self._clock()
        assert resumption is not None, "only connections that ask for it are resumed"
        if resumption.is_claimed(now):
            raise ResumptionPending
        starts: list[LogStart] = []
        if not resumption.is_answered:
            starts = [self._find_start(resumption, name) for name in mailboxes]
            places = {one.mailbox: one.start for one in starts}
            resumption = replace(resumption, start=places, reached=places)
        claimed_until = int((now + _CLAIM_TIME).timestamp() * 1000)
        resumption = replace(resumption, claim=token_urlsafe(6), claimed_until=claimed_until)
        claimed = replace(connection, resumption=resumption)
        written = self._connections.update_connection(connection, claimed)
        return _Telling(written, resumption), starts

    # Where to start

    def _find_start(self, resumption: Resumption, mailbox: str) -> LogStart:
        """Find where a log starts (step 1). Raises ResumptionPending."""
        box = self._kept.get_head(mailbox)
        seq = find_seq(resumption.asked, box.epoch)
        if seq is not None and seq > box.last_seq and box.may_still_append(self._clock()):
            # Posted to another connection already, and not in the head yet.
            box = self._append_pending(mailbox)
        if seq is not None and self._kept.has_all_after(box, seq):
            return LogStart(mailbox, LogPlace(box.epoch, seq), box.end)
        oldest = self._kept.find_oldest(box)
        if oldest is None:
            return LogStart(mailbox, box.end, box.end, box.end)
        return LogStart(
            mailbox, LogPlace(box.epoch, oldest - 1), box.end, LogPlace(box.epoch, oldest)
        )

    def _append_pending(self, mailbox: str) -> Mailbox:
        """Have what is pending in a mailbox appended, and return its head. Raises ResumptionPending
        while somebody is just doing so."""
        try:
            with self._mailboxes.hold_lease(mailbox):
                pass
        except LeaseHeld:
            raise ResumptionPending from None
        return self._kept.get_head(mailbox)

    # What is told

    def _post_answer(
        self, telling: _Telling, starts: Sequence[LogStart], first_frames: Sequence[str]
    ) -> None:
        """Post what comes (step 3), then the contract's first frames."""
        connection, resumption = telling.connection, telling.resumption
        asked = resumption.asked
        if any(one.oldest for one in starts):
            oldest = encode_position(one.oldest or one.start for one in starts)
            answer = self._render_gap(connection, asked, oldest)
        else:
            end = asked if resumption.from_now else encode_position(one.end for one in starts)
            answer = self._render_resumed(connection, asked, end)
        for frame in (answer, *first_frames):
            self._sender.post_frame(connection.id, frame)
        telling.resumption = replace(resumption, is_answered=True)

    def _tell_log(self, telling: _Telling, mailbox: str, skip: SkipEvent, until: datetime) -> None:
        """Post what is kept of one log (step 4), until there was little more to read."""
        if telling.resumption.types == ():
            return
        while True:
            box, count = self._kept.get_head(mailbox), 0
            events = self._kept.iterate_kept(box, telling.resumption.reached[mailbox].seq + 1)
            while page := list(islice(events, _PAGE)):
                for run in split_runs(page):
                    if run[0].seq > telling.resumption.reached[mailbox].seq + 1:
                        self._post_gap(telling, mailbox, LogPlace(box.epoch, run[0].seq))
                    self._post_page(telling, box, run, skip, until)
                count += len(page)
            # Rows are read after the head, and may have told of more than it knows.
            if telling.resumption.reached[mailbox].seq < box.last_seq:
                self._post_gap(telling, mailbox, box.end)
                telling.move(mailbox, box.end)
            if count < _PAGE:
                return

    def _post_gap(self, telling: _Telling, mailbox: str, place: LogPlace) -> None:
        """Post that something is missing ahead of a place. (A row expires with its newest event:
        one that came into the log hours late may be gone before those ahead of it.)"""
        reached = telling.resumption.reached
        there = encode_position({**reached, mailbox: place}.values())
        gap = self._render_gap(telling.connection, encode_position(reached.values()), there)
        self._sender.post_frame(telling.connection.id, gap)

    def _post_page(
        self,
        telling: _Telling,
        box: Mailbox,
        page: Sequence[Event],
        skip: SkipEvent,
        until: datetime,
    ) -> None:
        """Post some events of a log as its mailbox would, and note how far that got. Raises
        ResumptionPending where time is up, PostFailed, Gone, and the engine's faults."""
        now, mailbox = self._clock(), box.person_id
        reached = telling.resumption.reached[mailbox].seq
        worth_it = [event for event in page if event.is_open(now)]
        view = Mailbox(
            mailbox, box.epoch, next_seq=page[-1].seq + 1, cursor_by_type={POSITIONED: reached}
        )
        subscriber = telling.make_subscriber(mailbox)
        results, fault = self._poster.post_events(view, [subscriber], worth_it, skip, until)
        if not results:
            raise Gone(telling.connection.id)
        telling.move(mailbox, LogPlace(box.epoch, results[0].cursor))
        if fault:
            raise fault
        if results[0].failed:
            raise PostFailed("the connection can't be posted to")
        if results[0].cursor < page[-1].seq or self._clock() > until:
            raise ResumptionPending

    # What is written

    def _find_cursor(self, telling: _Telling, mailbox: str) -> int:
        """Find where a connection is to join a mailbox: one that is there for other types already
        may have been delivered less."""
        reached = telling.resumption.reached[mailbox].seq
        if telling.connection.subscriptions is None:
            return reached
        box = self._store.get_mailbox(mailbox)
        subscriber = box.find_subscriber(telling.connection.id)
        if subscriber is None or not subscriber.is_positioned:
            return reached
        return min(reached, box.get_cursor(subscriber, POSITIONED))

    def _write(self, claimed: Connection, change: FinishConnection) -> Connection:
        """Write a changed row of a connection that is claimed, whatever else was written to it
        meanwhile. Raises Stale where another has claimed it, Gone."""
        assert claimed.resumption is not None, "it is claimed"
        current = claimed
        for _ in range(_WRITE_TRIES):
            try:
                return self._connections.update_connection(current, change(current))
            except Stale:
                found = self._connections.get_connection(claimed.id, self._clock())
                if found is None:
                    raise Gone(claimed.id) from None
                if found.resumption is None or found.resumption.claim != claimed.resumption.claim:
                    raise
                current = found
        raise Stale


class _Telling:
    """One try at telling a connection what is kept: its row as claimed, and how far that is."""

    def __init__(self, connection: Connection, resumption: Resumption) -> None:
        self.connection = connection
        self.resumption = resumption

    def move(self, mailbox: str, place: LogPlace) -> None:
        """Note up to where a log has been told."""
        reached = {**self.resumption.reached, mailbox: place}
        self.resumption = replace(self.resumption, reached=reached)

    def make_subscriber(self, mailbox: str) -> Subscriber:
        """Make the subscriber that events of a log are rendered and posted for."""
        connection, resumption = self.connection, self.resumption
        return Subscriber(
            connection.id,
            connection.person_id,
            connection.contract,
            resumption.types,
            connection.role,
            resumption.encode_others(mailbox),
        )

    def note_progress(self, connection: Connection) -> Connection:
        """Return the row of a connection that is to be told the rest by another try."""
        assert connection.resumption is not None, "it is claimed"
        noted = self.resumption.with_types(connection.resumption.types)
        return replace(connection, resumption=replace(noted, claimed_until=0))

    def finish(self, connection: Connection, cursors: dict[str, dict[str, int]]) -> Connection:
        """Return the row of a connection that has been told all; where its client has subscribed to
        more meanwhile, that of one which is to be told that, too."""
        noted = self.note_progress(connection)
        assert noted.resumption is not None, "it is claimed"
        if not set(noted.resumption.types or ()) <= set(self.resumption.types or ()):
            return noted
        done = replace(noted.resumption, is_done=True)
        return replace(noted, resumption=done, start_cursors=cursors)
