"""Settlements: what is to be paid back of an order, or is still due, is noted on it when it is over
and paid; the provider confirms what was paid back.

An order may end before its payment completes, or after. The wakeup of each of the two, sent before
its commit, looks at both: whichever comes second finds the other. Nobody who asks has to wait for
it, and no crash loses it.
"""

from __future__ import annotations

from chalicelib.domain import events
from chalicelib.domain.events import Outbox
from chalicelib.domain.money.payments import parse_payment_id
from chalicelib.domain.money.settlements import confirm_refund, settle_order
from chalicelib.domain.orders.model import Order
from chalicelib.errors import NotFound
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.ports import Clock, OrderStore, PaymentStore

# What tells of ends by which an order may cost another price than before.
_ENDS = (
    events.ORDER_CANCELLED,
    events.ORDER_CALLED_OFF,
    events.ORDER_UNSERVED,
    events.ORDER_CHARGED,
    events.DELIVERY_FAILED,
)


class Settlements:
    """Notes what is to be paid back or still due, and that it was paid back."""

    def __init__(
        self, orders: OrderStore, payments: PaymentStore, writer: OrderWriter, clock: Clock
    ) -> None:
        self._orders = orders
        self._payments = payments
        self._writer = writer
        self._clock = clock

    def settle_if_due(self, outbox: Outbox) -> None:
        """Note the settlement of an order whose outbox tells of its end, or whose payment's tells
        that it is completed. Harmless however often."""
        order_id = find_order_to_settle(outbox)
        if order_id is None or not self._is_unsettled(order_id):
            return
        # Once more after each write: a payment may have completed since its attempts were read, and
        # that one's own wakeup may have found nothing to change, before the write.
        while self._write_settlement(order_id):
            pass

    def confirm_refund(self, payment_id: str) -> Order:
        """Note the provider's word that a refund is paid back; again it changes nothing. Raises
        NotFound; Conflict where none is due."""
        found = parse_payment_id(payment_id)
        if found is None or self._payments.get_attempt(*found) is None:
            raise NotFound("There is no such payment.")

        def change(stored: Order) -> Order:
            order = confirm_refund(stored, payment_id, self._clock())
            return stored if order is stored else self._writer.commit_order(stored, order, ())

        return self._writer.retry_change(found[0], change)

    def _is_unsettled(self, order_id: int) -> bool:
        """Look whether an order is to be written: mostly nobody has paid, or all is even."""
        attempts = self._payments.list_attempts(order_id)
        if not attempts:
            return False
        order = self._orders.get_order(order_id)
        return settle_order(order, attempts, self._clock())[0] is not order

    def _write_settlement(self, order_id: int) -> bool:
        """Write an order with its settlement, if that is not there; return whether it is now."""
        written = False

        def change(stored: Order) -> Order:
            nonlocal written
            attempts = self._payments.list_attempts(order_id)
            order, drafts = settle_order(stored, attempts, self._clock())
            if order is stored:
                return stored
            written = True
            return self._writer.commit_order(stored, order, drafts)

        self._writer.retry_change(order_id, change)
        return written


def find_order_to_settle(outbox: Outbox) -> int | None:
    """Find the order that may have a settlement now, by what an outbox tells. A delivery without
    a fee that was not a ride costs what it was paid for: of it no payment is looked up."""
    if completed := outbox.find_event(events.PAYMENT_COMPLETED):
        return int(completed.data["order_id"])
    ended = next(filter(None, map(outbox.find_event, _ENDS)), None)
    if ended is None and outbox.details is not None and outbox.details.estimate is not None:
        ended = outbox.find_event(events.ORDER_DELIVERED)
    return ended.order_id if ended else None
