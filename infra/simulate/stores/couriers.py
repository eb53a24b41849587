"""Couriers in memory: duty, claims, positions, and the index of the free, as the store has them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from zlib import crc32

from msgspec.structs import replace

from chalicelib.domain.geo import Point, find_cell, iterate_rings
from chalicelib.domain.odometer import Odometer, TrackPoint
from chalicelib.domain.orders.dispatch_policy import FreeCourierQuery
from chalicelib.domain.people import Courier, Fix, LastShown
from chalicelib.errors import NotOnline, RateLimited
from chalicelib.store.courier_index import is_news
from chalicelib.store.tables import SHARDS
from infra.simulate.stores.bill import TRANSACTED, Bill

_MAX_TRACK = 36  # as store/courier_positions.py
_LONGEST_IDLE_READ = 25 * SHARDS

_Ring = tuple[list[str], float]


class _Row:
    """A courier's row: the courier, and what decisions of the store rest on. `shard` is there only
    while the index has them."""

    __slots__ = ("cell", "courier", "heard_at", "is_vague", "shard")

    def __init__(self, courier: Courier) -> None:
        self.courier = courier
        self.cell: str | None = None
        self.heard_at: datetime | None = None
        self.is_vague = False
        self.shard: int | None = None


class MemoryCouriers:
    """Implements services.ports.CourierStore."""

    def __init__(self, clock: Callable[[], datetime], bill: Bill) -> None:
        self._clock = clock
        self._bill = bill
        self._rows: dict[str, _Row] = {}
        # Of each cell its free couriers, in the order in which the index would list them.
        self._cells: dict[str, list[tuple[int, str]]] = {}
        self._rings: dict[tuple[Point, float], _KnownRings] = {}

    # Reading

    def get_courier(self, courier_id: str) -> Courier | None:
        """Read a courier; None if never seen."""
        self._bill.charge_read("couriers")
        row = self._rows.get(courier_id)
        return row.courier if row else None

    def get_eventually(self, courier_id: str) -> Courier | None:
        """Read a courier for half the price; None if never seen."""
        self._bill.charge_read("couriers", 1)
        row = self._rows.get(courier_id)
        return row.courier if row else None

    def find_occupied(self, courier_ids: Iterable[str]) -> frozenset[str]:
        """Find those of some couriers whom an order occupies."""
        found = [self._rows[id_].courier for id_ in courier_ids if id_ in self._rows]
        self._bill.charge_read("couriers", 2 * len(found))
        return frozenset(courier.id for courier in found if courier.order_id is not None)

    # Duty

    def set_available(self, courier_id: str, available: bool, now: datetime) -> Courier:
        """Go on or off duty; return the courier after it."""
        row = self._find_row(courier_id)
        courier = row.courier
        self._bill.charge_read("couriers")
        if courier.available == available and not (available and is_news(courier, now)):
            return courier
        changes: dict[str, object] = {"available": available}
        if available:
            changes["alive_at"] = now
            if not courier.available:
                changes["idle_since"] = now
        self._write(row, replace(courier, **changes), 1, True)
        return row.courier

    def set_vehicle_type(self, courier_id: str, vehicle_type: str | None) -> None:
        """Note what a courier drives."""
        row = self._find_row(courier_id)
        self._write(row, replace(row.courier, vehicle_type=vehicle_type))

    def note_alive(self, courier: Courier, now: datetime) -> None:
        """Note a sign of life of a free courier, if the last one is long ago."""
        row = self._find_row(courier.id)
        if is_news(courier, now) and row.courier.is_free:
            self._write(row, replace(row.courier, alive_at=now), 1, True)

    def add_socket(
        self, courier_id: str, connection_id: str, ends_at: datetime | None = None
    ) -> None:
        """Note a live socket: here one is all that a courier ever has."""
        row = self._find_row(courier_id)
        self._write(row, replace(row.courier, connected=True, alive_at=self._clock()))

    def remove_socket(self, courier_id: str, connection_id: str) -> None:
        """Forget the socket."""
        row = self._find_row(courier_id)
        if row.courier.connected:
            self._write(row, replace(row.courier, connected=False, alive_at=self._clock()))

    # Claims

    def try_claim(self, courier_id: str, order_id: int, available_only: bool) -> bool:
        """Let an order occupy a courier, as a part of its transaction; False if they are not free,
        and nothing is written then. (No customer here has the map open: to post each fix to them
        would take a third of a run, and writes nothing.)"""
        row = self._rows.get(courier_id)
        self._bill.charge_write("couriers", TRANSACTED)
        if row is None or row.courier.order_id is not None:
            return False
        if available_only and not row.courier.available:
            return False
        self._write(row, replace(row.courier, order_id=order_id), 0, False)
        return True

    def release(self, courier_id: str, order_id: int, now: datetime, price: int) -> None:
        """Release a courier from an order, into the index if still on duty; nothing is done if the
        order does not occupy them."""
        row = self._find_row(courier_id)
        self._bill.charge_read("couriers", 1)
        if row.courier.order_id != order_id:
            return
        after = replace(row.courier, order_id=None, idle_since=now)
        self._write(row, after, price, after.available)

    def release_courier(self, courier_id: str, order_id: int, now: datetime) -> None:
        """Release a courier from an order that is done. Harmless if it does not occupy them."""
        row = self._find_row(courier_id)
        if row.courier.order_id == order_id:
            row.courier = replace(row.courier, alive_at=now)
        self.release(courier_id, order_id, now, 1)

    # Positions

    def record_fix(
        self,
        courier_id: str,
        fix: Fix,
        now: datetime,
        min_gap: timedelta | None,
        at_work: bool = False,
    ) -> Courier | None:
        """Store a position; None for an outdated one. Raises RateLimited, NotOnline."""
        row = self._find_row(courier_id)
        if not _accepts_fix(row, fix, now, min_gap, at_work):
            return None
        courier = row.courier
        odometer = courier.odometer
        track = (*odometer.track, TrackPoint(fix.point, max(0, int(fix.at.timestamp()))))
        odometer = Odometer(odometer.counted_m, track)
        if len(track) >= _MAX_TRACK:
            odometer = odometer.fold_track()
            self._bill.charge_write("positions")
        row.is_vague = False
        if min_gap is not None:
            row.heard_at = now
        after = replace(courier, fix=fix, fix_received_at=now, odometer=odometer)
        self._move(row, after)
        return row.courier

    def record_doubtful_fix(
        self,
        courier_id: str,
        fix: Fix,
        now: datetime,
        min_gap: timedelta | None,
        at_work: bool,
        good_after: datetime | None,
    ) -> Courier | None:
        """Hear of a position that is vague, or no place: it counts only where none better is known.
        Raises as record_fix."""
        row = self._find_row(courier_id)
        self._bill.charge_read("couriers")
        if not _accepts_fix(row, fix, now, min_gap, at_work):
            return None
        read = row.courier
        self.note_alive(read, now)
        keeps_position = good_after is None or (
            read.fix is not None and not row.is_vague and read.fix.at > good_after
        )
        if min_gap is not None:
            row.heard_at = now
        if keeps_position and min_gap is None:
            return read
        if keeps_position:
            self._bill.charge_write("positions")
            return row.courier
        row.is_vague = True
        self._move(row, replace(row.courier, fix=fix, fix_received_at=now))
        return row.courier

    def _move(self, row: _Row, after: Courier) -> None:
        """Write a courier's new position: the index is touched only for a free one in a new cell,
        or one who was taken out of it."""
        self._bill.charge_write("positions")
        assert after.fix is not None, "whoever moves is somewhere"
        cell = find_cell(after.fix.point)
        is_indexed = after.available and after.order_id is None
        if cell != row.cell or is_indexed != (row.shard is not None):
            self._place(row, cell, is_indexed, "positions")
        row.courier = (
            after if after.is_indexed == is_indexed else replace(after, is_indexed=is_indexed)
        )

    def mark_shown(self, courier: Courier, seen: LastShown) -> bool:
        """Note that a courier is shown to the customer; False if another fix came meanwhile."""
        row = self._find_row(courier.id)
        self._bill.charge_write("positions")
        if row.courier.order_id != seen.order_id or row.courier.fix != courier.fix:
            return False
        row.courier = replace(row.courier, last_shown=seen)  # the track is counted when it is full
        return True

    # The index

    def iterate_free_near(
        self, point: Point, radius_m: float, query: FreeCourierQuery
    ) -> Iterator[tuple[list[Courier], float]]:
        """Yield free couriers ring by ring, outward, each with the metres that are covered by then.
        Of each cell some are read, and more only while none of them is wanted."""
        left = query.max_read
        known = self._rings.setdefault((point, radius_m), _KnownRings(point, radius_m))
        for cells, covered_m in known.iterate():
            pages = [iter(tuple(self._cells.get(cell, ()))) for cell in cells]
            found, read = self._read_until_wanted(pages, query, query.per_cell, left)
            left -= read
            yield found, covered_m

    def list_longest_idle(self, query: FreeCourierQuery) -> list[Courier]:
        """List some of the free couriers, the one who has waited longest among them."""
        indexed = [row for row in self._rows.values() if row.shard is not None]
        indexed.sort(key=lambda row: (row.courier.idle_since is not None, row.courier.idle_since))
        pages = [iter([(0, row.courier.id) for row in indexed])]
        return self._read_until_wanted(pages, query, _LONGEST_IDLE_READ, query.max_read)[0]

    def _read_until_wanted(
        self,
        pages: list[Iterator[tuple[int, str]]],
        query: FreeCourierQuery,
        page_size: int,
        max_read: int,
    ) -> tuple[list[Courier], int]:
        found: list[Courier] = []
        named = 0
        while pages:
            read_pages = [[id_ for _, id_ in islice(page, page_size)] for page in pages]
            ids = [id_ for page in read_pages for id_ in page]
            named += len(ids)
            # A query costs half a unit even where it finds nobody; then each row half a unit.
            self._bill.charge_read("search", len(pages) + len(ids) * (1 + query.is_consistent))
            if ids:
                query.on_named(ids)
            read = [self._rows[id_].courier for id_ in ids]
            found += [courier for courier in read if courier.is_free]
            if any(map(query.is_wanted, read)) or named >= max_read:
                break
            pages = [
                page for page, ids in zip(pages, read_pages, strict=True) if len(ids) == page_size
            ]
        return found, named

    def remove_from_cells(self, couriers: Iterable[Courier]) -> None:
        """Take couriers whose position is old out of the cells, if no newer one has come."""
        for courier in couriers:
            row = self._find_row(courier.id)
            self._bill.charge_write("couriers")
            if row.courier.fix_received_at == courier.fix_received_at:
                self._place(row, None, row.shard is not None, "couriers' indexes")

    def remove_from_index(self, couriers: Iterable[Courier]) -> None:
        """Take free couriers out of the index, if they gave no sign of life since."""
        for courier in couriers:
            row = self._find_row(courier.id)
            signs = (row.courier.alive_at, row.courier.fix_received_at)
            if row.courier.is_free and signs == (courier.alive_at, courier.fix_received_at):
                self._write(row, row.courier, 1, False)

    # Rows

    def _find_row(self, courier_id: str) -> _Row:
        """Find a courier's row, or begin one."""
        row = self._rows.get(courier_id)
        if row is None:
            row = self._rows[courier_id] = _Row(Courier(courier_id, is_indexed=False))
        return row

    def _write(
        self, row: _Row, after: Courier, price: int = 1, into_index: bool | None = None
    ) -> None:
        """Write a row; `into_index` puts a free courier into the index, or takes one out."""
        self._bill.charge_write("couriers", price)
        if into_index is not None:
            is_indexed = into_index and after.is_free
            if after.idle_since != row.courier.idle_since and row.shard is not None and is_indexed:
                self._bill.charge_write("couriers' indexes", 2)  # its place by_idle is another
            self._place(row, row.cell, is_indexed, "couriers' indexes")
            after = replace(after, is_indexed=is_indexed)
        row.courier = after

    def _place(self, row: _Row, cell: str | None, is_indexed: bool, what: str) -> None:
        """Put a courier where the indexes are to have them: by cell, and by how long they wait."""
        courier_id = row.courier.id
        shard = crc32(courier_id.encode()) % SHARDS if is_indexed else None
        before = row.cell if row.shard is not None else None
        after = cell if shard is not None else None
        self._bill.charge_index(what, before, after)
        self._bill.charge_index(what, row.shard, shard)
        if before != after:
            if before is not None:
                entries = self._cells[before]
                del entries[bisect_left(entries, (row.shard or 0, courier_id))]
            if after is not None:
                insort(self._cells.setdefault(after, []), (shard or 0, courier_id))
        row.cell, row.shard = cell, shard


class _KnownRings:
    """The rings of cells around a point, computed once: restaurants are asked for again and again,
    and cells take longer to find than couriers in them."""

    def __init__(self, point: Point, radius_m: float) -> None:
        self._rings = iterate_rings(point, radius_m)
        self._known: list[_Ring] = []

    def iterate(self) -> Iterator[_Ring]:
        """Yield the rings outward, each computed when it is first asked for."""
        n = 0
        while True:
            if n == len(self._known):
                ring = next(self._rings, None)
                if ring is None:
                    return
                self._known.append(ring)
            yield self._known[n]
            n += 1


def _accepts_fix(
    row: _Row, fix: Fix, now: datetime, min_gap: timedelta | None, at_work: bool
) -> bool:
    """Say whether a fix may be stored; False for an outdated one. Raises NotOnline, RateLimited."""
    courier = row.courier
    if at_work and not courier.available and courier.order_id is None:
        raise NotOnline("Go online first.")
    if min_gap and row.heard_at is not None and row.heard_at > now - min_gap:
        retry_after_s = min_gap.total_seconds()
        raise RateLimited("One location a second is enough.", retry_after_s=retry_after_s)
    return courier.fix is None or courier.fix.at <= fix.at
