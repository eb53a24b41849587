"""Step 2 of delivering: append to a mailbox's log what its head lists as pending.

Nothing is written here, and rule 2 of mailboxes.py is kept here: which place an event gets depends
only on what is stored: the head, the order of `pending`, and the outboxes. The successor of a
holder that died does the same again and comes to the same places.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from msgspec.structs import replace

from chalicelib.domain.events import Entry, Event, Outbox
from chalicelib.domain.messaging.mailboxes import Mailbox
from chalicelib.domain.messaging.pending import (
    parse_arrival,
    parse_arrival_cursors,
    parse_stream_version,
)
from chalicelib.services.messaging.endpoints import EndpointDirectory
from chalicelib.services.messaging.leases import MailboxLease
from chalicelib.services.messaging.posting import EngineFaults
from chalicelib.services.ports import Clock, MailboxStore

log = logging.getLogger(__name__)

LoadOutbox = Callable[[str], Outbox | None]
"""Reads the outbox of a stream; None where there is none."""

_MAX_LOOKED_AT = 5000  # events of the log, to find out whether a stream is in it
_CLOCK_SKEW = timedelta(minutes=1)  # more than two clocks differ


class LogAppender:
    """Applies the pending ids of a lease to the head in its hand."""

    def __init__(
        self,
        store: MailboxStore,
        load_outbox: LoadOutbox,
        faults: EngineFaults,
        clock: Clock,
        endpoints: EndpointDirectory,
    ) -> None:
        self._endpoints = endpoints
        self._store = store
        self._load_outbox = load_outbox
        self._faults = faults
        self._clock = clock

    def apply_pending(self, lease: MailboxLease) -> None:
        """Apply each pending id, the earliest first. Raises the engine's faults: the ids from there
        on stay pending (rule 3)."""
        for pending_id in lease.list_pending():
            self._apply_or_park(lease, pending_id)
            lease.count_applied()

    def _apply_or_park(self, lease: MailboxLease, pending_id: str) -> None:
        """Apply one pending id. One that can't be applied must not stop the others (rule 8): it
        is parked, and its own relay wakeup comes to it again and ends in the dead-letter queue."""
        try:
            if parse_arrival(pending_id) is None:
                self._append_stream(lease, *parse_stream_version(pending_id))
            else:
                self._admit_arrival(lease, pending_id)
        except self._faults:
            raise  # the engine does not answer: the id stays pending
        except Exception:
            log.exception("parked: %s can't be taken in", pending_id.partition("@")[0])

    def _admit_arrival(self, lease: MailboxLease, pending_id: str) -> None:
        """Begin to deliver to a connection that has subscribed. One that left again is skipped."""
        subscriber = lease.box.find_subscriber(parse_arrival(pending_id) or "")
        if subscriber:
            cursors = parse_arrival_cursors(pending_id)
            lease.box = lease.box.admit_subscriber(subscriber, cursors, self._clock())

    def _append_stream(self, lease: MailboxLease, stream: str, version: int) -> None:
        """Append the events of a stream that the log does not have yet, up to `version`. A later
        version is not touched, even where the outbox has it: it has a pending id of its own, which
        says where in the order of things it belongs."""
        if lease.box.has_applied(stream, version):
            return  # left from before
        outbox = lease.outboxes.get(stream)
        if outbox is None or outbox.newest_version < version:
            outbox = self._load_outbox(stream)
        if outbox is None:
            return
        lease.outboxes[stream] = outbox
        applied = self._find_applied_version(lease.box, outbox)
        # A version may be pending that was never written (rule 4): it must not count as applied, or
        # whoever writes it later would find it done.
        version = min(version, outbox.newest_version)
        for entry in outbox.entries:
            if applied < entry.version <= version:
                for event in self._list_events(lease.box, outbox, entry):
                    lease.box = lease.box.append_event(event)
        if version > applied:
            lease.box = lease.box.mark_applied(stream, version, self._clock())

    def _list_events(self, box: Mailbox, outbox: Outbox, entry: Entry) -> Sequence[Event]:
        """List the events of an entry that go into a mailbox's log."""
        if box.is_endpoints:
            return self._endpoints.derive_events(box.person_id, outbox, entry)
        mine = (event for event in entry.events if event.to == box.person_id)
        return [replace(event, details=outbox.details) for event in mine]

    def _find_applied_version(self, box: Mailbox, outbox: Outbox) -> int:
        """Find up to which version a stream is in the log: by the head's note or, where that may
        have been dropped, by the log itself."""
        note = box.applied_versions.get(outbox.stream)
        if note:
            return note[0]
        entries = [e for e in outbox.entries if self._list_events(box, outbox, e)]
        doubtful = [e for e in entries if box.may_have_dropped_applied(e.at - _CLOCK_SKEW)]
        if box.next_seq == 1 or not doubtful:
            return 0
        return self._search_log(box, outbox.stream, doubtful)

    def _search_log(self, box: Mailbox, stream: str, entries: Sequence[Entry]) -> int:
        """Find the newest of these entries' versions that the log has, 0 where it has none. Entries
        older than all that is looked at count as logged: nothing is appended that late."""
        since = min(entry.at for entry in entries) - _CLOCK_SKEW
        looked_at = 0
        for event in self._store.iterate_events_since(box, since, _MAX_LOOKED_AT):
            if event.stream == stream:
                return event.version
            looked_at += 1
        if looked_at < _MAX_LOOKED_AT:
            return 0
        return max((e.version for e in entries if e.at < event.at), default=0)
