"""Lists of orders: rows that are nothing but keys, the list's name and the order's id. But for the
lists of days: what is counted of an order is kept with its row there, once it has ended.

They are rows and no index, for two reasons. They are read strongly consistent, as no index can be:
whoever has been answered that an order was placed finds it in their list. And CloudFormation adds
one index of a table in one deployment, but any number of tables.

A row is written before its order. Who dies between the two leaves a row of an order that is not
there, which readers pass over; the other way round an order would be missing for ever.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice

from pynamodb.exceptions import PutError
from pynamodb.expressions.condition import Condition

from chalicelib.domain.ids import MAX_ID
from chalicelib.domain.ops.summary import ListedOrder, OrderSummary
from chalicelib.domain.orders.listing import (
    DAYS_LIST,
    LISTED_LONGER,
    find_day,
    find_holder_id,
    list_new_names,
    name_courier_list,
)
from chalicelib.domain.orders.model import Order
from chalicelib.errors import Unavailable
from chalicelib.store.compression import pack, unpack
from chalicelib.store.conditional import try_update
from chalicelib.store.tables import ListingRow

log = logging.getLogger(__name__)


class ListingTable:
    """Reads the listings table. `pool` reads several lists side by side."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    def list_ids(
        self, names: Sequence[str], limit: int, below: int = MAX_ID + 1, from_: int = 0
    ) -> list[int]:
        """List ids of orders of several lists together, the newest first, strongly consistent: at
        most `limit` of those from `from_` up and under `below`."""
        if below <= from_:
            return []
        if len(names) == 1:  # the usual case needs no thread
            return _read_ids(names[0], limit, below, from_)
        found = self._pool.map(lambda name: _read_ids(name, limit, below, from_), names)
        return list(islice(_merge(list(found)), limit))

    def list_rows(self, names: Sequence[str], from_: int = 0) -> list[ListedOrder]:
        """List all rows of several lists together, from an order's id up, in no order, each as it
        is or lately was."""
        found = self._pool.map(lambda name: _read_rows(name, from_), names)
        return [row for rows in found for row in rows]

    def find_summaries(self, rows: Sequence[tuple[str, int]]) -> dict[int, OrderSummary]:
        """Find the summaries that some rows have, each as it is or lately was."""
        found = map(_decode_row, ListingRow.batch_get(list(rows)) if rows else ())
        return {row.order_id: row.summary for row in found if row.summary}

    def save_summary(self, name: str, order_id: int, summary: OrderSummary) -> None:
        """Keep what is counted of an order with its row in a list; nothing, if it is in none."""
        actions = [ListingRow.doc.set(pack(summary))]
        try_update(ListingRow(name, order_id), actions, ListingRow.order_id.exists())


def _read_rows(name: str, from_: int) -> list[ListedOrder]:
    rows = ListingRow.query(name, ListingRow.order_id >= from_)
    return [_decode_row(row) for row in rows]


def _decode_row(row: ListingRow) -> ListedOrder:
    """Decode a row. A summary that can't be read is none: the order says the same."""
    order_id = int(row.order_id)
    try:
        return ListedOrder(order_id, unpack(row.doc, OrderSummary) if row.doc else None)
    except Exception:  # whatever is wrong with it
        log.exception("the summary of order %d can't be read", order_id)
        return ListedOrder(order_id)


def _merge(lists: Sequence[Sequence[int]]) -> Iterator[int]:
    """Merge lists that fall into one that does, each id once."""
    last = None
    for id_ in heapq.merge(*lists, reverse=True):
        if id_ != last:
            yield id_
        last = id_


def _read_ids(name: str, limit: int, below: int, from_: int) -> list[int]:
    wanted: Condition = ListingRow.order_id.between(from_, below - 1)
    rows = ListingRow.query(
        name,
        wanted,
        consistent_read=True,
        scan_index_forward=False,
        limit=limit,
        page_size=limit,
    )
    return [int(row.order_id) for row in rows]


class ListingWriter:
    """Writes the lists. Their rows expire later than the orders do, which are kept for `kept_for`
    after their end."""

    def __init__(self, kept_for: timedelta) -> None:
        self._kept_for = kept_for
        self._known_days: set[int] = set()  # are in the list of days: this process wrote it

    def add_order(self, stored: Order | None, order: Order) -> None:
        """Put an order that is about to be written into the lists in which it is not yet: a new one
        into all, one that is accepted into its courier's. Doing it again changes nothing.

        Raises Unavailable; the order must not be written then.
        """
        expires = int((order.details.created_at + self._kept_for + LISTED_LONGER).timestamp())
        names = list_new_names(stored, order)
        holder_id = find_holder_id(order)
        if holder_id is not None and (stored is None or find_holder_id(stored) != holder_id):
            names.append(name_courier_list(holder_id))
        # (Of an order that is searched for again this takes its summary away.)
        rows = [ListingRow(name, order.id, expires=expires) for name in dict.fromkeys(names)]
        day = find_day(order.details.created_at).toordinal()
        if stored is None and day not in self._known_days:
            # With each process's first order of a day: once would do, but who knows the first?
            rows.append(ListingRow(DAYS_LIST, day, expires=expires))
        _put_rows(rows)
        if stored is None:
            self._known_days.add(day)


def _put_rows(rows: Sequence[ListingRow]) -> None:
    if len(rows) == 1:
        rows[0].save()
    if len(rows) <= 1:
        return
    try:
        with ListingRow.batch_write() as batch:
            for row in rows:
                batch.save(row)
    except PutError as error:
        if error.cause is not None:
            raise
        # Some rows were left unprocessed each time: the table is throttled.
        raise Unavailable("Waybill can't write this now; try again.") from None
