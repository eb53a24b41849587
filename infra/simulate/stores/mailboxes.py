"""Mailboxes in memory: heads with their leases, and logs, as store/mailboxes.py has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import islice, takewhile

from msgspec.structs import replace

from chalicelib.domain.events import CRITICAL, Event
from chalicelib.domain.messaging.connections import Subscriber
from chalicelib.domain.messaging.mailboxes import Mailbox, MailboxSubscriber, PlannedLease
from chalicelib.domain.messaging.positions import make_epoch
from chalicelib.errors import Stale
from infra.simulate.stores.bill import TRANSACTED, Bill

_MAX_PENDING = 200
_MAX_TAIL = 10  # events that fit into a head of 1 KB, or so: docs/cost.md


class MemoryMailboxes:
    """Implements services.ports.MailboxStore."""

    def __init__(self, bill: Bill) -> None:
        self._bill = bill
        self._heads: dict[str, Mailbox] = {}
        self._logs: defaultdict[str, list[Event]] = defaultdict(list)

    def subscribe(self, person_id: str, subscriber: Subscriber, ends_at: datetime) -> None:
        """Let a connection subscribe to a mailbox that is new."""
        self._heads[person_id] = replace(
            self._find_head(person_id), subscribers=(MailboxSubscriber(subscriber, ends_at),)
        )

    def list_subscribers(self, person_id: str, now: datetime) -> list[Subscriber]:
        """List who subscribes to a mailbox."""
        return self._find_head(person_id).list_subscribers(now)

    # The head

    def get_mailbox(self, person_id: str) -> Mailbox:
        """Read a head; an empty one if there is none yet."""
        self._bill.charge_read("mailboxes")
        return self._find_head(person_id)

    def get_eventually(self, person_id: str) -> Mailbox:
        """Read a head for half the price."""
        self._bill.charge_read("mailboxes", 1)
        return self._find_head(person_id)

    def list_eventually(self, person_ids: Sequence[str]) -> list[Mailbox]:
        """List those heads that there are."""
        self._bill.charge_read("mailboxes", len(person_ids))
        return [self._heads[id_] for id_ in person_ids if id_ in self._heads]

    # The lease

    def acquire_lease(
        self,
        person_id: str,
        holder: str,
        now: datetime,
        until: datetime,
        pending_id: str | None = None,
    ) -> Mailbox | None:
        """Take the lease, with an id pending; None if another has it, or the id has no place."""
        self._bill.charge_write("mailboxes")
        head = self._find_head(person_id)
        if head.holder is not None and head.is_leased(now):
            return None
        pending = head.pending
        if pending_id:
            if len(pending) >= _MAX_PENDING or pending_id in pending:
                return None
            pending = (*pending, pending_id)
        taken = replace(
            head,
            holder=holder,
            leased_until=until,
            pending=pending,
            epoch=head.epoch or make_epoch(now),
        )
        self._heads[person_id] = taken
        return taken

    def take_planned(self, planned: PlannedLease) -> bool:
        """Take a planned lease as a part of a transaction, if the head is as it was read."""
        head, read = self._find_head(planned.head.person_id), planned.head
        is_as_read = head.last_holder == read.last_holder and not head.pending
        if head.holder is not None or not is_as_read:
            return False
        if len(head.subscribers) != len(read.subscribers):
            return False
        self._bill.charge_write("mailboxes", TRANSACTED)
        self._heads[head.person_id] = replace(
            head,
            holder=planned.holder,
            leased_until=planned.until,
            pending=(planned.pending_id,),
        )
        return True

    def give_epoch(self, person_id: str, now: datetime) -> Mailbox:
        """Give a log its epoch, unless it has one."""
        head = self._find_head(person_id)
        self._heads[person_id] = head = replace(head, epoch=head.epoch or make_epoch(now))
        return head

    def enqueue_for_holder(self, person_id: str, pending_id: str, now: datetime) -> bool:
        """Add to what is pending, for whoever has the lease; False if nobody has."""
        self._bill.charge_write("mailboxes")
        head = self._find_head(person_id)
        is_full = len(head.pending) >= _MAX_PENDING or pending_id in head.pending
        if not head.is_leased(now) or is_full:
            return False
        self._heads[person_id] = replace(head, pending=(*head.pending, pending_id))
        return True

    def release_lease(self, mailbox: Mailbox, holder: str, applied: int, now: datetime) -> bool:
        """Write the head back and end the lease; False if more is pending than was applied. Raises
        Stale if the lease was lost."""
        head = self._find_head(mailbox.person_id)
        self._bill.charge_write("mailboxes")
        if head.holder != holder:
            raise Stale
        if len(head.pending) > applied:
            return False
        self._write_back(head, mailbox, holder, ())
        return True

    def release_partial(self, mailbox: Mailbox, holder: str, applied: int, now: datetime) -> None:
        """Write the head back and end the lease; what was not applied stays pending. Raises Stale
        if the lease was lost."""
        head = self._find_head(mailbox.person_id)
        self._bill.charge_write("mailboxes")
        if head.holder != holder:
            raise Stale
        self._write_back(head, mailbox, holder, head.pending[applied:])

    def _write_back(
        self, head: Mailbox, mailbox: Mailbox, holder: str, pending: tuple[str, ...]
    ) -> None:
        """Write a head that its holder has changed. The events that it had before go into a row of
        their own once they and the new ones do not fit."""
        person_id, unsaved = mailbox.person_id, mailbox.unsaved
        self._logs[person_id] += unsaved
        tail = mailbox.stored_tail + unsaved
        if mailbox.stored_tail and unsaved and len(tail) > _MAX_TAIL:
            self._bill.charge_write("mailboxes")
            tail = unsaved
        self._heads[person_id] = replace(
            mailbox,
            stored_tail=tail,
            unsaved=(),
            pending=pending,
            subscribers=head.subscribers,
            holder=None,
            leased_until=None,
            last_holder=holder,
        )

    def _find_head(self, person_id: str) -> Mailbox:
        return self._heads.get(person_id) or Mailbox(person_id)

    # The log

    def list_events_from(self, mailbox: Mailbox, first_seq: int, limit: int) -> list[Event]:
        """List the events from a place on, in order."""
        return list(islice(self.iterate_events_from(mailbox, first_seq), limit))

    def iterate_events_from(self, mailbox: Mailbox, first_seq: int) -> Iterator[Event]:
        """Yield the events from a place on, in order."""
        yield from self._logs[mailbox.person_id][first_seq - 1 :]
        yield from (event for event in mailbox.unsaved if event.seq >= first_seq)

    def list_events_before(self, person_id: str, seq: int | None, limit: int) -> list[Event]:
        """List the events before a place, the newest first."""
        log = self._logs[person_id]
        return log[: len(log) if seq is None else seq - 1][::-1][:limit]

    def iterate_events_since(self, mailbox: Mailbox, at: datetime, limit: int) -> Iterator[Event]:
        """Yield the events from a time on, the newest first."""
        newest_first = reversed([*self._logs[mailbox.person_id], *mailbox.unsaved])
        return takewhile(lambda event: event.at >= at, islice(newest_first, limit))

    def list_critical_events(self, day: date, since: datetime, limit: int) -> list[Event]:
        """List everybody's critical events of a day."""
        events = (event for log in self._logs.values() for event in log)
        found = (e for e in events if e.type in CRITICAL and e.at.date() == day and e.at >= since)
        return list(islice(found, limit))
