"""The board as it is now, read while somebody looks at it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from threading import Lock

from chalicelib.domain.ops.board import Board, index_rows, make_courier_row, make_order_row
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Courier
from chalicelib.services.ops.unfinished import UnfinishedOrders
from chalicelib.services.ports import CourierStore, PeopleStore

_NAMES_KEPT_FOR = timedelta(minutes=10)


class BoardReader:
    """Reads the board. A process reads it through one of these: it remembers what is unfinished.

    `zone_resolution` is that of the zones' cells.
    """

    def __init__(
        self,
        unfinished: UnfinishedOrders,
        couriers: CourierStore,
        people: PeopleStore,
        zone_resolution: int,
    ) -> None:
        self._unfinished = unfinished
        self._couriers = couriers
        self._names = CourierNames(people)
        self._resolution = zone_resolution
        self._lock = Lock()

    def read(self, now: datetime) -> Board:
        """Read all that is on the board: eventually consistent, a row read for each row shown."""
        with self._lock:
            found = self._unfinished.find_orders(now)
            couriers = self._read_couriers(found.orders)
            names = self._names.find_names(couriers, found.orders, now)
        orders = [
            make_order_row(order, couriers.get(order.courier_id or ""), self._resolution, now)
            for order in found.orders
        ]
        rows = [
            make_courier_row(courier, names.get(courier.id), self._resolution)
            for courier in couriers.values()
        ]
        return index_rows(now, orders, rows, found.rows_read + len(couriers), found.left)

    def _read_couriers(self, orders: Iterable[Order]) -> Mapping[str, Courier]:
        """Read who is on duty, and who has an order: of a wave all who are asked."""
        holders = (id_ for order in orders for id_ in order.occupied_ids)
        ids = {*self._couriers.list_free_ids(), *holders}
        return {
            courier.id: courier
            for courier in self._couriers.list_eventually(sorted(ids))
            if courier.available or courier.order_id is not None
        }


class CourierNames:
    """Remembers couriers' names: a profile hardly ever changes."""

    def __init__(self, people: PeopleStore) -> None:
        self._people = people
        self._names: dict[str, str | None] = {}
        self._forget_at: datetime | None = None

    def find_names(
        self, courier_ids: Iterable[str], orders: Iterable[Order], now: datetime
    ) -> Mapping[str, str | None]:
        """Find couriers' names: of who has an order as it says, of others by their profiles."""
        if self._forget_at is None or now >= self._forget_at:
            self._names, self._forget_at = {}, now + _NAMES_KEPT_FOR
        for order in orders:
            if order.courier and order.courier.name:
                self._names[order.courier.id] = order.courier.name
        unknown = [id_ for id_ in courier_ids if id_ not in self._names]
        self._names.update(dict.fromkeys(unknown))
        self._names.update({one.id: one.name for one in self._people.list_people(unknown)})
        return self._names
