"""Couriers who have an order and room for another: what it costs to give them one more.

What matters is when they would be at its pickup, and how much later those get their orders whom
they serve already (domain/orders/stacking.py): both in minutes, added up. Their orders are read for
that, all at once. Whoever has none competes with them by the minutes to the pickup.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from chalicelib.domain import travel
from chalicelib.domain.geo import Point
from chalicelib.domain.orders.dispatch_policy import measure_to_pickup_m
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.stacking import find_insertion
from chalicelib.domain.orders.time_rank import TimeRank, compute_correction
from chalicelib.domain.people import Courier
from chalicelib.services.ports import Clock, OrderStore

_NEVER = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Priced(NamedTuple):
    """A courier who may be given an order: the minutes until they are at its pickup, with those
    that it costs the customers of their other orders; and whether they go to its merchant anyway.
    """

    courier: Courier
    minutes: float
    is_same_merchant: bool = False


class StackPrices:
    """Says what it costs to give an order to couriers. None of their customers gets an order later
    by more than `most_extra`. Where couriers are ranked by time, `rank` prices who has none, and
    corrects the minutes of who has some."""

    def __init__(
        self,
        orders: OrderStore,
        most_extra: timedelta,
        clock: Clock,
        rank: TimeRank | None = None,
    ) -> None:
        self._orders = orders
        self._most_extra_min = most_extra / timedelta(minutes=1)
        self._clock = clock
        self._rank = rank

    def price_couriers(self, order: Order, couriers: Sequence[Courier]) -> list[Priced]:
        """Price couriers; those are left out whose customers would wait too long. Reads the orders
        that they have."""
        known = self._read_orders(couriers)
        priced = []
        for courier in couriers:
            held = [known[one.order_id] for one in courier.held if one.order_id in known]
            # A row may be of a moment ago: an order that is another's by now costs nothing.
            held = [one for one in held if courier.id in one.occupied_ids]
            if price := self._price_courier(order, courier, held):
                priced.append(price)
        return priced

    def _read_orders(self, couriers: Sequence[Courier]) -> Mapping[int, Order]:
        ids = sorted({one.order_id for courier in couriers for one in courier.held})
        found = self._orders.read_listed(ids, self._clock()) if ids else ()
        return {order.id: order for order in found}

    def _price_courier(
        self, order: Order, courier: Courier, held: Sequence[Order]
    ) -> Priced | None:
        pickup, rank = order.details.pickup.point, self._rank
        if not held and rank:
            return Priced(courier, rank.price_courier(courier, pickup, self._clock()))
        if not held:
            return Priced(courier, estimate_pickup_min(courier, pickup))
        speed_m_s = rank.get_speed_m_s(courier) if rank else travel.SPEED_M_S
        found = find_insertion(courier.point, held, order, self._most_extra_min, speed_m_s)
        if found is None:
            return None
        correction = compute_correction(courier, self._clock()) if rank else 0.0
        return Priced(courier, found.cost_minutes + correction, found.is_same_merchant)


def estimate_pickup_min(courier: Courier, pickup: Point | None) -> float:
    """Estimate the minutes until a courier without an order is at a pickup."""
    distance_m = measure_to_pickup_m(courier, pickup)
    if distance_m is None:
        return float(travel.TO_PICKUP_MIN)
    return travel.estimate_travel_s(distance_m) / 60


def rank_priced(priced: Iterable[Priced]) -> list[Courier]:
    """Sort couriers, the best first: those who are connected, then whom it costs the fewest
    minutes. Of those with orders, whoever goes to the same merchant comes before the others."""
    found = sorted(priced, key=_get_sort_key)
    free = [one for one in found if not one.courier.held]
    loaded = [one for one in found if one.courier.held]
    loaded.sort(key=lambda one: (not one.courier.connected, not one.is_same_merchant))
    return [one.courier for one in _merge(free, loaded)]


def _get_sort_key(one: Priced) -> tuple[bool, float, datetime, str]:
    courier = one.courier
    idle_since = courier.idle_since or _NEVER
    return not courier.connected, one.minutes, idle_since, courier.id


def _merge(free: list[Priced], loaded: list[Priced]) -> Iterator[Priced]:
    """Yield the first of two lists who is better, and so on: neither list's own order changes."""
    left, right = iter(free), iter(loaded)
    one, other = next(left, None), next(right, None)
    while one and other:
        if _get_sort_key(one)[:2] <= _get_sort_key(other)[:2]:
            yield one
            one = next(left, None)
        else:
            yield other
            other = next(right, None)
    yield from ([one] if one else [])
    yield from left
    yield from ([other] if other else [])
    yield from right
