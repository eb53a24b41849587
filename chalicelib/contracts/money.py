"""Payments and payouts as REST has them. Money is decimal on the wire, minor units inside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from chalicelib.contracts.base import omit_none, read_number, read_optional_text, read_text
from chalicelib.contracts.moments import format_iso
from chalicelib.domain.money.payments import CURRENCY, Payment, PaymentResult, PaymentStatus
from chalicelib.domain.money.payouts import Payout, mask_account
from chalicelib.domain.orders.model import Order
from chalicelib.domain.price_lines import PriceLine, sum_minor
from chalicelib.errors import InvalidInput

MAX_AMOUNT = 10_000_000
ACCOUNT = r"[A-Za-z0-9][A-Za-z0-9 -]{2,38}[A-Za-z0-9]"
METHOD = r"[a-z][a-z0-9_-]{0,39}"  # in either case
_ACCOUNT = re.compile(ACCOUNT, re.ASCII)
_METHOD = re.compile(METHOD, re.ASCII)


def to_major_units(minor: int) -> int | float:
    """Minor units as a number of the major one, whole where it is."""
    return minor // 100 if minor % 100 == 0 else minor / 100


def render_price(lines: Sequence[PriceLine]) -> dict[str, Any]:
    """Render a price by its lines, with what they come to."""
    return {
        "lines": [
            {"kind": line.kind, "amount": to_major_units(line.amount_minor)} for line in lines
        ],
        "total": to_major_units(sum_minor(lines)),
        "currency": CURRENCY,
    }


def render_settlement(order: Order) -> dict[str, Any]:
    """Render what is still due of an order's price, and what is to be paid back of its payment, or
    was; {} where it was paid as it is, or not at all."""
    refund = order.refund
    due = {"due": {"amount": to_major_units(order.due_minor)}} if order.due_minor else {}
    if refund is None:
        return due
    shown = {"payment_id": refund.payment_id, "amount": to_major_units(refund.amount_minor)}
    if refund.refunded_at is None:
        return {"refund_due": shown}
    return {"refunded": {**shown, "refunded_at": format_iso(refund.refunded_at)}}


def read_amount(body: Mapping[str, Any]) -> int:
    """Read `amount` in minor units: more than nothing, at most two decimals. Raises
    InvalidInput."""
    amount = Decimal(repr(read_number(body.get("amount"), "amount", 0.01, MAX_AMOUNT))) * 100
    if amount != amount.to_integral_value():
        raise InvalidInput("amount must have at most two decimals.", field="amount")
    return int(amount)


def read_account(body: Mapping[str, Any]) -> str:
    """Read `bank_account`: 4 to 40 letters and digits. Raises InvalidInput."""
    account = read_text(body.get("bank_account"), "bank_account", 40)
    if not _ACCOUNT.fullmatch(account):
        raise InvalidInput("bank_account must be 4 to 40 letters and digits.", field="bank_account")
    return account


def read_method(body: Mapping[str, Any]) -> str:
    """Read `method`: one word, such as upi, card or cash. Raises InvalidInput."""
    method = read_text(body.get("method"), "method", 40).lower()
    if not _METHOD.fullmatch(method):
        raise InvalidInput("method must be one word.", field="method")
    return method


def read_upi_id(body: Mapping[str, Any]) -> str | None:
    """Read `upi_id`, if there is one. Raises InvalidInput."""
    return read_optional_text(body.get("upi_id"), "upi_id", 100)


def read_payment_id(body: Mapping[str, Any]) -> str:
    """Read `payment_id`: which payment a webhook's body is of. Raises InvalidInput."""
    return read_text(body.get("payment_id"), "payment_id", 128)


def is_refund(body: Mapping[str, Any]) -> bool:
    """Say whether a webhook's body tells of a refund: {payment_id, status: "refunded"}."""
    return bool(body.get("status") == "refunded")


def read_payment_result(body: Mapping[str, Any]) -> PaymentResult:
    """Read a webhook's body: {payment_id, status, transaction_id?, error?}. Raises InvalidInput."""
    status = body.get("status")
    if status not in (PaymentStatus.COMPLETED.value, PaymentStatus.FAILED.value):
        raise InvalidInput("status must be completed, failed or refunded.", field="status")
    return PaymentResult(
        PaymentStatus(status),
        transaction_id=read_optional_text(body.get("transaction_id"), "transaction_id", 128),
        error=read_optional_text(body.get("error"), "error"),
    )


def render_payment(payment: Payment) -> dict[str, Any]:
    """Render a payment as REST shows it."""
    return omit_none(
        id=payment.id,
        order_id=str(payment.order_id),
        amount=to_major_units(payment.amount_minor),
        currency=CURRENCY,
        method=payment.method,
        upi_id=payment.upi_id,
        status=payment.status.value,
        transaction_id=payment.transaction_id,
        error=payment.error,
        initiated_at=format_iso(payment.initiated_at),
        finished_at=format_iso(payment.finished_at) if payment.finished_at else None,
    )


def render_payout(payout: Payout) -> dict[str, Any]:
    """Render a payout as REST shows it; the account only by its end."""
    return omit_none(
        id=payout.id,
        courier_id=payout.courier_id,
        amount=to_major_units(payout.amount_minor),
        bank_account=mask_account(payout.bank_account),
        status=payout.status.value,
        transaction_id=payout.transaction_id,
        requested_at=format_iso(payout.requested_at),
    )
