"""Lists of orders: which lists an order is in, and which orders of a list somebody wants to see.

A list is a name and the ids of orders. What is in one is only a hint: an order is shown by what it
says itself, read anew, so that a list may hold what was never placed, or has passed to others.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from enum import Enum

import msgspec

from chalicelib.domain.orders.model import ACTIVATED, TERMINAL_STATUSES, Order, Status
from chalicelib.domain.request_keys import hash_request

DAY_SHARDS = 8  # a day's orders are written to so many lists: one would be a hot partition

# In it, in the place of orders' ids, are the ordinals of the days on which any were placed.
DAYS_LIST = "days"

# An order's lists are written before anybody knows when it will end, and must outlive it: it may
# be placed 30 days ahead, and wait long for somebody to try again.
LISTED_LONGER = timedelta(days=60)


class ListedStatus(str, Enum):
    """What of a list is wanted."""

    ACTIVE = "active"  # not ended and not scheduled: its customer may try an unserved one again
    SCHEDULED = "scheduled"
    DONE = "done"  # any end
    ALL = "all"


class OrderFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which orders are wanted: those to which everything applies that is not None.

    `created_from` is inclusive, `created_to` exclusive. `courier_id` is who accepted the order and
    has it still; `merchant_ids` are restaurants, one of which it must be of. `released_only` leaves
    out what is scheduled, or was until it ended.
    """

    status: ListedStatus = ListedStatus.ALL
    created_from: datetime | None = None
    created_to: datetime | None = None
    external_id: str | None = None
    customer_id: str | None = None
    courier_id: str | None = None
    merchant_ids: tuple[str, ...] | None = None
    released_only: bool = False

    def matches(self, order: Order) -> bool:
        """Say whether an order is wanted."""
        return self._matches_people(order) and self._matches_facts(order)

    def _matches_people(self, order: Order) -> bool:
        details = order.details
        return (
            self.customer_id in (None, details.customer_id)
            and self.courier_id in (None, find_holder_id(order))
            and (self.merchant_ids is None or details.merchant_id in self.merchant_ids)
        )

    def _matches_facts(self, order: Order) -> bool:
        at = order.details.created_at
        return (
            (self.created_from is None or at >= self.created_from)
            and (self.created_to is None or at < self.created_to)
            and self.external_id in (None, order.options.external_id)
            and self.status in (ListedStatus.ALL, classify_status(order.status))
            and not (self.released_only and order.is_dormant)
        )


class ListPosition(msgspec.Struct, frozen=True, array_like=True):
    """How far a list has been read: all orders of later days, and of this day those from this id
    up. `day` is the day's ordinal; 0 where the list is not one of days."""

    day: int
    order_id: int


class OrderPage(msgspec.Struct, frozen=True):
    """Some orders, the newest first, and from where to read on; None: there are no more."""

    orders: tuple[Order, ...]
    position: ListPosition | None = None


def classify_status(status: Status) -> ListedStatus:
    """Say for what an order of this status counts in lists."""
    if status in TERMINAL_STATUSES and status is not Status.UNSERVED:
        return ListedStatus.DONE
    return ListedStatus.SCHEDULED if status is Status.SCHEDULED else ListedStatus.ACTIVE


def find_holder_id(order: Order) -> str | None:
    """Find the courier who accepted an order and has it still, or had it to the end. One to whom it
    is merely offered is none: what the customer is shown of a courier is noted with the yes."""
    return order.courier_id if order.courier else None


def list_names(order: Order) -> list[str]:
    """Name the lists that a new order is in: its customer's, its restaurant's, its day's."""
    details, external_id = order.details, order.options.external_id
    names = [
        name_customer_list(details.customer_id),
        name_day_list(find_day(details.created_at), order.id % DAY_SHARDS),
    ]
    if details.merchant_id is not None:
        names.append(name_merchant_list(details.merchant_id))
        # The key of this id (domain/request_keys.py) is the restaurant's. By this the customer
        # finds the order, too.
        if external_id is not None:
            names.append(name_external_id_list(details.customer_id, external_id))
    return names


def list_new_names(stored: Order | None, order: Order) -> list[str]:
    """Name the lists that a change brings an order into, but for its courier's: all of a new one.

    What becomes active after it was placed, or again after it had ended, comes into the list of
    that day. If it had ended, it comes into its own day's anew: what is kept with its row there
    does not hold any more.
    """
    if stored is None:
        return list_names(order)
    if ACTIVATED in order.timeline and ACTIVATED not in stored.timeline:
        return [name_home_list(order)]
    if stored.is_terminal and not order.is_terminal:
        today = find_day(order.updated_at)
        return [name_home_list(order), name_revived_list(today, order.id % DAY_SHARDS)]
    return []


def name_home_list(order: Order) -> str:
    """Name the list of the day on which an order was placed or, if it was scheduled, became
    active."""
    activated_at, shard = order.timeline.get(ACTIVATED), order.id % DAY_SHARDS
    if activated_at is not None:
        return name_revived_list(find_day(activated_at), shard)
    return name_day_list(find_day(order.details.created_at), shard)


def name_customer_list(customer_id: str) -> str:
    """Name the list of what a customer has placed."""
    return f"customer#{customer_id}"


def name_courier_list(courier_id: str) -> str:
    """Name the list of what a courier has accepted."""
    return f"courier#{courier_id}"


def name_merchant_list(restaurant_id: str) -> str:
    """Name the list of a restaurant's orders."""
    return f"merchant#{restaurant_id}"


def name_day_list(day: date, shard: int) -> str:
    """Name one of the DAY_SHARDS lists of what was placed on a day, in UTC."""
    return f"day#{day:%Y-%m-%d}#{shard}"


def name_revived_list(day: date, shard: int) -> str:
    """Name one of the DAY_SHARDS lists of what became active on a day, in UTC, that was listed
    before: as it was scheduled until then, or had ended and was searched for again."""
    return f"revived#{day:%Y-%m-%d}#{shard}"


def name_external_id_list(customer_id: str, external_id: str) -> str:
    """Name the list of a customer's orders from restaurants that have this external id."""
    return f"external#{hash_request(customer_id, external_id)}"


def find_day(at: datetime) -> date:
    """Find the day of a time, in UTC."""
    return at.astimezone(timezone.utc).date()
