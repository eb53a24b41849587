"""The board: unfinished orders and couriers on duty, as those who run them see them.

An order is on the board from when it is active until it ends. One that found no courier stays for
UNSERVED_SHOWN_FOR, or until it is searched for again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from chalicelib.domain.details import Place
from chalicelib.domain.ops.promises import estimate_eta, find_due, is_late
from chalicelib.domain.ops.zones import find_zone
from chalicelib.domain.orders.listing import find_holder_id
from chalicelib.domain.orders.model import ACTIVATED, Order, Status
from chalicelib.domain.orders.offer_tally import count_offers
from chalicelib.domain.orders.tips import get_end_time
from chalicelib.domain.people import Actor, Courier, Fix, Role

UNSERVED_SHOWN_FOR = timedelta(hours=24)
LEFT_KNOWN_FOR = timedelta(hours=1)
_SEARCHING = frozenset({Status.SEARCHING, Status.OFFERED})
# In a timeline: what a search comes after, where its beginning is not among the changes at hand.
_BEGIN_SEARCHES = (Status.UNSERVED.value, Status.READY.value, "released", "handed_back")


class BoardOrder(msgspec.Struct, frozen=True):
    """A row of the board.

    `since` is when the order came to its state. `wanted_since` is from when on a courier is wanted
    without a break; None where none is. `courier_id` has accepted the order, `offered_to` is asked.
    `due` is by when it was promised, `updated_at` when the order was last written.
    Of a wave `offered_to` is the first of those who are still asked.
    """

    id: int
    flow: str
    state: Status
    since: datetime
    created_at: datetime
    offers: int
    customer_id: str
    pickup: Place
    dropoff: Place
    is_late: bool
    zone: str | None = None
    wanted_since: datetime | None = None
    courier_id: str | None = None
    courier_name: str | None = None
    offered_to: str | None = None
    merchant_id: str | None = None
    external_id: str | None = None
    eta: datetime | None = None
    due: datetime | None = None
    reason: str | None = None
    updated_at: datetime | None = None

    @property
    def is_unserved(self) -> bool:
        """True for an order that has ended as nobody was found."""
        return self.state is Status.UNSERVED

    @property
    def is_unassigned(self) -> bool:
        """True while no courier has accepted the order."""
        return self.courier_id is None and not self.is_unserved


class BoardCourier(msgspec.Struct, frozen=True):
    """A courier who is on duty, or has an order. `order_id` may be one that is merely offered.
    `located_at` is when the fix was had, by our clock: phones' differ."""

    id: str
    name: str | None = None
    fix: Fix | None = None
    located_at: datetime | None = None
    zone: str | None = None
    is_on_duty: bool = True
    is_paused: bool = False
    order_id: int | None = None
    idle_since: datetime | None = None
    vehicle_type: str | None = None
    other_order_ids: tuple[int, ...] = ()

    @property
    def is_idle(self) -> bool:
        """True while the courier could be asked."""
        return self.is_on_duty and self.order_id is None and not self.is_paused


class LeftOrder(msgspec.Struct, frozen=True):
    """An order that has left the board: when that was, and who could see it there."""

    id: int
    at: datetime
    zone: str | None = None
    merchant_id: str | None = None
    customer_id: str | None = None


class Board(msgspec.Struct, frozen=True):
    """All that is on the board at `at`, by id, and what has `left` it within LEFT_KNOWN_FOR.
    `rows_read` is how many rows it took to read."""

    at: datetime
    orders: Mapping[int, BoardOrder]
    couriers: Mapping[str, BoardCourier]
    rows_read: int = 0
    left: tuple[LeftOrder, ...] = ()


def is_shown(order: Order, now: datetime) -> bool:
    """Say whether an order is on the board."""
    if order.status is Status.UNSERVED:
        return now < get_end_time(order) + UNSERVED_SHOWN_FOR
    return not order.is_terminal and not order.is_dormant


def note_left(order: Order, resolution: int) -> LeftOrder | None:
    """Note when an order left the board; None where it has not ended, or was never on it. One that
    nobody was found for leaves long after its end."""
    if not order.is_terminal or order.is_dormant:
        return None
    stayed = UNSERVED_SHOWN_FOR if order.status is Status.UNSERVED else timedelta(0)
    return LeftOrder(
        order.id,
        get_end_time(order) + stayed,
        find_zone(order.details.pickup.point, resolution),
        order.details.merchant_id,
        order.details.customer_id,
    )


def make_order_row(
    order: Order, courier: Courier | None, resolution: int, now: datetime
) -> BoardOrder:
    """Make an order's row. `courier` is whoever has the order, if their row is at hand."""
    details, offer = order.details, order.offer
    at_work = courier if courier and courier.holds(order.id) else None
    eta = estimate_eta(order, at_work, now)
    return BoardOrder(
        id=order.id,
        flow=details.flow,
        state=order.status,
        since=order.timeline.get(order.status.value, order.updated_at),
        created_at=order.placed_at,
        offers=count_offers(order),
        customer_id=details.customer_id,
        pickup=details.pickup,
        dropoff=details.dropoff,
        is_late=not order.is_terminal and is_late(order, eta, now),
        zone=find_zone(details.pickup.point, resolution),
        wanted_since=find_wanted_since(order),
        courier_id=None if order.is_terminal else find_holder_id(order),
        courier_name=order.courier.name if order.courier and not order.is_terminal else None,
        offered_to=offer.courier_id if offer and order.status is Status.OFFERED else None,
        merchant_id=details.merchant_id,
        external_id=order.options.external_id,
        eta=eta,
        due=find_due(order),
        reason=order.reason.code if order.reason else None,
        updated_at=order.updated_at,
    )


def is_wanting(order: Order) -> bool:
    """Say whether an order waits for a courier to accept it."""
    return order.status in _SEARCHING or order.is_open


def find_wanted_since(order: Order) -> datetime | None:
    """Find since when an order waits for a courier without a break; None where it does not."""
    if not is_wanting(order):
        return None
    wanting = {status.value for status in _SEARCHING} | {Status.READY.value}
    since = None
    for change in reversed(order.changes):
        if change.to not in wanting or (change.to == Status.READY.value and change.courier_id):
            return since
        since = change.compute_at(order.placed_at)
    # All changes that the order carries are of one search, which began before them.
    times = [order.timeline[name] for name in _BEGIN_SEARCHES if name in order.timeline]
    return max([find_active_since(order), *times])


def find_active_since(order: Order) -> datetime:
    """Find since when an order is active: from its placing on, or the time that it waited for."""
    return order.timeline.get(ACTIVATED, order.placed_at)


def make_courier_row(courier: Courier, name: str | None, resolution: int) -> BoardCourier:
    """Make a courier's row. A fix that is no real place is none."""
    fix = courier.fix if courier.fix and courier.fix.is_real_place else None
    return BoardCourier(
        id=courier.id,
        name=name,
        fix=fix,
        located_at=courier.located_at if fix else None,
        zone=find_zone(fix.point if fix else None, resolution),
        is_on_duty=courier.available,
        is_paused=courier.is_paused,
        order_id=courier.order_id,
        idle_since=courier.idle_since if courier.order_id is None else None,
        vehicle_type=courier.vehicle_type,
        other_order_ids=tuple(one.order_id for one in courier.others),
    )


def select_board(board: Board, zone: str | None = None, owner: Actor | None = None) -> Board:
    """Select what is in a zone (None: in any) and, of an `owner` who is a merchant, its own: the
    orders of its restaurants and those it placed, and the couriers who have accepted them.

    A courier who has an order of the merchant's is shown wherever that one is: zones apply to each
    by itself.
    """
    orders = {id_: o for id_, o in board.orders.items() if _is_owned(o, owner)}
    couriers = board.couriers
    if _is_limited(owner):
        # Who is merely asked is not theirs to know.
        orders = {id_: replace(one, offered_to=None) for id_, one in orders.items()}
        couriers = {
            id_: replace(one, order_id=mine[0], other_order_ids=mine[1:])
            for id_, one in couriers.items()
            if (mine := _list_accepted(one, orders))
        }
    left = tuple(one for one in board.left if _is_owned(one, owner))
    if zone is None:
        return replace(board, orders=orders, couriers=couriers, left=left)
    return replace(
        board,
        left=tuple(one for one in left if one.zone == zone),
        orders={id_: one for id_, one in orders.items() if one.zone == zone},
        couriers={id_: one for id_, one in couriers.items() if one.zone == zone},
    )


def _is_limited(owner: Actor | None) -> bool:
    return owner is not None and owner.role is not Role.ADMIN


def _list_accepted(courier: BoardCourier, orders: Mapping[int, BoardOrder]) -> tuple[int, ...]:
    """List those of a courier's orders that they have accepted, of some."""
    held = (*filter(None, [courier.order_id]), *courier.other_order_ids)
    return tuple(id_ for id_ in held if id_ in orders and orders[id_].courier_id == courier.id)


def _is_owned(order: BoardOrder | LeftOrder, owner: Actor | None) -> bool:
    if owner is None or owner.role is Role.ADMIN:
        return True
    is_theirs = order.merchant_id is not None and order.merchant_id in owner.restaurant_ids
    return is_theirs or order.customer_id == owner.id


def index_rows(
    at: datetime,
    orders: Iterable[BoardOrder],
    couriers: Iterable[BoardCourier],
    rows_read: int = 0,
    left: tuple[LeftOrder, ...] = (),
) -> Board:
    """Make a board of rows."""
    return Board(
        at,
        {one.id: one for one in orders},
        {one.id: one for one in couriers},
        rows_read,
        left,
    )
