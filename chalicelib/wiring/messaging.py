"""Messaging: who is connected, and how events reach them."""

from __future__ import annotations

import msgspec

from chalicelib.contracts.feed.events import is_feed_event
from chalicelib.contracts.renderer import ContractRenderer
from chalicelib.services.dispatch.courier_releaser import CourierReleaser
from chalicelib.services.messaging.announcements import Announcements
from chalicelib.services.messaging.connections import ConnectionRegistry
from chalicelib.services.messaging.endpoints import EndpointDirectory
from chalicelib.services.messaging.event_counts import EventCounter
from chalicelib.services.messaging.event_history import EventHistory
from chalicelib.services.messaging.event_stream import EventStream
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.messaging.kept_log import KeptLog
from chalicelib.services.messaging.mailboxes import Mailboxes
from chalicelib.services.messaging.outbox import OutboxWriter
from chalicelib.services.messaging.outbox_loader import OutboxLoader
from chalicelib.services.messaging.planned_leases import LeasePlanner
from chalicelib.services.messaging.posting import EventPoster
from chalicelib.services.messaging.relay import OutboxRelay
from chalicelib.services.messaging.resuming import ConnectionResumer
from chalicelib.services.webhooks.directory import KnownDirectory
from chalicelib.settings import Settings
from chalicelib.store.failures import FAULTS
from chalicelib.wiring.parts import Parts


class MessagingServices(msgspec.Struct, frozen=True):
    """What other rooms and the edge need of messaging."""

    renderer: ContractRenderer
    loader: OutboxLoader
    connections: ConnectionRegistry
    fanout: FanOut
    mailboxes: Mailboxes
    resumer: ConnectionResumer
    relay: OutboxRelay
    planner: LeasePlanner
    outboxes: OutboxWriter
    history: EventHistory
    stream: EventStream
    announcements: Announcements


def build_messaging(
    settings: Settings, parts: Parts, renderer: ContractRenderer, releaser: CourierReleaser
) -> MessagingServices:
    """Build the services of messaging. The registry has `releaser` let couriers go who are gone."""
    connections = _build_connections(settings, parts, renderer, releaser)
    loader = OutboxLoader(parts.orders, parts.wallets, parts.payments, parts.chats, parts.endpoints)
    directory = KnownDirectory(parts.known_endpoints, parts.clock)
    poster = _build_poster(parts, renderer, connections)
    mailboxes = _build_mailboxes(parts, poster, connections, loader, directory)
    relay = OutboxRelay(mailboxes, parts.relay_threads, directory)
    fanout = _build_fanout(parts, renderer, connections)
    kept = KeptLog(parts.mailboxes, parts.clock)
    return MessagingServices(
        renderer=renderer,
        loader=loader,
        connections=connections,
        fanout=fanout,
        mailboxes=mailboxes,
        resumer=_build_resumer(parts, renderer, kept, poster, mailboxes),
        relay=relay,
        planner=LeasePlanner(parts.mailboxes, parts.threads, parts.clock),
        outboxes=OutboxWriter(relay, parts.queue, parts.clock, parts.retries),
        history=EventHistory(
            parts.mailboxes, parts.connections, parts.counters, parts.threads, parts.clock
        ),
        stream=EventStream(parts.mailboxes, kept, parts.clock, parts.sleep),
        announcements=Announcements(fanout, parts.request_keys, parts.clock),
    )


def _build_connections(
    settings: Settings, parts: Parts, renderer: ContractRenderer, releaser: CourierReleaser
) -> ConnectionRegistry:
    return ConnectionRegistry(
        parts.connections,
        parts.couriers,
        parts.gateway,
        parts.queue,
        releaser,
        settings.auth_deadline,
        renderer.client_timeouts,
        renderer.find_heartbeat,
        renderer.render_last_frames,
        parts.threads,
        parts.clock,
        parts.retries,
    )


def _build_fanout(
    parts: Parts, renderer: ContractRenderer, connections: ConnectionRegistry
) -> FanOut:
    return FanOut(
        parts.orders,
        parts.connections,
        connections,
        parts.gateway,
        renderer.render_event,
        parts.queue,
        parts.threads,
        parts.clock,
    )


def _build_poster(
    parts: Parts, renderer: ContractRenderer, connections: ConnectionRegistry
) -> EventPoster:
    return EventPoster(
        parts.gateway,
        renderer.render_event,
        connections.remove_connection,
        FAULTS,
        parts.threads,
        parts.clock,
    )


def _build_mailboxes(
    parts: Parts,
    poster: EventPoster,
    connections: ConnectionRegistry,
    loader: OutboxLoader,
    directory: EndpointDirectory,
) -> Mailboxes:
    return Mailboxes(
        parts.mailboxes,
        poster,
        loader.load_outbox,
        connections.close_or_raise,
        EventCounter(parts.counters, is_feed_event).count_events,
        FAULTS,
        parts.clock,
        directory,
        parts.webhook_queue,
    )


def _build_resumer(
    parts: Parts,
    renderer: ContractRenderer,
    kept: KeptLog,
    poster: EventPoster,
    mailboxes: Mailboxes,
) -> ConnectionResumer:
    return ConnectionResumer(
        parts.mailboxes,
        kept,
        mailboxes,
        parts.connections,
        poster,
        parts.gateway,
        renderer.render_resumed,
        renderer.render_gap,
        parts.clock,
    )
