"""Couriers: availability, position, and which order occupies them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from zlib import crc32

import msgspec
from pynamodb.exceptions import DoesNotExist, UpdateError
from pynamodb.expressions.condition import Condition, size
from pynamodb.expressions.update import Action

from chalicelib.domain.geo import Point, cell_of, rings, travelled
from chalicelib.domain.people import Courier, Fix, Sighting
from chalicelib.errors import NotOnline, RateLimited, Stale
from chalicelib.store.clock import from_ms, ms
from chalicelib.store.failures import lost_race
from chalicelib.store.tables import SHARDS, CourierRow

_PER_CELL = 100  # free couriers looked at in one cell
_PER_SHARD = 25
_ATTEMPTS = 8
_TRACK = 20  # fixes noted before they are added up: the row stays under 1 KB, one write unit


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

    def glance(self, courier_id: str) -> Courier | None:
        """A courier as they are or lately were, for half the price; None if never seen."""
        row = _row(courier_id, consistent=False)
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
        self,
        courier_id: str,
        fix: Fix,
        now: datetime,
        least_gap: timedelta | None,
        at_work: bool = False,
    ) -> Courier | None:
        """Store a position: one write, and no index is touched, while in the same cell.

        The same condition enforces `least_gap` between two fixes, and `at_work`: only of one who
        is available or has an order. The same write notes the way that was made; every
        _TRACK-th fix is written by the longer path, which adds it up. Returns the courier after
        it, or None for a fix older than the one known. Raises RateLimited, NotOnline.
        """
        cell = cell_of((fix.lat, fix.lng))
        row = CourierRow(courier_id)
        latest = now - least_gap if least_gap else now
        condition: Condition = (
            (CourierRow.cell == cell)
            & (CourierRow.heard_at <= ms(latest))
            & (CourierRow.fix_at <= ms(fix.at))
            & (size(CourierRow.track) < _TRACK)
        )
        if at_work:
            condition &= (CourierRow.available == True) | CourierRow.order_id.exists()  # noqa: E712
        try:
            row.update(
                actions=[
                    *_fix_actions(fix, now),
                    CourierRow.track.set(CourierRow.track.append([_mark(fix)])),
                ],
                condition=condition,
            )
        except UpdateError as error:
            if not lost_race(error):
                raise
        else:
            return _decode(row)
        return self._record_fix_elsewhere(courier_id, fix, cell, now, least_gap, at_work)

    def _record_fix_elsewhere(
        self,
        courier_id: str,
        fix: Fix,
        cell: str,
        now: datetime,
        least_gap: timedelta | None,
        at_work: bool,
    ) -> Courier | None:
        """The first fix, one in a new cell, one too soon, one too old, or one that fills the
        track."""

        def change(row: CourierRow) -> list[Action]:
            if at_work and not row.available and row.order_id is None:
                raise NotOnline("Go online first.")
            if least_gap and row.heard_at is not None and now - from_ms(row.heard_at) < least_gap:
                raise RateLimited(
                    "One location a second is enough.", retry_after_s=least_gap.total_seconds()
                )
            if row.fix_at is not None and row.fix_at > ms(fix.at):
                return []
            moved = [CourierRow.cell.set(cell)]
            if row.available and not row.order_id:
                moved.append(CourierRow.free_cell.set(cell))
            metres, track = _added_up(row, fix)
            way = [CourierRow.track.set(track), CourierRow.odometer_m.set(metres)]
            return [*_fix_actions(fix, now), *way, *moved]

        courier = self._update(courier_id, change, also=(CourierRow.heard_at,))
        return courier if courier.fix == fix else None

    def set_vehicle_type(self, courier_id: str, vehicle_type: str | None) -> None:
        """Note what a courier drives, as their profile says."""
        set_or_not = CourierRow.vehicle_type
        CourierRow(courier_id).update(
            actions=[set_or_not.set(vehicle_type) if vehicle_type else set_or_not.remove()]
        )

    def sighted(self, courier_id: str, before: Sighting | None, after: Sighting) -> bool:
        """Note that a courier is shown to their customer, if that is as it was; False if not."""
        known: Condition = CourierRow.seen.does_not_exist()
        if before:
            known = CourierRow.seen == _text(before)
        try:
            CourierRow(courier_id).update(
                actions=[CourierRow.seen.set(_text(after))],
                condition=known & (CourierRow.order_id == after.order_id),
            )
        except UpdateError as error:
            if lost_race(error):
                return False
            raise
        return True

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
        # As they are or lately were, for half the price: the claim's own condition decides.
        rows = CourierRow.batch_get(wanted, consistent_read=False)
        return [courier for courier in map(_decode, rows) if courier.free]

    @staticmethod
    def _update(
        courier_id: str,
        change: Callable[[CourierRow], list[Action]],
        also: Sequence[Any] = (),
    ) -> Courier:
        """Read, decide, write on the condition that nothing decided on has changed, nor `also`
        these attributes; again."""
        for _ in range(_ATTEMPTS):
            row = _row(courier_id)
            actions = change(row or CourierRow(courier_id))
            if not actions:
                return _decode(row or CourierRow(courier_id))
            try:
                written = CourierRow(courier_id)
                written.update(actions=actions, condition=_as_read(row, also))
            except UpdateError as error:
                if not lost_race(error):
                    raise
            else:
                return _decode(written)
        raise Stale


def claim(
    courier_id: str, order_id: int, available_only: bool, shown_to: str | None = None
) -> Change:
    """Occupy a courier, if free; from now on `shown_to` may see where they are."""
    idle: Condition = CourierRow.courier_id.exists() & CourierRow.order_id.does_not_exist()
    return Change(
        CourierRow(courier_id),
        [
            CourierRow.order_id.set(order_id),
            CourierRow.free_cell.remove(),
            CourierRow.free_shard.remove(),
            *([CourierRow.shown_to.set(shown_to)] if shown_to else []),
        ],
        idle & (CourierRow.available == True) if available_only else idle,  # noqa: E712
    )


def release(courier_id: str, order_id: int, now: datetime) -> Change | None:
    """Let a courier go; back into the indexes if still on duty. None if not held by this order."""
    row = _row(courier_id, consistent=False)  # the change is on the condition that it is so still
    if row is None or row.order_id != order_id:
        row = _row(courier_id)
    if row is None or row.order_id != order_id:
        return None
    return Change(
        CourierRow(courier_id),
        [
            CourierRow.order_id.remove(),
            CourierRow.shown_to.remove(),
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


def _mark(fix: Fix) -> str:
    return f"{fix.lat:.5f},{fix.lng:.5f}"  # to a metre


def _way(row: CourierRow) -> list[Point]:
    pairs = (mark.split(",") for mark in row.track or ())
    return [(float(lat), float(lng)) for lat, lng in pairs]


def _added_up(row: CourierRow, fix: Fix) -> tuple[float, list[str]]:
    """The odometer with a track and a fix in it, and the track that is left: one point."""
    metres, counted = travelled([*_way(row), (fix.lat, fix.lng)])
    return round((row.odometer_m or 0.0) + metres, 1), [f"{counted[0]:.5f},{counted[1]:.5f}"]


def _as_read(row: CourierRow | None, also: Sequence[Any] = ()) -> Condition:
    """That what decisions rest on is as it was read: duty, order, cell."""
    same: Condition | None = None
    for attribute in (CourierRow.available, CourierRow.order_id, CourierRow.cell, *also):
        value = getattr(row, attribute.attr_name) if row else None
        one: Condition = attribute.does_not_exist() if value is None else attribute == value
        same = one if same is None else same & one
    assert same is not None
    return same


def _row(courier_id: str, consistent: bool = True) -> CourierRow | None:
    try:
        return CourierRow.get(courier_id, consistent_read=consistent)
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
        odometer_m=(row.odometer_m or 0.0) + (travelled(_way(row))[0] if row.track else 0.0),
        shown_to=row.shown_to,
        seen=msgspec.json.decode(row.seen, type=Sighting) if row.seen else None,
    )


def _text(seen: Sighting) -> str:
    return msgspec.json.encode(seen).decode()


def _free_in_cell(cell: str) -> list[str]:
    hits = CourierRow.by_cell.query(cell, limit=_PER_CELL, page_size=_PER_CELL)
    return [str(hit.courier_id) for hit in islice(hits, _PER_CELL)]


def _free_in_shard(shard: int) -> list[str]:
    hits = CourierRow.by_idle.query(shard, limit=_PER_SHARD, page_size=_PER_SHARD)
    return [str(hit.courier_id) for hit in islice(hits, _PER_SHARD)]
