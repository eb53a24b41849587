"""Mailboxes: the head of each person's log, and the log. services/mailbox.py has the rules."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import takewhile
from zlib import crc32

import msgspec
from pynamodb.exceptions import DoesNotExist, PutError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.events import CRITICAL, LOGGED_FOR, Event
from chalicelib.domain.mailboxes import Mailbox
from chalicelib.errors import Stale
from chalicelib.store.clock import ms
from chalicelib.store.failures import lost_race
from chalicelib.store.packing import pack, unpack
from chalicelib.store.tables import EventRow, MailboxRow

_PAGE = 100
CRITICAL_SHARDS = 2  # they are few

_GRACE = timedelta(hours=1)  # rows outlive their events, so that expiry never makes a gap


class Mailboxes:
    """The mailboxes and events tables."""

    def read(self, person_id: str) -> Mailbox:
        """Read a mailbox's head, strongly consistent; an empty one if there is none yet."""
        return self._read(person_id, consistent=True)

    def glance(self, person_id: str) -> Mailbox:
        """A mailbox's head as it is or lately was, for half the price."""
        return self._read(person_id, consistent=False)

    @staticmethod
    def _read(person_id: str, consistent: bool) -> Mailbox:
        try:
            return _decode(MailboxRow.get(person_id, consistent_read=consistent))
        except DoesNotExist:
            return Mailbox(person_id)

    def lease(self, person_id: str, holder: str, until: datetime) -> Mailbox | None:
        """Become the one writer. None if another holder is, or was and did not finish."""
        return self._lease(person_id, holder, until, MailboxRow.lease.does_not_exist())

    def take_over(
        self, person_id: str, holder: str, now: datetime, until: datetime
    ) -> Mailbox | None:
        """Become the one writer after a holder whose lease has run out. None if it has not."""
        free = MailboxRow.lease.does_not_exist() | (MailboxRow.lease_until < ms(now))
        return self._lease(person_id, holder, until, free)

    @staticmethod
    def _lease(
        person_id: str, holder: str, until: datetime, condition: Condition
    ) -> Mailbox | None:
        row = MailboxRow(person_id)
        mine: Condition = MailboxRow.lease == holder  # whose answer got lost: AWS was asked twice
        try:
            row.update(
                actions=[MailboxRow.lease.set(holder), MailboxRow.lease_until.set(ms(until))],
                condition=condition | mine,
            )
        except UpdateError as error:
            if lost_race(error):
                return None
            raise
        return _decode(row)

    def leave_to_holder(self, person_id: str, mark: str, now: datetime) -> bool:
        """Add a mark (stream@version) to what the holder has to do. False if none is alive."""
        try:
            MailboxRow(person_id).update(
                actions=[MailboxRow.todo.add({mark})],
                condition=MailboxRow.lease_until >= ms(now),
            )
        except UpdateError as error:
            if lost_race(error):
                return False
            raise
        return True

    def append(self, person_id: str, event: Event) -> None:
        """Put an event at its place in the log. Raises Stale if another is there."""
        row = EventRow(
            person_id=person_id,
            seq=event.seq,
            doc=pack(event),
            expires=int((event.at + LOGGED_FOR + _GRACE).timestamp()),
        )
        if event.type in CRITICAL:
            row.critical_day = _day(event.at, crc32(person_id.encode()) % CRITICAL_SHARDS)
            row.critical_at = ms(event.at)
        mine: Condition = EventRow.doc == row.doc  # whose answer got lost: AWS was asked twice
        try:
            row.save(condition=EventRow.seq.does_not_exist() | mine)
        except PutError as error:
            if lost_race(error):
                raise Stale from None
            raise

    def event(self, person_id: str, seq: int) -> Event | None:
        """Read one event, strongly consistent; None if there is none."""
        try:
            row = EventRow.get(person_id, seq, consistent_read=True)
        except DoesNotExist:
            return None
        return unpack(row.doc, Event)

    def back_from(self, person_id: str, seq: int | None, limit: int) -> list[Event]:
        """The events before `seq` (None: all), newest first, strongly consistent."""
        rows = EventRow.query(
            person_id,
            None if seq is None else EventRow.seq < seq,
            consistent_read=True,
            scan_index_forward=False,
            limit=limit,
        )
        return [unpack(row.doc, Event) for row in rows]

    def critical(self, day: date, since: datetime, limit: int) -> list[Event]:
        """The critical events of one day, in no particular order, from a time on."""
        keys = [
            (str(hit.person_id), int(hit.seq))
            for shard in range(CRITICAL_SHARDS)
            for hit in EventRow.by_critical.query(
                _day(day, shard),
                EventRow.critical_at >= ms(since),
                scan_index_forward=False,
                limit=limit,
            )
        ]
        rows = EventRow.batch_get(keys) if keys else ()
        return [unpack(row.doc, Event) for row in rows]

    def log(self, person_id: str, first_seq: int, limit: int) -> list[Event]:
        """Events from `first_seq` on, in order, strongly consistent, at most `limit`."""
        rows = EventRow.query(
            person_id, EventRow.seq >= first_seq, consistent_read=True, limit=limit
        )
        return [unpack(row.doc, Event) for row in rows]

    def since(self, person_id: str, at: datetime, limit: int, page: int = _PAGE) -> list[Event]:
        """The events of the log from a time on, newest first, strongly consistent."""
        rows = EventRow.query(
            person_id,
            consistent_read=True,
            scan_index_forward=False,
            limit=limit,
            page_size=page,
        )
        newest = (unpack(row.doc, Event) for row in rows)
        return list(takewhile(lambda event: event.at >= at, newest))

    def release(self, mailbox: Mailbox, holder: str, done: frozenset[str]) -> bool:
        """Write the head back and end the lease, if nothing beyond `done` was left to do.

        False if more has been left meanwhile; the lease is still held then. Raises Stale if the
        lease was lost.
        """
        nothing_more: Condition = (
            MailboxRow.todo == set(done) if done else MailboxRow.todo.does_not_exist()
        )
        try:
            MailboxRow(mailbox.person_id).update(
                actions=[*_head(mailbox), MailboxRow.todo.remove()],
                condition=(MailboxRow.lease == holder) & nothing_more,
            )
        except UpdateError as error:
            if not lost_race(error):
                raise
            if MailboxRow.get(mailbox.person_id, consistent_read=True).lease != holder:
                raise Stale from None
            return False
        return True

    def give_back(self, mailbox: Mailbox, holder: str, done: frozenset[str]) -> None:
        """Write the head back and end the lease; what is left to do beyond `done` stays, for the
        next holder. Raises Stale if the lease was lost."""
        try:
            MailboxRow(mailbox.person_id).update(
                actions=[*_head(mailbox), *([MailboxRow.todo.delete(set(done))] if done else [])],
                condition=MailboxRow.lease == holder,
            )
        except UpdateError as error:
            if lost_race(error):
                raise Stale from None
            raise


def _day(day: date, shard: int) -> str:
    return f"{day:%Y-%m-%d}#{shard}"


def _head(mailbox: Mailbox) -> list[Action]:
    """What is written when a lease ends."""
    return [
        MailboxRow.next_seq.set(mailbox.next_seq),
        MailboxRow.delivered_to.set(mailbox.delivered_to),
        MailboxRow.heard.set(msgspec.json.encode(mailbox.heard).decode()),
        MailboxRow.taken.set(msgspec.json.encode(mailbox.taken).decode()),
        MailboxRow.lease.remove(),
        MailboxRow.lease_until.remove(),
    ]


def _decode(row: MailboxRow) -> Mailbox:
    return Mailbox(
        person_id=row.person_id,
        next_seq=int(row.next_seq or 1),
        delivered_to=int(row.delivered_to or 0),
        heard=msgspec.json.decode(row.heard) if row.heard else {},
        taken=msgspec.json.decode(row.taken) if row.taken else {},
        todo=frozenset(row.todo or ()),
    )
