"""Counters of events, each day's in shards, so that no partition takes all writes.

What is added must not be added twice when an answer gets lost and the SDK sends the write again. So
a row keeps the tokens of the last writes, each in one of TOKEN_SLOTS places, and a write whose
token is there is refused. Only if another write took that very place in between is something
counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone
from secrets import randbelow, token_urlsafe

from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.domain.messaging.event_stats import DayCounts, EventCount, ReasonCount
from chalicelib.store.conditional import try_update
from chalicelib.store.tables import SHARDS, CounterRow

_KEPT_FOR = timedelta(days=400)
_LOGGED, _DELIVERED, _GIVEN = "logged:", "heard:", "reason:"
TOKEN_SLOTS = 16  # in a row: some 130 bytes


class CounterTable:
    """The counters table. `pool` reads the shards of a day side by side."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    def add_counts(self, counts: Iterable[EventCount], reasons: Iterable[ReasonCount] = ()) -> None:
        """Add to the counters: one write for each shard and day."""
        rows: dict[tuple[date, int], list[Action]] = {}
        for count in counts:
            actions = rows.setdefault((count.day, count.shard % SHARDS), [])
            for prefix, number in ((_LOGGED, count.logged), (_DELIVERED, count.delivered)):
                if number:
                    actions.append(Path([prefix + count.type]).add(number))
        for reason in reasons:
            actions = rows.setdefault((reason.day, reason.shard % SHARDS), [])
            actions.append(Path([_GIVEN + reason.reason]).add(reason.given))
        for (day, shard), actions in rows.items():
            actions.append(CounterRow.expires.set(_get_expiry(day)))
            _add_once(CounterRow(_make_row_key(day, shard)), actions)

    def list_counts(self, day: date) -> DayCounts:
        """List all counters of a day, strongly consistent."""
        shards = list(self._pool.map(lambda shard: _read_shard(day, shard), range(SHARDS)))
        return DayCounts(
            [count for shard in shards for count in shard.events],
            [count for shard in shards for count in shard.reasons],
        )


def _add_once(row: CounterRow, actions: list[Action]) -> None:
    """Apply actions to a row, however often the SDK sends them. A write that finds its own token
    there is refused: it is done, and only its answer got lost."""
    slot, token = Path([f"w{randbelow(TOKEN_SLOTS):x}"]), token_urlsafe(4)
    try_update(row, [*actions, slot.set(token)], slot.does_not_exist() | (slot != token))


def _read_shard(day: date, shard: int) -> DayCounts:
    """Read the counters of a shard. Their attributes are named by types of event and by reasons, so
    no model has them: the row is read as it is."""
    found = CounterRow._get_connection().get_item(_make_row_key(day, shard), consistent_read=True)
    item = found.get("Item", {})

    def read_number(name: str) -> int:
        return int(item[name]["N"]) if name in item else 0

    types = {name.partition(":")[2] for name in item if name.startswith((_LOGGED, _DELIVERED))}
    given = [name for name in item if name.startswith(_GIVEN)]
    return DayCounts(
        [
            EventCount(
                day, type_, shard, read_number(_LOGGED + type_), read_number(_DELIVERED + type_)
            )
            for type_ in types
        ],
        [ReasonCount(day, name.removeprefix(_GIVEN), shard, read_number(name)) for name in given],
    )


def _make_row_key(day: date, shard: int) -> str:
    return f"{day:%Y-%m-%d}#{shard}"


def _get_expiry(day: date) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
    return int((midnight + _KEPT_FOR).timestamp())
