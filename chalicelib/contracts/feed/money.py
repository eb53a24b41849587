"""The data of spec 003's events about money: earnings, wallets, payouts, payments.

Events carry minor units; the wire has decimals.
"""

from __future__ import annotations

from typing import Any

from chalicelib.contracts.base import omit_none
from chalicelib.contracts.moments import format_iso
from chalicelib.contracts.money import to_major_units
from chalicelib.domain.events import Event
from chalicelib.domain.money.earnings import BONUS_PERCENT

Data = dict[str, Any]


def render_earning_recorded(event: Event) -> Data:
    """Render that a delivery was earned."""
    data = event.data
    return {
        "amount": to_major_units(data["amount_minor"]),
        "delivery_id": str(data["order_id"]),
        "breakdown": {part: to_major_units(minor) for part, minor in data["parts"].items()},
        "new_balance": to_major_units(data["balance_minor"]),
        "timestamp": format_iso(event.at),
    }


def render_bonus_earned(event: Event) -> Data:
    """Render that a threshold was reached."""
    data = event.data
    return {
        "amount": to_major_units(data["amount_minor"]),
        "bonus_type": data["kind"],
        "trigger": f"{BONUS_PERCENT}% on-time deliveries",
        "period": data["period"],
        "new_balance": to_major_units(data["balance_minor"]),
    }


def render_wallet_updated(event: Event) -> Data:
    """Render that the balance has changed."""
    before, after = event.data["previous_minor"], event.data["balance_minor"]
    return {
        "previous_balance": to_major_units(before),
        "new_balance": to_major_units(after),
        "change": to_major_units(after - before),
        "change_reason": event.data["reason"],
        "timestamp": format_iso(event.at),
    }


def render_payout_approved(event: Event) -> Data:
    """Render that an admin has approved a payout."""
    return {
        "payout_id": event.data["payout_id"],
        "amount": to_major_units(event.data["amount_minor"]),
        "bank_account": event.data["account"],
        "estimated_transfer_date": event.data["transfer_date"],
        "estimated_transfer_time": event.data["transfer_time"],
    }


def render_payout_completed(event: Event) -> Data:
    """Render that the money is on its way."""
    return {
        "payout_id": event.data["payout_id"],
        "amount": to_major_units(event.data["amount_minor"]),
        "transaction_id": event.data["transaction_id"],
        "bank_account": event.data["account"],
        "transferred_at": format_iso(event.at),
    }


def _render_payment_fields(event: Event, **more: Any) -> Data:
    data = event.data
    return {
        "payment_id": data["payment_id"],
        "order_id": str(data["order_id"]),
        "amount": to_major_units(data["amount_minor"]),
        "method": data["method"],
        **omit_none(**more),
    }


def render_payment_initiated(event: Event) -> Data:
    """Render that a customer begins to pay."""
    return _render_payment_fields(
        event, currency=event.data["currency"], initiated_at=format_iso(event.at)
    )


def render_payment_completed(event: Event) -> Data:
    """Render that an attempt to pay went well."""
    data = event.data
    return _render_payment_fields(
        event,
        upi_id=data.get("upi_id"),
        transaction_id=data.get("transaction_id"),
        completed_at=format_iso(event.at),
    )


def render_refund_due(event: Event) -> Data:
    """Render that a payment was more than its order costs. Ours."""
    return {
        "order_id": str(event.order_id),
        "payment_id": event.data["payment_id"],
        "amount": to_major_units(event.data["amount_minor"]),
    }


def render_payment_due(event: Event) -> Data:
    """Render that more is to be paid of an order than was. Ours."""
    return {
        "order_id": str(event.order_id),
        "amount": to_major_units(event.data["amount_minor"]),
    }


def render_payment_failed(event: Event) -> Data:
    """Render that an attempt to pay failed."""
    error = event.data.get("error") or "The payment failed."
    return _render_payment_fields(
        event, error=error, failed_at=format_iso(event.at), retry_available=True
    )
