"""Couriers whom an order still occupies although it is done, or another's: reading repairs what a
death left.

An order that is done releases its courier after its commit, by the one who delivered it or by the
relay wakeup. If both died, the courier would be busy for ever, and unpaid.

Of several who are asked one accepts: the others are let go by the transaction that accepts. Where
the row of one of them can't be written at that moment, the order is accepted without: they are let
go by the relay wakeup, or by whoever reads that they are held. No other step can leave a courier
behind: there the release is in the transaction that changes the order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from chalicelib.domain.events import Outbox, is_loss_to_another
from chalicelib.domain.messaging.wakeups import RelayDue
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Courier
from chalicelib.errors import (
    CourierBusy,
    CourierPaused,
    CourierTaken,
    NotFound,
    Stale,
    Unavailable,
)
from chalicelib.services.ports import Clock, CourierStore, OrderStore, WakeupSender

log = logging.getLogger(__name__)

PAUSED = "This courier is paused by a dispatcher: no new orders until they are resumed."


class CourierReleaser:
    """Releases couriers from orders that are done."""

    def __init__(
        self, orders: OrderStore, couriers: CourierStore, queue: WakeupSender, clock: Clock
    ) -> None:
        self._orders = orders
        self._couriers = couriers
        self._queue = queue
        self._clock = clock

    def release_if_done(self, courier_id: str, order: Order) -> bool:
        """Release a courier from an order if it is done, or another's. True if that was done.

        A relay wakeup is sent first: it books and delivers what the courier earns. Where the
        release can't be done now, the next reader does it: who only reads is told of no failure.
        """
        if order.status is not Status.DONE:
            return courier_id not in order.occupied_ids and self._release_left(courier_id, order)
        relay_due = RelayDue(order.outbox.stream, order.version)
        try:
            self._queue.send_wakeups([(relay_due, timedelta(0))])
            self._couriers.release_courier(courier_id, order.id, self._clock())
        except (Unavailable, Stale):
            log.warning("courier %s is still held by order %d, which is done", courier_id, order.id)
            return False
        return True

    def _release_left(self, courier_id: str, order: Order) -> bool:
        try:
            return self._orders.release_left(courier_id, order, self._clock())
        except (Unavailable, Stale):
            log.warning("courier %s is still held by order %d", courier_id, order.id)
            return False

    def release_losers(self, outbox: Outbox) -> None:
        """Release those who were asked for an order that another has accepted, if its commit could
        not. Harmless however often. Raises Stale where it can't be done now."""
        for entry in outbox.entries:
            for event in entry.events:
                if is_loss_to_another(event):
                    self._release_loser(event.to, event.order_id)

    def _release_loser(self, courier_id: str, order_id: int) -> None:
        courier = self._couriers.get_eventually(courier_id)
        if courier is None or not courier.holds(order_id):
            return
        self._orders.release_left(courier_id, self._orders.get_order(order_id), self._clock())

    def release_from_done_order(self, courier: Courier) -> bool:
        """Release a courier from the orders that occupy them, if they are done or another's: one
        read for each that they have. True if that was done."""
        orders = [self._find_order(one.order_id) for one in courier.held]
        done = [order for order in orders if order and self.release_if_done(courier.id, order)]
        return bool(done)

    def _find_order(self, order_id: int) -> Order | None:
        try:
            return self._orders.get_order(order_id)
        except NotFound:
            return None

    def take_order(self, courier_id: str, take: Callable[[], Order]) -> Order:
        """Let a courier take an order by calling `take`; call it once more if the courier was busy
        with an order that is done. Raises CourierTaken, CourierBusy, CourierPaused."""
        try:
            return take()
        except (CourierTaken, CourierBusy):
            courier = self._couriers.get_courier(courier_id)
            if courier is not None and courier.is_paused and courier.has_room:
                raise CourierPaused(PAUSED) from None
            if courier is None or not self.release_from_done_order(courier):
                raise
        return take()
