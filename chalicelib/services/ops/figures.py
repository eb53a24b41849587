"""Figures: how it goes now, and how it went by the hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from threading import Lock
from typing import NamedTuple

from chalicelib.domain.ops.current import CurrentFigures, count_board
from chalicelib.domain.ops.duty import DutyHours
from chalicelib.domain.ops.hours import (
    HourFigures,
    HourSample,
    compute_figures,
    find_hour,
)
from chalicelib.services.ops.board import BoardReader
from chalicelib.services.ops.counted import CountedHours, CountedOrders
from chalicelib.services.ports import ConnectionStore, OrderStore, TickStore
from chalicelib.services.sweeper import PASS_INTERVAL

_OVERDUE_LOOKED_AT = 8  # the first of each shard, which come in turns


class Figures(NamedTuple):
    """What somebody asked for: of the moment, by hours, the newest last, and of all these hours.
    `wakeup_lag` is how long what is overdue longest waits."""

    current: CurrentFigures
    sockets: int
    wakeup_lag: timedelta
    hours: list[tuple[int, HourFigures]]
    total: HourFigures


class FiguresReader:
    """Reads figures, and remembers those of hours that are over."""

    def __init__(
        self,
        board: BoardReader,
        counted: CountedOrders,
        orders: OrderStore,
        connections: ConnectionStore,
        ticks: TickStore,
    ) -> None:
        self._board = board
        self._counted = counted
        self._orders = orders
        self._connections = connections
        self._ticks = ticks
        self._computed: dict[int, tuple[object, HourFigures]] = {}
        self._lock = Lock()

    def read(self, now: datetime, hours: int) -> Figures:
        """Read the figures of now, and of so many hours up to this one."""
        last = find_hour(int(now.timestamp() * 1000))
        current = count_board(self._board.read(now))
        # What is counted now counts here alone: to read figures writes nothing.
        duty = self._ticks.get_duty().add_count(now, current.couriers, current.couriers_idle)
        with self._lock:
            counted = self._counted.count_hours(now, hours)
            by_hour = [
                (hour, self._compute_hour(hour, counted, duty))
                for hour in range(last - hours + 1, last + 1)
            ]
            total = _sum_hours(counted, duty, last - hours + 1, last)
            self._computed = {h: one for h, one in self._computed.items() if h > last - hours}
        return Figures(
            current,
            self._connections.count_connections(),
            self._measure_lag(now),
            by_hour,
            compute_figures(total),
        )

    def _compute_hour(self, hour: int, counted: CountedHours, duty: DutyHours) -> HourFigures:
        """Compute an hour's figures; those of an hour in which nothing is open or new are as they
        were."""
        final = counted.final.get(hour)
        settled = final.orders if final else 0, duty.get_count(hour)
        passing = counted.passing.get(hour, ())
        known = self._computed.get(hour)
        if known and not passing and known[0] == settled:
            return known[1]
        figures = compute_figures(_sum_hours(counted, duty, hour, hour))
        self._computed.pop(hour, None)
        if not passing:
            self._computed[hour] = settled, figures
        return figures

    def _measure_lag(self, now: datetime) -> timedelta:
        """Measure how long what is overdue longest waits: an order whose deadline has passed, a
        connection that is to be checked, a webhook that is to be tried again. The latter two have
        no wakeup of their own: they are late once the sweep has had its time to find them."""
        overdue: list[datetime] = []
        for due in islice(self._orders.list_due(now), _OVERDUE_LOOKED_AT):
            overdue.append(due.at)
        for check in islice(self._connections.list_due(now), _OVERDUE_LOOKED_AT):
            overdue.append(check.at + PASS_INTERVAL)
        return max((now - at for at in overdue if at < now), default=timedelta(0))


def _sum_hours(counted: CountedHours, duty: DutyHours, first: int, last: int) -> HourSample:
    """Count the orders, and the couriers on duty, of some hours together."""
    total = HourSample()
    for hour in range(first, last + 1):
        if hour in counted.final:
            total.add_sample(counted.final[hour])
        for summary in counted.passing.get(hour, ()):
            total.add_order(summary)
        on_duty = duty.get_count(hour)
        total.add_duty(on_duty.couriers, on_duty.idle)
    return total
