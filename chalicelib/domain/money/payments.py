"""A payment for an order: initiated, then completed or failed as its provider says.

An order has one payment at a time. One that failed may be tried again: `attempt` counts.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

import msgspec
from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.events import Entry, Event, Outbox
from chalicelib.domain.ids import parse_id
from chalicelib.domain.outbox import append_entry, draft_event
from chalicelib.errors import Conflict

CURRENCY = "INR"
_STREAM_PREFIX = "payment#"
_ID_PREFIX = "pay_"


class PaymentStatus(str, Enum):
    """How a payment stands."""

    INITIATED = "initiated"
    COMPLETED = "completed"
    FAILED = "failed"


class Payment(msgspec.Struct, frozen=True, omit_defaults=True):
    """`version` counts commits; `outbox` holds the events of the last of them. `token` is of the
    request that began it, which knows it by that."""

    order_id: int
    attempt: int
    customer_id: str
    amount_minor: int
    method: str
    initiated_at: datetime
    upi_id: str | None = None
    status: PaymentStatus = PaymentStatus.INITIATED
    transaction_id: str | None = None
    error: str | None = None
    finished_at: datetime | None = None
    version: int = 0
    entries: tuple[Entry, ...] = msgspec.field(default=(), name="outbox")
    token: str = ""

    @property
    def id(self) -> str:
        """Its id on the wire: it says where the payment is kept."""
        return f"{_ID_PREFIX}{self.order_id}_{self.attempt}"

    @property
    def outbox(self) -> Outbox:
        """What has lately been told of this payment."""
        return Outbox(payment_stream(self.id), None, self.entries)


class PaymentResult(msgspec.Struct, frozen=True):
    """What a provider says of a payment."""

    status: PaymentStatus
    transaction_id: str | None = None
    error: str | None = None


def payment_stream(payment_id: str) -> str:
    """The stream name of a payment's events."""
    return f"{_STREAM_PREFIX}{payment_id}"


def parse_payment_id(payment_id: str) -> tuple[int, int] | None:
    """(order id, attempt) of a payment's id; None if it can't be one."""
    order, _, attempt = payment_id.removeprefix(_ID_PREFIX).partition("_")
    order_id, number = parse_id(order), parse_id(attempt)
    good = payment_id.startswith(_ID_PREFIX) and order_id and number
    return (order_id, number) if good and order_id and number else None


def initiate_payment(payment: Payment) -> Payment:
    """A new payment as it is to be written."""
    return _with_event(payment, events.PAYMENT_INITIATED, payment.initiated_at, currency=CURRENCY)


def apply_result(payment: Payment, verdict: PaymentResult, now: datetime) -> Payment:
    """Note what the provider says; the same again changes nothing. Raises Conflict for a verdict
    that contradicts an earlier one."""
    if payment.status is PaymentStatus.INITIATED:
        done = replace(
            payment,
            status=verdict.status,
            transaction_id=verdict.transaction_id,
            error=verdict.error,
            finished_at=now,
        )
        if verdict.status is PaymentStatus.COMPLETED:
            told = {"upi_id": payment.upi_id, "transaction_id": verdict.transaction_id}
            return _with_event(done, events.PAYMENT_COMPLETED, now, **told)
        return _with_event(done, events.PAYMENT_FAILED, now, error=verdict.error)
    if verdict.status is not payment.status or verdict.transaction_id != payment.transaction_id:
        raise Conflict("This payment is final, and ended otherwise.")
    return payment


def _with_event(payment: Payment, type_: str, now: datetime, **more: Any) -> Payment:
    told = _draft_payment_event(payment, type_, now, **more)
    version = payment.version + 1
    outbox = append_entry(payment.entries, version, now, (told,))
    return replace(payment, version=version, entries=outbox)


def _draft_payment_event(payment: Payment, type_: str, now: datetime, **more: Any) -> Event:
    return draft_event(
        type_,
        payment.customer_id,
        payment_stream(payment.id),
        now,
        payment_id=payment.id,
        order_id=payment.order_id,
        amount_minor=payment.amount_minor,
        method=payment.method,
        **{name: value for name, value in more.items() if value is not None},
    )
