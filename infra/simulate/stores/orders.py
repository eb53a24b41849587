"""Orders in memory, with claims and leases in one commit, as store/orders.py writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from msgspec.structs import replace

from chalicelib.domain.due import Due
from chalicelib.domain.messaging.mailboxes import PlannedLease
from chalicelib.domain.ops.zones import name_search_pool
from chalicelib.domain.orders.acceptance import find_answer
from chalicelib.domain.orders.listing import find_day, find_holder_id, list_names
from chalicelib.domain.orders.model import Order, Status
from chalicelib.errors import CourierTaken, NotFound, Stale
from infra.simulate.stores.bill import TRANSACTED, Bill
from infra.simulate.stores.couriers import MemoryCouriers
from infra.simulate.stores.mailboxes import MemoryMailboxes

CommitListener = Callable[[Order | None, Order], None]


class MemoryOrders:
    """Implements services.ports.OrderStore. `on_committed` hears of each version of each order."""

    def __init__(
        self,
        couriers: MemoryCouriers,
        mailboxes: MemoryMailboxes,
        bill: Bill,
        on_committed: CommitListener,
        batch_resolution: int | None = None,
    ) -> None:
        self._couriers = couriers
        self._mailboxes = mailboxes
        self._bill = bill
        self._on_committed = on_committed
        self._orders: dict[int, Order] = {}
        self._known_days: set[int] = set()
        self._batch_resolution = batch_resolution
        self._searching: dict[str, dict[int, None]] = {}  # ids of what searches, by flow and zone

    def get_order(self, order_id: int) -> Order:
        """Read an order. Raises NotFound."""
        self._bill.charge_read("orders")
        try:
            return self._orders[order_id]
        except KeyError:
            raise NotFound("There is no such order.") from None

    def get_order_eventually(self, order_id: int) -> Order:
        """Read an order; nothing here is ever behind. Raises NotFound."""
        return self.get_order(order_id)

    def add_to_lists(self, stored: Order | None, order: Order) -> None:
        """Charge for the lists that an order comes into. Nobody reads them here."""
        names = len(list_names(order)) if stored is None else 0
        holder_id = find_holder_id(order)
        if holder_id is not None and (stored is None or find_holder_id(stored) != holder_id):
            names += 1
        day = find_day(order.details.created_at).toordinal()
        if stored is None and day not in self._known_days:
            self._known_days.add(day)
            names += 1
        self._bill.charge_write("lists", names)

    def commit_order(
        self,
        stored: Order | None,
        order: Order,
        *,
        available_only: bool = True,
        lease: PlannedLease | None = None,
    ) -> bool:
        """Write an order if it is still `stored`, with its courier's claim or release; return
        whether the lease was taken. Raises Stale, CourierTaken."""
        current = self._orders.get(order.id)
        before = stored.occupied_ids if stored else ()
        released_ids = [id_ for id_ in before if id_ not in order.occupied_ids]
        claimed_ids = [id_ for id_ in order.occupied_ids if id_ not in before]
        is_single = not (released_ids or claimed_ids) or order.status is Status.DONE
        price = 1 if is_single else TRANSACTED
        self._bill.charge_write("orders", price)
        if (current.version if current else None) != (stored.version if stored else None):
            raise Stale
        is_leased = False
        if not is_single:
            self._move_couriers(stored, order, released_ids, claimed_ids, available_only)
            is_leased = lease is not None and self._mailboxes.take_planned(lease)
        self._save(current, order)
        return is_leased

    def _move_couriers(
        self,
        stored: Order | None,
        order: Order,
        released_ids: Sequence[str],
        claimed_ids: Sequence[str],
        available_only: bool,
    ) -> None:
        """Claim couriers and release others. Raises CourierTaken, and nothing is written."""
        can_claim = self._couriers.can_claim
        taken = [id_ for id_ in claimed_ids if not can_claim(id_, order.id, available_only)]
        if taken:
            raise CourierTaken(*taken)
        for id_ in claimed_ids:
            self._couriers.claim(id_, order.id, order.updated_at if order.offer else None)
        for id_ in released_ids:
            is_taken = find_answer(stored, order, id_)
            self._couriers.release(id_, order.id, order.updated_at, TRANSACTED, is_taken)

    def release_left(self, courier_id: str, order: Order, now: datetime) -> bool:
        """Do nothing: no row here is ever contended, so that no courier is left."""
        return False

    def _save(self, before: Order | None, order: Order) -> None:
        after = replace(order, keys=(), unpaid_attempt=None)
        for old, new in zip(_list_index_keys(before), _list_index_keys(after), strict=True):
            self._bill.charge_index("orders' indexes", old, new)
        self._move_pool(before, after)
        self._orders[order.id] = after
        self._on_committed(before, after)

    def find_newest_active(self, customer_id: str) -> Order | None:
        """Read a customer's newest unfinished order; None if there is none."""
        mine = (o for o in self._orders.values() if o.details.customer_id == customer_id)
        return max((o for o in mine if not o.is_terminal), key=lambda o: o.id, default=None)

    def list_due(self, now: datetime, since: datetime | None = None) -> Iterator[Due[int]]:
        """Yield orders whose deadline has passed, `since` a time, the longest overdue first."""
        dated = [(o.deadline_at, o.id) for o in self._orders.values() if o.deadline_at]
        for at, id_ in sorted(dated):
            if at <= now and (since is None or at >= since):
                yield Due(id_, at)

    def list_open(self, pool: str, limit: int) -> list[Order]:
        """List orders that any courier of a pool may take, the newest last."""
        found = [o for o in self._orders.values() if o.is_open and o.details.flow == pool]
        return sorted(found, key=lambda order: order.id)[-limit:]

    def _move_pool(self, before: Order | None, after: Order) -> None:
        """Keep the pool of what searches in a zone true, if there are windows."""
        old, new = (self._find_pool(order) for order in (before, after))
        self._bill.charge_index("orders' indexes", old, new)
        if old != new and old:
            del self._searching[old][after.id]
        if old != new and new:
            self._searching.setdefault(new, {})[after.id] = None

    def _find_pool(self, order: Order | None) -> str | None:
        if order is None or self._batch_resolution is None or not order.is_sought:
            return None
        details = order.details
        return name_search_pool(details.flow, details.pickup.point, self._batch_resolution)

    def list_searching(self, pool: str, limit: int) -> list[Order]:
        """List orders that search for couriers in a zone: those placed first."""
        ids = sorted(self._searching.get(pool, ()))[:limit]
        self._bill.charge_read("orders", 1 + 2 * len(ids))
        return [self._orders[id_] for id_ in ids]

    def list_active_of_merchant(self, merchant_id: str, limit: int) -> list[Order]:
        """List a merchant's unfinished orders, the newest last."""
        mine = [o for o in self._orders.values() if o.details.merchant_id == merchant_id]
        return sorted((o for o in mine if not o.is_terminal), key=lambda o: o.id)[:limit]

    def read_listed(
        self, ids: Sequence[int], now: datetime, is_consistent: bool = True
    ) -> list[Order]:
        """Read those of these orders that there are."""
        self._bill.charge_read("orders", 2 * len(ids))
        return [self._orders[id_] for id_ in ids if id_ in self._orders]


def _list_index_keys(order: Order | None) -> tuple[object, ...]:
    """List an order's keys in the indexes: customer, merchant, pool, deadline; None: not there."""
    if order is None:
        return None, None, None, None
    is_active = not order.is_terminal and order.status is not Status.SCHEDULED
    return (
        order.details.customer_id if is_active else None,
        order.details.merchant_id if is_active else None,
        order.details.flow if order.is_open else None,
        order.deadline_at,
    )
