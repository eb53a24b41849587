"""A courier's row: how it is read and written, piece by piece.

One row has all that is known of a courier, and several writers, none of whom may undo what another
has written. So every write is an update of a few attributes, on a condition on what the decision
rests on: mostly duty (`available`) and the order that occupies the courier (`order_id`), with those
beside it (`others`) where there may be several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from struct import Struct
from typing import Any

import msgspec
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import size
from pynamodb.expressions.update import Action

from chalicelib.domain.fixes import ESTABLISHED_FIXES, Trail
from chalicelib.domain.odometer import ROUGH_M, SLOW_M_S, Odometer, TrackPoint
from chalicelib.domain.orders.acceptance import NO_ANSWERS
from chalicelib.domain.people import Courier, Fix, HeldOrder, LastShown
from chalicelib.store.clock import from_epoch_ms, to_epoch_ms
from chalicelib.store.decoding import decode_json
from chalicelib.store.tables import CourierRow

_POINT_FORMAT = Struct(">iiI")  # latitude and longitude in 1e-7 degrees, epoch seconds
_DOUBT_FORMAT = Struct(">iiq")  # the same, epoch milliseconds
# Behind a point that is (rough, fast).
_MARKS = {(False, False): b"", (True, False): b"~", (False, True): b">", (True, True): b"}"}
_MARKED = {mark: kind for kind, mark in _MARKS.items()}
_E7 = 10_000_000

NowSource = Callable[[], datetime]


def find_row(courier_id: str, consistent: bool = True) -> CourierRow | None:
    """Read a courier's row; None if there is none. Not `consistent` is half the price and may show
    what lately was."""
    try:
        return CourierRow.get(courier_id, consistent_read=consistent)
    except DoesNotExist:
        return None


def is_as_read(row: CourierRow, max_orders: int = 1) -> Any:
    """Make the condition that what decisions rest on, duty, pause and orders, is as it was read.
    Where a courier has one order at most, there are no others to look at."""
    same_duty = equals(CourierRow.available, row.available)
    is_same = same_duty & is_paused_as(row.paused) & equals(CourierRow.order_id, row.order_id)
    if max_orders > 1 or row.others:
        is_same &= equals(CourierRow.others, row.others)
    return is_same


def is_there_as_read(row: CourierRow) -> Any:
    """Make the condition that a courier has as many sockets as when they were read, and a position
    only if they had one: whoever enters the index is found by a spot made of both. (Of where they
    are their next fix says more, and keeps the spot.)"""
    sockets: Any = CourierRow.sockets
    is_there = size(sockets) == len(row.sockets) if row.sockets else sockets.does_not_exist()
    return is_there if row.fix else is_there & CourierRow.fix.does_not_exist()


def is_paused_as(paused: bool | None) -> Any:
    """Make the condition that a courier is paused, or is not, as it was read."""
    return equals(CourierRow.paused, True if paused else None)


def is_full(max_orders: int) -> Any:
    """Make the condition that a courier has no room for another order."""
    has_order: Any = CourierRow.order_id.exists()
    return has_order if max_orders == 1 else has_order & CourierRow.others[max_orders - 2].exists()


def has_room(max_orders: int) -> Any:
    """Make the condition that a courier has room for another order."""
    has_none: Any = CourierRow.order_id.does_not_exist()
    if max_orders == 1:
        return has_none
    return has_none | CourierRow.others[max_orders - 2].does_not_exist()


def list_held(row: CourierRow) -> list[HeldOrder]:
    """List the orders that occupy a courier, the first one first."""
    first = [] if row.order_id is None else [HeldOrder(int(row.order_id), row.shown_to)]
    return first + [_decode_held(text) for text in row.others or ()]


def encode_held(held: HeldOrder) -> str:
    """Write an order that occupies a courier beside the first one as its row has it."""
    return f"{held.order_id}@{held.visible_to or ''}"


def _decode_held(text: str) -> HeldOrder:
    order_id, _, visible_to = text.partition("@")
    return HeldOrder(int(order_id), visible_to or None)


def equals(attribute: Any, value: Any) -> Any:
    """Make the condition that an attribute has a value; None: that it is not there."""
    return attribute.does_not_exist() if value is None else attribute == value


def is_no_later(attribute: Any, at: datetime | None) -> Any:
    """Make the condition that a time is no later than the one that was read. (A millisecond more:
    times are rounded on their way.)"""
    return attribute.does_not_exist() if at is None else attribute <= to_epoch_ms(at) + 1


def decode_courier(row: CourierRow, now: datetime, max_orders: int = 1) -> Courier:
    """Read a row as the courier it is of. Sockets whose end has passed do not count."""
    return Courier(
        id=row.courier_id,
        available=bool(row.available),
        connected=any(is_live(socket, now) for socket in row.sockets or ()),
        order_id=int(row.order_id) if row.order_id is not None else None,
        fix=decode_json(row.fix, Fix) if row.fix else None,
        fix_received_at=_decode_time(row.fix_came_at),
        alive_at=_decode_time(row.alive_at),
        is_indexed=row.free_shard is not None,
        idle_since=_decode_time(row.idle_since),
        vehicle_type=row.vehicle_type,
        odometer=Odometer(row.odometer_m or 0.0, tuple(map(unpack_point, row.track or ()))),
        visible_to=row.shown_to,
        last_shown=decode_json(row.seen, LastShown) if row.seen else None,
        is_paused=bool(row.paused),
        others=tuple(_decode_held(text) for text in row.others or ()),
        max_orders=max_orders,
        asked_at=_decode_time(row.asked_at),
        answers=int(row.answers or NO_ANSWERS),
    )


def _decode_time(value: float | None) -> datetime | None:
    return None if value is None else from_epoch_ms(value)


def encode_json(value: Fix | LastShown) -> str:
    """Write a fix, or when a courier was last shown, as its attribute has it."""
    return msgspec.json.encode(value).decode()


def encode_socket(connection_id: str, ends_at: datetime) -> str:
    """Write a socket as the row has it: with its end, or else it would count for ever if nobody
    noted that end."""
    return f"{int(ends_at.timestamp())}@{connection_id}"


def is_live(socket: str, now: datetime) -> bool:
    """Say whether a socket, as a row has it, has not come to its end."""
    end, _, connection_id = socket.partition("@")
    return bool(connection_id) and end.isdigit() and now.timestamp() < int(end)


def make_odometer_actions(courier: Courier) -> list[Action]:
    """Count the way along the track, and keep of the track what it takes to go on."""
    return encode_odometer(courier.odometer.fold_track())


def encode_odometer(odometer: Odometer) -> list[Action]:
    """Write an odometer, whatever the row had: the metres and the track are one value."""
    track = [pack_point(point) for point in odometer.track]
    return [CourierRow.track.set(track), CourierRow.odometer_m.set(odometer.counted_m)]


def pack_point(point: TrackPoint) -> bytes:
    """Write a point of the track in 12 bytes, and one more if it is rough or fast: a row must stay
    under 1 KB, one write unit."""
    lat, lng = point.point
    packed = _POINT_FORMAT.pack(round(lat * _E7), round(lng * _E7), point.at_s)
    return packed + _MARKS[point.is_rough, point.is_fast]


def unpack_point(packed: bytes) -> TrackPoint:
    """Read what pack_point wrote."""
    size = _POINT_FORMAT.size
    lat, lng, at_s = _POINT_FORMAT.unpack(packed[:size])
    is_rough, is_fast = _MARKED[packed[size:]]
    return TrackPoint((lat / _E7, lng / _E7), at_s, is_rough, is_fast)


def make_point(fix: Fix) -> TrackPoint:
    """Make the point of the track that a fix becomes."""
    is_fast = fix.speed is not None and fix.speed >= SLOW_M_S
    at_s = max(0, int(fix.at.timestamp()))
    return TrackPoint(fix.point, at_s, fix.is_vague(ROUGH_M), is_fast)


def read_trail(row: CourierRow) -> Trail:
    """Read what the next fixes of a courier are judged by."""
    known_at = _decode_time(row.fix_at)
    is_good = row.fix is not None and not row.vague
    kept = (unpack_point(packed).at_s for packed in (row.track or ())[-ESTABLISHED_FIXES:])
    return Trail(
        msgspec.json.decode(row.fix, type=Fix) if is_good else None,
        known_at,
        tuple(from_epoch_ms(at_s * 1000) for at_s in kept),
        tuple(map(_unpack_doubt, row.doubts or ())),
    )


def make_doubts_action(doubts: Sequence[Fix]) -> Action:
    """Remember jumps that nothing has confirmed, or that there are none."""
    packed = [_pack_doubt(fix) for fix in doubts]
    action: Action = CourierRow.doubts.set(packed) if packed else CourierRow.doubts.remove()
    return action


def _pack_doubt(fix: Fix) -> bytes:
    return _DOUBT_FORMAT.pack(round(fix.lat * _E7), round(fix.lng * _E7), to_epoch_ms(fix.at))


def _unpack_doubt(packed: bytes) -> Fix:
    lat, lng, at_ms = _DOUBT_FORMAT.unpack(packed)
    return Fix(lat / _E7, lng / _E7, from_epoch_ms(at_ms))
