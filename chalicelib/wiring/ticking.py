"""The dispatcher's room: the ticks by which those who watch the board are told."""

from __future__ import annotations

from chalicelib.services.ops.positions import WatcherPositions
from chalicelib.services.ops.starting import TickStarter
from chalicelib.services.ops.telling import BoardTeller
from chalicelib.services.ops.ticker import BoardTicker, ReadBoard
from chalicelib.settings import Settings
from chalicelib.wiring.messaging import MessagingServices
from chalicelib.wiring.parts import Parts


def build_positions(parts: Parts) -> WatcherPositions:
    """Build what says where those who watch are, beside the ticks."""
    return WatcherPositions(parts.ticks, parts.watchers)


def build_tick_starter(parts: Parts) -> TickStarter:
    """Build what messaging, which is built before the ticker, needs of it."""
    return TickStarter(parts.ticks, parts.queue, parts.clock)


def build_ticker(
    settings: Settings, parts: Parts, messaging: MessagingServices, reader: ReadBoard
) -> BoardTicker:
    """Build what makes the ticks."""
    teller = BoardTeller(
        parts.watchers,
        parts.connections,
        parts.gateway,
        messaging.renderer.render_event,
        messaging.connections.remove_connection,
        parts.clock,
    )
    return BoardTicker(
        parts.ticks,
        parts.watchers,
        reader,
        teller,
        parts.queue,
        settings.ops_reads_per_s,
        parts.sleep,
        parts.clock,
    )
