"""What has happened to an order, for those who have, or had, a part in it."""

from __future__ import annotations

from typing import NamedTuple

from chalicelib.domain.money.pricing import estimate_price
from chalicelib.domain.orders.history_entries import HistoryEntry, list_entries
from chalicelib.domain.orders.history_views import Side, find_side, select_entries
from chalicelib.domain.people import Actor
from chalicelib.errors import NotFound
from chalicelib.services.dispatch.history_archive import HistoryArchive
from chalicelib.services.dispatch.sequential import SequentialDispatch
from chalicelib.services.ports import OrderStore


class ShownHistory(NamedTuple):
    """What somebody may see of an order's history, the oldest first. `left_out` changes were too
    many to be kept."""

    entries: list[HistoryEntry]
    left_out: int


class OrderHistory:
    """Shows the histories of orders."""

    def __init__(
        self, orders: OrderStore, dispatch: SequentialDispatch, archive: HistoryArchive
    ) -> None:
        self._orders = orders
        self._dispatch = dispatch
        self._archive = archive

    def get_history(self, actor: Actor, order_id: int) -> ShownHistory:
        """Read what an actor may see of an order's history: two reads at most. An offer that is due
        expires first, as wherever an order is read. Raises NotFound for who has no part in it."""
        order = self._dispatch.expire_if_due(self._orders.get_order(order_id))
        history = self._archive.read_history(order)
        price_minor = estimate_price(order.details).total_minor or None
        entries = list_entries(order, history, price_minor)
        side = find_side(order, entries, actor)
        if side is None:
            raise NotFound("There is no such order.")
        left_out = history.left_out if side is not Side.COURIER else 0
        return ShownHistory(select_entries(order, entries, side, actor), left_out)
