"""Looks after arrivals: what a courier's fixes tell of a stop is told, and done where it may be.

Of a fix that tells nothing new of its order nothing is read or written here: the order comes with
the fix (services/tracking/progress.py). What is new is judged again by the order as it is then, on
the version that is written: so of two fixes at once one tells it.
"""

from __future__ import annotations

import logging

from chalicelib.domain.orders.arrivals import (
    Sighting,
    find_visit,
    list_sightings,
    make_arrival,
    note_sighting,
)
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Courier
from chalicelib.errors import WaybillError
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.orders.courier import CourierOrders
from chalicelib.services.ports import Clock

log = logging.getLogger(__name__)


class ArrivalWatch:
    """Watches couriers at their stops. `takes_steps`: an arrival is the step itself; else it is
    suggested to the courier."""

    def __init__(
        self, writer: OrderWriter, courier_orders: CourierOrders, takes_steps: bool, clock: Clock
    ) -> None:
        self._writer = writer
        self._courier_orders = courier_orders
        self._takes_steps = takes_steps
        self._clock = clock

    def on_fix(self, order: Order, courier: Courier) -> None:
        """Tell what the newest fix of an order's courier says of its stop, if that is new."""
        for seen in list_sightings(order, courier):
            try:
                self._act_on_sighting(order, courier, seen)
            except WaybillError as error:
                # The order has moved on meanwhile; or the next fix makes up for it.
                log.info("%s at order %s came to nothing: %s", seen.value, order.id, error.code)

    def _act_on_sighting(self, order: Order, courier: Courier, seen: Sighting) -> None:
        visit = find_visit(order, courier.id)
        if visit and seen is Sighting.ARRIVED and self._takes_steps:
            self._courier_orders.take_step_for(courier.id, order.id, make_arrival(visit))
            return

        def note(stored: Order) -> Order:
            after, events = note_sighting(stored, courier, seen, self._clock())
            return self._writer.commit_order(stored, after, events) if events else stored

        self._writer.retry_change(order.id, note)
