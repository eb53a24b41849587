"""The way to the door: twice a minute at most a customer hears where their courier is.

When a courier was last shown is in the courier's own row, which the one write of a fix returns. So
of a fix within the half minute nothing is read and nothing is written, unless the order is
tracked by a link: whoever has that is shown every fix. Of the others the row is
marked first, on the condition that no other fix has done so: of two fixes at once one is shown.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from chalicelib.domain.orders import progress
from chalicelib.domain.orders.losing_couriers import DEPARTED
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Courier, Fix, LastShown
from chalicelib.services.dispatch.courier_releaser import CourierReleaser
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.messaging.fanout import FanOut
from chalicelib.services.ports import Clock, CourierStore, OrderStore
from chalicelib.services.tracking.link_notices import LinkNotices

ArrivalListener = Callable[[Order, Courier], None]
"""Hears of each new fix of a courier who has this order."""


class ProgressTracker:
    """Shows customers their couriers' way."""

    def __init__(
        self,
        orders: OrderStore,
        couriers: CourierStore,
        writer: OrderWriter,
        releaser: CourierReleaser,
        fanout: FanOut,
        notices: LinkNotices,
        clock: Clock,
        watch_arrivals: ArrivalListener | None = None,
    ) -> None:
        self._orders = orders
        self._couriers = couriers
        self._writer = writer
        self._releaser = releaser
        self._fanout = fanout
        self._notices = notices
        self._clock = clock
        self._watch_arrivals = watch_arrivals

    def on_fix(self, courier: Courier) -> None:
        """Show a courier to their customer after a fix, if it is time to. Commits the departure of
        the order at the first one. A courier whose order is done is released."""
        order_id, fix, shown = courier.order_id, courier.fix, courier.last_shown
        if order_id is None or fix is None:
            return
        if not progress.is_due(shown, order_id, self._clock()):
            last = shown.find(order_id) if shown else None
            self._show_between(order_id, courier, is_tracked=bool(last and last.is_tracked))
            return
        order = self._orders.get_order(order_id)
        if progress.is_being_delivered(order, courier.id):
            order = self._show_delivery(order, courier, fix)
        else:
            self._releaser.release_if_done(courier.id, order)
        self._notices.post_position(order, courier)
        if self._watch_arrivals:
            self._watch_arrivals(order, courier)

    def _show_between(self, order_id: int, courier: Courier, is_tracked: bool) -> None:
        """Show a fix within the half minute to those who are shown every one, and who watches for
        arrivals: each of them takes the order, which nobody else has read."""
        if is_tracked:
            order = self._orders.get_order(order_id)
            self._notices.post_position(order, courier)
        elif self._watch_arrivals:
            order = self._orders.get_order_eventually(order_id)  # judged anew before it is told
        if self._watch_arrivals:
            self._watch_arrivals(order, courier)

    def _show_delivery(self, order: Order, courier: Courier, fix: Fix) -> Order:
        """Show the customer a fix on the way to the door; return the order as it is then."""
        now, order_id = self._clock(), order.id
        remaining = progress.estimate_remaining(order, fix)
        shown = LastShown(order_id, now, remaining.minutes, is_tracked=bool(order.links))
        if courier.others:
            courier = self._read_marks(courier)
        if courier.last_shown:
            shown = courier.last_shown.add(shown, courier.held)
        if not self._couriers.mark_shown(courier, shown):
            return order  # another fix was quicker
        # Who dies from here on has shown nothing: the next half minute's fix does.
        if DEPARTED not in order.timeline:
            order = self._commit_departure(order_id, courier)
        customer_ids = [order.details.customer_id]
        self._fanout.post_to_people(customer_ids, progress.draft_position(order, fix, now))
        if change := progress.draft_eta_change(order, courier.last_shown, remaining, now):
            self._fanout.post_to_people(customer_ids, change)
        return order

    def _read_marks(self, courier: Courier) -> Courier:
        """Return a courier with several orders with what is noted of those by now: by this very fix
        another of them may have been marked, and then a mark on what was read before would fail."""
        current = self._couriers.get_courier(courier.id)
        return replace(courier, last_shown=current.last_shown) if current else courier

    def _commit_departure(self, order_id: int, courier: Courier) -> Order:
        """Commit that a courier has set off with an order; return the order as it is then. Nothing
        is written if that was noted before, or if they do not deliver it any more."""

        def change(stored: Order) -> Order:
            if courier.fix is None or not progress.is_being_delivered(stored, courier.id):
                return stored
            order, events = progress.note_departure(stored, courier.fix, self._clock())
            return self._writer.commit_order(stored, order, events) if events else stored

        return self._writer.retry_change(order_id, change)
