"""The archive: where an order's history goes when the order ends, or grows too large for its row.

While an order lives, its newest changes are in its own row: a step and what is remembered of it are
one write. With the commit that ends it they leave that row:

 1. archive  All changes, those before and those of this commit, are put into a row of `histories`
             under a token made of what it says. It expires HISTORY_KEPT_DAYS after this commit.
 2. commit   The order is written without them, and with the token.

Who dies between the two, or loses the race for the order, has written a row that no order names:
nobody reads it, and it expires as any other. Who dies after the second has lost nothing. So no
wakeup has to make up for anything, no transaction is needed, and an end costs one write more.

An order that lives again goes on in its own row, and names what was before; its next end puts both
together. So does an order with more changes than it may carry, though it has not ended.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from chalicelib.domain.orders.changes import MAX_CARRIED, History, append_changes
from chalicelib.domain.orders.model import Order
from chalicelib.services.ports import Clock, HistoryStore


class HistoryArchive:
    """Moves changes out of orders' rows, and reads whole histories."""

    def __init__(self, histories: HistoryStore, kept_for: timedelta, clock: Clock) -> None:
        self._histories = histories
        self._kept_for = kept_for
        self._clock = clock

    def archive_changes(self, order: Order) -> Order:
        """Archive the changes of an order that is about to be committed, if it is over or they are
        too many; return it as it is to be committed. Raises Unavailable: to commit it all the same
        would keep them for as long as the order."""
        if not order.changes or not (order.is_terminal or len(order.changes) > MAX_CARRIED):
            return order
        history = self.read_history(order)
        expires_at = order.updated_at + self._kept_for
        token = self._histories.save_history(order.id, history, expires_at)
        return replace(order, changes=(), history_token=token)

    def read_history(self, order: Order) -> History:
        """Read all changes of an order: one read, if any of them are archived, else none. What has
        expired is not there."""
        return append_changes(self._find_archived(order) or History(), order.changes)

    def read_history_eventually(self, order: Order) -> History:
        """Read all changes of an order whose last ones were archived some seconds ago: for half
        the price. A history that is not there yet all the same is read again."""
        archived = self._find_archived(order, is_consistent=False) or self._find_archived(order)
        return append_changes(archived or History(), order.changes)

    def _find_archived(self, order: Order, is_consistent: bool = True) -> History | None:
        token, now = order.history_token, self._clock()
        if token is None:
            return None
        return self._histories.find_history(order.id, token, now, is_consistent)
