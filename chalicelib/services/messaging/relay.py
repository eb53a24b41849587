"""The relay: everybody whom an outbox concerns is told, at once and, if that fails, again."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from chalicelib.domain.events import Entry, Outbox
from chalicelib.domain.messaging.mailboxes import APPLIED_KEPT_FOR
from chalicelib.errors import PostFailed, Stale
from chalicelib.services.messaging.mailboxes import Mailboxes

log = logging.getLogger(__name__)


class OutboxRelay:
    """Tells the recipients of an outbox, each through their own mailbox."""

    def __init__(self, mailboxes: Mailboxes, pool: ThreadPoolExecutor) -> None:
        """`pool` must be another than the mailboxes': its tasks wait for theirs."""
        self._mailboxes = mailboxes
        self._pool = pool

    def deliver_now(self, outbox: Outbox) -> None:
        """Tell the recipients of the newest version, side by side. Never raises: what is committed
        is committed, and the relay wakeup that was sent before does again what fails here."""
        newest = Outbox(outbox.stream, outbox.details, outbox.entries[-1:])
        first, others = newest.list_recipients()[:1], newest.list_recipients()[1:]
        jobs = [self._pool.submit(self._try_deliver, person_id, outbox) for person_id in others]
        for person_id in first:
            self._try_deliver(person_id, outbox)
        for job in jobs:
            job.result()

    def _try_deliver(self, person_id: str, outbox: Outbox) -> None:
        try:
            self._mailboxes.deliver_outbox(person_id, outbox)
        except PostFailed as error:
            log.info("relay of %s is left to its wakeup: %s", outbox.pending_id, error)
        except Exception:
            log.warning("relay of %s is left to its wakeup", outbox.pending_id, exc_info=True)

    def is_delivered(self, stream: str, version: int, person_ids: tuple[str, ...]) -> bool:
        """Whether all of these have been told of a version: half a read unit each."""
        return all(
            self._mailboxes.is_delivered(person_id, stream, version) for person_id in person_ids
        )

    def deliver_again(self, outbox: Outbox) -> bool:
        """Tell whoever has not been told. True when nobody is left; False if a mailbox is held by
        another, who may yet fail, or changes hands too fast.

        Everybody is tried before anything is raised: what nobody expected, or else PostFailed if
        somebody's socket could not be posted to now.
        """
        finished = True
        failures: list[Exception] = []
        for person_id in outbox.list_recipients():
            try:
                finished = self._deliver_again(person_id, outbox) and finished
            except Exception as error:  # noqa: BLE001 - raised below: one must not stop the others
                failures.append(error)
        if failures:
            raise min(failures, key=lambda error: isinstance(error, PostFailed))
        return finished

    def _deliver_again(self, person_id: str, outbox: Outbox) -> bool:
        if self._mailboxes.is_delivered(
            person_id, outbox.stream, outbox.find_newest_version(person_id)
        ):
            return True
        try:
            return self._mailboxes.deliver_outbox(person_id, outbox)
        except Stale:
            return False

    def keep_undelivered(
        self, before: Outbox, entries: tuple[Entry, ...], now: datetime
    ) -> tuple[Entry, ...]:
        """The entries that an outbox is to have, with those it may not lose yet: an entry leaves
        only once it is in its recipients' mailboxes. An old one is: its wakeups have long been
        handled, or lie in the dead-letter queue with an alarm."""
        oldest_kept = entries[0].version if entries else 0
        young = tuple(
            e for e in before.entries if e.version < oldest_kept and now - e.at < APPLIED_KEPT_FOR
        )
        return (*self.deliver_or_keep(before, young), *entries) if young else entries

    def deliver_or_keep(self, outbox: Outbox, dropped: tuple[Entry, ...]) -> tuple[Entry, ...]:
        """Which of the entries that an outbox is about to lose are not in every mailbox yet, after
        having tried. A mailbox that another holds is left to them: they read the outbox later, so
        that it must still have what they were left. A socket that can't be posted to keeps nothing
        here, once its person's log has the events."""
        leaving, finished = Outbox(outbox.stream, None, dropped), True
        for person_id in leaving.list_recipients():
            newest = leaving.find_newest_version(person_id)
            if not self._mailboxes.is_logged(person_id, outbox.stream, newest):
                finished = self._try_append(person_id, outbox) and finished
        return () if finished else dropped

    def _try_append(self, person_id: str, outbox: Outbox) -> bool:
        """Whether a person's log has an outbox's events, after having tried to put them there."""
        try:
            return self._mailboxes.deliver_outbox(person_id, outbox)
        except Stale:
            return False
        except PostFailed:  # it is in the log, and some socket of theirs is behind; theirs alone
            return True
