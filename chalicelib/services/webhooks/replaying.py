"""Replays: all events of an endpoint's log since a time are sent again, a page a wakeup.

A log may have a hundred thousand events, more than a request has time for. So the request only
finds where the log ends, and a wakeup does a page of it and sends on another for the next. Whoever
dies in between repeats a page: an event is sent at least once.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from chalicelib.domain.messaging.mailboxes import Mailbox
from chalicelib.domain.messaging.wakeups import ReplayDue
from chalicelib.domain.webhooks.delivery import SendDue
from chalicelib.domain.webhooks.endpoint import Endpoint, EndpointStatus, name_endpoint_mailbox
from chalicelib.errors import NotFound
from chalicelib.services.ports import EndpointStore, MailboxStore, WakeupSender, WebhookQueue

PAGE = 500  # events a wakeup: some 50 calls of the queue, a second or so
AT_ONCE = timedelta(0)
# A log is in the order in which its events were appended, which is that of their times but for what
# was late: by a relay that had to wait, or another clock. One so late among so many is no surprise.
_LATE = timedelta(hours=1)
_PROBE = 25


class Replays:
    """Replays logs."""

    def __init__(
        self,
        endpoints: EndpointStore,
        mailboxes: MailboxStore,
        queue: WebhookQueue,
        wakeups: WakeupSender,
    ) -> None:
        self._endpoints = endpoints
        self._mailboxes = mailboxes
        self._queue = queue
        self._wakeups = wakeups

    def start_replay(self, endpoint: Endpoint, since: datetime) -> None:
        """Put a replay of what is in the log by now onto the queue. Raises Unavailable."""
        last_seq = self._mailboxes.get_mailbox(name_endpoint_mailbox(endpoint.id)).last_seq
        if last_seq:
            self._wakeups.send_wakeups([(ReplayDue(endpoint.id, since, last_seq), AT_ONCE)])

    def replay_page(self, wakeup: ReplayDue) -> ReplayDue | None:
        """Send the next page of a replay; return the wakeup for the one after it, None where there
        is none, or where the endpoint is not sent to any more. Raises Unavailable."""
        try:
            endpoint = self._endpoints.get_endpoint(wakeup.endpoint_id)
        except NotFound:
            return None
        if endpoint.status is EndpointStatus.DISABLED:
            return None
        box = self._mailboxes.get_mailbox(name_endpoint_mailbox(endpoint.id))
        first_seq = wakeup.next_seq or self._find_first(box, wakeup.since)
        page = self._mailboxes.list_events_from(box, first_seq, PAGE)
        wanted = [e for e in page if e.seq <= wakeup.last_seq and e.at >= wakeup.since]
        self._queue.send_sends((SendDue(endpoint.id, e.seq, resent=True), AT_ONCE) for e in wanted)
        if not page or page[-1].seq >= wakeup.last_seq:
            return None
        return replace(wakeup, next_seq=page[-1].seq + 1)

    def _find_first(self, box: Mailbox, since: datetime) -> int:
        """Find a place before which the log has nothing since a time, by halves: a log of 100,000
        events takes 17 looks."""
        low, high = 1, box.next_seq
        while low < high:
            middle = (low + high) // 2
            found = self._mailboxes.list_events_from(box, middle, _PROBE)
            if not found or max(event.at for event in found) >= since - _LATE:
                high = middle
            else:
                low = found[-1].seq + 1
        return low
