"""What some events tell beyond their order. Looked up as they happen: wording reads nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from chalicelib.domain import etas, events
from chalicelib.domain.events import Event
from chalicelib.domain.orders import Order
from chalicelib.services.ports import CourierStore


class Particulars:
    """Adds to events what spec 003 has in them; `payment_status` is how an order is paid."""

    def __init__(self, couriers: CourierStore, payment_status: Callable[[Order], str]) -> None:
        self._couriers = couriers
        self._payment_status = payment_status

    def added(self, order: Order, told: tuple[Event, ...]) -> tuple[Event, ...]:
        """The events of a change that made `order` what it is, with their particulars."""
        found: dict[str, dict[str, Any]] = {}
        for type_, look_up in (
            (events.ORDER_ACCEPTED, self._accepted),
            (events.ORDER_DELIVERED, self._delivered),
        ):
            if any(event.type == type_ for event in told):
                found[type_] = look_up(order)
        return tuple(replace(e, data={**e.data, **found.get(e.type, {})}) for e in told)

    def _accepted(self, order: Order) -> dict[str, Any]:
        courier = self._couriers.get(order.courier_id) if order.courier_id else None
        at = (courier.fix.lat, courier.fix.lng) if courier and courier.fix else None
        way = etas.way_m(at, order.job.pickup.point)
        return {"pickup_minutes": etas.minutes(way, etas.TO_PICKUP_MIN)}

    def _delivered(self, order: Order) -> dict[str, Any]:
        return {"payment_status": self._payment_status(order)}
