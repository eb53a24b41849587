"""Couriers: availability, position, and which order occupies them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from zlib import crc32

import msgspec
from pynamodb.exceptions import DoesNotExist, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.geo import Point, cell_of, rings
from chalicelib.domain.people import Courier, Fix
from chalicelib.errors import RateLimited, Stale
from chalicelib.store.clock import from_ms, ms
from chalicelib.store.failures import lost_race
from chalicelib.store.tables import SHARDS, CourierRow

_PER_CELL = 100  # free couriers looked at in one cell
_PER_SHARD = 25
_ATTEMPTS = 8


class Change(msgspec.Struct, frozen=True):
    """One conditional update of a courier's row, for a transaction."""

    row: Any
    actions: list[Any]
    condition: Any


class Couriers:
    """The couriers table. `pool` runs the queries of one ring side by side."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    def get(self, courier_id: str) -> Courier | None:
        """Read one courier, strongly consistent; None if never seen."""
        row = _row(courier_id)
        return _decode(row) if row else None

    def set_available(self, courier_id: str, available: bool, now: datetime) -> Courier:
        """Go on or off duty; idempotent. Returns the courier after it."""

        def change(row: CourierRow) -> list[Action]:
            if row.available == available:
                return []
            since = [CourierRow.idle_since.set(ms(now))] if available else []
            free = available and not row.order_id
            return [CourierRow.available.set(available), *since, *_index(row, free)]

        return self._update(courier_id, change)

    def record_fix(
        self, courier_id: str, fix: Fix, now: datetime, least_gap: timedelta | None
    ) -> Courier | None:
        """Store a position: one write, and no index is touched, while in the same cell.

        The same condition enforces `least_gap` between two fixes. Returns the courier after it,
        or None for a fix older than the one known. Raises RateLimited.
        """
        cell = cell_of((fix.lat, fix.lng))
        row = CourierRow(courier_id)
        latest = now - least_gap if least_gap else now
        try:
            row.update(
                actions=_fix_actions(fix, now),
                condition=(CourierRow.cell == cell)
                & (CourierRow.heard_at <= ms(latest))
                & (CourierRow.fix_at <= ms(fix.at)),
            )
        except UpdateError as error:
            if not lost_race(error):
                raise
        else:
            return _decode(row)
        return self._record_fix_elsewhere(courier_id, fix, cell, now, least_gap)

    def _record_fix_elsewhere(
        self, courier_id: str, fix: Fix, cell: str, now: datetime, least_gap: timedelta | None
    ) -> Courier | None:
        """The first fix, one in a new cell, one too soon, or one too old."""

        def change(row: CourierRow) -> list[Action]:
            if least_gap and row.heard_at is not None and now - from_ms(row.heard_at) < least_gap:
                raise RateLimited(
                    "One location a second is enough.", retry_after_s=least_gap.total_seconds()
                )
            if row.fix_at is not None and row.fix_at > ms(fix.at):
                return []
            moved = [CourierRow.cell.set(cell)]
            if row.available and not row.order_id:
                moved.append(CourierRow.free_cell.set(cell))
            return [*_fix_actions(fix, now), *moved]

        courier = self._update(courier_id, change)
        return courier if courier.fix == fix else None

    def connected(self, courier_id: str, connection_id: str) -> None:
        """Note a live socket."""
        CourierRow(courier_id).update(actions=[CourierRow.sockets.add({connection_id})])

    def disconnected(self, courier_id: str, connection_id: str) -> None:
        """Forget a socket. Harmless for people who are no couriers."""
        try:
            CourierRow(courier_id).update(
                actions=[CourierRow.sockets.delete({connection_id})],
                condition=CourierRow.sockets.contains(connection_id),
            )
        except UpdateError as error:
            if not lost_race(error):
                raise

    def free_near(self, point: Point, radius_m: float) -> Iterator[tuple[list[Courier], float]]:
        """Free couriers ring by ring, outward, each with the metres that are covered by then."""
        for cells, covered_m in rings(point, radius_m):
            found = self._pool.map(_free_in_cell, cells)
            yield self._read([c for ids in found for c in ids]), covered_m

    def longest_idle(self) -> list[Courier]:
        """Some of the free couriers, whoever has waited longest among them."""
        found = self._pool.map(_free_in_shard, range(SHARDS))
        return self._read([c for ids in found for c in ids])

    def holding(self, courier_ids: Iterable[str]) -> frozenset[str]:
        """Those of them who hold an order."""
        rows = CourierRow.batch_get(list(courier_ids), consistent_read=True)
        return frozenset(str(row.courier_id) for row in rows if row.order_id is not None)

    @staticmethod
    def _read(ids: Iterable[str]) -> list[Courier]:
        wanted = list(ids)
        if not wanted:
            return []
        rows = CourierRow.batch_get(wanted, consistent_read=True)
        return [courier for courier in map(_decode, rows) if courier.free]

    @staticmethod
    def _update(courier_id: str, change: Callable[[CourierRow], list[Action]]) -> Courier:
        """Read, decide, write on the condition that nothing decided on has changed; again."""
        for _ in range(_ATTEMPTS):
            row = _row(courier_id)
            actions = change(row or CourierRow(courier_id))
            if not actions:
                return _decode(row or CourierRow(courier_id))
            try:
                written = CourierRow(courier_id)
                written.update(actions=actions, condition=_as_read(row))
            except UpdateError as error:
                if not lost_race(error):
                    raise
            else:
                return _decode(written)
        raise Stale


def claim(courier_id: str, order_id: int, available_only: bool) -> Change:
    """Occupy a courier, if free."""
    idle: Condition = CourierRow.courier_id.exists() & CourierRow.order_id.does_not_exist()
    return Change(
        CourierRow(courier_id),
        [
            CourierRow.order_id.set(order_id),
            CourierRow.free_cell.remove(),
            CourierRow.free_shard.remove(),
        ],
        idle & (CourierRow.available == True) if available_only else idle,  # noqa: E712
    )


def release(courier_id: str, order_id: int, now: datetime) -> Change | None:
    """Let a courier go; back into the indexes if still on duty. None if not held by this order."""
    row = _row(courier_id)
    if row is None or row.order_id != order_id:
        return None
    return Change(
        CourierRow(courier_id),
        [
            CourierRow.order_id.remove(),
            CourierRow.idle_since.set(ms(now)),
            *(_index(row, True) if row.available else []),
        ],
        _as_read(row),
    )


def _index(row: CourierRow, free: bool) -> list[Action]:
    if not free:
        return [CourierRow.free_cell.remove(), CourierRow.free_shard.remove()]
    shard = crc32(str(row.courier_id).encode()) % SHARDS
    actions: list[Action] = [CourierRow.free_shard.set(shard)]
    if row.cell:
        actions.append(CourierRow.free_cell.set(row.cell))
    return actions


def _fix_actions(fix: Fix, now: datetime) -> list[Action]:
    return [
        CourierRow.fix.set(msgspec.json.encode(fix).decode()),
        CourierRow.fix_at.set(ms(fix.at)),
        CourierRow.heard_at.set(ms(now)),
    ]


def _as_read(row: CourierRow | None) -> Condition:
    """That what decisions rest on is as it was read: duty, order, cell."""
    same: Condition | None = None
    for attribute, value in (
        (CourierRow.available, row.available if row else None),
        (CourierRow.order_id, row.order_id if row else None),
        (CourierRow.cell, row.cell if row else None),
    ):
        one: Condition = attribute.does_not_exist() if value is None else attribute == value
        same = one if same is None else same & one
    assert same is not None
    return same


def _row(courier_id: str) -> CourierRow | None:
    try:
        return CourierRow.get(courier_id, consistent_read=True)
    except DoesNotExist:
        return None


def _decode(row: CourierRow) -> Courier:
    return Courier(
        id=row.courier_id,
        available=bool(row.available),
        connected=bool(row.sockets),
        order_id=int(row.order_id) if row.order_id is not None else None,
        fix=msgspec.json.decode(row.fix, type=Fix) if row.fix else None,
        idle_since=from_ms(row.idle_since) if row.idle_since is not None else None,
        vehicle_type=row.vehicle_type,
    )


def _free_in_cell(cell: str) -> list[str]:
    hits = CourierRow.by_cell.query(cell, limit=_PER_CELL, page_size=_PER_CELL)
    return [str(hit.courier_id) for hit in islice(hits, _PER_CELL)]


def _free_in_shard(shard: int) -> list[str]:
    hits = CourierRow.by_idle.query(shard, limit=_PER_SHARD, page_size=_PER_SHARD)
    return [str(hit.courier_id) for hit in islice(hits, _PER_SHARD)]
