"""The index of free couriers in memory, read as store/courier_index.py reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from zlib import crc32

from msgspec.structs import replace

from chalicelib.domain.fixes import Trail
from chalicelib.domain.geo import SPOT_KEPT_M, Point, iterate_rings
from chalicelib.domain.orders.dispatch_policy import FreeCourierQuery
from chalicelib.domain.people import Courier
from chalicelib.store.courier_index import is_news
from chalicelib.store.nearest_couriers import (
    encode_spot,
    iterate_batches,
    measure_named,
    measure_to_spot_m,
)
from chalicelib.store.tables import SHARDS
from infra.simulate.stores.bill import Bill

_LONGEST_IDLE_READ = 25 * SHARDS
_KEYS_A_UNIT = 60  # of the index, in half a read unit

_Ring = tuple[list[str], float]


class CourierRecord:
    """A courier's row: the courier, and what decisions of the store rest on. `shard` and `spot` are
    there only while the index has them."""

    __slots__ = ("cell", "courier", "heard_at", "is_vague", "shard", "spot", "trail")

    def __init__(self, courier: Courier) -> None:
        self.courier = courier
        self.cell: str | None = None
        self.heard_at: datetime | None = None
        self.is_vague = False
        self.trail = Trail()
        self.shard: int | None = None
        self.spot: int | None = None


class MemoryCourierIndex:
    """Couriers' rows, and the index of those who are free."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        bill: Bill,
        max_orders: int = 1,
        notes_answers: bool = False,
    ) -> None:
        self._clock = clock
        self._bill = bill
        self._max_orders = max_orders
        self._notes_answers = notes_answers
        self._rows: dict[str, CourierRecord] = {}
        self._cells: dict[str, set[str]] = {}  # of each cell its free couriers
        self._rings: dict[tuple[Point, float], _KnownRings] = {}

    def iterate_free_near(
        self, point: Point, radius_m: float, query: FreeCourierQuery
    ) -> Iterator[tuple[list[Courier], float]]:
        """Yield free couriers ring by ring, outward, each with the metres that are covered by then:
        of a ring the nearest, as far as the query wants."""
        known = self._rings.get((point, radius_m))
        if known is None:
            known = self._rings[point, radius_m] = _KnownRings(point, radius_m)
        for cells, covered_m in known.iterate():
            found, read = self._read_nearest(cells, point, query)
            query = query._replace(max_read=query.max_read - read)
            yield found, covered_m

    def _read_nearest(
        self, cells: list[str], point: Point, query: FreeCourierQuery
    ) -> tuple[list[Courier], int]:
        of_cells = [self._cells.get(cell, ()) for cell in cells]
        # A query costs half a unit even where it finds nobody; sixty keys are another half.
        self._bill.charge_read("search", sum(1 + len(ids) // _KEYS_A_UNIT for ids in of_cells))
        named = [
            measure_named(id_, self._rows[id_].spot or 0, point) for ids in of_cells for id_ in ids
        ]
        # As the real one, but of equals the first: the same seed is the same day.
        named.sort(key=lambda one: (one.is_absent, round(one.away_m), one.courier_id))
        found: list[Courier] = []
        read = 0
        for ids in iterate_batches(named, point, query, found):
            query.on_named(ids)
            self._bill.charge_read("search", len(ids) * (1 + query.is_consistent))
            rows = [self._rows[id_].courier for id_ in ids]
            found += [courier for courier in rows if courier.is_free]
            read += len(ids)
        return found, read

    def list_longest_idle(self, query: FreeCourierQuery) -> list[Courier]:
        """List some of the free couriers, the one who has waited longest among them."""
        indexed = [row for row in self._rows.values() if row.shard is not None]
        # Only who has been on duty is in the index, and so has begun to wait some time.
        indexed.sort(key=lambda row: (row.courier.idle_since or self._clock(), row.courier.id))
        found: list[Courier] = []
        for n in range(0, min(len(indexed), query.max_read), _LONGEST_IDLE_READ):
            read = [row.courier for row in indexed[n : n + _LONGEST_IDLE_READ]]
            self._bill.charge_read("search", SHARDS + len(read) * (1 + query.is_consistent))
            query.on_named([courier.id for courier in read])
            found += [courier for courier in read if courier.is_free]
            if any(map(query.is_wanted, read)):
                break
        return found

    def list_free_ids(self) -> list[str]:
        """List the ids of all couriers who are on duty and have no order."""
        return [id_ for id_, row in self._rows.items() if row.shard is not None]

    def list_eventually(self, courier_ids: Sequence[str]) -> list[Courier]:
        """Read couriers."""
        return [self._rows[id_].courier for id_ in courier_ids if id_ in self._rows]

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

    def note_alive(self, courier: Courier, now: datetime) -> None:
        """Note a sign of life of a free courier, if the last one is long ago."""
        row = self._find_row(courier.id)
        if is_news(courier, now) and row.courier.is_free:
            self._write(row, replace(row.courier, alive_at=now), 1, True)

    # Rows

    def _find_row(self, courier_id: str) -> CourierRecord:
        """Find a courier's row, or begin one."""
        row = self._rows.get(courier_id)
        if row is None:
            courier = Courier(courier_id, is_indexed=False, max_orders=self._max_orders)
            row = self._rows[courier_id] = CourierRecord(courier)
        return row

    def _write(
        self, row: CourierRecord, after: Courier, price: int = 1, into_index: bool | None = None
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
        self._keep_spot(row, "couriers' indexes")

    def _keep_spot(self, row: CourierRecord, what: str) -> None:
        """Keep the spot of a free courier true, as the real index does: by another write where they
        are far from it, or it is wrong about their socket."""
        courier, spot = row.courier, row.spot
        if row.shard is None or courier.point is None:
            return
        is_near = spot and measure_to_spot_m(courier.point, spot) <= SPOT_KEPT_M
        if is_near and courier.connected == ((spot or 0) > 0):
            return
        if spot is not None:  # else it came with the write that put them into the index
            self._bill.charge_write(what, 3)
        row.spot = encode_spot(courier.point, courier.connected)

    def _place(self, row: CourierRecord, cell: str | None, is_indexed: bool, what: str) -> None:
        """Put a courier where the indexes are to have them: by cell, and by how long they wait."""
        courier_id = row.courier.id
        shard = crc32(courier_id.encode()) % SHARDS if is_indexed else None
        before = row.cell if row.shard is not None else None
        after = cell if shard is not None else None
        self._bill.charge_index(what, before, after)
        self._bill.charge_index(what, row.shard, shard)
        if before != after:
            if before is not None:
                self._cells[before].discard(courier_id)
            if after is not None:
                self._cells.setdefault(after, set()).add(courier_id)
        if shard is None:
            row.spot = None
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
