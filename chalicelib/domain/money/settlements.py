"""The settlement of an order: what it costs in the end against what was paid for it.

Its price is final once it has ended. Payments that were begun before may be of another: of one that
was more, the rest is to be paid back; of one that was less, the rest is due, and is paid by another
payment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.money.payments import Payment, PaymentStatus
from chalicelib.domain.money.pricing import compute_final_price, is_price_final
from chalicelib.domain.orders.drafts import draft_for_customer
from chalicelib.domain.orders.flow import Transition
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.refund import Refund
from chalicelib.errors import Conflict


def compute_rest_minor(order: Order, attempts: Sequence[Payment]) -> int:
    """Compute what is still to be paid of an order's price; negative where more was paid."""
    completed = (one for one in attempts if one.status is PaymentStatus.COMPLETED)
    paid_minor = sum(payment.amount_minor for payment in completed)
    return compute_final_price(order).total_minor - paid_minor


def settle_order(order: Order, attempts: Sequence[Payment], now: datetime) -> Transition:
    """Note on an order what is to be paid back of its payments, or still to be paid; an order of
    which that is noted, or whose price is not final, or of which nothing was paid, as it is.

    Only the payment that was begun before the end can be of more than the price: what is begun
    later is of the rest. So an order has one refund at most, and it never changes.
    """
    completed = [one for one in attempts if one.status is PaymentStatus.COMPLETED]
    if not completed or not is_price_final(order):
        return order, ()
    rest_minor = compute_rest_minor(order, attempts)
    if rest_minor < 0 and order.refund is None:
        return _note_refund(order, Refund(completed[0].id, -rest_minor, now), now)
    due_minor = max(0, rest_minor)
    if due_minor == order.due_minor:
        return order, ()
    after = replace(order, due_minor=due_minor, updated_at=now)
    return after, (_draft_due(after, now),) if due_minor else ()


def confirm_refund(order: Order, payment_id: str, now: datetime) -> Order:
    """Note on an order that its refund is paid back; again it changes nothing. Raises Conflict
    where none is due."""
    refund = order.refund
    if refund is None or refund.payment_id != payment_id:
        raise Conflict("No refund of this payment is due.")
    if refund.refunded_at is not None:
        return order
    return replace(order, refund=replace(refund, refunded_at=now), updated_at=now)


def _note_refund(order: Order, refund: Refund, now: datetime) -> Transition:
    order = replace(order, refund=refund, updated_at=now)
    data = {"payment_id": refund.payment_id, "amount_minor": refund.amount_minor}
    return order, (draft_for_customer(order, events.REFUND_DUE, now, data=data),)


def _draft_due(order: Order, now: datetime) -> Event:
    data = {"amount_minor": order.due_minor}
    return draft_for_customer(order, events.PAYMENT_DUE, now, data=data)
