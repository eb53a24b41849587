"""What an owner has sent by hand: a ping, an event again, all events since a time."""

from __future__ import annotations

from datetime import datetime, timedelta
from secrets import token_urlsafe

from msgspec.structs import replace

from chalicelib.domain.events import Entry, Event, draft_event
from chalicelib.domain.outbox import seal
from chalicelib.domain.people import Actor
from chalicelib.domain.webhooks.delivery import (
    SendDue,
    make_webhook_id,
    parse_webhook_id,
)
from chalicelib.domain.webhooks.endpoint import (
    Endpoint,
    EndpointStatus,
    name_endpoint_mailbox,
    name_endpoint_stream,
)
from chalicelib.domain.webhooks.event_types import PING
from chalicelib.domain.webhooks.forms import check_merchants
from chalicelib.errors import EndpointDisabled, NotFound
from chalicelib.services.messaging.event_history import EventHistory
from chalicelib.services.messaging.outbox import OutboxWriter
from chalicelib.services.ports import (
    Clock,
    EndpointStore,
    MailboxStore,
    WebhookQueue,
)
from chalicelib.services.webhooks.endpoints import WebhookEndpoints
from chalicelib.services.webhooks.replaying import Replays

AT_ONCE = timedelta(0)


class Redelivery:
    """Sends to an endpoint what its owner asks for."""

    def __init__(
        self,
        endpoints: WebhookEndpoints,
        store: EndpointStore,
        mailboxes: MailboxStore,
        history: EventHistory,
        outbox_writer: OutboxWriter,
        queue: WebhookQueue,
        replays: Replays,
        clock: Clock,
    ) -> None:
        self._endpoints = endpoints
        self._store = store
        self._mailboxes = mailboxes
        self._history = history
        self._outbox_writer = outbox_writer
        self._queue = queue
        self._replays = replays
        self._clock = clock

    def send_ping(self, actor: Actor, endpoint_id: str) -> str | None:
        """Send an endpoint a ping, as any other event of its log; return the ping's webhook-id,
        None where it has no place yet. Raises NotFound, EndpointDisabled."""
        now = self._clock()
        ping = _draft_ping(endpoint_id, now)

        def ping_once() -> Endpoint:
            before = self._get_enabled(actor, endpoint_id)
            if any(event.data == ping.data for entry in before.entries for event in entry.events):
                return before  # it is there: the answer to the write got lost
            after = seal(before, [ping], now)

            def write(entries: tuple[Entry, ...]) -> None:
                self._store.save_endpoint(replace(after, entries=entries))

            self._outbox_writer.commit_outbox(before.outbox, after.outbox, write)
            return after

        pinged = self._outbox_writer.retry_change(ping_once)
        return self._find_webhook_id(pinged, ping)

    def resend_event(self, actor: Actor, endpoint_id: str, webhook_id: str) -> None:
        """Send an endpoint an event of its log again, though it has arrived. Raises NotFound,
        EndpointDisabled."""
        endpoint = self._get_enabled(actor, endpoint_id)
        named_id, seq = parse_webhook_id(webhook_id) or ("", 0)
        if named_id != endpoint.id:
            raise NotFound("There is no such event.")
        self._history.get_event(name_endpoint_mailbox(endpoint.id), seq)
        self._queue.send_sends([(SendDue(endpoint.id, seq, resent=True), AT_ONCE)])

    def replay_events(self, actor: Actor, endpoint_id: str, since: datetime) -> None:
        """Send an endpoint all events of its log since a time again, bit by bit. Raises NotFound,
        EndpointDisabled."""
        self._replays.start_replay(self._get_enabled(actor, endpoint_id), since)

    def _get_enabled(self, actor: Actor, endpoint_id: str) -> Endpoint:
        """Return an endpoint that may be sent to. Raises NotFound, Forbidden, EndpointDisabled."""
        endpoint = self._endpoints.get_endpoint(actor, endpoint_id)
        check_merchants(endpoint, actor)
        if endpoint.status is EndpointStatus.DISABLED:
            raise EndpointDisabled("This webhook endpoint is disabled; enable it first.")
        return endpoint

    def _find_webhook_id(self, endpoint: Endpoint, ping: Event) -> str | None:
        """Find the place of a ping among the newest events of the log. It has none while another
        holds the mailbox's lease."""
        box = self._mailboxes.get_mailbox(ping.to)
        seq = next((event.seq for event in box.tail if event.data == ping.data), None)
        return None if seq is None else make_webhook_id(endpoint.id, seq)


def _draft_ping(endpoint_id: str, now: datetime) -> Event:
    """Make the event of a ping; by its id the request that makes it knows its own again."""
    data = {"endpoint_id": endpoint_id, "ping_id": token_urlsafe(9)}
    mailbox, stream = name_endpoint_mailbox(endpoint_id), name_endpoint_stream(endpoint_id)
    return draft_event(PING, mailbox, stream, now, data=data)
