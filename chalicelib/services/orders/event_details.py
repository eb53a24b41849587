"""What some events tell beyond their order: looked up before the commit, so that they are stored
whole, and wording them reads nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from chalicelib.domain import events, travel
from chalicelib.domain.events import Event
from chalicelib.domain.geo import Point
from chalicelib.domain.orders.model import Order
from chalicelib.services.ports import CourierStore, RestaurantStore


class EventDetails:
    """Adds to events what spec 003 has in them. `get_payment_status` says how an order is paid."""

    def __init__(
        self,
        couriers: CourierStore,
        restaurants: RestaurantStore,
        get_payment_status: Callable[[Order], str],
    ) -> None:
        self._couriers = couriers
        self._restaurants = restaurants
        self._get_payment_status = get_payment_status

    def add_details(self, order: Order, drafts: tuple[Event, ...]) -> tuple[Event, ...]:
        """Return the events of a step with their details: one or two reads for some types, none
        for the others. `order` is the order after the step."""
        found: dict[str, dict[str, Any]] = {}
        for type_, look_up in (
            (events.ORDER_ACCEPTED, self._find_pickup_minutes),
            (events.ORDER_CONFIRMED, self._find_shop_name),
            (events.DROPOFF_REACHED, self._find_arrival_point),
            (events.ORDER_DELIVERED, self._find_payment_status),
        ):
            if any(event.type == type_ for event in drafts):
                found[type_] = look_up(order)
        return tuple(
            replace(event, data={**event.data, **found.get(event.type, {})}) for event in drafts
        )

    def _find_pickup_minutes(self, order: Order) -> dict[str, Any]:
        way_m = travel.measure_way_m(self._find_last_point(order), order.details.pickup.point)
        return {"pickup_minutes": travel.estimate_minutes_or(way_m, travel.TO_PICKUP_MIN)}

    def _find_shop_name(self, order: Order) -> dict[str, Any]:
        merchant_id = order.details.merchant_id
        shop = self._restaurants.get_restaurant(merchant_id) if merchant_id else None
        return {"shop_name": shop.name} if shop else {}  # else its id: contracts/feed/events.py

    def _find_arrival_point(self, order: Order) -> dict[str, Any]:
        point = self._find_last_point(order)
        return {"at": point} if point else {}

    def _find_last_point(self, order: Order) -> Point | None:
        """Read where the courier of an order was last; a moment old is good enough."""
        courier = self._couriers.get_eventually(order.courier_id) if order.courier_id else None
        return courier.point if courier else None

    def _find_payment_status(self, order: Order) -> dict[str, Any]:
        return {"payment_status": self._get_payment_status(order)}
