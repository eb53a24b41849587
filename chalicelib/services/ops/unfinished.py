"""Unfinished orders: found by the lists of days, and remembered, so that a list is read once.

The first look of a process reads the lists of the last LISTED_DAYS, each later one only the rows
that have come since. What a row says of an order is a hint: each order that may be unfinished is
read itself, each time. All reads are eventually consistent: what one misses the next one finds.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from math import ceil
from typing import NamedTuple

from chalicelib.domain.ids import find_first_id
from chalicelib.domain.ops.board import (
    LEFT_KNOWN_FOR,
    UNSERVED_SHOWN_FOR,
    LeftOrder,
    is_shown,
    note_left,
)
from chalicelib.domain.ops.summary import ListedOrder
from chalicelib.domain.orders.listing import (
    DAY_SHARDS,
    find_day,
    name_day_list,
    name_revived_list,
)
from chalicelib.domain.orders.model import Order, Status
from chalicelib.services.ports import ListingStore, OrderStore

LISTED_DAYS = 7
# A row is written so long after its order's id was made, at most: an invocation is over by then.
LISTED_WITHIN = timedelta(minutes=2)
# What is active again, or at last, is looked for less often: its lists are read whole.
_REVIVED_EVERY = timedelta(seconds=5)
_LISTED_AT_ONCE = 12  # rows of a list that are read at the price of an order's row


class FoundOrders(NamedTuple):
    """What is shown on a board, how many rows it took to find, and what has left it lately.

    Rows count as an order's, of which one is a read of its own: several of a list are as much. What
    a process reads once, as it begins, does not count: no look takes it again.
    """

    orders: list[Order]
    rows_read: int
    left: tuple[LeftOrder, ...] = ()


class UnfinishedOrders:
    """Finds the orders that are on the board. Not for several threads at once."""

    def __init__(self, listings: ListingStore, orders: OrderStore, zone_resolution: int) -> None:
        self._listings = listings
        self._orders = orders
        self._resolution = zone_resolution
        self._left: dict[int, LeftOrder] = {}
        self._known: set[int] = set()
        self._over: set[int] = set()  # of the revived, whose lists are read again and again
        self._listed_at: datetime | None = None
        self._revived_at: datetime | None = None

    def find_orders(self, now: datetime) -> FoundOrders:
        """Find what is on the board now."""
        is_first = self._listed_at is None
        rows_read = self._find_new(now) + self._find_revived(now)
        found = self._orders.read_listed(sorted(self._known), now, is_consistent=False)
        shown = [order for order in found if is_shown(order, now)]
        self._over.update(
            order.id for order in found if order.is_terminal and order.status is not Status.UNSERVED
        )
        rows_read += len(shown) if is_first else len(self._known)
        # A row may come before its order is committed: it is listed again for a while.
        self._known = {order.id for order in shown}
        self._note_left([order for order in found if not is_shown(order, now)], now)
        return FoundOrders(shown, rows_read, tuple(self._left.values()))

    def _find_new(self, now: datetime) -> int:
        """Find the orders that were listed since the last look, with some of those before it: a
        row may be written later than another of a newer order."""
        since = self._listed_at
        first = find_day(since - LISTED_WITHIN if since else now - timedelta(days=LISTED_DAYS))
        from_ = find_first_id(since - LISTED_WITHIN) if since else 0
        names = [
            name_day_list(day, shard)
            for day in list_days(first, now)
            for shard in range(DAY_SHARDS)
        ]
        count = self._add(names, from_, now)
        self._listed_at = now
        return count if since else 0

    def _find_revived(self, now: datetime) -> int:
        """Find the orders that were placed on another day than they became active, or were searched
        for again."""
        last = self._revived_at
        if last and now - last < _REVIVED_EVERY:
            return 0
        first = find_day(last - LISTED_WITHIN if last else now - timedelta(days=LISTED_DAYS))
        if last and find_day(last) != find_day(now):
            self._over.clear()
        names = [
            name_revived_list(day, shard)
            for day in list_days(first, now)
            for shard in range(DAY_SHARDS)
        ]
        count = self._add(names, 0, now)
        self._revived_at = now
        return count if last else 0

    def _add(self, names: list[str], from_: int, now: datetime) -> int:
        rows = self._listings.list_rows(names, from_)
        over = self._over | {row.order_id for row in rows if self._is_over(row, now)}
        self._known.update(row.order_id for row in rows if row.order_id not in over)
        return ceil(len(rows) / _LISTED_AT_ONCE)

    def _is_over(self, row: ListedOrder, now: datetime) -> bool:
        """Say whether an order need not be read, by its summary: it left the board long ago, or was
        noted then. One that nobody was found for may be searched for again."""
        summary = row.summary
        if summary is None or summary.ended_ms is None:
            return False
        stayed = UNSERVED_SHOWN_FOR if summary.is_unserved else timedelta(0)
        known_since_ms = (now - stayed - LEFT_KNOWN_FOR).timestamp() * 1000
        return row.order_id in self._left or summary.ended_ms <= known_since_ms

    def _note_left(self, orders: Iterable[Order], now: datetime) -> None:
        """Note which orders have left the board, and forget those that left it long ago."""
        left = [note_left(order, self._resolution) for order in orders]
        self._left |= {one.id: one for one in left if one}
        self._left = {id_: one for id_, one in self._left.items() if one.at > now - LEFT_KNOWN_FOR}


def list_days(first: date, now: datetime) -> list[date]:
    """List the days from `first` to today's, and a moment ahead: clocks differ."""
    last = find_day(now + timedelta(minutes=1))
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
