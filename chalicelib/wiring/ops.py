"""The dispatcher's room: what reads for it."""

from __future__ import annotations

import msgspec

from chalicelib.services.ops.board import BoardReader
from chalicelib.services.ops.counted import CountedOrders
from chalicelib.services.ops.figures import FiguresReader
from chalicelib.services.ops.summaries import Summaries
from chalicelib.services.ops.unfinished import UnfinishedOrders
from chalicelib.settings import Settings
from chalicelib.wiring.dispatch import DispatchServices
from chalicelib.wiring.parts import Parts


class OpsServices(msgspec.Struct, frozen=True):
    """What the edge and wakeups need of the dispatcher's room."""

    board: BoardReader
    summaries: Summaries
    figures: FiguresReader


def build_ops(settings: Settings, parts: Parts, dispatch: DispatchServices) -> OpsServices:
    """Build the services of the dispatcher's room. They read nothing until they are asked."""
    resolution = settings.ops_zone_resolution
    board = BoardReader(
        UnfinishedOrders(parts.listings, parts.orders, settings.ops_zone_resolution),
        parts.couriers,
        parts.people,
        resolution,
    )
    summaries = Summaries(parts.listings, dispatch.archive, resolution, parts.clock)
    counted = CountedOrders(parts.listings, parts.orders, parts.histories, resolution)
    figures = FiguresReader(board, counted, parts.orders, parts.connections, parts.ticks)
    return OpsServices(board, summaries, figures)
