"""The index of free couriers in memory, read as store/courier_index.py reads it."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from zlib import crc32

from msgspec.structs import replace

from chalicelib.domain.geo import Point, iterate_rings
from chalicelib.domain.orders.dispatch_policy import FreeCourierQuery
from chalicelib.domain.people import Courier
from chalicelib.store.courier_index import is_news
from chalicelib.store.tables import SHARDS
from infra.simulate.stores.bill import Bill

_LONGEST_IDLE_READ = 25 * SHARDS

_Ring = tuple[list[str], float]


class CourierRecord:
    """A courier's row: the courier, and what decisions of the store rest on. `shard` is there only
    while the index has them."""

    __slots__ = ("cell", "courier", "heard_at", "is_vague", "shard")

    def __init__(self, courier: Courier) -> None:
        self.courier = courier
        self.cell: str | None = None
        self.heard_at: datetime | None = None
        self.is_vague = False
        self.shard: int | None = None


class MemoryCourierIndex:
    """Couriers' rows, and the index of those who are free."""

    def __init__(self, clock: Callable[[], datetime], bill: Bill) -> None:
        self._clock = clock
        self._bill = bill
        self._rows: dict[str, CourierRecord] = {}
        # Of each cell its free couriers, in the order in which the index would list them.
        self._cells: dict[str, list[tuple[int, str]]] = {}
        self._rings: dict[tuple[Point, float], _KnownRings] = {}

    def iterate_free_near(
        self, point: Point, radius_m: float, query: FreeCourierQuery
    ) -> Iterator[tuple[list[Courier], float]]:
        """Yield free couriers ring by ring, outward, each with the metres that are covered by then.
        Of each cell some are read, and more only while none of them is wanted."""
        left = query.max_read
        known = self._rings.get((point, radius_m))
        if known is None:
            known = self._rings[point, radius_m] = _KnownRings(point, radius_m)
        for cells, covered_m in known.iterate():
            pages = [iter(tuple(self._cells.get(cell, ()))) for cell in cells]
            found, read = self._read_until_wanted(pages, query, query.per_cell, left)
            left -= read
            yield found, covered_m

    def list_longest_idle(self, query: FreeCourierQuery) -> list[Courier]:
        """List some of the free couriers, the one who has waited longest among them."""
        indexed = [row for row in self._rows.values() if row.shard is not None]
        # Only who has been on duty is in the index, and so has begun to wait some time.
        indexed.sort(key=lambda row: (row.courier.idle_since or self._clock(), row.courier.id))
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
            row = self._rows[courier_id] = CourierRecord(Courier(courier_id, is_indexed=False))
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
