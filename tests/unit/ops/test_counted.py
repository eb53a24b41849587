"""Counting as time goes on comes to what a process counts that has seen nothing before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.domain.ids import make_id
from chalicelib.domain.ops.hours import HourFigures, HourSample, compute_figures
from chalicelib.domain.ops.summary import ListedOrder, OrderSummary, summarize_order
from chalicelib.domain.orders.listing import list_new_names, name_home_list
from chalicelib.domain.orders.model import ACTIVATED, SCHEDULED, Order, Status
from chalicelib.services.ops.counted import CountedOrders
from chalicelib.services.ops.unfinished import UnfinishedOrders
from tests.builders import NOW, a_job, an_order

WAKEUP_S = 5


class Town:
    """Orders that are placed, become active, end and are tried again; with their lists. It is all
    three stores that counting reads."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = NOW.replace(hour=22)
        self.orders: dict[int, Order] = {}
        self.rows: dict[str, dict[int, OrderSummary | None]] = {}
        self.waking: list[tuple[datetime, int]] = []

    # What is read

    def list_rows(self, names: Sequence[str], from_: int = 0) -> list[ListedOrder]:
        found = (row for name in names for row in self.rows.get(name, {}).items())
        return [ListedOrder(*row) for row in found if row[0] >= from_]

    def find_summaries(self, rows: Sequence[tuple[str, int]]) -> dict[int, OrderSummary]:
        found = {id_: self.rows[name][id_] for name, id_ in rows}
        return {id_: summary for id_, summary in found.items() if summary}

    def read_listed(self, ids: Sequence[int], *_: Any, **__: Any) -> list[Order]:
        return [self.orders[id_] for id_ in ids if id_ in self.orders]

    def list_histories(self, *_: Any) -> dict[int, Any]:
        return {}

    # What happens

    def live(self) -> None:
        """Let some time pass, and something happen."""
        self.now += timedelta(seconds=self.random.choice([1, 7, 60, 1800]))
        for at, id_ in [one for one in self.waking if one[0] <= self.now]:
            self.waking.remove((at, id_))
            self._summarize(self.orders[id_])
        if self.random.random() < 0.4 or not self.orders:
            self._place()
        else:
            self._step(self.random.choice(list(self.orders.values())))

    def _place(self) -> None:
        is_later = self.random.random() < 0.3
        order = an_order(
            Status.SCHEDULED if is_later else Status.SEARCHING,
            id=make_id(self.now),
            details=a_job(created_at=self.now),
            timeline={"placed": self.now, **({SCHEDULED: self.now} if is_later else {})},
        )
        self._write(None, order)

    def _step(self, order: Order) -> None:
        to = {
            Status.SCHEDULED: (Status.SEARCHING, Status.CANCELLED),
            Status.SEARCHING: (Status.ACCEPTED, Status.UNSERVED, Status.CANCELLED),
            Status.ACCEPTED: (Status.DONE,),
            Status.UNSERVED: (Status.SEARCHING,),
        }.get(order.status)
        if to is None:
            return
        status = self.random.choice(to)
        timeline = {**order.timeline, status.value: self.now}
        if order.status is Status.SCHEDULED and status is Status.SEARCHING:
            timeline[ACTIVATED] = self.now
        after = replace(order, status=status, timeline=timeline, updated_at=self.now)
        self._write(order, after)

    def _write(self, stored: Order | None, order: Order) -> None:
        for name in list_new_names(stored, order):
            self.rows.setdefault(name, {})[order.id] = None
        self.orders[order.id] = order
        if order.is_terminal and self.random.random() < 0.9:  # some wakeups never come
            self.waking.append((self.now + timedelta(seconds=WAKEUP_S), order.id))

    def _summarize(self, order: Order) -> None:
        if order.is_terminal and not order.is_dormant:
            summary = summarize_order(order, (), 5, self.now)
            self.rows[name_home_list(order)][order.id] = summary

    def counting(self) -> CountedOrders:
        """A process that has seen nothing."""
        stores: Any = self
        return CountedOrders(stores, stores, stores, 5)

    def watching(self) -> UnfinishedOrders:
        """Likewise, one that shows a board."""
        stores: Any = self
        return UnfinishedOrders(stores, stores)


def count(counting: CountedOrders, now: datetime, hours: int) -> dict[int, HourFigures]:
    """What each hour with any orders comes to, as far as it was asked for."""
    counted = counting.count_hours(now, hours)
    last = int(now.timestamp()) // 3600
    found = {}
    for hour in range(last - hours + 1, last + 1):
        sample = HourSample()
        if hour in counted.final:
            sample.add_sample(counted.final[hour])
        for summary in counted.passing.get(hour, ()):
            sample.add_order(summary)
        if sample.orders:
            found[hour] = compute_figures(sample)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_what_is_remembered_and_what_is_read_anew_are_the_same(seed: int) -> None:
    town = Town(seed)
    counting, watching = town.counting(), town.watching()
    for _ in range(150):
        for _ in range(town.random.choice([1, 1, 5, 20])):
            town.live()
        hours = town.random.choice([1, 24, 24, 168])
        figures = count(counting, town.now, hours)
        assert figures == count(town.counting(), town.now, hours)
        wanted = {
            id_
            for id_, order in town.orders.items()
            if not order.is_dormant
            and int(order.timeline.get(ACTIVATED, order.placed_at).timestamp()) // 3600
            > int(town.now.timestamp()) // 3600 - hours
        }
        assert sum(one.orders for one in figures.values()) == len(wanted)
        ends = [town.orders[id_].status for id_ in wanted if town.orders[id_].is_terminal]
        assert sum(sum(one.ends.values()) for one in figures.values()) == len(ends)
        unfinished = {
            id_ for id_, one in town.orders.items() if not one.is_terminal and not one.is_dormant
        }
        seen = {one.id for one in watching.find_orders(town.now).orders if not one.is_terminal}
        # What is revived is looked for each five seconds.
        late = {id_ for id_ in unfinished - seen if town.orders[id_].updated_at < town.now}
        lately = town.now - timedelta(seconds=5)
        assert not {id_ for id_ in late if town.orders[id_].updated_at < lately}
        assert seen <= unfinished
