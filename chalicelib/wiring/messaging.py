"""Messaging: who is connected, and how events reach them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec

from chalicelib.contracts.feed.events import worded
from chalicelib.contracts.renderer import ContractRenderer
from chalicelib.services.dispatch.holding import Holding
from chalicelib.services.messaging.announcements import Announcing
from chalicelib.services.messaging.connections import Presence
from chalicelib.services.messaging.event_counts import Counting
from chalicelib.services.messaging.event_history import Feeds
from chalicelib.services.messaging.fanout import Broadcast
from chalicelib.services.messaging.mailboxes import Mailboxes
from chalicelib.services.messaging.outbox import Publishing
from chalicelib.services.messaging.outbox_loader import OutboxLoader
from chalicelib.services.messaging.posting import Posting
from chalicelib.services.messaging.relay import Relay
from chalicelib.settings import Settings
from chalicelib.store.failures import FAULTS
from chalicelib.wiring.parts import THREADS, Parts


class Messaging(msgspec.Struct, frozen=True):
    """What the other rooms need of this one. `renderer` words frames for services."""

    renderer: ContractRenderer
    loader: OutboxLoader
    connections: Presence
    fanout: Broadcast
    mailboxes: Mailboxes
    relay: Relay
    outboxes: Publishing
    history: Feeds
    announcements: Announcing


def build_messaging(
    settings: Settings, parts: Parts, renderer: ContractRenderer, holding: Holding
) -> Messaging:
    """Build the room. `holding` is told which couriers have come and gone."""
    connections = _build_connections(settings, parts, renderer, holding)
    loader = OutboxLoader(parts.orders, parts.wallets, parts.payments, parts.chats)
    mailboxes = _build_mailboxes(parts, renderer, connections, loader)
    # Threads of its own: a delivery waits for posts, and posts must not wait for deliveries.
    relay = Relay(mailboxes, ThreadPoolExecutor(THREADS, thread_name_prefix="relay"))
    fanout = Broadcast(
        parts.orders,
        parts.connections,
        connections,
        parts.gateway,
        renderer.render_event,
        parts.queue,
        parts.threads,
        parts.clock,
    )
    return Messaging(
        renderer=renderer,
        loader=loader,
        connections=connections,
        fanout=fanout,
        mailboxes=mailboxes,
        relay=relay,
        outboxes=Publishing(relay, parts.queue, parts.clock, parts.retries),
        history=Feeds(
            parts.mailboxes, parts.connections, parts.counters, parts.threads, parts.clock
        ),
        announcements=Announcing(fanout, parts.clock),
    )


def _build_connections(
    settings: Settings, parts: Parts, renderer: ContractRenderer, holding: Holding
) -> Presence:
    return Presence(
        parts.connections,
        parts.couriers,
        parts.gateway,
        parts.queue,
        holding,
        settings.auth_deadline,
        {"feed": settings.feed_stale},
        renderer.find_heartbeat,
        renderer.render_last_frames,
        parts.threads,
        parts.clock,
        parts.retries,
    )


def _build_mailboxes(
    parts: Parts, renderer: ContractRenderer, connections: Presence, loader: OutboxLoader
) -> Mailboxes:
    posting = Posting(
        parts.gateway,
        renderer.render_event,
        connections.forget,
        FAULTS,
        parts.threads,
        parts.clock,
    )
    return Mailboxes(
        parts.mailboxes,
        posting,
        loader.load_outbox,
        connections.cut_off,
        Counting(parts.counters, worded).tally,
        FAULTS,
        parts.clock,
    )
