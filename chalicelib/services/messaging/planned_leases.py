"""Leases that are taken by the very write that commits an outbox (rule 4 of mailboxes.py).

1. read   Heads of the mailboxes that may be concerned are read beside whatever comes before the
          commit, at half the price.
2. plan   Where a mailbox is idle, has had a lease before and somebody to post to, its lease can be
          planned. Else the outbox is delivered as always, and so it is where reading failed.
3. commit The outbox and the lease are one transaction, on the condition that the head is as it was
          read (store/mailboxes.py). If only that does not hold, the outbox is written without it.
4. deliver The lease is as good as one that was taken afterwards: steps 2 to 4 of mailboxes.py.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from secrets import token_urlsafe

from msgspec.structs import replace

from chalicelib.domain.events import Outbox
from chalicelib.domain.messaging.mailboxes import Mailbox, PlannedLease
from chalicelib.services.messaging.leases import LEASE_TIME, MailboxLease
from chalicelib.services.ports import Clock, MailboxStore

log = logging.getLogger(__name__)

HeadsRead = Future[list[Mailbox]]
"""Heads that are being read, as they are or lately were."""

_MAX_HEADS = 4  # half a read unit each: where more may be concerned, too much is read in vain


class LeasePlanner:
    """Plans leases. `pool` reads heads meanwhile."""

    def __init__(self, store: MailboxStore, pool: Executor, clock: Clock) -> None:
        self._store = store
        self._pool = pool
        self._clock = clock

    def start_reading(self, person_ids: Sequence[str]) -> HeadsRead | None:
        """Begin to read the heads of these people's mailboxes; None where they are too many."""
        if not 0 < len(person_ids) <= _MAX_HEADS:
            return None
        return self._pool.submit(self._store.list_eventually, person_ids)

    def plan_lease(self, heads: HeadsRead, person_id: str, outbox: Outbox) -> PlannedLease | None:
        """Plan the lease of a person's mailbox for the commit of an outbox; None where it can't be
        planned. Never raises: it can still be taken after the commit."""
        try:
            head = next((one for one in heads.result() if one.person_id == person_id), None)
        except Exception:
            log.warning("no lease is planned: heads can't be read", exc_info=True)
            return None
        if head is None or not self._is_idle(head):
            return None
        # Whoever has no event in it is not delivered to, and nobody would end their lease.
        if outbox.find_newest_version(person_id) != outbox.newest_version:
            return None
        until = self._clock() + LEASE_TIME
        return PlannedLease(head, token_urlsafe(9), until, outbox.pending_id)

    def _is_idle(self, head: Mailbox) -> bool:
        """Tell whether nobody is at work on a mailbox, and there is somebody to post to at once: if
        there is not, nothing is won."""
        is_busy = head.holder is not None or bool(head.pending)
        # The log's epoch comes with a lease that is taken alone. (Heads of before have none.)
        had_lease = head.last_holder is not None and head.epoch != ""
        return had_lease and not is_busy and bool(head.list_subscribers(self._clock()))

    def begin_lease(self, planned: PlannedLease) -> MailboxLease:
        """Return a lease that was planned and is taken."""
        box = replace(planned.head, pending=(planned.pending_id,))
        return MailboxLease(self._store, box, planned.holder, planned.until, self._clock)
