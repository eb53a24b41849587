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
from chalicelib.domain.events import Entry, Event, Outbox, draft_event
from chalicelib.domain.ids import parse_id
from chalicelib.domain.outbox import seal
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
    """One attempt to pay for an order.

    `version` counts its writes; `entries` are the events of the last of them. `token` is drawn by
    the request that began the payment: a request whose write got no answer knows its own by it.
    `merchant_id` is the order's.
    """

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
    merchant_id: str | None = None

    @property
    def id(self) -> str:
        """The payment's id on the wire: it holds the key by which the payment is stored."""
        return f"{_ID_PREFIX}{self.order_id}_{self.attempt}"

    @property
    def outbox(self) -> Outbox:
        """The events of the payment's last versions."""
        return Outbox(name_payment_stream(self.id), None, self.entries, self)


class PaymentResult(msgspec.Struct, frozen=True):
    """What a provider says of a payment: completed by a transaction, or failed with an error."""

    status: PaymentStatus
    transaction_id: str | None = None
    error: str | None = None


def name_payment_stream(payment_id: str) -> str:
    """Name the stream of a payment's events."""
    return f"{_STREAM_PREFIX}{payment_id}"


def parse_payment_stream(stream: str) -> str:
    """Read which payment's stream this is."""
    return stream.removeprefix(_STREAM_PREFIX)


def parse_payment_id(payment_id: str) -> tuple[int, int] | None:
    """Parse a payment's id into (order id, attempt); None if it can't be one."""
    if not payment_id.startswith(_ID_PREFIX):
        return None
    order, _, attempt = payment_id.removeprefix(_ID_PREFIX).partition("_")
    order_id, number = parse_id(order), parse_id(attempt)
    return (order_id, number) if order_id and number else None


def initiate_payment(payment: Payment) -> Payment:
    """Return a new payment as it is to be written, with the event that tells of it."""
    return _with_event(payment, events.PAYMENT_INITIATED, payment.initiated_at, currency=CURRENCY)


def apply_result(payment: Payment, result: PaymentResult, now: datetime) -> Payment:
    """Return a payment after its provider's result; the same one again changes nothing.

    Raises Conflict for a result that contradicts an earlier one: what is final stays, as money may
    have moved by it.
    """
    if payment.status is not PaymentStatus.INITIATED:
        if (result.status, result.transaction_id) != (payment.status, payment.transaction_id):
            raise Conflict("This payment is final, and ended otherwise.")
        return payment
    finished = replace(
        payment,
        status=result.status,
        transaction_id=result.transaction_id,
        error=result.error,
        finished_at=now,
    )
    if result.status is PaymentStatus.FAILED:
        return _with_event(finished, events.PAYMENT_FAILED, now, error=result.error)
    by = {"upi_id": payment.upi_id, "transaction_id": result.transaction_id}
    return _with_event(finished, events.PAYMENT_COMPLETED, now, **by)


def _with_event(payment: Payment, type_: str, now: datetime, **more: Any) -> Payment:
    return seal(payment, [_draft_payment_event(payment, type_, now, **more)], now)


def _draft_payment_event(payment: Payment, type_: str, now: datetime, **more: Any) -> Event:
    """Draft an event to the one who pays; of `more`, None is left out."""
    data = {
        "payment_id": payment.id,
        "order_id": payment.order_id,
        "amount_minor": payment.amount_minor,
        "method": payment.method,
        **{name: value for name, value in more.items() if value is not None},
    }
    return draft_event(type_, payment.customer_id, name_payment_stream(payment.id), now, data=data)
