"""Payments: a customer pays for an order, and the provider says how that went."""

from __future__ import annotations

from secrets import token_urlsafe

from msgspec.structs import replace

from chalicelib.domain.events import Entry
from chalicelib.domain.money import payments
from chalicelib.domain.money.payments import Payment, PaymentResult, PaymentStatus
from chalicelib.domain.money.pricing import compute_final_price
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Actor
from chalicelib.errors import Conflict, InvalidInput, InvalidTransition, NotFound
from chalicelib.services.messaging.outbox import OutboxWriter
from chalicelib.services.ports import Clock, OrderStore, PaymentStore

_STATUS_WORDS = {
    PaymentStatus.INITIATED: "pending",
    PaymentStatus.COMPLETED: "paid",
    PaymentStatus.FAILED: "failed",
}


class Payments:
    """Begins payments, and notes their provider's results."""

    def __init__(
        self, store: PaymentStore, orders: OrderStore, outbox_writer: OutboxWriter, clock: Clock
    ) -> None:
        self._store = store
        self._orders = orders
        self._outbox_writer = outbox_writer
        self._clock = clock

    def initiate_payment(
        self, actor: Actor, order_id: int, method: str, upi_id: str | None
    ) -> Payment:
        """Begin to pay for one's own order. Raises NotFound, or Conflict where the order is
        cancelled, paid, or being paid."""
        order = self._get_own_order(actor, order_id)
        if order.status is Status.CANCELLED:
            raise Conflict("This order was cancelled.")
        draft = Payment(
            order_id=order_id,
            attempt=1,
            customer_id=actor.id,
            amount_minor=compute_final_price(order).total_minor,
            method=method,
            upi_id=upi_id,
            initiated_at=self._clock(),
            token=token_urlsafe(9),
        )
        return self._outbox_writer.retry_change(lambda: self._insert_unless_paid(draft))

    def pay_order(
        self, actor: Actor, order_id: int, method: str, upi_id: str | None, amount_minor: int | None
    ) -> tuple[Payment, bool]:
        """Pay for one's own finished order once; return the payment, and whether it is new.

        Raises NotFound, InvalidTransition before the order is done, InvalidInput for an amount that
        is not the fare.
        """
        order = self._get_own_order(actor, order_id)
        if order.status is not Status.DONE:
            raise InvalidTransition(order.status.value, "pay", ())
        fare_minor = compute_final_price(order).total_minor
        if amount_minor not in (None, fare_minor):
            raise InvalidInput("The amount is not the fare.", field="amount", fare=fare_minor / 100)
        latest = self._store.get_latest(order_id)
        if latest and latest.status is not PaymentStatus.FAILED:
            return latest, False
        try:
            return self.initiate_payment(actor, order_id, method, upi_id), True
        except Conflict:  # another request began a payment since the look above
            found = self._store.get_latest(order_id)
            if found is None:
                raise
            return found, False

    def apply_result(self, payment_id: str, result: PaymentResult) -> Payment:
        """Write the provider's result of a payment; the same one again changes nothing.

        Raises NotFound; Conflict for a result that contradicts an earlier one.
        """
        key = payments.parse_payment_id(payment_id)

        def apply_once() -> Payment:
            before = self._store.get_attempt(*key) if key else None
            if before is None:
                raise NotFound("There is no such payment.")
            after = payments.apply_result(before, result, self._clock())
            if after is not before:
                self._commit_payment(before, after)
            return after

        return self._outbox_writer.retry_change(apply_once)

    def get_payment_status(self, order: Order) -> str:
        """Say whether an order is paid, pending or failed."""
        latest = self._store.get_latest(order.id)
        return _STATUS_WORDS[latest.status if latest else PaymentStatus.INITIATED]

    def _get_own_order(self, actor: Actor, order_id: int) -> Order:
        order = self._orders.get_order(order_id)
        if order.details.customer_id != actor.id:  # of others' orders, not even that they exist
            raise NotFound("There is no such order.")
        return order

    def _insert_unless_paid(self, draft: Payment) -> Payment:
        """Write a new payment as the order's next attempt. Raises Conflict where the order is paid,
        or being paid; Stale where another attempt came first."""
        latest = self._store.get_latest(draft.order_id)
        if latest and latest.token == draft.token:
            return latest  # an earlier try wrote it, and got no answer
        if latest and latest.status is not PaymentStatus.FAILED:
            raise Conflict("This order is paid, or being paid.", payment_id=latest.id)
        attempt = latest.attempt + 1 if latest else 1
        payment = payments.initiate_payment(replace(draft, attempt=attempt))
        self._commit_payment(None, payment)
        return payment

    def _commit_payment(self, before: Payment | None, after: Payment) -> None:
        def write(entries: tuple[Entry, ...]) -> None:
            self._store.commit_payment(before, replace(after, entries=entries))

        told = before.outbox if before else replace(after.outbox, entries=())
        self._outbox_writer.commit_outbox(told, after.outbox, write)
