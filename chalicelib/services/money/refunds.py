"""Refunds: noted on the order when it is over and paid, and confirmed by the provider.

An order may end before its payment completes, or after. The wakeup of each of the two, sent before
its commit, looks at both: whichever comes second finds the other. Nobody who asks has to wait for
it, and no crash loses it.
"""

from __future__ import annotations

from chalicelib.domain import events
from chalicelib.domain.events import Outbox
from chalicelib.domain.money.payments import parse_payment_id
from chalicelib.domain.money.refunds import compute_refund_minor, confirm_refund, make_refund_due
from chalicelib.domain.orders.model import Order
from chalicelib.errors import NotFound
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.ports import Clock, OrderStore, PaymentStore


class Refunds:
    """Notes what is to be paid back, and that it was."""

    def __init__(
        self, orders: OrderStore, payments: PaymentStore, writer: OrderWriter, clock: Clock
    ) -> None:
        self._orders = orders
        self._payments = payments
        self._writer = writer
        self._clock = clock

    def note_if_told(self, outbox: Outbox) -> None:
        """Note the refund of an order whose outbox tells of its end, or whose payment's tells that
        it is completed, if more was paid than it costs. Harmless however often."""
        order_id = _find_order_id(outbox)
        payment = self._payments.get_latest(order_id) if order_id else None
        if order_id is None or payment is None:
            return
        order = self._orders.get_order(order_id)
        if order.refund is None and compute_refund_minor(order, payment):
            self._writer.retry_change(order_id, self._note_refund)

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

    def _note_refund(self, stored: Order) -> Order:
        payment = self._payments.get_latest(stored.id)
        order, drafts = make_refund_due(stored, payment, self._clock())
        return self._writer.commit_order(stored, order, drafts) if drafts else stored


def _find_order_id(outbox: Outbox) -> int | None:
    """Find the order that may have a refund now, by what an outbox tells. A delivery that was not a
    ride costs what it was paid for: of it no payment is looked up."""
    if completed := outbox.find_event(events.PAYMENT_COMPLETED):
        return int(completed.data["order_id"])
    ends = (events.ORDER_CANCELLED, events.ORDER_CHARGED, events.DELIVERY_FAILED)
    ended = next(filter(None, map(outbox.find_event, ends)), None)
    if ended is None and outbox.details is not None and outbox.details.estimate is not None:
        ended = outbox.find_event(events.ORDER_DELIVERED)
    return ended.order_id if ended else None
