"""Follows couriers to the door: twice a minute at most their customer is told where they are.

Of a fix within that half minute nothing is read and nothing written: when a courier was last
shown is in the courier's own row, which the fix's one write returns.
"""

from __future__ import annotations

from chalicelib.domain.orders import progress as tracking
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Courier, Sighting
from chalicelib.services.dispatch.holding import Holding
from chalicelib.services.dispatch.order_commits import Changes
from chalicelib.services.messaging.fanout import Broadcast
from chalicelib.services.ports import Clock, CourierStore, OrderStore


class Tracking:
    """Tells customers of their couriers' way."""

    def __init__(
        self,
        orders: OrderStore,
        couriers: CourierStore,
        changes: Changes,
        holding: Holding,
        broadcast: Broadcast,
        clock: Clock,
    ) -> None:
        self._orders = orders
        self._couriers = couriers
        self._changes = changes
        self._holding = holding
        self._broadcast = broadcast
        self._clock = clock

    def follow(self, courier: Courier) -> None:
        """Tell the customer of a fix of their courier, if it is time to."""
        now, order_id, fix = self._clock(), courier.order_id, courier.fix
        if order_id is None or fix is None or not tracking.due(courier.seen, order_id, now):
            return
        order = self._orders.get(order_id)
        if not tracking.on_the_way(order, courier.id):
            self._holding.let_go_if_done(courier.id, order)
            return
        outlook = tracking.outlook(order, fix)
        seen = Sighting(order_id, now, outlook.minutes)
        if not self._couriers.sighted(courier, seen):
            return  # another fix was quicker
        if tracking.DEPARTED not in order.timeline:
            order = self._depart(order_id, courier)
        self._broadcast.to_people([order.job.customer_id], tracking.sighted(order, fix, now))
        if changed := tracking.changed(order, courier.seen, outlook, now):
            self._broadcast.to_people([order.job.customer_id], changed)

    def _depart(self, order_id: int, courier: Courier) -> Order:
        def change(order: Order) -> Order:
            if courier.fix is None or not tracking.on_the_way(order, courier.id):
                return order
            after, told = tracking.depart(order, courier.fix, self._clock())
            return self._changes.commit(order, after, told) if told else order

        return self._changes.retrying(order_id, change)
