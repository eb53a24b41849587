"""Counted orders: what the hours' figures are made of, remembered so that it is read once.

A process reads the lists of the days that are asked for, and then only what is new. An order that
has ended is counted into its hour's sample and forgotten; of all others there are ids, and they are
read again each time. Three kinds of orders have no final count yet:

 open       not ended, as far as it was seen, or without a summary and ended a moment ago
 unserved   may be searched for again: its summary stays, and is taken back as it is listed anew
 unread     of a version that kept no summaries, while there are too many to be read at once
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from chalicelib.domain.ids import find_first_id
from chalicelib.domain.ops.hours import HOUR, MAX_HOURS, HourSample, find_hour
from chalicelib.domain.ops.summary import ListedOrder, OrderSummary, summarize_order
from chalicelib.domain.orders.changes import Change
from chalicelib.domain.orders.listing import (
    DAY_SHARDS,
    find_day,
    name_day_list,
    name_home_list,
    name_revived_list,
)
from chalicelib.domain.orders.model import Order
from chalicelib.services.ops.unfinished import LISTED_WITHIN, list_days
from chalicelib.services.ports import HistoryStore, ListingStore, OrderStore

MAX_READ = 10_000  # orders in one call: a week's without summaries are read a part at a time
# By then an order that ended has its summary, or gets none any more.
_SUMMARIZED_WITHIN_MS = 60_000


class CountedHours(NamedTuple):
    """By hours: what is final, and the summaries of what is not."""

    final: Mapping[int, HourSample]
    passing: Mapping[int, Sequence[OrderSummary]]


class CountedOrders:
    """Counts orders by the hour in which they became active. Not for several threads at once."""

    def __init__(
        self,
        listings: ListingStore,
        orders: OrderStore,
        histories: HistoryStore,
        zone_resolution: int,
    ) -> None:
        self._listings = listings
        self._orders = orders
        self._histories = histories
        self._resolution = zone_resolution
        self._first_day: date | None = None
        self._forget_all()

    def _forget_all(self) -> None:
        self._final: dict[int, HourSample] = {}
        self._unserved: dict[int, OrderSummary] = {}
        self._open: set[int] = set()
        self._counted_on: dict[int, date] = {}  # of what is final: lists name it again for a while
        self._listed_at: datetime | None = None

    def count_hours(self, now: datetime, hours: int) -> CountedHours:
        """Count the orders of so many hours up to now, this one among them."""
        self._list_days(now, hours)
        self._list_new(now)
        passing: dict[int, list[OrderSummary]] = {}
        for summary in (*self._read_open(now), *self._unserved.values()):
            passing.setdefault(find_hour(summary.started_ms), []).append(summary)
        self._forget_old(now)
        return CountedHours(self._final, passing)

    def _list_days(self, now: datetime, hours: int) -> None:
        """Read the lists of all days, once; all over again if earlier ones are asked for."""
        first = find_day(now - HOUR * (hours - 1))
        if self._first_day is not None and first >= self._first_day:
            return
        self._forget_all()
        names = [
            name(day, shard)
            for day in list_days(first, now)
            for name in (name_day_list, name_revived_list)
            for shard in range(DAY_SHARDS)
        ]
        self._take_rows(self._listings.list_rows(names), now)
        self._first_day, self._listed_at = first, now

    def _list_new(self, now: datetime) -> None:
        """Read what was listed since the last time: by days what has newer ids, with some of those
        before, and all that was revived."""
        since = (self._listed_at or now) - LISTED_WITHIN
        days = list_days(find_day(since), now)
        new = [name_day_list(day, shard) for day in days for shard in range(DAY_SHARDS)]
        revived = [name_revived_list(day, shard) for day in days for shard in range(DAY_SHARDS)]
        rows = self._listings.list_rows(new, find_first_id(since))
        self._take_rows([*rows, *self._listings.list_rows(revived)], now)
        self._listed_at = now

    def _take_rows(self, rows: Iterable[ListedOrder], now: datetime) -> None:
        """Count what has a summary, once; note what has none to be read itself."""
        summaries: dict[int, OrderSummary | None] = {}
        for row in rows:
            summaries[row.order_id] = row.summary or summaries.get(row.order_id)
        for order_id, summary in summaries.items():
            if order_id in self._counted_on:
                continue
            if summary is None:
                # One that was unserved, and is listed without a summary, is searched for again.
                self._unserved.pop(order_id, None)
                self._open.add(order_id)
            else:
                self._count_ended(order_id, summary, now)

    def _count_ended(self, order_id: int, summary: OrderSummary, now: datetime) -> None:
        """Count an order that has ended, for good or until it is searched for again."""
        self._open.discard(order_id)
        if summary.is_unserved:
            self._unserved[order_id] = summary
            return
        hour = find_hour(summary.started_ms)
        self._final.setdefault(hour, HourSample()).add_order(summary)
        self._counted_on[order_id] = find_day(now)

    def _read_open(self, now: datetime) -> Iterator[OrderSummary]:
        """Read the open orders; count what has ended, and yield what is still to change."""
        ids = sorted(self._open, reverse=True)[:MAX_READ]
        orders = self._orders.read_listed(ids, now, is_consistent=False)
        self._drop_missing(ids, orders, now)
        ended = [order for order in orders if order.is_terminal and not order.is_dormant]
        kept = self._find_kept(ended)
        archived = self._find_histories([one for one in ended if one.id not in kept], now)
        for order in orders:
            if order.is_dormant:
                self._open.discard(order.id)  # it is listed anew as its time comes
            elif order.id in kept:
                summary = kept[order.id]
                self._count_ended(order.id, summary, now)
            else:
                changes = (*archived.get(order.id, ()), *order.changes)
                summary = summarize_order(order, changes, self._resolution, now)
                if _gets_no_summary(summary, now):
                    self._count_ended(order.id, summary, now)
                else:
                    yield summary

    def _find_kept(self, ended: Sequence[Order]) -> Mapping[int, OrderSummary]:
        """Find the summaries of orders' last ends: one that is of an end before counts no more."""
        kept = self._listings.find_summaries([(name_home_list(one), one.id) for one in ended])
        ends = {order.id: order.status for order in ended}
        return {id_: one for id_, one in kept.items() if one.end is ends[id_]}

    def _find_histories(
        self, orders: Sequence[Order], now: datetime
    ) -> Mapping[int, Sequence[Change]]:
        keys = [(one.id, one.history_token) for one in orders if one.history_token]
        return {id_: one.changes for id_, one in self._histories.list_histories(keys, now).items()}

    def _drop_missing(self, ids: Sequence[int], orders: Sequence[Order], now: datetime) -> None:
        """Forget what was listed and never placed."""
        too_late = find_first_id(now - LISTED_WITHIN)
        there = {order.id for order in orders}
        self._open.difference_update(id_ for id_ in ids if id_ not in there and id_ < too_late)

    def _forget_old(self, now: datetime) -> None:
        oldest = find_hour(int(now.timestamp() * 1000)) - MAX_HOURS
        for hour in [hour for hour in self._final if hour <= oldest]:
            del self._final[hour]
        for id_ in [
            id_ for id_, on in self._unserved.items() if find_hour(on.started_ms) <= oldest
        ]:
            del self._unserved[id_]
        # No list of the day before yesterday is read again.
        last = find_day(now) - timedelta(days=2)
        for id_ in [id_ for id_, on in self._counted_on.items() if on < last]:
            del self._counted_on[id_]


def _gets_no_summary(summary: OrderSummary, now: datetime) -> bool:
    """Say whether an order without a kept summary has ended so long ago that it gets none."""
    ended_ms = summary.ended_ms
    return ended_ms is not None and now.timestamp() * 1000 - ended_ms >= _SUMMARIZED_WITHIN_MS
