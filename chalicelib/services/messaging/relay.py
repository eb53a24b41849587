"""The relay: an outbox is delivered to everybody it concerns, at once and, if that fails, again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import datetime

from msgspec.structs import replace

from chalicelib.domain.events import ORDER_OFFERED, Entry, Outbox
from chalicelib.domain.messaging.mailboxes import APPLIED_KEPT_FOR
from chalicelib.domain.webhooks.endpoint import parse_endpoint_id
from chalicelib.errors import PostFailed, Stale, Unavailable
from chalicelib.services.messaging.endpoints import (
    MAX_ENDPOINTS_AT_ONCE,
    REGISTRY_LAG,
    EndpointDirectory,
    NoEndpoints,
)
from chalicelib.services.messaging.leases import MailboxLease
from chalicelib.services.messaging.mailboxes import Mailboxes

log = logging.getLogger(__name__)

EarlyLeases = Mapping[str, Future[MailboxLease | None]]
"""By recipient, what Mailboxes.lease_early is about to return."""

FindLease = Callable[[str], MailboxLease | None]
"""Finds the lease of a recipient's mailbox, where it is taken already."""


class OutboxRelay:
    """Delivers an outbox to its recipients, each through their own mailbox, side by side: no
    recipient waits for another's lease."""

    def __init__(
        self,
        mailboxes: Mailboxes,
        pool: ThreadPoolExecutor,
        endpoints: EndpointDirectory | None = None,
        report_delivered: Callable[[datetime], object] = lambda at: None,
    ) -> None:
        """Set up the relay. `pool` is another than the mailboxes': its tasks wait for theirs.
        `report_delivered` hears, with the time of its commit, of each outbox once all have it."""
        self._report_delivered = report_delivered
        self._endpoints = endpoints or NoEndpoints()
        self._mailboxes = mailboxes
        self._pool = pool

    def write_and_deliver(self, outbox: Outbox, write: Callable[[], object]) -> None:
        """Call `write`, which writes an outbox, and deliver its newest version to the recipients.
        Their leases are taken meanwhile.

        Raises what `write` raises, and nothing else: what is written stays so, and the relay wakeup
        that was sent before does again what fails here.
        """
        leases = {
            id_: self._pool.submit(self._mailboxes.lease_early, id_, outbox)
            for id_ in _list_newest_recipients(outbox)
        }
        try:
            write()
        except Exception:
            self._end_leases(outbox, leases)
            raise
        finally:
            wait(leases.values())  # a function that is frozen meanwhile goes on at its next call
        self._deliver_newest(outbox, lambda person_id: leases[person_id].result())

    def deliver_now(self, outbox: Outbox, lease: MailboxLease | None = None) -> None:
        """Deliver the newest version of an outbox that is written, maybe together with the `lease`
        of one recipient. Never raises, likewise."""
        leased_id = lease.box.person_id if lease else None
        self._deliver_newest(outbox, lambda person_id: lease if person_id == leased_id else None)

    def _deliver_newest(self, outbox: Outbox, find_lease: FindLease) -> None:
        delivered: list[str] = []

        def deliver(person_id: str) -> bool:
            with _leave_to_wakeup(outbox):
                if self._mailboxes.deliver_outbox(person_id, outbox, find_lease(person_id)):
                    delivered.append(person_id)
            return True

        endpoints = self.list_subscribed_endpoints(outbox)[:MAX_ENDPOINTS_AT_ONCE]
        everybody = (*_list_newest_recipients(outbox), *endpoints)
        self._run_for_all(deliver, everybody)
        if outbox.entries and len(delivered) == len(everybody):
            self._report_delivered(outbox.entries[-1].at)

    def _end_leases(self, outbox: Outbox, leases: EarlyLeases) -> None:
        """End the leases that were taken for an outbox that could not be written."""

        def end(person_id: str) -> bool:
            with _leave_to_wakeup(outbox):
                lease = leases[person_id].result()
                if lease:
                    self._mailboxes.end_early_lease(lease)
            return True

        self._run_for_all(end, tuple(leases))

    def list_subscribed_endpoints(self, outbox: Outbox) -> tuple[str, ...]:
        """List the endpoints' mailboxes that have an event in the newest version of an outbox, as
        far as this process knows."""
        return self._endpoints.list_subscribed(replace(outbox, entries=outbox.entries[-1:]))

    def list_known_endpoints(self, outbox: Outbox) -> tuple[str, ...]:
        """List the mailboxes of the endpoints that may hear of an outbox, likewise."""
        return self._endpoints.list_known(outbox)

    def may_miss_endpoint(self, stream: str, sent_at: datetime) -> bool:
        """Tell whether a wakeup that was sent at a time may not name an endpoint that hears of its
        stream. Raises Unavailable."""
        return self._endpoints.may_be_unknown(stream, sent_at, sent_at + REGISTRY_LAG)

    def deliver_again(self, outbox: Outbox, recipients: Sequence[str], sent_at: datetime) -> bool:
        """Deliver to whoever has not been delivered to. Returns True when nobody is left; False if
        a mailbox is leased by another, who may yet fail, or changes hands too fast.

        `recipients` are those of the version that this is about. The outbox may have lost its entry
        since: then their logs have its events, but a subscriber of theirs may still be behind.
        `sent_at` is when the wakeup was sent, before the commit: every endpoint is told that there
        was then or soon after.

        Raises PostFailed if somebody's connection can't be posted to now.
        """
        endpoints = self._endpoints.find_subscribed(outbox, sent_at + REGISTRY_LAG)
        late: list[str] = []

        def deliver(person_id: str) -> bool:
            version = self._find_newest_version(outbox, person_id)
            if self._mailboxes.is_delivered(person_id, outbox.stream, version):
                return True
            late.append(person_id)
            try:
                return self._mailboxes.deliver_outbox(person_id, outbox)
            except Stale:
                return False

        everybody = tuple(dict.fromkeys((*outbox.list_recipients(), *recipients, *endpoints)))
        is_done = self._run_for_all(deliver, everybody)
        if is_done and late and outbox.entries:
            self._report_delivered(outbox.entries[-1].at)
        return is_done

    def is_delivered(self, stream: str, version: int, person_ids: tuple[str, ...]) -> bool:
        """Tell whether a version has been delivered to all of these: half a read unit each."""
        return all(self._mailboxes.is_delivered(id_, stream, version) for id_ in person_ids)

    def is_offer_delivered(self, stream: str, version: int, person_ids: tuple[str, ...]) -> bool:
        """Tell whether a version that offers an order has been delivered to all of these and to the
        couriers whom their copies name: half a read unit each. False, too, where no copy is at hand
        any more: then the order itself must be read."""
        courier_ids: list[str] = []
        for person_id in person_ids:
            events = self._mailboxes.list_delivered(person_id, stream, version)
            if events is None:
                return False
            for event in events:
                if event.type == ORDER_OFFERED and event.offer:
                    courier_ids = [event.offer.courier_id, *event.data.get("others", ())]
        return bool(courier_ids) and self.is_delivered(stream, version, tuple(courier_ids))

    def keep_undelivered(
        self, before: Outbox, entries: tuple[Entry, ...], now: datetime
    ) -> tuple[Entry, ...]:
        """Return the entries that an outbox is to be written with: `entries`, and those of
        `before` that must not be dropped yet.

        Rule 4 of mailboxes.py: an entry is dropped only once the log of each recipient has it, and
        of each endpoint that there was when the entry was made.
        Until then a mailbox may list it as pending, and whoever holds the lease must be able to
        read it. An entry older than APPLIED_KEPT_FOR is dropped: its wakeups have been handled long
        ago, or lie in the dead-letter queue with an alarm.
        """
        oldest_kept = entries[0].version if entries else 0
        leaving = tuple(
            e for e in before.entries if e.version < oldest_kept and now - e.at < APPLIED_KEPT_FOR
        )
        if not leaving or self._log_entries(before, leaving):
            return entries
        return (*leaving, *entries)

    def _log_entries(self, outbox: Outbox, leaving: tuple[Entry, ...]) -> bool:
        """Tell whether every recipient's log has the entries that are about to be dropped, after
        having tried to append them where it has not.

        A mailbox that another has leased counts as not having them: the holder may read the outbox
        after us. A connection that can't be posted to does not matter here.
        """
        dropped = replace(outbox, entries=leaving)
        try:
            endpoints = self._endpoints.find_subscribed(dropped, leaving[-1].at + REGISTRY_LAG)
        except Exception:
            log.warning("the registry of endpoints can't be read", exc_info=True)
            return False

        def log_entries(person_id: str) -> bool:
            version = self._find_newest_version(dropped, person_id)
            if self._mailboxes.is_logged(person_id, outbox.stream, version):
                return True
            try:
                return self._mailboxes.deliver_outbox(person_id, outbox)
            except Stale:
                return False
            except PostFailed:  # the log has it; one connection of theirs is behind, alone
                return True
            except Unavailable:  # likewise, of the webhook queue
                return False

        return self._run_for_all(log_entries, (*dropped.list_recipients(), *endpoints))

    def _find_newest_version(self, outbox: Outbox, mailbox: str) -> int:
        """Return the newest version that has an event for a mailbox, 0 where none has."""
        if parse_endpoint_id(mailbox) is None:
            return outbox.find_newest_version(mailbox)
        entries = (replace(outbox, entries=(entry,)) for entry in outbox.entries)
        versions = (
            one.newest_version for one in entries if mailbox in self._endpoints.list_subscribed(one)
        )
        return max(outbox.find_newest_version(mailbox), *versions, 0)  # a ping is addressed to it

    def _run_for_all(self, call: Callable[[str], bool], person_ids: Sequence[str]) -> bool:
        """Call for each person side by side, the first one on this thread; tell whether all
        returned True. Everybody is tried before anything is raised: what nobody expected, or else
        PostFailed."""

        def attempt(person_id: str) -> bool | Exception:
            try:
                return call(person_id)
            except Exception as error:  # noqa: BLE001 - raised below: one must not stop the others
                return error

        jobs = [self._pool.submit(attempt, person_id) for person_id in person_ids[1:]]
        outcomes = [attempt(person_id) for person_id in person_ids[:1]]
        outcomes += [job.result() for job in jobs]
        failures = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        if failures:
            raise min(failures, key=lambda error: isinstance(error, PostFailed))
        return all(outcomes)


def _list_newest_recipients(outbox: Outbox) -> tuple[str, ...]:
    return Outbox(outbox.stream, None, outbox.entries[-1:]).list_recipients()


@contextmanager
def _leave_to_wakeup(outbox: Outbox) -> Iterator[None]:
    """Let no failure of a delivery reach the caller: the relay wakeup will do it again."""
    try:
        yield
    except PostFailed as error:
        log.info("relay of %s is left to its wakeup: %s", outbox.pending_id, error)
    except Exception:
        log.warning("relay of %s is left to its wakeup", outbox.pending_id, exc_info=True)
