"""Lists of orders, for those who have a part in them and for admins, a page at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta, timezone

import msgspec
from msgspec.structs import replace

from chalicelib.domain.events import parse_order_id
from chalicelib.domain.ids import MAX_ID, find_first_id
from chalicelib.domain.orders.listing import (
    DAY_SHARDS,
    DAYS_LIST,
    LISTED_LONGER,
    ListPosition,
    OrderFilter,
    OrderPage,
    find_day,
    name_courier_list,
    name_customer_list,
    name_day_list,
    name_external_id_list,
    name_merchant_list,
)
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Actor, Role
from chalicelib.domain.request_keys import make_external_id_key
from chalicelib.services.ports import Clock, ListingStore, OrderStore
from chalicelib.services.request_keys import RequestKeys

log = logging.getLogger(__name__)

# Of one call: a filter that fits little must not read a whole list. The page is shorter then.
MAX_LOOKED_AT = 300
MAX_DAYS = 31
_CHUNK = 100  # AWS quota: keys of one batch get

# An order's id is made a moment after its `created_at`, and rounded.
_ID_LATER = timedelta(minutes=1)
_ID_EARLIER = timedelta(seconds=1)
_TOP = MAX_ID + 1


class Section(msgspec.Struct, frozen=True):
    """A part of a walk: some lists that are read together, of one day or (0) of all time."""

    day: int
    names: Sequence[str]


class OrderLists:
    """Lists orders. An order is in its lists for `kept_for` and somewhat longer."""

    def __init__(
        self,
        listings: ListingStore,
        orders: OrderStore,
        keys: RequestKeys,
        kept_for: timedelta,
        clock: Clock,
    ) -> None:
        self._listings = listings
        self._orders = orders
        self._keys = keys
        self._kept_for = kept_for
        self._clock = clock

    def list_own(
        self, actor: Actor, wanted: OrderFilter, limit: int, position: ListPosition | None = None
    ) -> OrderPage:
        """List a page of the orders that a customer placed, that a courier accepted, or that are of
        a merchant's restaurants."""
        wanted = _narrow_to(actor, wanted)
        if wanted.external_id is not None and actor.role is not Role.COURIER:
            return self._read_by_external_id(actor, wanted, wanted.external_id, limit, position)
        return self._read_page([Section(0, _name_lists(wanted))], wanted, limit, position)

    def list_all(
        self, wanted: OrderFilter, limit: int, position: ListPosition | None = None
    ) -> OrderPage:
        """List a page of everybody's orders. A person, if one is given, chooses the list that is
        read; else it is read day by day."""
        names = _name_lists(wanted)
        sections = [Section(0, names)] if names else self._walk_days(wanted, position)
        return self._read_page(sections, wanted, limit, position)

    def _read_by_external_id(
        self,
        actor: Actor,
        wanted: OrderFilter,
        external_id: str,
        limit: int,
        position: ListPosition | None,
    ) -> OrderPage:
        """Read a page of what has an external id: several, where it is of several restaurants."""
        below = position.order_id if position else _TOP
        found = sorted(self._find_by_external_id(actor, external_id), reverse=True)
        ids = [id_ for id_ in found if id_ < below][:_CHUNK]
        matching = self._read_matching(ids, wanted)
        page = tuple(matching[:limit])
        return OrderPage(page, ListPosition(0, page[-1].id) if len(matching) > limit else None)

    def _find_by_external_id(self, actor: Actor, external_id: str) -> set[int]:
        """Find the orders that have an external id: by its key, which is the restaurant's or else
        the customer's; and a customer's orders from restaurants by their own list."""
        owners: Sequence[str | None] = actor.restaurant_ids
        if actor.role is Role.CUSTOMER:
            owners = (None,)
        found = set[int]()
        for owner in owners:
            key = make_external_id_key(owner, actor.id, external_id, "")
            used = self._keys.find_used(key)
            order_id = parse_order_id(used.target) if used else None
            if order_id is not None:
                found.add(order_id)
        if actor.role is Role.CUSTOMER:
            name = name_external_id_list(actor.id, external_id)
            found.update(self._listings.list_ids([name], _CHUNK))
        return found

    def _walk_days(self, wanted: OrderFilter, position: ListPosition | None) -> Iterator[Section]:
        """Yield the days that a filter leaves and on which orders were placed, from the newest or
        where a walk has stopped. Days whose orders have all expired are no more."""
        now = self._clock()
        oldest = find_day(now - self._kept_for - LISTED_LONGER).toordinal()
        newest = find_day(now + _ID_LATER).toordinal()
        if wanted.created_from:
            oldest = max(oldest, find_day(wanted.created_from).toordinal())
        if wanted.created_to:
            last = find_day(wanted.created_to).toordinal()
            newest = min(newest, last - 1 if _is_midnight(wanted.created_to) else last)
        if position:
            newest = min(newest, position.day)
        # One more than is read in one call: to know whether there is one.
        days = self._listings.list_ids([DAYS_LIST], MAX_DAYS + 1, newest + 1, oldest)
        for ordinal in days:
            day = date.fromordinal(ordinal)
            yield Section(ordinal, [name_day_list(day, shard) for shard in range(DAY_SHARDS)])

    def _read_page(
        self,
        sections: Sequence[Section] | Iterator[Section],
        wanted: OrderFilter,
        limit: int,
        position: ListPosition | None,
    ) -> OrderPage:
        """Read sections until a page is full, or until enough was looked at for one call."""
        found: list[Order] = []
        budget = MAX_LOOKED_AT
        for nth, section in enumerate(sections):
            if nth == MAX_DAYS or len(found) == limit or not budget:
                return OrderPage(tuple(found), ListPosition(section.day, _TOP))
            is_resumed = position is not None and position.day == section.day
            below = position.order_id if position and is_resumed else _TOP
            part, looked_at, next_below = self._read_section(
                section, wanted, limit - len(found), budget, below
            )
            found += part
            budget -= looked_at
            if next_below is not None:
                return OrderPage(tuple(found), ListPosition(section.day, next_below))
        return OrderPage(tuple(found))

    def _read_section(
        self, section: Section, wanted: OrderFilter, limit: int, budget: int, below: int
    ) -> tuple[list[Order], int, int | None]:
        """Read at most `limit` wanted orders of a section, and look at `budget` at most. Return
        them, how many were looked at, and below which id to read on; None: that was the last."""
        from_, below = _narrow_ids(wanted, below)
        found: list[Order] = []
        looked_at, size = 0, min(limit, _CHUNK)
        while True:
            size = min(size, budget - looked_at)
            # One more than is read: to know whether there is one.
            ids = self._listings.list_ids(section.names, size + 1, below, from_)
            orders = {order.id: order for order in self._read_matching(ids[:size], wanted)}
            for id_ in ids[:size]:
                looked_at, below = looked_at + 1, id_
                if id_ in orders:
                    found.append(orders[id_])
                if len(found) == limit:
                    break
            if not ids or below == ids[-1]:
                return found, looked_at, None
            if len(found) == limit or looked_at == budget:
                return found, looked_at, below
            size = _CHUNK  # little of what there is fits

    def _read_matching(self, ids: Sequence[int], wanted: OrderFilter) -> list[Order]:
        """Read those of some orders that are wanted, the newest first."""
        orders = self._orders.read_listed(ids, self._clock())
        matching = (order for order in orders if _is_wanted(order, wanted))
        return sorted(matching, key=lambda order: order.id, reverse=True)


def _is_wanted(order: Order, wanted: OrderFilter) -> bool:
    """Judge an order by a filter. One that can't be judged is left out, and hides no other."""
    try:
        return wanted.matches(order)
    except Exception:  # whatever is wrong with it
        log.exception("parked: order %d can't be judged", order.id)
        return False


def _narrow_to(actor: Actor, wanted: OrderFilter) -> OrderFilter:
    """Narrow a filter to what is an actor's own. A restaurant does not see what is scheduled: it is
    told of it as it becomes active."""
    if actor.role is Role.MERCHANT:
        return replace(wanted, merchant_ids=actor.restaurant_ids, released_only=True)
    if actor.role is Role.COURIER:
        return replace(wanted, courier_id=actor.id)
    return replace(wanted, customer_id=actor.id)


def _name_lists(wanted: OrderFilter) -> Sequence[str]:
    """Name the lists of the person whom a filter names, the most telling first; none: nobody."""
    if wanted.customer_id is not None:
        return [name_customer_list(wanted.customer_id)]
    if wanted.courier_id is not None:
        return [name_courier_list(wanted.courier_id)]
    return [name_merchant_list(id_) for id_ in dict.fromkeys(wanted.merchant_ids or ())]


def _narrow_ids(wanted: OrderFilter, below: int) -> tuple[int, int]:
    """Narrow the ids to be read to the times that a filter asks for; it is looked at itself
    afterwards, so that a little too much does no harm."""
    from_ = 0
    if wanted.created_from:
        from_ = find_first_id(wanted.created_from, -_ID_EARLIER)
    if wanted.created_to:
        below = min(below, find_first_id(wanted.created_to, _ID_LATER))
    return from_, below


def _is_midnight(at: datetime) -> bool:
    return at.astimezone(timezone.utc).time() == time.min
