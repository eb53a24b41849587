"""How a board differs from what somebody has been told of it.

Who remembers what was told compares (compare_boards), and says no more than differs. Who does not,
as another process told it, goes by times (list_changes_since): what may have changed since then is
said again, and couriers are all said anew, as nobody remembers who has gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from chalicelib.domain.ops.board import Board, BoardCourier, BoardOrder


class BoardChanges(msgspec.Struct, frozen=True):
    """What is to be told of a board: rows as they are now, and the ids of what is there no more.
    With `resets_couriers` no courier is there but those that are told."""

    orders: Sequence[BoardOrder] = ()
    couriers: Sequence[BoardCourier] = ()
    removed: Sequence[int] = ()
    removed_couriers: Sequence[str] = ()
    resets_couriers: bool = False

    @property
    def is_empty(self) -> bool:
        """True where nothing differs."""
        rows = self.orders or self.couriers or self.removed or self.removed_couriers
        return not rows and not self.resets_couriers


def compare_boards(before: Board, after: Board) -> BoardChanges:
    """List how the board after a tick differs from the one before."""
    return BoardChanges(
        orders=[row for id_, row in after.orders.items() if before.orders.get(id_) != row],
        couriers=[row for id_, row in after.couriers.items() if before.couriers.get(id_) != row],
        removed=[id_ for id_ in before.orders if id_ not in after.orders],
        removed_couriers=[id_ for id_ in before.couriers if id_ not in after.couriers],
    )


def list_changes_since(now: Board, since: datetime) -> BoardChanges:
    """List what may have changed on a board since a time."""
    return BoardChanges(
        orders=[row for row in now.orders.values() if _may_have_changed(row, now, since)],
        couriers=list(now.couriers.values()),
        removed=[one.id for one in now.left if one.at >= since and one.id not in now.orders],
        resets_couriers=True,
    )


def _may_have_changed(row: BoardOrder, board: Board, since: datetime) -> bool:
    """Say whether a row may have changed since a time: it was written, has become late, or its
    courier has moved, and with them when it will be there."""
    if row.updated_at is None or row.updated_at >= since:
        return True
    if row.due is not None and since <= row.due <= board.at:
        return True
    courier = board.couriers.get(row.courier_id or "")
    located_at = courier.located_at if courier else None
    return row.eta is not None and (located_at is None or located_at >= since)
