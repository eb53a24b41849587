"""Mailboxes: the head of each, a row with its lease. The rules: services/messaging/mailboxes.py.

The newest events are kept in the head itself, where writing them costs nothing: the head is written
anyway, when a lease ends. Once they would make it larger than a write unit they are saved as one
row of the events table (mailbox_log.py).

Every write here is one conditional update, and may be sent twice by the SDK when its answer gets
lost. So each finds out whether it was itself that came first: `lease` and `ended` name the holder
that has the lease, or that ended it last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import islice, takewhile

import msgspec
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition, size
from pynamodb.expressions.update import Action

from chalicelib.domain.events import CRITICAL, Event
from chalicelib.domain.messaging.cursors import SubscriberLag
from chalicelib.domain.messaging.mailboxes import Mailbox, PlannedLease
from chalicelib.domain.messaging.positions import make_epoch
from chalicelib.errors import Stale
from chalicelib.store import mailbox_log
from chalicelib.store import mailbox_subscribers as subscribers
from chalicelib.store.clock import from_epoch_ms, to_epoch_ms
from chalicelib.store.compression import pack, unpack
from chalicelib.store.conditional import RowUpdate, try_update
from chalicelib.store.tables import MailboxRow

_PAGE = 100
_MAX_ENDED = 50  # subscribers taken out in one write
_MAX_HEAD_BYTES = 810  # of a head's doc and subscribers; with the rest it stays under 1 KB
_MAX_TAIL_BYTES = 16_000  # a larger tail is saved at once: each write of the head writes it, too


class StoredHead(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a head's doc keeps of a Mailbox between two leases. (`pending`, the subscribers and the
    lease are attributes of their own: they are written without the lease.)"""

    next_seq: int = 1
    delivered_to: int = 0
    cursor_by_type: dict[str, int] = msgspec.field(default={}, name="heard")
    applied_versions: dict[str, tuple[int, int]] = msgspec.field(default={}, name="taken")
    tail: tuple[Event, ...] = ()
    lags: dict[str, SubscriberLag] = {}
    applied_dropped_at: int = msgspec.field(default=0, name="forgotten_at")


class MailboxTable:
    """The mailboxes table; with a mailbox at hand, its log in the events table."""

    # The head

    def get_mailbox(self, person_id: str) -> Mailbox:
        """Read a mailbox's head, strongly consistent; an empty one if there is none yet."""
        return self._get_mailbox(person_id, consistent=True)

    def get_eventually(self, person_id: str) -> Mailbox:
        """Read a mailbox's head as it is or lately was, for half the price."""
        return self._get_mailbox(person_id, consistent=False)

    @staticmethod
    def _get_mailbox(person_id: str, consistent: bool) -> Mailbox:
        try:
            return _decode_mailbox(MailboxRow.get(person_id, consistent_read=consistent))
        except DoesNotExist:
            return Mailbox(person_id)

    def list_eventually(self, person_ids: Sequence[str]) -> list[Mailbox]:
        """List the heads of some people's mailboxes as they are or lately were: those that there
        are, in no order."""
        return [_decode_mailbox(row) for row in MailboxRow.batch_get(person_ids)]

    # The lease

    def acquire_lease(
        self,
        person_id: str,
        holder: str,
        now: datetime,
        until: datetime,
        pending_id: str | None = None,
    ) -> Mailbox | None:
        """Take the lease, with `pending_id` the last of what is pending; return the head. None,
        and nothing is written, if another has a lease that has not run out, or if there is no room
        for the id, or no need of it."""
        row = MailboxRow(person_id)
        free: Condition = MailboxRow.lease.does_not_exist() | (
            MailboxRow.lease_until < to_epoch_ms(now)
        )
        if pending_id:
            free &= subscribers.can_append(pending_id)
        mine: Condition = MailboxRow.lease == holder  # the answer got lost: this is sent again
        actions: list[Action] = [
            MailboxRow.lease.set(holder),
            MailboxRow.lease_until.set(to_epoch_ms(until)),
            _set_epoch(now),
        ]
        if pending_id:
            actions.append(subscribers.append_pending(pending_id))
        return _decode_mailbox(row) if try_update(row, actions, free | mine) else None

    def give_epoch(self, person_id: str, now: datetime) -> Mailbox:
        """Give a log that had no lease yet its epoch; return the head. A write, once of a log."""
        row = MailboxRow(person_id)
        if try_update(row, [_set_epoch(now)], MailboxRow.epoch.does_not_exist()):
            return _decode_mailbox(row)
        return self.get_mailbox(person_id)

    def enqueue_for_holder(self, person_id: str, pending_id: str, now: datetime) -> bool:
        """Add to what is pending, for whoever has the lease. Returns False if nobody has it, if
        there is no room for the id, or if it is pending already."""
        is_leased: Condition = MailboxRow.lease_until >= to_epoch_ms(now)
        return try_update(
            MailboxRow(person_id),
            [subscribers.append_pending(pending_id)],
            is_leased & subscribers.can_append(pending_id),
        )

    def release_lease(self, mailbox: Mailbox, holder: str, applied: int, now: datetime) -> bool:
        """Write the head back and end the lease, if nothing is pending beyond the first `applied`
        ids. Returns False if something is: the lease is still held then. Raises Stale if the lease
        was lost."""
        nothing_more: Condition = MailboxRow.pending[applied].does_not_exist()
        if try_update(
            MailboxRow(mailbox.person_id),
            [*_make_head_actions(mailbox, holder, now), MailboxRow.pending.remove()],
            (MailboxRow.lease == holder) & nothing_more,
        ):
            return True
        row = MailboxRow.get(mailbox.person_id, consistent_read=True)
        if row.lease == holder:
            return False
        if row.last_holder != holder:
            raise Stale
        return True  # done by this very write, whose answer got lost

    def release_partial(self, mailbox: Mailbox, holder: str, applied: int, now: datetime) -> None:
        """Write the head back and end the lease; what is pending beyond the first `applied` ids
        stays, for the next holder. Raises Stale if the lease was lost."""
        done = range(min(applied, subscribers.MAX_PENDING))
        if try_update(
            MailboxRow(mailbox.person_id),
            [
                *_make_head_actions(mailbox, holder, now),
                *(MailboxRow.pending[n].remove() for n in done),
            ],
            MailboxRow.lease == holder,
        ):
            return
        if MailboxRow.get(mailbox.person_id, consistent_read=True).last_holder != holder:
            raise Stale

    # The log

    def list_events_from(self, mailbox: Mailbox, first_seq: int, limit: int) -> list[Event]:
        """List the events from `first_seq` on, in order, at most `limit`, strongly consistent."""
        return mailbox_log.list_events_from(mailbox, first_seq, limit)

    def iterate_events_from(self, mailbox: Mailbox, first_seq: int) -> Iterator[Event]:
        """Yield the events from `first_seq` on, in order, strongly consistent; they are read only
        as far as the caller goes on."""
        return mailbox_log.iterate_events_from(mailbox, first_seq, _PAGE)

    def list_events_before(self, person_id: str, seq: int | None, limit: int) -> list[Event]:
        """List the events before `seq` (None: all), newest first, strongly consistent."""
        box = self.get_mailbox(person_id)
        before = box.next_seq if seq is None else seq
        return list(islice(mailbox_log.iterate_newest_first(box, before, limit), limit))

    def iterate_events_since(self, mailbox: Mailbox, at: datetime, limit: int) -> Iterator[Event]:
        """Yield the events from a time on, newest first, at most `limit`, strongly consistent; they
        are read only as far as the caller goes on."""
        newest = mailbox_log.iterate_newest_first(mailbox, mailbox.next_seq, _PAGE)
        return takewhile(lambda event: event.at >= at, islice(newest, limit))

    def list_critical_events(self, day: date, since: datetime, limit: int) -> list[Event]:
        """List everybody's critical events of one day from a time on, in no particular order."""
        return mailbox_log.list_critical_events(day, since, limit)


def make_lease_update(planned: PlannedLease) -> RowUpdate:
    """Make the update by which a planned lease is taken, as a part of a transaction: the head must
    be as it was read, and nobody have the lease.

    That `last_holder` is the same, nothing is pending and the subscribers are as many says so.
    Whoever writes the doc sets `last_holder` anew. Whoever subscribes leaves an arrival pending,
    which goes by such a write only. And whoever is taken out makes the subscribers fewer.
    """
    head = planned.head
    is_as_read: Condition = MailboxRow.lease.does_not_exist()
    is_as_read &= MailboxRow.pending[0].does_not_exist()
    is_as_read &= MailboxRow.last_holder == head.last_holder
    is_as_read &= size(MailboxRow.subscribers) == len(head.subscribers)
    mine: Condition = MailboxRow.lease == planned.holder  # the answer got lost: sent again
    actions: list[Action] = [
        MailboxRow.lease.set(planned.holder),
        MailboxRow.lease_until.set(to_epoch_ms(planned.until)),
        # Not set to just this: sent again, it must keep what came meanwhile.
        subscribers.append_pending(planned.pending_id),
    ]
    return RowUpdate(MailboxRow(head.person_id), actions, is_as_read | mine)


def _set_epoch(now: datetime) -> Action:
    """Make the action that gives a log its epoch, unless it has one. It goes with the first lease:
    no event is posted earlier, and a successor of a dead holder finds the same."""
    action: Action = MailboxRow.epoch.set(MailboxRow.epoch | make_epoch(now))
    return action


def _make_head_actions(mailbox: Mailbox, holder: str, now: datetime) -> list[Action]:
    """Make what is written when a lease ends. Subscribers whose connections have ended unnoticed
    are taken out."""
    ended = [one.subscriber.connection_id for one in mailbox.subscribers if one.ends_at <= now]
    max_bytes = _MAX_HEAD_BYTES - subscribers.estimate_size(mailbox.subscribers)
    return [
        MailboxRow.doc.set(_pack_head(mailbox, max_bytes)),
        MailboxRow.lease.remove(),
        MailboxRow.lease_until.remove(),
        MailboxRow.last_holder.set(holder),
        *(MailboxRow.subscribers[id_].remove() for id_ in ended[:_MAX_ENDED]),
    ]


def _pack_head(mailbox: Mailbox, max_bytes: int) -> bytes:
    """Pack the head with as many of the newest events as fit in `max_bytes`.

    What does not fit is saved as a run *before* the head is written without it: a crash between the
    two leaves an event in both, never in neither. The new events are kept, if need be beyond
    `max_bytes`, up to _MAX_TAIL_BYTES: saving them is another write, and the old ones of this head
    become a run next time anyway.
    """
    person_id = mailbox.person_id
    old, new = _save_critical(mailbox)
    packed = _pack_with_tail(mailbox, old + new)
    if old and new and len(packed) > max_bytes:
        mailbox_log.save_run(person_id, old)
        old, packed = (), _pack_with_tail(mailbox, new)
    if old + new and len(packed) > _MAX_TAIL_BYTES:
        mailbox_log.save_run(person_id, old + new)
        packed = _pack_with_tail(mailbox, ())
    return packed


def _save_critical(mailbox: Mailbox) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
    """Save each critical event at once, the last of its run, as it is looked up by an index.
    Returns the events that are left for the head: those it has stored, and the new ones."""
    old: tuple[Event, ...] = mailbox.stored_tail
    new: tuple[Event, ...] = ()
    for event in mailbox.unsaved:
        new = (*new, event)
        if event.type in CRITICAL:
            mailbox_log.save_run(mailbox.person_id, old + new)
            old, new = (), ()
    return old, new


def _pack_with_tail(mailbox: Mailbox, tail: tuple[Event, ...]) -> bytes:
    return pack(
        StoredHead(
            next_seq=mailbox.next_seq,
            delivered_to=mailbox.delivered_to,
            cursor_by_type=mailbox.cursor_by_type,
            applied_versions=mailbox.applied_versions,
            tail=tail,
            lags=mailbox.lags,
            applied_dropped_at=mailbox.applied_dropped_at,
        )
    )


def _decode_mailbox(row: MailboxRow) -> Mailbox:
    head = unpack(row.doc, StoredHead) if row.doc else StoredHead()
    return Mailbox(
        person_id=row.person_id,
        epoch=row.epoch or "",
        next_seq=head.next_seq,
        delivered_to=head.delivered_to,
        cursor_by_type=head.cursor_by_type,
        applied_versions=head.applied_versions,
        applied_dropped_at=head.applied_dropped_at,
        lags=head.lags,
        pending=tuple(row.pending or ()),
        stored_tail=head.tail,
        subscribers=subscribers.decode_subscribers(row),
        leased_until=from_epoch_ms(row.lease_until) if row.lease_until else None,
        holder=row.lease,
        last_holder=row.last_holder,
    )
