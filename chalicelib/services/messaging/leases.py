"""A mailbox's lease in hand: the right to append to it, deliver from it, and write its head."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from msgspec.structs import replace

from chalicelib.domain.events import Event, Outbox
from chalicelib.domain.messaging.connections import Subscriber
from chalicelib.domain.messaging.mailboxes import Mailbox
from chalicelib.errors import PostFailed, Stale
from chalicelib.services.messaging.posting import SkipEvent, skip_nothing
from chalicelib.services.ports import Clock, MailboxStore

log = logging.getLogger(__name__)

LEASE_TIME = timedelta(seconds=10)
_POST_MARGIN = timedelta(seconds=5)  # a post may take that long; none is begun later


class LeaseHeld(Exception):
    """Another has the lease; come back later."""


class LeaseEnding(PostFailed):
    """No time is left to post the rest in. What was posted is noted; come back soon."""


class MailboxLease:
    """The lease on one mailbox, from `acquire_lease` to the write that ends it.

    `box` is the head as it will be written back: changes stay in memory until then. `outboxes` are
    those at hand, by stream, so that they need not be read. `skip` says what not to deliver.
    `failed` are the subscribers that could not be posted to, `first_delivered` the events that
    were delivered to a subscriber for the first time.
    """

    def __init__(
        self, store: MailboxStore, box: Mailbox, holder: str, until: datetime, clock: Clock
    ) -> None:
        self.box = box
        self.outboxes: dict[str, Outbox] = {}
        self.skip: SkipEvent = skip_nothing
        self.failed: list[Subscriber] = []
        self.first_delivered: list[Event] = []
        self._store = store
        self._until = until
        self._clock = clock
        self._holder = holder
        self._applied = 0  # of `box.pending`, from the front

    @property
    def post_until(self) -> datetime:
        """When no post may be begun any more: the lease must not run out during one (rule 1)."""
        return self._until - _POST_MARGIN

    def check_time(self) -> None:
        """Raise LeaseEnding if no time is left to post in."""
        if self._clock() > self.post_until:
            raise LeaseEnding

    def check_delivered(self, connection_id: str) -> None:
        """Raise PostFailed if a connection is behind after a delivery."""
        lagging = self.box.list_lagging(self._clock())
        if any(subscriber.connection_id == connection_id for subscriber in lagging):
            raise PostFailed("the connection is behind")

    def list_pending(self) -> tuple[str, ...]:
        """List the pending ids that are not applied yet, the earliest first."""
        return self.box.pending[self._applied :]

    def count_applied(self) -> None:
        """Count the next pending id as applied. It is counted only afterwards: one that could not
        be read now must stay pending, or its events would never be delivered (rule 3)."""
        self._applied += 1

    def enqueue_outbox(self, outbox: Outbox) -> None:
        """Add an outbox to what is pending, unless the log has its events for this mailbox."""
        self.outboxes[outbox.stream] = outbox
        version = outbox.find_newest_version(self.box.person_id)
        if not self.box.has_applied(outbox.stream, version):
            self._store.enqueue_for_holder(self.box.person_id, outbox.pending_id, self._clock())

    def refresh(self) -> None:
        """Read what is pending and who subscribes by now. Raises Stale if the lease was lost: the
        places that this holder would give are another's by then."""
        current = self._store.get_mailbox(self.box.person_id)
        if current.holder != self._holder:
            raise Stale
        self.box = replace(self.box, pending=current.pending, subscribers=current.subscribers)

    def release(self) -> bool:
        """Write the head and end the lease (step 4). Returns False, and neither is done, if
        `pending` has grown. Raises Stale if the lease was lost."""
        return self._store.release_lease(self.box, self._holder, self._applied, self._clock())

    def release_partial(self) -> bool:
        """Write the head and end the lease, and leave to the next holder what is still pending.
        Returns False where that fails: then the lease runs out by itself, and nothing is lost."""
        try:
            self._store.release_partial(self.box, self._holder, self._applied, self._clock())
        except Exception:
            log.warning("a lease is left to run out", exc_info=True)
            return False
        return True
