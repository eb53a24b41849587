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
from chalicelib.domain.outbox import draft, with_entry
from chalicelib.errors import Conflict

CURRENCY = "INR"
_STREAM = "payment#"
_ID = "pay_"


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
    outbox: tuple[Entry, ...] = ()
    token: str = ""

    @property
    def id(self) -> str:
        """Its id on the wire: it says where the payment is kept."""
        return f"{_ID}{self.order_id}_{self.attempt}"

    @property
    def told(self) -> Outbox:
        """What has lately been told of this payment."""
        return Outbox(stream(self.id), None, self.outbox)


class Verdict(msgspec.Struct, frozen=True):
    """What a provider says of a payment."""

    status: PaymentStatus
    transaction_id: str | None = None
    error: str | None = None


def stream(payment_id: str) -> str:
    """The stream name of a payment's events."""
    return f"{_STREAM}{payment_id}"


def key_of(payment_id: str) -> tuple[int, int] | None:
    """(order id, attempt) of a payment's id; None if it can't be one."""
    order, _, attempt = payment_id.removeprefix(_ID).partition("_")
    order_id, number = parse_id(order), parse_id(attempt)
    good = payment_id.startswith(_ID) and order_id and number
    return (order_id, number) if good and order_id and number else None


def initiate(payment: Payment) -> Payment:
    """A new payment as it is to be written."""
    return _sealed(payment, events.PAYMENT_INITIATED, payment.initiated_at, currency=CURRENCY)


def settle(payment: Payment, verdict: Verdict, now: datetime) -> Payment:
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
            return _sealed(done, events.PAYMENT_COMPLETED, now, **told)
        return _sealed(done, events.PAYMENT_FAILED, now, error=verdict.error)
    if verdict.status is not payment.status or verdict.transaction_id != payment.transaction_id:
        raise Conflict("This payment is final, and ended otherwise.")
    return payment


def _sealed(payment: Payment, type_: str, now: datetime, **more: Any) -> Payment:
    told = _tell(payment, type_, now, **more)
    version = payment.version + 1
    outbox = with_entry(payment.outbox, version, now, (told,))
    return replace(payment, version=version, outbox=outbox)


def _tell(payment: Payment, type_: str, now: datetime, **more: Any) -> Event:
    return draft(
        type_,
        payment.customer_id,
        stream(payment.id),
        now,
        payment_id=payment.id,
        order_id=payment.order_id,
        amount_minor=payment.amount_minor,
        method=payment.method,
        **{name: value for name, value in more.items() if value is not None},
    )
