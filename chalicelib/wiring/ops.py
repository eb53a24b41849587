"""The dispatcher's room: what reads for it."""

from __future__ import annotations

import msgspec

from chalicelib.services.ops.board import BoardReader
from chalicelib.services.ops.unfinished import UnfinishedOrders
from chalicelib.settings import Settings
from chalicelib.wiring.parts import Parts


class OpsServices(msgspec.Struct, frozen=True):
    """What the edge needs of the dispatcher's room."""

    board: BoardReader


def build_ops(settings: Settings, parts: Parts) -> OpsServices:
    """Build the services of the dispatcher's room. They read nothing until they are asked."""
    board = BoardReader(
        UnfinishedOrders(parts.listings, parts.orders),
        parts.couriers,
        parts.people,
        settings.ops_zone_resolution,
    )
    return OpsServices(board)
