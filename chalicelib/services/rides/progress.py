"""Follows couriers to the door: twice a minute at most their customer is told where they are.

Of a fix within that half minute nothing is read and nothing written: when a courier was last
shown is in the courier's own row, which the fix's one write returns.
"""

from __future__ import annotations

from chalicelib.domain.orders import progress as tracking
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Courier, LastShown
from chalicelib.services.dispatch.holding import CourierReleaser
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.ports import Clock, CourierStore, OrderStore


class ProgressTracker:
    """Tells customers of their couriers' way."""

    def __init__(
        self,
        orders: OrderStore,
        couriers: CourierStore,
        changes: OrderWriter,
        holding: CourierReleaser,
        broadcast: FanOut,
        clock: Clock,
    ) -> None:
        self._orders = orders
        self._couriers = couriers
        self._changes = changes
        self._holding = holding
        self._broadcast = broadcast
        self._clock = clock

    def on_fix(self, courier: Courier) -> None:
        """Tell the customer of a fix of their courier, if it is time to."""
        now, order_id, fix = self._clock(), courier.order_id, courier.fix
        if (
            order_id is None
            or fix is None
            or not tracking.is_due(courier.last_shown, order_id, now)
        ):
            return
        order = self._orders.get_order(order_id)
        if not tracking.is_being_delivered(order, courier.id):
            self._holding.release_if_done(courier.id, order)
            return
        outlook = tracking.estimate_remaining(order, fix)
        seen = LastShown(order_id, now, outlook.minutes)
        if not self._couriers.mark_shown(courier, seen):
            return  # another fix was quicker
        if tracking.DEPARTED not in order.timeline:
            order = self._commit_departure(order_id, courier)
        self._broadcast.post_to_people(
            [order.details.customer_id], tracking.draft_position(order, fix, now)
        )
        if changed := tracking.draft_eta_change(order, courier.last_shown, outlook, now):
            self._broadcast.post_to_people([order.details.customer_id], changed)

    def _commit_departure(self, order_id: int, courier: Courier) -> Order:
        def change(order: Order) -> Order:
            if courier.fix is None or not tracking.is_being_delivered(order, courier.id):
                return order
            after, told = tracking.note_departure(order, courier.fix, self._clock())
            return self._changes.commit_order(order, after, told) if told else order

        return self._changes.retry_change(order_id, change)
