"""Refunds: a payment that covers more than the order costs in the end."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.money.payments import Payment, PaymentStatus
from chalicelib.domain.money.pricing import compute_final_price
from chalicelib.domain.orders.effects import draft_for_customer
from chalicelib.domain.orders.flow import Transition
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.refund import Refund
from chalicelib.errors import Conflict


def compute_refund_minor(order: Order, payment: Payment | None) -> int:
    """Compute what of a payment is more than its order costs; nothing before the order has ended,
    nor of one that may yet be searched for again."""
    is_final = order.is_terminal and order.status is not Status.UNSERVED
    if payment is None or payment.status is not PaymentStatus.COMPLETED or not is_final:
        return 0
    return max(0, payment.amount_minor - compute_final_price(order).total_minor)


def make_refund_due(order: Order, payment: Payment | None, now: datetime) -> Transition:
    """Note on an order what is to be paid back, if anything; what was noted stays as it is."""
    amount_minor = compute_refund_minor(order, payment)
    if payment is None or order.refund is not None or not amount_minor:
        return order, ()
    refund = Refund(payment.id, amount_minor, now)
    order = replace(order, refund=refund, updated_at=now)
    data = {"payment_id": payment.id, "amount_minor": amount_minor}
    return order, (draft_for_customer(order, events.REFUND_DUE, now, data=data),)


def confirm_refund(order: Order, payment_id: str, now: datetime) -> Order:
    """Note on an order that its refund is paid back; again it changes nothing. Raises Conflict
    where none is due."""
    refund = order.refund
    if refund is None or refund.payment_id != payment_id:
        raise Conflict("No refund of this payment is due.")
    if refund.refunded_at is not None:
        return order
    return replace(order, refund=replace(refund, refunded_at=now), updated_at=now)
