"""The index of free couriers: who is in it, and how it is read.

Two sparse indexes have the couriers who may be asked: `by_spot` those whose position is known, by
the H3 cell it is in, and `by_idle` all of them, by who has waited longest. `by_idle` needs the
attribute `free_shard`, `by_spot` needs `cell` and `spot`. So a courier enters and leaves by those
alone, and every writer who changes duty or order keeps `free_shard` and `spot` true:

 enters   On duty and free: going on duty, being released, any sign of life after being taken out.
 leaves   Claimed by an order, off duty, or not heard of for long (`remove_from_index`).
 paused   On duty and free, but not to be asked: in `by_idle` under PAUSED_SHARD, for who lists all
          couriers. A search reads the SHARDS only, and a spot they have none.

Free is who has room for an order: fewer than COURIER_MAX_ORDERS. Whoever has some room left after a
claim stays in.

The index is behind by a moment and lists keys only. So the rows are read, and a claim has its own
condition (courier_claims.py).

A fix that is far from its courier's spot is followed by a write of another, so that the keys tell
about where everybody is: nearest_couriers.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import islice
from typing import Any
from zlib import crc32

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.geo import SPOT_KEPT_M, Point, iterate_rings
from chalicelib.domain.orders.dispatch_policy import FreeCourierQuery
from chalicelib.domain.people import Courier
from chalicelib.domain.retries import Retries
from chalicelib.store.clock import to_epoch_ms
from chalicelib.store.conditional import RowUpdate, try_update
from chalicelib.store.courier_rows import (
    NowSource,
    decode_courier,
    find_row,
    has_room,
    is_as_read,
    is_full,
    is_no_later,
    is_paused_as,
)
from chalicelib.store.nearest_couriers import (
    encode_spot,
    iterate_batches,
    measure_to_spot_m,
    read_keys,
    sort_named,
)
from chalicelib.store.tables import PAUSED_SHARD, SHARDS, CourierRow

_PER_SHARD = 25
_ALIVE_INTERVAL = timedelta(minutes=5)  # a sign of life is noted anew after so long: well within
# PRESENT_FOR (domain/orders/dispatch_policy.py), after which a courier can't be asked any more


class CourierIndex:
    """Free couriers, as the indexes name them. `pool` runs the queries of one ring side by side; by
    `clock` a socket whose end was never noted stops counting. A courier with fewer than
    `max_orders` is free."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        retries: Retries | None = None,
        clock: NowSource = lambda: datetime.now(timezone.utc),
        max_orders: int = 1,
        notes_answers: bool = False,
    ) -> None:
        self._pool = pool
        self._retries = retries or Retries()
        self._clock = clock
        self._max_orders = max_orders
        self._notes_answers = notes_answers

    def iterate_free_near(
        self, point: Point, radius_m: float, query: FreeCourierQuery
    ) -> Iterator[tuple[list[Courier], float]]:
        """Yield free couriers ring by ring, outward, each with the metres that are covered by then.

        Of a ring the nearest are read, and more only while somebody who is wanted may be nearer.
        """
        for cells, covered_m in iterate_rings(point, radius_m):
            found, read = self._read_nearest(cells, point, query)
            query = query._replace(max_read=query.max_read - read)
            yield found, covered_m

    def _read_nearest(
        self, cells: list[str], point: Point, query: FreeCourierQuery
    ) -> tuple[list[Courier], int]:
        """Read couriers whom the index names in some cells, as far as the query wants. Returns
        them, and how many were read."""
        hits = [hit for of_cell in self._pool.map(read_keys, cells) for hit in of_cell]
        found: list[Courier] = []
        read = 0
        for ids in iterate_batches(sort_named(hits, point), point, query, found):
            query.on_named(ids)
            found += self._read_free(ids, query.is_consistent)
            read += len(ids)
        return found, read

    def list_longest_idle(self, query: FreeCourierQuery) -> list[Courier]:
        """List some of the free couriers, the one who has waited longest among them. More are read
        only while none of them is wanted."""
        pages = [
            _IndexPages(CourierRow.by_idle.query, shard, _PER_SHARD) for shard in range(SHARDS)
        ]
        return self._read_until_wanted(pages, query, query.max_read)[0]

    def list_free_ids(self) -> list[str]:
        """List the ids of all couriers who are on duty and have no order, paused or not, a moment
        behind."""

        def read_shard(shard: int) -> list[str]:
            return [str(hit.courier_id) for hit in CourierRow.by_idle.query(shard)]

        shards = (*range(SHARDS), PAUSED_SHARD)
        return [id_ for ids in self._pool.map(read_shard, shards) for id_ in ids]

    def list_eventually(self, courier_ids: Sequence[str]) -> list[Courier]:
        """Read couriers as they are or lately were, in no order."""
        rows = CourierRow.batch_get(list(courier_ids)) if courier_ids else ()
        return [self._decode_row(row) for row in rows]

    def _read_until_wanted(
        self, pages: list[_IndexPages], query: FreeCourierQuery, max_read: int
    ) -> tuple[list[Courier], int]:
        """Read the couriers that parts of an index name, a page of each at a time, until one of
        them is wanted. Returns them, and how many the parts have named."""
        found: list[Courier] = []
        named = 0
        while pages:
            ids = [id_ for page in self._pool.map(_IndexPages.read_page, pages) for id_ in page]
            named += len(ids)
            if ids:
                query.on_named(ids)
            read = self._read_free(ids, query.is_consistent)
            found += read
            # A cell full of couriers who will not do must not hide the one who would: read on, but
            # not for ever.
            if any(map(query.is_wanted, read)) or named >= max_read:
                break
            pages = [one for one in pages if not one.has_ended]
        return found, named

    def _read_free(self, courier_ids: list[str], consistent: bool) -> list[Courier]:
        """Read couriers, less those who are no longer free, or are paused by now."""
        if not courier_ids:
            return []
        rows = CourierRow.batch_get(courier_ids, consistent_read=consistent)
        return [courier for courier in map(self._decode_row, rows) if courier.may_be_asked]

    def note_alive(self, courier: Courier, now: datetime) -> None:
        """Note a sign of life of a free courier, if the last one is long ago: they can be asked,
        and are in the index again if they had been taken out. Harmless if they are not free by
        now: nothing is written then."""
        if is_news(courier, now):  # else each poll would be a write
            actions = make_index_actions(courier)
            actions.append(CourierRow.alive_at.set(to_epoch_ms(now)))
            is_so_still = _is_free(self._max_orders) & is_paused_as(courier.is_paused)
            try_update(CourierRow(courier.id), actions, is_so_still)

    def remove_from_cells(self, couriers: Iterable[Courier]) -> None:
        """Take couriers whose position is old out of the cells, if no newer one has come. Their
        next fix puts them back, as any fix writes its cell."""
        self._try_each(_make_cell_removal, couriers)

    def remove_from_index(self, couriers: Iterable[Courier]) -> None:
        """Take free couriers out of the index, if they gave no sign of life since they were read.
        The next one puts them back."""
        self._try_each(partial(_make_index_removal, max_orders=self._max_orders), couriers)

    def _try_each(
        self, make_update: Callable[[Courier], RowUpdate], couriers: Iterable[Courier]
    ) -> None:
        list(self._pool.map(RowUpdate.try_alone, map(make_update, couriers)))

    def _put_back_in_index(self, courier_id: str) -> None:
        """Put a free courier back into the index, if they lack in it: for a write that was refused
        by make_index_condition, and is then tried again."""
        row = find_row(courier_id)
        courier = self._decode_row(row) if row else None
        if row and courier and courier.is_free and not courier.is_indexed:
            is_same = is_as_read(row, self._max_orders)
            try_update(CourierRow(courier_id), make_index_actions(courier), is_same)

    def _keep_spot(self, row: CourierRow) -> None:
        """Write another spot for a free courier whose row was just written, if they are far from
        the one they have, or it is wrong about their having a socket. It needs no condition on the
        fix: any is as new as this one. Who is not free by now, or paused, has none; and whoever has
        another socket by now, or none, was written by whoever noted that, from a newer row."""
        courier = self._decode_row(row)
        if courier.point is None or not courier.is_indexed or courier.is_paused:
            return
        spot = int(row.spot) if row.spot is not None else 0
        is_near = spot and measure_to_spot_m(courier.point, spot) <= SPOT_KEPT_M
        if not is_near or courier.connected != (spot > 0):
            sockets = CourierRow.sockets
            is_same = sockets.exists() if row.sockets else sockets.does_not_exist()
            is_free = CourierRow.free_shard < PAUSED_SHARD
            try_update(CourierRow(courier.id), _make_spot_actions(courier), is_free & is_same)

    def _decode_row(self, row: CourierRow) -> Courier:
        return decode_courier(row, self._clock(), self._max_orders)


class _IndexPages:
    """The keys in one part of an index, a page at a time; `has_ended` after the last one."""

    def __init__(
        self, query: Callable[..., Iterator[CourierRow]], key: str | int, page_size: int
    ) -> None:
        self._hits = query(key, page_size=page_size)
        self._page_size = page_size
        self.has_ended = False

    def read_page(self) -> list[str]:
        """Read the ids of the next page."""
        ids = [str(hit.courier_id) for hit in islice(self._hits, self._page_size)]
        self.has_ended = len(ids) < self._page_size
        return ids


def make_index_actions(courier: Courier) -> list[Action]:
    """Put a courier who is free into the index, where they were last seen. Who is paused stands
    where no search reads: the write must have the condition that they are paused, or not, as the
    courier says."""
    shard = PAUSED_SHARD if courier.is_paused else crc32(courier.id.encode()) % SHARDS
    return [CourierRow.free_shard.set(shard), *_make_spot_actions(courier)]


def make_index_removal() -> list[Action]:
    """Take a courier out of the index."""
    return [CourierRow.free_shard.remove(), CourierRow.spot.remove()]


def _make_spot_actions(courier: Courier) -> list[Action]:
    if courier.is_paused:
        return [CourierRow.spot.remove()]
    if courier.point is None:
        return []
    return [CourierRow.spot.set(encode_spot(courier.point, courier.connected))]


def make_index_condition(max_orders: int = 1) -> Condition:
    """Make the condition that whoever is free is in the index. It refuses a sign of life of one who
    was taken out, so that they are put back first; and costs nothing while that is not so."""
    condition: Condition = CourierRow.free_shard.exists() | is_full(max_orders)
    condition |= CourierRow.available.does_not_exist() | (CourierRow.available == False)  # noqa: E712
    return condition


def is_news(courier: Courier, now: datetime) -> bool:
    """Say whether a sign of life of a courier is worth a write: they are free, and not in the
    index, or their last sign is long ago."""
    if not courier.is_free:
        return False
    is_long_ago = courier.alive_at is None or now - courier.alive_at > _ALIVE_INTERVAL
    return is_long_ago or not courier.is_indexed


def _is_free(max_orders: int) -> Condition:
    is_free: Condition = CourierRow.available == True  # noqa: E712
    is_free &= has_room(max_orders)
    return is_free


def _make_cell_removal(courier: Courier) -> RowUpdate:
    is_same = is_no_later(CourierRow.fix_came_at, courier.fix_received_at)
    return RowUpdate(CourierRow(courier.id), [CourierRow.cell.remove()], is_same)


def _make_index_removal(courier: Courier, max_orders: int) -> RowUpdate:
    is_silent: Any = is_no_later(CourierRow.alive_at, courier.alive_at)
    is_silent &= is_no_later(CourierRow.fix_came_at, courier.fix_received_at)
    return RowUpdate(CourierRow(courier.id), make_index_removal(), _is_free(max_orders) & is_silent)
