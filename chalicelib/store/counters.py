"""Counters of events, each day's in shards, so that no partition takes all writes."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone

from pynamodb.expressions.update import Action

from chalicelib.domain.feeds import Count
from chalicelib.store.tables import SHARDS, CounterRow

_KEPT_FOR = timedelta(days=400)


class Counters:
    """The counters table. `pool` reads the shards of a day side by side."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    def add(self, counts: Iterable[Count]) -> None:
        """Add to the counters: one write for each type and day."""
        for count in counts:
            key = _key(count.day, count.shard % SHARDS)
            actions: list[Action] = [CounterRow.expires.set(_expires(count.day))]
            if count.logged:
                actions.append(CounterRow.logged.add(count.logged))
            if count.heard:
                actions.append(CounterRow.heard.add(count.heard))
            CounterRow(key, count.type).update(actions=actions)

    def of_day(self, day: date) -> list[Count]:
        """All counters of a day, strongly consistent."""
        shards = self._pool.map(lambda shard: _shard(day, shard), range(SHARDS))
        return [count for counts in shards for count in counts]


def _shard(day: date, shard: int) -> list[Count]:
    rows = CounterRow.query(_key(day, shard), consistent_read=True)
    return [
        Count(day, str(row.type), shard, int(row.logged or 0), int(row.heard or 0)) for row in rows
    ]


def _key(day: date, shard: int) -> str:
    return f"{day:%Y-%m-%d}#{shard}"


def _expires(day: date) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
    return int((midnight + _KEPT_FOR).timestamp())
