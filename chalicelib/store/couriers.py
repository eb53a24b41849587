"""Couriers: availability, position, and which order occupies them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import islice
from secrets import token_urlsafe
from struct import Struct
from typing import Any
from zlib import crc32

import msgspec
from pynamodb.exceptions import DoesNotExist, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.geo import Point, cell_of, rings
from chalicelib.domain.odometer import Mark, Odometer
from chalicelib.domain.people import Courier, Fix, Sighting
from chalicelib.domain.retries import Retries
from chalicelib.errors import NotOnline, RateLimited, Stale
from chalicelib.store.clock import from_ms, ms
from chalicelib.store.failures import lost_race
from chalicelib.store.saving import update_if
from chalicelib.store.tables import SHARDS, CourierRow

_PER_CELL = 100  # free couriers looked at in one cell
_PER_SHARD = 25
# Fixes noted before they are added up: more than come between two sightings (domain/tracking.py),
# and few enough for the row to stay under 1 KB, one write unit.
_TRACK = 36
_MARK = Struct(">iiI")  # latitude and longitude in 1e-7 degrees, epoch seconds
_E7 = 10_000_000


class Change(msgspec.Struct, frozen=True):
    """One conditional update of a courier's row, for a transaction."""

    row: Any
    actions: list[Any]
    condition: Any


class Couriers:
    """The couriers table. `pool` runs the queries of one ring side by side."""

    def __init__(self, pool: ThreadPoolExecutor, retries: Retries | None = None) -> None:
        self._pool = pool
        self._retries = retries or Retries()

    def get(self, courier_id: str) -> Courier | None:
        """Read one courier, strongly consistent; None if never seen."""
        row = _row(courier_id)
        return _decode(row) if row else None

    def glance(self, courier_id: str) -> Courier | None:
        """A courier as they are or lately were, for half the price; None if never seen."""
        row = _row(courier_id, consistent=False)
        return _decode(row) if row else None

    def set_available(self, courier_id: str, available: bool, now: datetime) -> Courier:
        """Go on or off duty; idempotent. Returns the courier after it.

        A write whose answer got lost is sent again and refused, as the row is not as it was read
        any more; the next look finds it done.
        """

        def change() -> Courier:
            row = _row(courier_id) or CourierRow(courier_id)
            if row.available == available:
                return _decode(row)
            since = [CourierRow.idle_since.set(ms(now))] if available else []
            index = _index(row, free=available and row.order_id is None)
            written = CourierRow(courier_id)
            actions = [CourierRow.available.set(available), *since, index]
            update_if(written, actions, _as_read(row))
            return _decode(written)

        return self._retries.run(change)

    def record_fix(
        self,
        courier_id: str,
        fix: Fix,
        now: datetime,
        least_gap: timedelta | None,
        at_work: bool = False,
    ) -> Courier | None:
        """Store a position and note the way that was made: one write, which touches an index only
        for a free courier in a new cell.

        Its condition enforces `least_gap` between two fixes, and `at_work`: only of one who is
        available or has an order. Returns the courier after it, or None for a fix older than the
        one known. Raises RateLimited, NotOnline.

        A write whose answer got lost is sent again, and refused for its own token: a mark stands
        in the track once, and whoever is told "too soon" was not stored.
        """
        token = token_urlsafe(6)

        def store() -> Courier | None:
            row = CourierRow(courier_id)
            actions = _fix_actions(fix, now if least_gap else None, token)
            try:
                row.update(actions=actions, condition=_may_fix(fix, now, least_gap, at_work, token))
            except UpdateError as error:
                if not lost_race(error):
                    raise
                found = _row(courier_id) or CourierRow(courier_id)
                if found.fix_token != token:
                    self._check_outdated(found, fix, now, least_gap, at_work)
                    return None
                row = found
            return self._noted(row)

        return self._retries.run(store)

    @staticmethod
    def _check_outdated(
        row: CourierRow, fix: Fix, now: datetime, least_gap: timedelta | None, at_work: bool
    ) -> None:
        """Find out why a fix was refused; return if it is an old one. Raises NotOnline,
        RateLimited, or Stale where there is no reason any more."""
        outdated = row.fix_at is not None and row.fix_at > ms(fix.at)
        if outdated and row.heard_at is not None and row.heard_at > ms(now):
            return  # overtaken while this was on its way: it was not too soon when it came
        if at_work and not row.available and row.order_id is None:
            raise NotOnline("Go online first.")
        if least_gap and row.heard_at is not None and row.heard_at > ms(now - least_gap):
            raise RateLimited(
                "One location a second is enough.", retry_after_s=least_gap.total_seconds()
            )
        if not outdated:
            raise Stale

    @staticmethod
    def _noted(row: CourierRow) -> Courier:
        """The courier of a fix just written. Whoever fills the track adds it up: on a trip the
        feed's half-minute write has done that before."""
        courier = _decode(row)
        if len(courier.odometer.track) >= _TRACK:
            try:
                CourierRow(courier.id).update(
                    actions=_odometer_actions(courier), condition=CourierRow.fix == row.fix
                )
            except UpdateError as error:
                if not lost_race(error):
                    raise  # else the next fix was quicker, and finds the track full
        return courier

    def set_vehicle_type(self, courier_id: str, vehicle_type: str | None) -> None:
        """Note what a courier drives, as their profile says; idempotent."""
        set_or_not = CourierRow.vehicle_type
        action = set_or_not.set(vehicle_type) if vehicle_type else set_or_not.remove()
        self._retries.run(lambda: CourierRow(courier_id).update(actions=[action]))

    def sighted(self, courier: Courier, seen: Sighting) -> bool:
        """Note that a courier is shown to their customer, and add up the way since, if all is as
        it was with the fix that is shown; False if not. Sent twice, it finds what it noted."""
        assert courier.fix is not None, "they were seen somewhere"
        as_was = (
            _is(CourierRow.seen, _text(courier.seen) if courier.seen else None)
            & (CourierRow.order_id == seen.order_id)
            & (CourierRow.fix == _text(courier.fix))
        )
        try:
            CourierRow(courier.id).update(
                actions=[CourierRow.seen.set(_text(seen)), *_odometer_actions(courier)],
                condition=as_was,
            )
        except UpdateError as error:
            if not lost_race(error):
                raise
            found = _row(courier.id)
            return found is not None and (found.seen, found.fix) == (
                _text(seen),
                _text(courier.fix),
            )
        return True

    def connected(self, courier_id: str, connection_id: str) -> None:
        """Note a live socket; idempotent."""
        self._retries.run(
            lambda: CourierRow(courier_id).update(actions=[CourierRow.sockets.add({connection_id})])
        )

    def disconnected(self, courier_id: str, connection_id: str) -> None:
        """Forget a socket; idempotent. Harmless for people who are no couriers."""

        def forget() -> None:
            try:
                CourierRow(courier_id).update(
                    actions=[CourierRow.sockets.delete({connection_id})],
                    condition=CourierRow.sockets.contains(connection_id),
                )
            except UpdateError as error:
                if not lost_race(error):
                    raise

        self._retries.run(forget)

    def let_go(self, courier_id: str, order_id: int, now: datetime) -> None:
        """Free a courier of an order. Harmless if they do not hold it, or no longer: so it is also
        if the answer of a first try got lost."""

        def free() -> None:
            change = release(courier_id, order_id, now)
            if change:
                update_if(change.row, change.actions, change.condition)

        self._retries.run(free)

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


def claim(
    courier_id: str, order_id: int, available_only: bool, shown_to: str | None = None
) -> Change:
    """Occupy a courier, if free; from now on `shown_to` may see where they are. Sent twice, it
    finds them occupied by this very order, which the order's own condition allows but then."""
    idle: Condition = CourierRow.courier_id.exists() & CourierRow.order_id.does_not_exist()
    free = idle & (CourierRow.available == True) if available_only else idle  # noqa: E712
    return Change(
        CourierRow(courier_id),
        [
            CourierRow.order_id.set(order_id),
            CourierRow.free_shard.remove(),
            *([CourierRow.shown_to.set(shown_to)] if shown_to else []),
        ],
        free | (CourierRow.order_id == order_id),
    )


def release(courier_id: str, order_id: int, now: datetime) -> Change | None:
    """Let a courier go; back into the indexes if still on duty. None if not held by this order.
    Sent twice, it finds them as it left them."""
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
            *([_index(row, True)] if row.available else []),
        ],
        _as_read(row)
        | (
            CourierRow.order_id.does_not_exist()
            & (CourierRow.idle_since == ms(now))
            & _is(CourierRow.available, row.available)
        ),
    )


def _index(row: CourierRow, free: bool) -> Action:
    if not free:
        return CourierRow.free_shard.remove()
    return CourierRow.free_shard.set(crc32(str(row.courier_id).encode()) % SHARDS)


def _fix_actions(fix: Fix, heard_at: datetime | None, token: str) -> list[Action]:
    mark = Mark((fix.lat, fix.lng), max(0, int(fix.at.timestamp())))
    return [
        CourierRow.fix.set(_text(fix)),
        CourierRow.fix_at.set(ms(fix.at)),
        CourierRow.fix_token.set(token),
        CourierRow.cell.set(cell_of(mark.point)),
        CourierRow.track.set((CourierRow.track | []).append([_packed(mark)])),
        *([CourierRow.heard_at.set(ms(heard_at))] if heard_at else []),
    ]


def _may_fix(
    fix: Fix, now: datetime, least_gap: timedelta | None, at_work: bool, token: str
) -> Condition:
    may: Condition = CourierRow.fix_at.does_not_exist() | (CourierRow.fix_at <= ms(fix.at))
    may &= CourierRow.fix_token.does_not_exist() | (CourierRow.fix_token != token)
    if least_gap:
        may &= CourierRow.heard_at.does_not_exist() | (CourierRow.heard_at <= ms(now - least_gap))
    if at_work:
        may &= (CourierRow.available == True) | CourierRow.order_id.exists()  # noqa: E712
    return may


def _odometer_actions(courier: Courier) -> list[Action]:
    odometer = courier.odometer.added_up()
    track = [_packed(mark) for mark in odometer.track]
    return [CourierRow.track.set(track), CourierRow.odometer_m.set(odometer.added_m)]


def _packed(mark: Mark) -> bytes:
    lat, lng = mark.point
    return _MARK.pack(round(lat * _E7), round(lng * _E7), mark.at_s)


def _unpacked(mark: bytes) -> Mark:
    lat, lng, at_s = _MARK.unpack(mark)
    return Mark((lat / _E7, lng / _E7), at_s)


def _as_read(row: CourierRow) -> Any:
    """That what decisions rest on is as it was read: duty, and the order."""
    return _is(CourierRow.available, row.available) & _is(CourierRow.order_id, row.order_id)


def _is(attribute: Any, value: Any) -> Any:
    return attribute.does_not_exist() if value is None else attribute == value


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
        odometer=Odometer(row.odometer_m or 0.0, tuple(map(_unpacked, row.track or ()))),
        shown_to=row.shown_to,
        seen=msgspec.json.decode(row.seen, type=Sighting) if row.seen else None,
    )


def _text(value: Fix | Sighting) -> str:
    return msgspec.json.encode(value).decode()


def _free_in_cell(cell: str) -> list[str]:
    hits = CourierRow.by_cell.query(cell, limit=_PER_CELL, page_size=_PER_CELL)
    return [str(hit.courier_id) for hit in islice(hits, _PER_CELL)]


def _free_in_shard(shard: int) -> list[str]:
    hits = CourierRow.by_idle.query(shard, limit=_PER_SHARD, page_size=_PER_SHARD)
    return [str(hit.courier_id) for hit in islice(hits, _PER_SHARD)]
