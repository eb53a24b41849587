"""What some events tell beyond their order: looked up before the commit, so that they are stored
whole, and wording them reads nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

from msgspec.structs import replace

from chalicelib.domain import events, travel
from chalicelib.domain.events import Event
from chalicelib.domain.orders.dispatch_policy import is_located
from chalicelib.domain.orders.flow import Transition
from chalicelib.domain.orders.history import note_position
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Courier
from chalicelib.services.ports import CourierStore, RestaurantStore

_KNOWN_FOR = timedelta(minutes=2)  # an older fix does not say where a courier is at a step


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

    def add_details(self, order: Order, drafts: tuple[Event, ...]) -> Transition:
        """Return the order after a step, and its events with their details: one or two reads for
        some types, none for the others. Where one of them is the courier's position, the order's
        history has it as well."""
        found: dict[str, _Found] = {}
        for type_, look_up in (
            (events.ORDER_ACCEPTED, self._find_pickup_minutes),
            (events.ORDER_CONFIRMED, self._find_shop_name),
            (events.DROPOFF_REACHED, self._find_arrival_point),
            (events.ORDER_DELIVERED, self._find_payment_status),
        ):
            if any(event.type == type_ for event in drafts):
                found[type_] = look_up(order)
        for courier in filter(None, (one.courier for one in found.values())):
            if courier.point and is_located(courier, _KNOWN_FOR, order.updated_at):
                order = note_position(order, courier.point)
        return order, tuple(
            replace(event, data={**event.data, **found[event.type].data})
            if event.type in found
            else event
            for event in drafts
        )

    def _find_pickup_minutes(self, order: Order) -> _Found:
        courier = self._find_courier(order)
        point = courier.point if courier else None
        way_m = travel.measure_way_m(point, order.details.pickup.point)
        minutes = travel.estimate_minutes_or(way_m, travel.TO_PICKUP_MIN)
        return _Found({"pickup_minutes": minutes}, courier)

    def _find_shop_name(self, order: Order) -> _Found:
        merchant_id = order.details.merchant_id
        shop = self._restaurants.get_restaurant(merchant_id) if merchant_id else None
        # Else its id: contracts/feed/events.py.
        return _Found({"shop_name": shop.name} if shop else {})

    def _find_arrival_point(self, order: Order) -> _Found:
        courier = self._find_courier(order)
        return _Found({"at": courier.point} if courier and courier.point else {}, courier)

    def _find_courier(self, order: Order) -> Courier | None:
        """Read the courier of an order; what was so a moment ago is good enough."""
        return self._couriers.get_eventually(order.courier_id) if order.courier_id else None

    def _find_payment_status(self, order: Order) -> _Found:
        return _Found({"payment_status": self._get_payment_status(order)})


class _Found(NamedTuple):
    """The details of one type of event, and the courier, if they were read for them."""

    data: dict[str, Any]
    courier: Courier | None = None
