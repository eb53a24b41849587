"""Payments: a customer pays for an order, and the provider says how that went."""

from __future__ import annotations

from collections.abc import Sequence
from secrets import token_urlsafe
from typing import NamedTuple

from msgspec.structs import replace

from chalicelib.domain.events import Entry
from chalicelib.domain.money import payments
from chalicelib.domain.money.payments import (
    Payment,
    PaymentResult,
    PaymentStatus,
    parse_payment_stream,
)
from chalicelib.domain.money.pricing import compute_final_price, is_price_final, owes_way
from chalicelib.domain.money.settlements import compute_rest_minor
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Actor
from chalicelib.domain.request_keys import RequestKey
from chalicelib.errors import Conflict, InvalidInput, InvalidTransition, NotFound
from chalicelib.services.messaging.outbox import OutboxWriter
from chalicelib.services.ports import Clock, OrderStore, PaymentStore
from chalicelib.services.request_keys import RequestKeys

_STATUS_WORDS = {
    PaymentStatus.INITIATED: "pending",
    PaymentStatus.COMPLETED: "paid",
    PaymentStatus.FAILED: "failed",
}


class MadePayment(NamedTuple):
    """A payment that was asked for: begun now, where it `is_new`; by the same request before, where
    it `is_replay`; else by another."""

    payment: Payment
    is_new: bool = True
    is_replay: bool = False


class Payments:
    """Begins payments, and notes their provider's results."""

    def __init__(
        self,
        store: PaymentStore,
        orders: OrderStore,
        keys: RequestKeys,
        outbox_writer: OutboxWriter,
        clock: Clock,
    ) -> None:
        self._store = store
        self._orders = orders
        self._keys = keys
        self._outbox_writer = outbox_writer
        self._clock = clock

    def initiate_payment(
        self,
        actor: Actor,
        order_id: int,
        method: str,
        upi_id: str | None,
        key: RequestKey | None = None,
    ) -> MadePayment:
        """Begin to pay for one's own order; of one that was called off, its fees; of one that has
        ended and costs more than was paid, the rest. Raises NotFound, KeyReused, or Conflict where
        nothing is to be paid, or it is paid, or being paid."""
        if found := self._find_made(key):
            return MadePayment(found, is_replay=True)
        draft = Payment(
            order_id=order_id,
            attempt=1,
            customer_id=actor.id,
            amount_minor=0,
            method=method,
            upi_id=upi_id,
            initiated_at=self._clock(),
            token=token_urlsafe(9),
        )
        return self._outbox_writer.retry_change(lambda: self._insert_if_owed(actor, draft, key))

    def _tell_repeat(self, latest: Payment, key: RequestKey | None) -> MadePayment:
        """Tell of a payment that is there whether the same request began it, a moment ago."""
        if made := self._find_made(key):
            return MadePayment(made, is_replay=True)
        return MadePayment(latest, is_new=False)

    def _find_made(self, key: RequestKey | None) -> Payment | None:
        """Find the payment that the same request has begun. Raises KeyReused."""
        stream = self._keys.find_target(key)
        found = payments.parse_payment_id(parse_payment_stream(stream)) if stream else None
        return self._store.get_attempt(*found) if found else None

    def pay_order(
        self,
        actor: Actor,
        order_id: int,
        method: str,
        upi_id: str | None,
        amount_minor: int | None,
        key: RequestKey | None = None,
    ) -> MadePayment:
        """Pay for one's own finished order once, or the fees of one that was called off; where less
        than that was paid, the rest.

        Raises NotFound, InvalidTransition before there is something to pay, InvalidInput for an
        amount that is neither the fare nor the rest, KeyReused.
        """
        if made := self._find_made(key):
            return MadePayment(made, is_replay=True)
        order = self._get_own_order(actor, order_id)
        _check_payable(order)
        attempts = self._store.list_attempts(order_id)
        _check_amount(order, attempts, amount_minor)
        if attempts and not _may_begin(order, attempts):
            return self._tell_repeat(attempts[-1], key)
        try:
            return self.initiate_payment(actor, order_id, method, upi_id, key)
        except Conflict:  # another request began a payment since the look above
            found = self._store.get_latest(order_id)
            if found is None:
                raise
            return self._tell_repeat(found, key)

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

    def get_payment(self, payment_id: str) -> Payment:
        """Read a payment. Raises NotFound."""
        key = payments.parse_payment_id(payment_id)
        found = self._store.get_attempt(*key) if key else None
        if found is None:
            raise NotFound("There is no such payment.")
        return found

    def find_free_attempt(self, order_id: int) -> int | None:
        """Find the number of the next attempt to pay for an order, which has not begun; None where
        it is paid, or being paid."""
        latest = self._store.get_latest(order_id)
        if latest is None:
            return 1
        return latest.attempt + 1 if latest.status is PaymentStatus.FAILED else None

    def get_payment_status(self, order: Order) -> str:
        """Say whether an order is paid, pending or failed."""
        latest = self._store.get_latest(order.id)
        return _STATUS_WORDS[latest.status if latest else PaymentStatus.INITIATED]

    def _get_own_order(self, actor: Actor, order_id: int) -> Order:
        order = self._orders.get_order(order_id)
        if order.details.customer_id != actor.id:  # of others' orders, not even that they exist
            raise NotFound("There is no such order.")
        return order

    def _insert_if_owed(self, actor: Actor, draft: Payment, key: RequestKey | None) -> MadePayment:
        """Write a new payment as the order's next attempt, of what is owed now. Raises what
        initiate_payment raises; Stale where another attempt or a change of the price came first."""
        attempts = self._store.list_attempts(draft.order_id)
        if attempts and attempts[-1].token == draft.token:
            return MadePayment(attempts[-1])  # an earlier try wrote it, and got no answer
        if found := self._find_made(key):
            return MadePayment(found, is_replay=True)  # at the same moment
        order = self._get_own_order(actor, draft.order_id)
        if not owes_way(order) and not order.fees:
            raise Conflict("This order was cancelled.")
        if not _may_begin(order, attempts):
            raise Conflict("This order is paid, or being paid.", payment_id=attempts[-1].id)
        numbered = replace(
            draft,
            attempt=len(attempts) + 1,
            amount_minor=compute_rest_minor(order, attempts),
            merchant_id=order.details.merchant_id,
        )
        payment = payments.initiate_payment(numbered)
        # Only a scheduled order may be given another price by its customer. A price that changes as
        # an order ends is looked at once it has, beside what was paid (settlements.py).
        is_amendable = order.status is Status.SCHEDULED
        self._commit_payment(None, payment, key, order.version if is_amendable else None)
        return MadePayment(payment)

    def _commit_payment(
        self,
        before: Payment | None,
        after: Payment,
        key: RequestKey | None = None,
        order_version: int | None = None,
    ) -> None:
        def write(entries: tuple[Entry, ...]) -> None:
            payment = replace(after, entries=entries)
            self._store.commit_payment(before, payment, key, order_version)

        stored = before.outbox if before else replace(after.outbox, entries=())
        self._outbox_writer.commit_outbox(stored, after.outbox, write)


def _check_payable(order: Order) -> None:
    """Check that there is something to pay: a finished order, or the fees of one that was called
    off. Raises InvalidTransition."""
    is_charged = not owes_way(order) and bool(order.fees)
    if order.status is not Status.DONE and not is_charged:
        raise InvalidTransition(order.status.value, "pay", ())


def _check_amount(order: Order, attempts: Sequence[Payment], amount_minor: int | None) -> None:
    """Check the amount that somebody wants to pay, if they say one: the fare, or what is left of it
    to be paid. Raises InvalidInput."""
    fare_minor = compute_final_price(order).total_minor
    if amount_minor not in (None, fare_minor, compute_rest_minor(order, attempts)):
        raise InvalidInput("The amount is not the fare.", field="amount", fare=fare_minor / 100)


def _may_begin(order: Order, attempts: Sequence[Payment]) -> bool:
    """Say whether another payment may begin: none has, or the last has failed; or all that began
    have ended, and the order as it has ended costs more than was paid."""
    if not attempts:
        return True
    if attempts[-1].status is PaymentStatus.INITIATED:
        return False
    if not any(one.status is PaymentStatus.COMPLETED for one in attempts):
        return True
    return is_price_final(order) and compute_rest_minor(order, attempts) > 0
