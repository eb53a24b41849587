"""Whose rows are whose: so that a thousand merchants who watch don't take a thousand looks at all.

What is found here is what may be an owner's; select_board judges that.
"""

from __future__ import annotations

from collections import defaultdict

from msgspec.structs import replace

from chalicelib.domain.ops.board import Board, BoardOrder, LeftOrder
from chalicelib.domain.people import Actor


class OwnedRows:
    """The rows of a board, by restaurant and by customer."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._by_merchant: dict[str | None, list[BoardOrder]] = defaultdict(list)
        self._by_customer: dict[str, list[BoardOrder]] = defaultdict(list)
        self._left_by_merchant: dict[str | None, list[LeftOrder]] = defaultdict(list)
        self._left_by_customer: dict[str | None, list[LeftOrder]] = defaultdict(list)
        for row in board.orders.values():
            self._by_merchant[row.merchant_id].append(row)
            self._by_customer[row.customer_id].append(row)
        for left in board.left:
            self._left_by_merchant[left.merchant_id].append(left)
            self._left_by_customer[left.customer_id].append(left)

    def narrow_board(self, owner: Actor) -> Board:
        """Make a board of what may be an owner's, and of who has accepted it."""
        rows = [row for id_ in owner.restaurant_ids for row in self._by_merchant.get(id_, ())]
        orders = {row.id: row for row in (*rows, *self._by_customer.get(owner.id, ()))}
        left = [one for id_ in owner.restaurant_ids for one in self._left_by_merchant.get(id_, ())]
        mine = {one.id: one for one in (*left, *self._left_by_customer.get(owner.id, ()))}
        couriers = self._board.couriers
        holders = (row.courier_id for row in orders.values() if row.courier_id)
        return replace(
            self._board,
            orders=orders,
            couriers={id_: couriers[id_] for id_ in holders if id_ in couriers},
            left=tuple(mine.values()),
        )
