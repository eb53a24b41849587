"""Payments: a customer pays for an order, and the provider says how that went."""

from __future__ import annotations

from secrets import token_urlsafe

from msgspec.structs import replace

from chalicelib.domain.events import Entry
from chalicelib.domain.money import payments
from chalicelib.domain.money.charges import final_price
from chalicelib.domain.money.payments import Payment, PaymentResult, PaymentStatus
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Actor
from chalicelib.errors import Conflict, InvalidInput, InvalidTransition, NotFound
from chalicelib.services.messaging.outbox import OutboxWriter
from chalicelib.services.ports import Clock, OrderStore, PaymentStore


class Payments:
    """What customers pay."""

    def __init__(
        self, store: PaymentStore, orders: OrderStore, publishing: OutboxWriter, clock: Clock
    ) -> None:
        self._store = store
        self._orders = orders
        self._publishing = publishing
        self._clock = clock

    def initiate_payment(
        self, actor: Actor, order_id: int, method: str, upi_id: str | None
    ) -> Payment:
        """Begin to pay for one's own order. Raises NotFound, or Conflict where the order is
        cancelled, paid, or being paid."""
        order = self._orders.get_order(order_id)
        if order.details.customer_id != actor.id:
            raise NotFound("There is no such order.")
        if order.status is Status.CANCELLED:
            raise Conflict("This order was cancelled.")
        now, token = self._clock(), token_urlsafe(9)

        def once() -> Payment:
            latest = self._store.get_latest(order_id)
            if latest and latest.token == token:
                return latest  # written by an earlier try, which got no answer
            if latest and latest.status is not PaymentStatus.FAILED:
                raise Conflict("This order is paid, or being paid.", payment_id=latest.id)
            attempt = latest.attempt + 1 if latest else 1
            wanted = Payment(
                order_id=order_id,
                attempt=attempt,
                customer_id=actor.id,
                amount_minor=final_price(order).total_minor,
                method=method,
                upi_id=upi_id,
                initiated_at=now,
                token=token,
            )
            return self._commit_payment(None, payments.initiate_payment(wanted))

        return self._publishing.retry_change(once)

    def pay_order(
        self, actor: Actor, order_id: int, method: str, upi_id: str | None, amount_minor: int | None
    ) -> tuple[Payment, bool]:
        """Pay for one's own finished order, once: asked again, the payment there is, and False.

        Raises NotFound, InvalidTransition before it is done, InvalidInput for another amount.
        """
        order = self._orders.get_order(order_id)
        if order.details.customer_id != actor.id:
            raise NotFound("There is no such order.")
        if order.status is not Status.DONE:
            raise InvalidTransition(order.status.value, "pay", ())
        fare_minor = final_price(order).total_minor
        if amount_minor not in (None, fare_minor):
            raise InvalidInput("The amount is not the fare.", field="amount", fare=fare_minor / 100)
        latest = self._store.get_latest(order_id)
        if latest and latest.status is not PaymentStatus.FAILED:
            return latest, False
        try:
            return self.initiate_payment(actor, order_id, method, upi_id), True
        except Conflict:  # at the same time, by another request
            found = self._store.get_latest(order_id)
            if found is None:
                raise
            return found, False

    def apply_result(self, payment_id: str, verdict: PaymentResult) -> Payment:
        """Note what the provider says; the same again changes nothing.

        Raises NotFound; Conflict for what contradicts an earlier verdict.
        """
        key = payments.parse_payment_id(payment_id)

        def once() -> Payment:
            before = self._store.get_attempt(*key) if key else None
            if before is None:
                raise NotFound("There is no such payment.")
            after = payments.apply_result(before, verdict, self._clock())
            return before if after is before else self._commit_payment(before, after)

        return self._publishing.retry_change(once)

    def get_payment_status(self, order: Order) -> str:
        """How an order stands: paid, pending or failed."""
        latest = self._store.get_latest(order.id)
        words = {PaymentStatus.COMPLETED: "paid", PaymentStatus.FAILED: "failed"}
        return words.get(latest.status, "pending") if latest else "pending"

    def _commit_payment(self, before: Payment | None, after: Payment) -> Payment:
        def write(entries: tuple[Entry, ...]) -> None:
            self._store.commit_payment(before, replace(after, entries=entries))

        told = before.outbox if before else replace(after.outbox, entries=())
        self._publishing.commit_outbox(told, after.outbox, write)
        return after
