"""Mailboxes: the head of each person's log, and the log. Rules: services/messaging/mailboxes.py.

The newest events are in the head itself, where writing them costs nothing: the head is written
anyway, when a lease ends. Once they would make it larger than a write unit they are put away, as
one row of the events table. A head names what is to be taken in until that is in it, so that
whoever comes after a dead holder takes in the same again, at the same places: a run of events is
what it is, whoever puts it away, and however often.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import chain, islice, takewhile
from zlib import crc32
from zlib import error as ZlibError

import msgspec
from pynamodb.exceptions import DoesNotExist, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.events import CRITICAL, LOGGED_FOR, Event
from chalicelib.domain.messaging.mailboxes import Mailbox, SubscriberLag
from chalicelib.errors import Stale
from chalicelib.store import mailbox_subscribers as listeners
from chalicelib.store.clock import from_epoch_ms, to_epoch_ms
from chalicelib.store.compression import pack, unpack
from chalicelib.store.conditional import save_once
from chalicelib.store.failures import is_lost_race
from chalicelib.store.tables import EventRow, MailboxRow

log = logging.getLogger(__name__)

_PAGE = 100
_MAX_ENDED = 50  # listeners taken out in one write
CRITICAL_SHARDS = 2  # they are few

_GRACE = timedelta(hours=1)  # rows outlive their events, so that expiry never makes a gap
_MAX_HEAD_BYTES = 810  # bytes of a head's doc and listeners; with the rest it stays under 1 KB
_MAX_TAIL_BYTES = (
    16_000  # more is put away at once: until then each write of the head writes it too
)


class StoredHead(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a head keeps of a mailbox (domain.mailboxes.Mailbox) between two leases."""

    next_seq: int = 1
    delivered_to: int = 0
    cursor_by_type: dict[str, int] = msgspec.field(default={}, name="heard")
    applied_versions: dict[str, tuple[int, int]] = msgspec.field(default={}, name="taken")
    tail: tuple[Event, ...] = ()
    lags: dict[str, SubscriberLag] = {}
    applied_dropped_at: int = msgspec.field(default=0, name="forgotten_at")


class MailboxTable:
    """The mailboxes and events tables."""

    def get_mailbox(self, person_id: str) -> Mailbox:
        """Read a mailbox's head, strongly consistent; an empty one if there is none yet."""
        return self._get_mailbox(person_id, consistent=True)

    def get_eventually(self, person_id: str) -> Mailbox:
        """A mailbox's head as it is or lately was, for half the price."""
        return self._get_mailbox(person_id, consistent=False)

    @staticmethod
    def _get_mailbox(person_id: str, consistent: bool) -> Mailbox:
        try:
            return _decode_mailbox(MailboxRow.get(person_id, consistent_read=consistent))
        except DoesNotExist:
            return Mailbox(person_id)

    def acquire_lease(
        self, person_id: str, holder: str, now: datetime, until: datetime, mark: str | None = None
    ) -> Mailbox | None:
        """Become the one writer, with `mark` the last of what is to be taken in. None if another
        is, whose lease has not run out, or if there is no room for the mark, or no need of it."""
        row = MailboxRow(person_id)
        free = MailboxRow.lease.does_not_exist() | (MailboxRow.lease_until < to_epoch_ms(now))
        if mark:
            free &= listeners.can_append(mark)
        mine: Condition = MailboxRow.lease == holder  # whose answer got lost: AWS was asked twice
        try:
            row.update(
                actions=[
                    MailboxRow.lease.set(holder),
                    MailboxRow.lease_until.set(to_epoch_ms(until)),
                    *([listeners.append_pending(mark)] if mark else []),
                ],
                condition=free | mine,
            )
        except UpdateError as error:
            if is_lost_race(error):
                return None
            raise
        return _decode_mailbox(row)

    def enqueue_for_holder(self, person_id: str, mark: str, now: datetime) -> bool:
        """Add a mark (stream@version) to what the holder has to do. False if none is alive, if
        there is no room for it, or if it is there already."""
        try:
            MailboxRow(person_id).update(
                actions=[listeners.append_pending(mark)],
                condition=(MailboxRow.lease_until >= to_epoch_ms(now)) & listeners.can_append(mark),
            )
        except UpdateError as error:
            if is_lost_race(error):
                return False
            raise
        return True

    def list_events_before(self, person_id: str, seq: int | None, limit: int) -> list[Event]:
        """The events before `seq` (None: all), newest first, strongly consistent."""
        box = self.get_mailbox(person_id)
        return list(
            islice(_iterate_newest_first(box, box.next_seq if seq is None else seq, limit), limit)
        )

    def list_critical_events(self, day: date, since: datetime, limit: int) -> list[Event]:
        """The critical events of one day, in no particular order, from a time on."""
        keys = [
            (str(hit.person_id), int(hit.seq))
            for shard in range(CRITICAL_SHARDS)
            for hit in EventRow.by_critical.query(
                _critical_key(day, shard),
                EventRow.critical_at >= to_epoch_ms(since),
                scan_index_forward=False,
                limit=limit,
            )
        ]
        rows = EventRow.batch_get(keys) if keys else ()
        return [run[-1] for run in map(_decode_run, rows) if run]

    def list_events_from(self, mailbox: Mailbox, first_seq: int, limit: int) -> list[Event]:
        """Events from `first_seq` on, in order, strongly consistent, at most `limit`: with those
        that a head at hand has."""
        recent = mailbox.tail
        away = not recent or first_seq < recent[0].seq
        rows = EventRow.query(
            mailbox.person_id, EventRow.seq >= first_seq, consistent_read=True, page_size=_PAGE
        )
        runs = chain.from_iterable(map(_decode_run, rows)) if away else ()
        return list(islice(_drop_repeated(chain(runs, recent), first_seq), limit))

    def iterate_events_since(self, mailbox: Mailbox, at: datetime, limit: int) -> Iterator[Event]:
        """The events from a time on, newest first, at most `limit`, strongly consistent, read as
        far as they are looked at: with those that a head at hand has."""
        newest = islice(_iterate_newest_first(mailbox, mailbox.next_seq, _PAGE), limit)
        return takewhile(lambda event: event.at >= at, newest)

    def release_lease(self, mailbox: Mailbox, holder: str, done: int, now: datetime) -> bool:
        """Write the head back and end the lease, if nothing beyond the first `done` marks was
        left to do.

        False if more has been left meanwhile; the lease is still held then. Raises Stale if the
        lease was lost.
        """
        nothing_more: Condition = MailboxRow.todo[done].does_not_exist()
        try:
            MailboxRow(mailbox.person_id).update(
                actions=[*_build_head_actions(mailbox, holder, now), MailboxRow.todo.remove()],
                condition=(MailboxRow.lease == holder) & nothing_more,
            )
        except UpdateError as error:
            if not is_lost_race(error):
                raise
            row = MailboxRow.get(mailbox.person_id, consistent_read=True)
            if row.lease == holder:
                return False
            if row.ended != holder:  # else it is done, and AWS was asked twice
                raise Stale from None
        return True

    def release_partial(self, mailbox: Mailbox, holder: str, done: int, now: datetime) -> None:
        """Write the head back and end the lease; what is left to do beyond the first `done` marks
        stays, for the next holder. Raises Stale if the lease was lost."""
        try:
            MailboxRow(mailbox.person_id).update(
                actions=[
                    *_build_head_actions(mailbox, holder, now),
                    *(MailboxRow.todo[n].remove() for n in range(min(done, listeners.MAX_PENDING))),
                ],
                condition=MailboxRow.lease == holder,
            )
        except UpdateError as error:
            if not is_lost_race(error):
                raise
            if MailboxRow.get(mailbox.person_id, consistent_read=True).ended != holder:
                raise Stale from None


def _iterate_newest_first(mailbox: Mailbox, before: int, page: int) -> Iterator[Event]:
    """The events before a place, the newest first."""
    person_id, recent = mailbox.person_id, mailbox.tail
    within = before < (recent[0].seq if recent else mailbox.next_seq)

    def runs() -> Iterator[EventRow]:
        if within:  # maybe in the middle of a run
            yield from EventRow.query(
                person_id, EventRow.seq >= before, consistent_read=True, limit=1
            )
        yield from EventRow.query(
            person_id,
            EventRow.seq < before,
            consistent_read=True,
            scan_index_forward=False,
            page_size=page,
        )

    away = (event for row in runs() for event in reversed(_decode_run(row)))
    for event in chain(reversed(recent), away):
        if event.seq < before:
            yield event
            before = event.seq


def _drop_repeated(events: Iterable[Event], first_seq: int) -> Iterator[Event]:
    """Each event from a place on once: runs may overlap."""
    for event in events:
        if event.seq >= first_seq:
            yield event
            first_seq = event.seq + 1


def _save_run(person_id: str, run: tuple[Event, ...]) -> None:
    """Make a run of events a row, unless it is one already."""
    last = run[-1]
    row = EventRow(
        person_id=person_id,
        seq=last.seq,
        doc=pack(run),
        expires=int((max(event.at for event in run) + LOGGED_FOR + _GRACE).timestamp()),
    )
    if last.type in CRITICAL:
        row.critical_day = _critical_key(last.at, crc32(person_id.encode()) % CRITICAL_SHARDS)
        row.critical_at = to_epoch_ms(last.at)
    save_once(row, EventRow.seq.does_not_exist())


def _decode_run(row: EventRow) -> tuple[Event, ...]:
    """The events of a row; none where it can't be read, as those after it are worth telling."""
    try:
        return unpack(row.doc, tuple[Event, ...])
    except (msgspec.MsgspecError, ZlibError, KeyError):
        log.exception("parked: a run of events up to %d can't be decoded", row.seq)
        return ()


def _critical_key(day: date, shard: int) -> str:
    return f"{day:%Y-%m-%d}#{shard}"


def _build_head_actions(mailbox: Mailbox, holder: str, now: datetime) -> list[Action]:
    """What is written when a lease ends. Connections that have ended unnoticed are left out."""
    ended = [one.subscriber.connection_id for one in mailbox.subscribers if one.ends_at <= now]
    room = _MAX_HEAD_BYTES - listeners.estimate_size(mailbox.subscribers)
    return [
        MailboxRow.doc.set(_pack_head(mailbox, room)),
        MailboxRow.lease.remove(),
        MailboxRow.lease_until.remove(),
        MailboxRow.ended.set(holder),
        *(MailboxRow.listeners[id_].remove() for id_ in ended[:_MAX_ENDED]),
    ]


def _pack_head(mailbox: Mailbox, room: int) -> bytes:
    """What the head keeps, packed, with the newest events; all others are put away before.

    A critical event is put away at once, the last of its run, as it is looked up by an index.
    """

    def packed(tail: tuple[Event, ...]) -> bytes:
        return pack(
            StoredHead(
                mailbox.next_seq,
                mailbox.delivered_to,
                mailbox.cursor_by_type,
                mailbox.applied_versions,
                tail,
                mailbox.lags,
                mailbox.applied_dropped_at,
            )
        )

    old: tuple[Event, ...] = mailbox.stored_tail
    new: tuple[Event, ...] = ()
    for event in mailbox.unsaved:
        new = (*new, event)
        if event.type in CRITICAL:
            _save_run(mailbox.person_id, old + new)
            old, new = (), ()
    kept = packed(old + new)
    if old and new and len(kept) > room:
        _save_run(mailbox.person_id, old)
        old, kept = (), packed(new)
    if old + new and len(kept) > _MAX_TAIL_BYTES:
        _save_run(mailbox.person_id, old + new)
        kept = packed(())
    return kept


def _decode_mailbox(row: MailboxRow) -> Mailbox:
    head = unpack(row.doc, StoredHead) if row.doc else StoredHead()
    return Mailbox(
        person_id=row.person_id,
        next_seq=head.next_seq,
        delivered_to=head.delivered_to,
        cursor_by_type=head.cursor_by_type,
        applied_versions=head.applied_versions,
        applied_dropped_at=head.applied_dropped_at,
        lags=head.lags,
        pending=tuple(row.todo or ()),
        stored_tail=head.tail,
        subscribers=listeners.decode_subscribers(row),
        leased_until=from_epoch_ms(row.lease_until) if row.lease_until else None,
        holder=row.lease,
    )
