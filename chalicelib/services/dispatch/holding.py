"""Which order holds a courier, as whoever reads it finds it: reading repairs what a death left.

An order that is done lets its courier go after its commit, by whoever delivered it or by a wakeup.
If both died, the courier would be busy for ever, and unpaid. No other status can leave one behind:
there the courier is let go in the transaction that changes the order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from chalicelib.domain.messaging.wakeups import RelayDue
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Courier
from chalicelib.errors import CourierBusy, CourierTaken, NotFound, Stale, Unavailable
from chalicelib.services.ports import Clock, CourierStore, OrderStore, WakeupSender

log = logging.getLogger(__name__)


class CourierReleaser:
    """Lets couriers go whom a finished order still holds."""

    def __init__(
        self, orders: OrderStore, couriers: CourierStore, queue: WakeupSender, clock: Clock
    ) -> None:
        self._orders = orders
        self._couriers = couriers
        self._queue = queue
        self._clock = clock

    def release_if_done(self, courier_id: str, order: Order) -> bool:
        """Let a courier go of an order that is done, and have it settled: what it earns is booked
        and told by a wakeup, which is sent first. False if the order is not done, or if that can't
        be done now: nobody who only reads is told of it."""
        if order.status is not Status.DONE:
            return False
        settling = RelayDue(order.outbox.stream, order.version)
        try:
            self._queue.send_wakeups([(settling, timedelta(0))])
            self._couriers.release_courier(courier_id, order.id, self._clock())
        except (Unavailable, Stale):
            log.warning("courier %s is still held by order %d, which is done", courier_id, order.id)
            return False
        return True

    def release_from_done_order(self, courier: Courier) -> bool:
        """Let a courier go whose order is done: one read, if they have one. True if so."""
        if courier.order_id is None:
            return False
        try:
            order = self._orders.get_order(courier.order_id)
        except NotFound:
            return False
        return self.release_if_done(courier.id, order)

    def take_order(self, courier_id: str, take: Callable[[], Order]) -> Order:
        """Take an order for a courier; once more, if it was one that is done that held them.
        Raises CourierTaken, CourierBusy."""
        try:
            return take()
        except (CourierTaken, CourierBusy):
            courier = self._couriers.get_courier(courier_id)
            if courier is None or not self.release_from_done_order(courier):
                raise
        return take()
