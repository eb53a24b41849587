"""The clocks of couriers who wait at a stop (domain/orders/waiting.py).

A clock is a time in the order's row, written with the step that starts it, and a wakeup that is
sent before that commit, as all are. The wakeup only tells: who asks before or after it is answered
by the clock. If it is lost, the views have the time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.waiting import (
    can_fail_at_dropoff,
    is_notice_due,
    note_no_show_available,
)
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.ports import Clock, OrderStore


class WaitClocks:
    """Starts the clocks: how long a courier waits at the pickup, and at the drop-off."""

    def __init__(self, after_pickup: timedelta, after_dropoff: timedelta) -> None:
        self._after_pickup = after_pickup
        self._after_dropoff = after_dropoff

    def start_clock(self, order: Order, command: Command, now: datetime) -> Command:
        """Add to a step that brings a courier to a stop when a no-show can be said there; other
        steps are returned as they are."""
        if isinstance(command, commands.Arrive):
            return replace(command, no_show_at=now + self._after_pickup)
        if isinstance(command, commands.ReachDropoff) and can_fail_at_dropoff(order):
            return replace(command, no_show_at=now + self._after_dropoff)
        return command


class NoShowNotices:
    """Tells both sides of an order that a no-show can be said."""

    def __init__(self, orders: OrderStore, writer: OrderWriter, clock: Clock) -> None:
        self._orders = orders
        self._writer = writer
        self._clock = clock

    def tell_if_due(self, order_id: int, due_at: datetime) -> timedelta:
        """Tell both sides, once, if the courier still waits as when the clock was started that ends
        at `due_at`. Returns how long it is until then, 0 where there is nothing more to do.

        Raises NotFound, and Unavailable as a commit does.
        """
        now = self._clock()
        if now < due_at:
            return due_at - now
        # Most waits have ended long ago, so that the look costs half as much as a consistent one.
        # Minutes after the commit of the clock no copy of the row is without it.
        if is_notice_due(self._orders.get_order_eventually(order_id), due_at):
            self._writer.retry_change(order_id, lambda stored: self._tell(stored, due_at))
        return timedelta(0)

    def _tell(self, stored: Order, due_at: datetime) -> Order:
        if not is_notice_due(stored, due_at):
            return stored  # they have left, or the wakeup came twice
        order, events = note_no_show_available(stored, self._clock())
        return self._writer.commit_order(stored, order, events)
