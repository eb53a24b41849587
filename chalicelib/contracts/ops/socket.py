"""Contract `ops`: admins and merchants watch the board. Messages are {"type", …}.

What they hear is kept nowhere: a snapshot of all that they may see, then how it differs. Each frame
of the board has the position of the tick that it is of (domain/ops/ticks.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.contracts.base import (
    REFRESH,
    Data,
    MessageType,
    Writer,
    is_writer_for,
)
from chalicelib.contracts.moments import format_iso
from chalicelib.contracts.ops.parts import split_rows
from chalicelib.contracts.ops.rows import render_courier_row, render_figures, render_order_row
from chalicelib.contracts.renderer import GAP, RESUMED
from chalicelib.contracts.typed import TypedContract, make_ping, make_refresh
from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection, Subscriber
from chalicelib.domain.messaging.watching import BOARD_ROOM, Watch
from chalicelib.domain.ops.board import Board
from chalicelib.domain.ops.changes import BoardChanges
from chalicelib.domain.ops.current import count_board
from chalicelib.domain.ops.zones import read_zone
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Role

SNAPSHOT, DELTA = "snapshot", "delta"
_COURIERS = "couriers"


class OpsContract(TypedContract):
    """The contract: dispatchers watch, may ping, and prolong their tokens.

    `zone_resolution` is that of the H3 cells that are zones.
    """

    paths = ("/api/v1/ws/ops",)
    roles = frozenset({Role.ADMIN, Role.MERCHANT})

    def __init__(self, zone_resolution: int) -> None:
        super().__init__(MESSAGES, WRITERS)
        self._zone_resolution = zone_resolution

    def read_watch(self, query: Mapping[str, str], position: str | None) -> Watch:
        """Read which zone is to be shown, and from which position on. Raises InvalidInput."""
        return Watch(read_zone(query.get("zone"), self._zone_resolution), position)

    def list_rooms(self, connection: Connection) -> Sequence[str]:
        """Name the room of all who watch."""
        return (BOARD_ROOM,)

    def render_first_frames(
        self, connection: Connection, offered: Sequence[Order]
    ) -> Sequence[str]:
        """Make none: the next tick, which is under way by then, has the first word."""
        return ()

    def render_event(self, event: Event, listener: Subscriber) -> Sequence[str]:
        """Render what is told of the board, in as many frames as its rows take."""
        return tuple(
            self.encode_event(writer.name, part)
            for writer in self.writers.get(event.type, ())
            if is_writer_for(writer, event) and (data := writer.render(event)) is not None
            for part in split_frame(data)
        )


def split_frame(data: Data) -> list[dict[str, Any]]:
    """Split a frame's data where its rows are too many for one. A snapshot's parts are numbered,
    and its figures are in the last; that couriers are to be forgotten is in the first of a delta's.
    """
    lists = {name: rows for name, rows in data.items() if isinstance(rows, list)}
    if not lists:
        return [dict(data)]
    rest = {name: value for name, value in data.items() if name not in lists}
    resets = lists.pop("reset", None)
    parts = split_rows(lists)
    frames: list[dict[str, Any]] = []
    for n, part in enumerate(parts, start=1):
        frame = {**rest, **part}
        if resets and n == 1:
            frame["reset"] = resets
        if "part" in rest:
            frame |= {"part": n, "parts": len(parts)}
            if n < len(parts):
                frame.pop("figures")
        frames.append(frame)
    return frames


def _render_snapshot(event: Event) -> Data:
    board: Board = event.data["board"]
    return {
        "at": format_iso(board.at),
        "zone": event.data["zone"],
        "orders": [render_order_row(row, board.at) for row in board.orders.values()],
        "couriers": [render_courier_row(row, board.at) for row in board.couriers.values()],
        "figures": render_figures(count_board(board)),
        "part": 1,
        "parts": 1,
    }


def _render_delta(event: Event) -> Data:
    board: Board = event.data["board"]
    changes: BoardChanges = event.data["changes"]
    return {
        "at": format_iso(board.at),
        "zone": event.data["zone"],
        "removed": [str(id_) for id_ in changes.removed],
        "removed_couriers": list(changes.removed_couriers),
        "orders": [render_order_row(row, board.at) for row in changes.orders],
        "couriers": [render_courier_row(row, board.at) for row in changes.couriers],
        "figures": render_figures(count_board(board)),
        **({"reset": [_COURIERS]} if changes.resets_couriers else {}),
    }


def _render_resumed(event: Event) -> Data:
    return {"at": format_iso(event.at), "from": event.data["from"], "to": event.data["to"]}


def _render_gap(event: Event) -> Data:
    return {"at": format_iso(event.at), "from": event.data["from"], "oldest": event.data["oldest"]}


MESSAGES: Mapping[str, MessageType] = {
    "ping": make_ping(OpsContract.roles),
    REFRESH: make_refresh(OpsContract.roles),
}
WRITERS: Mapping[str, Sequence[Writer]] = {
    events.BOARD_SHOWN: (Writer(SNAPSHOT, _render_snapshot),),
    events.BOARD_CHANGED: (Writer(DELTA, _render_delta),),
    events.BOARD_RESUMED: (Writer(RESUMED, _render_resumed),),
    events.BOARD_GAP: (Writer(GAP, _render_gap),),
}
