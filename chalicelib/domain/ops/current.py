"""Figures of the moment: of what is on a board, or on the part of it that somebody may see."""

from __future__ import annotations

import msgspec

from chalicelib.domain.ops.board import Board


class CurrentFigures(msgspec.Struct, frozen=True):
    """How many of what there are on a board.

    `orders` are unfinished; of them `searching` wait for a courier to accept, `unassigned` have
    none yet, whatever they wait for. `couriers` are on duty; `couriers_idle_percent` is None where
    nobody is. Whoever has an order off duty, as one by hand, is on the board and not counted.
    """

    orders: int
    searching: int
    unassigned: int
    late: int
    unserved: int
    oldest_searching_s: int | None
    couriers: int
    couriers_idle: int
    couriers_idle_percent: float | None


def count_board(board: Board) -> CurrentFigures:
    """Count what is on a board."""
    unfinished = [one for one in board.orders.values() if not one.is_unserved]
    wanted = [one.wanted_since for one in unfinished if one.wanted_since]
    idle = sum(one.is_idle for one in board.couriers.values())
    couriers = sum(one.is_on_duty for one in board.couriers.values())
    return CurrentFigures(
        orders=len(unfinished),
        searching=len(wanted),
        unassigned=sum(one.is_unassigned for one in unfinished),
        late=sum(one.is_late for one in unfinished),
        unserved=len(board.orders) - len(unfinished),
        oldest_searching_s=(
            max(0, int((board.at - min(wanted)).total_seconds())) if wanted else None
        ),
        couriers=couriers,
        couriers_idle=idle,
        couriers_idle_percent=round(100 * idle / couriers, 1) if couriers else None,
    )
