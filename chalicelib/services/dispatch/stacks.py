"""What it costs to give an order to couriers who have orders already, and room for another.

The cost is in minutes: those until the courier is at the pickup, and those by which the customers
of the courier's other orders get theirs later (domain/orders/stacking.py). The orders are read for
that, all at once. A courier without orders competes by the minutes to the pickup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from heapq import merge
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


class PricedCourier(NamedTuple):
    """A courier who may be given an order, and what that costs. `minutes` are those until they are
    at its pickup, and those that it costs the customers of their other orders;
    `is_same_merchant`: they go to its merchant anyway."""

    courier: Courier
    minutes: float
    is_same_merchant: bool = False


class StackPrices:
    """Prices couriers for an order. No customer of theirs gets an order later by more than
    `most_extra`. Where couriers are ranked by time, `rank` prices those without orders, and
    corrects the minutes of the others."""

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

    def price_couriers(self, order: Order, couriers: Sequence[Courier]) -> list[PricedCourier]:
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
    ) -> PricedCourier | None:
        pickup, rank = order.details.pickup.point, self._rank
        if not held and rank:
            return PricedCourier(courier, rank.price_courier(courier, pickup, self._clock()))
        if not held:
            return PricedCourier(courier, estimate_pickup_min(courier, pickup))
        speed_m_s = rank.get_speed_m_s(courier) if rank else travel.SPEED_M_S
        found = find_insertion(courier.point, held, order, self._most_extra_min, speed_m_s)
        if found is None:
            return None
        correction = compute_correction(courier, self._clock()) if rank else 0.0
        return PricedCourier(courier, found.cost_minutes + correction, found.is_same_merchant)


def estimate_pickup_min(courier: Courier, pickup: Point | None) -> float:
    """Estimate the minutes until a courier without an order is at a pickup."""
    distance_m = measure_to_pickup_m(courier, pickup)
    if distance_m is None:
        return float(travel.TO_PICKUP_MIN)
    return travel.estimate_travel_s(distance_m) / 60


def rank_priced(priced: Iterable[PricedCourier]) -> list[Courier]:
    """Sort couriers, the best first: those who are connected, then by the minutes. Of couriers with
    orders, those who go to the same merchant anyway come before the others."""
    found = sorted(priced, key=_get_sort_key)
    free = [one for one in found if not one.courier.held]
    loaded = [one for one in found if one.courier.held]
    loaded.sort(key=lambda one: (not one.courier.connected, not one.is_same_merchant))
    # The better of the first two comes next: neither list's own order changes.
    return [one.courier for one in merge(free, loaded, key=lambda one: _get_sort_key(one)[:2])]


def _get_sort_key(one: PricedCourier) -> tuple[bool, float, datetime, str]:
    courier = one.courier
    idle_since = courier.idle_since or _NEVER
    return not courier.connected, one.minutes, idle_since, courier.id
