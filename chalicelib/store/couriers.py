"""Couriers: availability, position, and which order occupies them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from itertools import islice
from secrets import token_urlsafe
from struct import Struct
from typing import Any
from zlib import crc32

import msgspec
from pynamodb.exceptions import DoesNotExist, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.geo import Point, find_cell, iterate_rings
from chalicelib.domain.messaging.connections import MAX_CONNECTION_AGE
from chalicelib.domain.odometer import Odometer, TrackPoint
from chalicelib.domain.people import Courier, Fix, LastShown
from chalicelib.domain.retries import Retries
from chalicelib.errors import NotOnline, RateLimited, Stale
from chalicelib.store.clock import from_epoch_ms, to_epoch_ms
from chalicelib.store.conditional import update_if
from chalicelib.store.failures import is_lost_race
from chalicelib.store.tables import SHARDS, CourierRow

_PER_CELL = 100  # free couriers read of one cell at a time
_PER_SHARD = 25
_MAX_READ = 3000  # in one look for couriers, before it reads on no further
_ALIVE_INTERVAL = timedelta(
    minutes=5
)  # a sign of life is noted anew after so long: well within LIVELY
# Fixes noted before they are added up: more than come between two sightings
# (domain/orders/progress.py), and few enough for the row to stay under 1 KB, one write unit.
_MAX_TRACK = 36
_POINT_FORMAT = Struct(">iiI")  # latitude and longitude in 1e-7 degrees, epoch seconds
_E7 = 10_000_000


class RowUpdate(msgspec.Struct, frozen=True):
    """One conditional update of a courier's row, for a transaction."""

    row: Any
    actions: list[Any]
    condition: Any


class CourierTable:
    """The couriers table. `pool` runs the queries of one ring side by side; by `clock` a socket
    whose end was never noted stops counting."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        retries: Retries | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._pool = pool
        self._retries = retries or Retries()
        self._clock = clock

    def get_courier(self, courier_id: str) -> Courier | None:
        """Read one courier, strongly consistent; None if never seen."""
        row = _find_row(courier_id)
        return self._decode_row(row) if row else None

    def get_eventually(self, courier_id: str) -> Courier | None:
        """A courier as they are or lately were, for half the price; None if never seen."""
        row = _find_row(courier_id, consistent=False)
        return self._decode_row(row) if row else None

    def set_available(self, courier_id: str, available: bool, now: datetime) -> Courier:
        """Go on or off duty; idempotent. Returns the courier after it.

        A write whose answer got lost is sent again and refused, as the row is not as it was read
        any more; the next look finds it done.
        """

        def change() -> Courier:
            row = _find_row(courier_id) or CourierRow(courier_id)
            courier = self._decode_row(row)
            if row.available == available and not (available and _is_news(courier, now)):
                return courier
            since = [CourierRow.alive_at.set(to_epoch_ms(now))] if available else []
            if available and not row.available:
                since.append(CourierRow.idle_since.set(to_epoch_ms(now)))
            index = _index_action(row, free=available and row.order_id is None)
            written = CourierRow(courier_id)
            actions = [CourierRow.available.set(available), *since, index]
            update_if(written, actions, _is_as_read(row))
            return self._decode_row(written)

        return self._retries.retry_while_stale(change)

    def note_alive(self, courier: Courier, now: datetime) -> None:
        """Note a sign of life of a free courier, if the last one is long ago: they can be asked,
        and are in the index again if they had been taken out."""
        if not _is_news(courier, now):
            return
        row = CourierRow(courier.id)
        try:
            row.update(
                actions=[CourierRow.alive_at.set(to_epoch_ms(now)), _index_action(row, free=True)],
                condition=(CourierRow.available == True) & CourierRow.order_id.does_not_exist(),  # noqa: E712
            )
        except UpdateError as error:
            if not is_lost_race(error):
                raise  # else they are not free by now

    def record_fix(
        self,
        courier_id: str,
        fix: Fix,
        now: datetime,
        least_gap: timedelta | None,
        at_work: bool = False,
    ) -> Courier | None:
        """Store a position and note the way that was made: one write, which touches an index only
        for a free courier in a new cell. (Whoever was taken out of the index is put back first.)

        Its condition enforces `least_gap` between two fixes, and `at_work`: only of one who is
        available or has an order. Returns the courier after it, or None for a fix older than the
        one known. Raises RateLimited, NotOnline.

        A write whose answer got lost is sent again, and refused for its own token: a mark stands
        in the track once, and whoever is told "too soon" was not stored.
        """
        token = token_urlsafe(6)

        def store() -> Courier | None:
            row = CourierRow(courier_id)
            actions = _make_fix_actions(fix, now, least_gap is not None, token)
            try:
                row.update(
                    actions=actions,
                    condition=_make_fix_condition(fix, now, least_gap, at_work, token)
                    & _index_condition(),
                )
            except UpdateError as error:
                if not is_lost_race(error):
                    raise
                found = _find_row(courier_id) or CourierRow(courier_id)
                if found.fix_token != token:
                    if self._is_outdated(found, fix, now, least_gap, at_work):
                        return None
                    self._put_back_in_index(courier_id)
                    raise Stale from None
                row = found
            return self._fold_full_track(row)

        return self._retries.retry_while_stale(store)

    def record_doubtful_fix(
        self,
        courier_id: str,
        fix: Fix,
        now: datetime,
        least_gap: timedelta | None,
        at_work: bool,
        good_after: datetime | None,
    ) -> Courier | None:
        """Hear of a position that is vague, or no place (`good_after` None), as record_fix does.

        It becomes the courier's only where none is known, or none but vague ones and good ones of
        `good_after` and before; no place never does. It adds nothing to the way that was made.
        """
        token = token_urlsafe(6)

        def store() -> Courier | None:
            row = _find_row(courier_id) or CourierRow(courier_id)
            if row.fix_token == token:  # the answer of the first try got lost
                return self._decode_row(row)
            may = _make_fix_condition(fix, now, least_gap, at_work, token)
            if self._is_outdated(row, fix, now, least_gap, at_work):
                return None
            self.note_alive(self._decode_row(row), now)  # wherever they are, they are there
            keeps = good_after is None or _knows_better(row, good_after)
            if keeps and least_gap is None:
                return self._decode_row(row)
            actions: list[Action] = [CourierRow.heard_at.set(to_epoch_ms(now))]
            if not keeps:
                counts = least_gap is not None
                actions = [*_make_position_actions(fix, now, counts), CourierRow.vague.set(True)]
            written = CourierRow(courier_id)
            actions.append(CourierRow.fix_token.set(token))
            update_if(written, actions, _equals(CourierRow.fix, row.fix) & may)
            return self._decode_row(written)

        return self._retries.retry_while_stale(store)

    @staticmethod
    def _is_outdated(
        row: CourierRow, fix: Fix, now: datetime, least_gap: timedelta | None, at_work: bool
    ) -> bool:
        """Whether a fix is refused as an old one; False where there is no reason to refuse it.
        Raises NotOnline, RateLimited."""
        outdated = row.fix_at is not None and row.fix_at > to_epoch_ms(fix.at)
        if outdated and row.heard_at is not None and row.heard_at > to_epoch_ms(now):
            return True  # overtaken while this was on its way: it was not too soon when it came
        if at_work and not row.available and row.order_id is None:
            raise NotOnline("Go online first.")
        if least_gap and row.heard_at is not None and row.heard_at > to_epoch_ms(now - least_gap):
            raise RateLimited(
                "One location a second is enough.", retry_after_s=least_gap.total_seconds()
            )
        return outdated

    def _fold_full_track(self, row: CourierRow) -> Courier:
        """The courier of a fix just written. Whoever fills the track adds it up: on a trip the
        feed's half-minute write has done that before."""
        courier = self._decode_row(row)
        if len(courier.odometer.track) >= _MAX_TRACK:
            try:
                CourierRow(courier.id).update(
                    actions=_make_odometer_actions(courier), condition=CourierRow.fix == row.fix
                )
            except UpdateError as error:
                if not is_lost_race(error):
                    raise  # else the next fix was quicker, and finds the track full
        return courier

    def set_vehicle_type(self, courier_id: str, vehicle_type: str | None) -> None:
        """Note what a courier drives, as their profile says; idempotent."""
        set_or_not = CourierRow.vehicle_type
        action = set_or_not.set(vehicle_type) if vehicle_type else set_or_not.remove()
        self._retries.retry_while_stale(lambda: CourierRow(courier_id).update(actions=[action]))

    def mark_shown(self, courier: Courier, seen: LastShown) -> bool:
        """Note that a courier is shown to their customer, and add up the way since, if all is as
        it was with the fix that is shown; False if not. Sent twice, it finds what it noted."""
        assert courier.fix is not None, "they were seen somewhere"
        as_was = (
            _equals(
                CourierRow.seen, _encode_json(courier.last_shown) if courier.last_shown else None
            )
            & (CourierRow.order_id == seen.order_id)
            & (CourierRow.fix == _encode_json(courier.fix))
        )
        try:
            CourierRow(courier.id).update(
                actions=[CourierRow.seen.set(_encode_json(seen)), *_make_odometer_actions(courier)],
                condition=as_was,
            )
        except UpdateError as error:
            if not is_lost_race(error):
                raise
            found = _find_row(courier.id)
            return found is not None and (found.seen, found.fix) == (
                _encode_json(seen),
                _encode_json(courier.fix),
            )
        return True

    def add_socket(
        self, courier_id: str, connection_id: str, ends_at: datetime | None = None
    ) -> None:
        """Note a live socket, which counts until `ends_at`: its end may never be heard of."""
        now = self._clock()
        socket = _encode_socket(connection_id, ends_at or now + MAX_CONNECTION_AGE)

        def note() -> None:
            try:
                CourierRow(courier_id).update(
                    actions=[
                        CourierRow.sockets.add({socket}),
                        CourierRow.alive_at.set(to_epoch_ms(now)),
                    ],
                    condition=_index_condition(),
                )
            except UpdateError as error:
                if not is_lost_race(error):
                    raise
                self._put_back_in_index(courier_id)
                raise Stale from None

        self._retries.retry_while_stale(note)

    def remove_socket(self, courier_id: str, connection_id: str) -> None:
        """Forget a socket, and those that have ended by themselves; idempotent. Harmless for people
        who are no couriers."""

        def forget() -> None:
            row, now = _find_row(courier_id), self._clock()
            known = (row.sockets if row else None) or set()
            mine = f"@{connection_id}"
            gone = {one for one in known if one.endswith(mine) or not _is_live(one, now)}
            if not gone:
                return
            # Until now they were there: between two sockets nobody counts as lost.
            lived = any(_is_live(one, now) for one in gone)
            alive = [CourierRow.alive_at.set(to_epoch_ms(now))] if lived else []
            try:
                CourierRow(courier_id).update(
                    actions=[CourierRow.sockets.delete(gone), *alive],
                    condition=CourierRow.courier_id.exists(),
                )
            except UpdateError as error:
                if not is_lost_race(error):
                    raise

        self._retries.retry_while_stale(forget)

    def release_courier(self, courier_id: str, order_id: int, now: datetime) -> None:
        """Free a courier of an order. Harmless if they do not hold it, or no longer: so it is also
        if the answer of a first try got lost."""

        def free() -> None:
            change = make_release(courier_id, order_id, now)
            if change:
                alive = CourierRow.alive_at.set(to_epoch_ms(now))  # who has just delivered is there
                update_if(change.row, [*change.actions, alive], change.condition)

        self._retries.retry_while_stale(free)

    def iterate_free_near(
        self,
        point: Point,
        radius_m: float,
        wanted: Callable[[Courier], bool],
        consistent: bool = False,
    ) -> Iterator[tuple[list[Courier], float]]:
        """Free couriers ring by ring, outward, each with the metres that are covered by then.

        Of each cell some are read, and more only while nobody `wanted` is among them. As they are
        or lately were, for half the price, unless `consistent`: the claim's own condition decides.
        """
        left = _MAX_READ
        for cells, covered_m in iterate_rings(point, radius_m):
            hits = [_IndexPages(CourierRow.by_cell.query, cell, _PER_CELL) for cell in cells]
            found, read = self._read_until_wanted(hits, wanted, consistent, left)
            left -= read
            yield found, covered_m

    def list_longest_idle(
        self, wanted: Callable[[Courier], bool], consistent: bool = False
    ) -> list[Courier]:
        """Some of the free couriers, whoever has waited longest among them. More are read only
        while nobody `wanted` is among them."""
        hits = [_IndexPages(CourierRow.by_idle.query, shard, _PER_SHARD) for shard in range(SHARDS)]
        return self._read_until_wanted(hits, wanted, consistent, _MAX_READ)[0]

    def remove_from_cells(self, couriers: Iterable[Courier]) -> None:
        """Take couriers whose position is old out of the cells, if it is still the last that came.
        The next one puts them back, as any fix writes its cell."""
        self._try_each(_make_cell_removal, couriers)

    def remove_from_index(self, couriers: Iterable[Courier]) -> None:
        """Take free couriers out of the index, if they gave no sign of life since they were read.
        The next one puts them back."""
        self._try_each(_make_index_removal, couriers)

    def _try_each(
        self, change: Callable[[Courier], RowUpdate], couriers: Iterable[Courier]
    ) -> None:
        list(self._pool.map(_try_update, map(change, couriers)))

    def find_occupied(self, courier_ids: Iterable[str]) -> frozenset[str]:
        """Those of them who hold an order."""
        rows = CourierRow.batch_get(list(courier_ids), consistent_read=True)
        return frozenset(str(row.courier_id) for row in rows if row.order_id is not None)

    def _read_until_wanted(
        self,
        hits: list[_IndexPages],
        wanted: Callable[[Courier], bool],
        consistent: bool,
        most: int,
    ) -> tuple[list[Courier], int]:
        """The couriers that parts of an index name, page by page, until somebody is wanted; and
        how many it named."""
        found: list[Courier] = []
        named = 0
        while hits:
            ids = [id_ for page in self._pool.map(_IndexPages.read_page, hits) for id_ in page]
            named += len(ids)
            read = self._read_free(ids, consistent)
            found += read
            if any(map(wanted, read)) or named >= most:
                break
            hits = [one for one in hits if not one.ended]
        return found, named

    def _read_free(self, ids: list[str], consistent: bool) -> list[Courier]:
        if not ids:
            return []
        rows = CourierRow.batch_get(ids, consistent_read=consistent)
        return [courier for courier in map(self._decode_row, rows) if courier.is_free]

    def _put_back_in_index(self, courier_id: str) -> None:
        """Put a free courier back into the index, if that is what they lack."""
        row = _find_row(courier_id)
        courier = self._decode_row(row) if row else None
        if row and courier and courier.is_free and not courier.is_indexed:
            _try_update(
                RowUpdate(CourierRow(courier_id), [_index_action(row, free=True)], _is_as_read(row))
            )

    def _decode_row(self, row: CourierRow) -> Courier:
        return _decode_courier(row, self._clock())


class _IndexPages:
    """What one part of an index names, a page at a time; `ended` once that was the last."""

    def __init__(self, query: Callable[..., Iterator[CourierRow]], key: str | int, page: int):
        self._hits = query(key, page_size=page)
        self._page = page
        self.ended = False

    def read_page(self) -> list[str]:
        """The next page."""
        ids = [str(hit.courier_id) for hit in islice(self._hits, self._page)]
        self.ended = len(ids) < self._page
        return ids


def make_claim(
    courier_id: str, order_id: int, available_only: bool, shown_to: str | None = None
) -> RowUpdate:
    """Occupy a courier, if free; from now on `shown_to` may see where they are. Sent twice, it
    finds them occupied by this very order, which the order's own condition allows but then."""
    idle: Condition = CourierRow.courier_id.exists() & CourierRow.order_id.does_not_exist()
    free = idle & (CourierRow.available == True) if available_only else idle  # noqa: E712
    return RowUpdate(
        CourierRow(courier_id),
        [
            CourierRow.order_id.set(order_id),
            CourierRow.free_shard.remove(),
            *([CourierRow.shown_to.set(shown_to)] if shown_to else []),
        ],
        free | (CourierRow.order_id == order_id),
    )


def make_release(courier_id: str, order_id: int, now: datetime) -> RowUpdate | None:
    """Let a courier go; back into the indexes if still on duty. None if not held by this order.
    Sent twice, it finds them as it left them."""
    row = _find_row(
        courier_id, consistent=False
    )  # the change is on the condition that it is so still
    if row is None or row.order_id != order_id:
        row = _find_row(courier_id)
    if row is None or row.order_id != order_id:
        return None
    return RowUpdate(
        CourierRow(courier_id),
        [
            CourierRow.order_id.remove(),
            CourierRow.shown_to.remove(),
            CourierRow.idle_since.set(to_epoch_ms(now)),
            *([_index_action(row, True)] if row.available else []),
        ],
        _is_as_read(row)
        | (
            CourierRow.order_id.does_not_exist()
            & (CourierRow.idle_since == to_epoch_ms(now))
            & _equals(CourierRow.available, row.available)
        ),
    )


def _index_action(row: CourierRow, free: bool) -> Action:
    if not free:
        return CourierRow.free_shard.remove()
    return CourierRow.free_shard.set(crc32(str(row.courier_id).encode()) % SHARDS)


def _index_condition() -> Condition:
    """Whoever is free is in the index. Who is not was taken out of it, and is to be put back."""
    may: Condition = CourierRow.free_shard.exists() | CourierRow.order_id.exists()
    may |= CourierRow.available.does_not_exist() | (CourierRow.available == False)  # noqa: E712
    return may


def _make_cell_removal(courier: Courier) -> RowUpdate:
    still = _is_no_later(CourierRow.fix_came_at, courier.fix_received_at)
    return RowUpdate(CourierRow(courier.id), [CourierRow.cell.remove()], still)


def _make_index_removal(courier: Courier) -> RowUpdate:
    still: Condition = (CourierRow.available == True) & CourierRow.order_id.does_not_exist()  # noqa: E712
    silent = _is_no_later(CourierRow.alive_at, courier.alive_at)
    silent &= _is_no_later(CourierRow.fix_came_at, courier.fix_received_at)
    return RowUpdate(CourierRow(courier.id), [CourierRow.free_shard.remove()], still & silent)


def _is_no_later(attribute: Any, read: datetime | None) -> Any:
    """No newer than what was read. (A millisecond more: times are rounded on their way.)"""
    return attribute.does_not_exist() if read is None else attribute <= to_epoch_ms(read) + 1


def _try_update(change: RowUpdate) -> None:
    """Make a change unless it is outdated."""
    try:
        change.row.update(actions=change.actions, condition=change.condition)
    except UpdateError as error:
        if not is_lost_race(error):
            raise


def _is_news(courier: Courier, now: datetime) -> bool:
    """Whether a sign of life of a free courier tells anything new."""
    if not courier.is_free:
        return False
    return (
        not courier.is_indexed
        or courier.alive_at is None
        or now - courier.alive_at > _ALIVE_INTERVAL
    )


def _encode_socket(connection_id: str, ends_at: datetime) -> str:
    """A socket as a row has it: with its end, lest it count for ever if nobody notes that."""
    return f"{int(ends_at.timestamp())}@{connection_id}"


def _is_live(socket: str, now: datetime) -> bool:
    end, _, connection_id = socket.partition("@")
    return bool(connection_id) and end.isdigit() and now.timestamp() < int(end)


def _make_fix_actions(fix: Fix, now: datetime, counts: bool, token: str) -> list[Action]:
    mark = TrackPoint(fix.point, max(0, int(fix.at.timestamp())))
    return [
        *_make_position_actions(fix, now, counts),
        CourierRow.fix_token.set(token),
        CourierRow.vague.remove(),
        CourierRow.track.set((CourierRow.track | []).append([_pack_point(mark)])),
    ]


def _make_position_actions(fix: Fix, now: datetime, counts: bool) -> list[Action]:
    return [
        CourierRow.fix.set(_encode_json(fix)),
        CourierRow.fix_at.set(to_epoch_ms(fix.at)),
        CourierRow.cell.set(find_cell(fix.point)),
        CourierRow.fix_came_at.set(to_epoch_ms(now)),
        *([CourierRow.heard_at.set(to_epoch_ms(now))] if counts else []),
    ]


def _knows_better(row: CourierRow, good_after: datetime) -> bool:
    """Whether a courier's place is known by a good fix, and by one that is not too old."""
    return row.fix_at is not None and not row.vague and row.fix_at > to_epoch_ms(good_after)


def _make_fix_condition(
    fix: Fix, now: datetime, least_gap: timedelta | None, at_work: bool, token: str
) -> Condition:
    may: Condition = CourierRow.fix_at.does_not_exist() | (CourierRow.fix_at <= to_epoch_ms(fix.at))
    may &= CourierRow.fix_token.does_not_exist() | (CourierRow.fix_token != token)
    if least_gap:
        may &= CourierRow.heard_at.does_not_exist() | (
            CourierRow.heard_at <= to_epoch_ms(now - least_gap)
        )
    if at_work:
        may &= (CourierRow.available == True) | CourierRow.order_id.exists()  # noqa: E712
    return may


def _make_odometer_actions(courier: Courier) -> list[Action]:
    odometer = courier.odometer.fold_track()
    track = [_pack_point(mark) for mark in odometer.track]
    return [CourierRow.track.set(track), CourierRow.odometer_m.set(odometer.counted_m)]


def _pack_point(mark: TrackPoint) -> bytes:
    lat, lng = mark.point
    return _POINT_FORMAT.pack(round(lat * _E7), round(lng * _E7), mark.at_s)


def _unpack_point(mark: bytes) -> TrackPoint:
    lat, lng, at_s = _POINT_FORMAT.unpack(mark)
    return TrackPoint((lat / _E7, lng / _E7), at_s)


def _is_as_read(row: CourierRow) -> Any:
    """That what decisions rest on is as it was read: duty, and the order."""
    return _equals(CourierRow.available, row.available) & _equals(CourierRow.order_id, row.order_id)


def _equals(attribute: Any, value: Any) -> Any:
    return attribute.does_not_exist() if value is None else attribute == value


def _find_row(courier_id: str, consistent: bool = True) -> CourierRow | None:
    try:
        return CourierRow.get(courier_id, consistent_read=consistent)
    except DoesNotExist:
        return None


def _decode_courier(row: CourierRow, now: datetime) -> Courier:
    return Courier(
        id=row.courier_id,
        available=bool(row.available),
        connected=any(_is_live(socket, now) for socket in row.sockets or ()),
        order_id=int(row.order_id) if row.order_id is not None else None,
        fix=msgspec.json.decode(row.fix, type=Fix) if row.fix else None,
        fix_received_at=_decode_time(row.fix_came_at),
        alive_at=_decode_time(row.alive_at),
        is_indexed=row.free_shard is not None,
        idle_since=_decode_time(row.idle_since),
        vehicle_type=row.vehicle_type,
        odometer=Odometer(row.odometer_m or 0.0, tuple(map(_unpack_point, row.track or ()))),
        visible_to=row.shown_to,
        last_shown=msgspec.json.decode(row.seen, type=LastShown) if row.seen else None,
    )


def _decode_time(value: float | None) -> datetime | None:
    return None if value is None else from_epoch_ms(value)


def _encode_json(value: Fix | LastShown) -> str:
    return msgspec.json.encode(value).decode()
