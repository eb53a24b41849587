"""The way to the door: twice a minute at most a customer hears where their courier is.

When a courier was last shown is in the courier's own row, which the one write of a fix returns. So
of a fix within the half minute nothing is read and nothing is written. Of the others the row is
marked first, on the condition that no other fix has done so: of two fixes at once one is shown.
"""

from __future__ import annotations

from chalicelib.domain.orders import progress
from chalicelib.domain.orders.losing_couriers import DEPARTED
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Courier, LastShown
from chalicelib.services.dispatch.courier_releaser import CourierReleaser
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.ports import Clock, CourierStore, OrderStore


class ProgressTracker:
    """Shows customers their couriers' way."""

    def __init__(
        self,
        orders: OrderStore,
        couriers: CourierStore,
        writer: OrderWriter,
        releaser: CourierReleaser,
        fanout: FanOut,
        clock: Clock,
    ) -> None:
        self._orders = orders
        self._couriers = couriers
        self._writer = writer
        self._releaser = releaser
        self._fanout = fanout
        self._clock = clock

    def on_fix(self, courier: Courier) -> None:
        """Show a courier to their customer after a fix, if it is time to. Commits the departure of
        the order at the first one. A courier whose order is done is released."""
        now, order_id, fix = self._clock(), courier.order_id, courier.fix
        if (
            order_id is None
            or fix is None
            or not progress.is_due(courier.last_shown, order_id, now)
        ):
            return
        order = self._orders.get_order(order_id)
        if not progress.is_being_delivered(order, courier.id):
            self._releaser.release_if_done(courier.id, order)
            return
        remaining = progress.estimate_remaining(order, fix)
        if not self._couriers.mark_shown(courier, LastShown(order_id, now, remaining.minutes)):
            return  # another fix was quicker
        # Who dies from here on has shown nothing: the next half minute's fix does.
        if DEPARTED not in order.timeline:
            order = self._commit_departure(order_id, courier)
        customer_ids = [order.details.customer_id]
        self._fanout.post_to_people(customer_ids, progress.draft_position(order, fix, now))
        if change := progress.draft_eta_change(order, courier.last_shown, remaining, now):
            self._fanout.post_to_people(customer_ids, change)

    def _commit_departure(self, order_id: int, courier: Courier) -> Order:
        """Commit that a courier has set off with an order; return the order as it is then. Nothing
        is written if that was noted before, or if they do not deliver it any more."""

        def change(stored: Order) -> Order:
            if courier.fix is None or not progress.is_being_delivered(stored, courier.id):
                return stored
            order, events = progress.note_departure(stored, courier.fix, self._clock())
            return self._writer.commit_order(stored, order, events) if events else stored

        return self._writer.retry_change(order_id, change)
