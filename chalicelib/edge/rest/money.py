"""REST: payments and payouts (spec 003 has events of them and no way to make them)."""

from __future__ import annotations

from chalice.app import Request

from chalicelib.contracts.base import read_text
from chalicelib.contracts.money import (
    is_refund,
    read_account,
    read_amount,
    read_method,
    read_payment_id,
    read_payment_result,
    read_upi_id,
    render_payment,
    render_payout,
)
from chalicelib.contracts.registry import render_order
from chalicelib.domain.people import Role
from chalicelib.edge.rest.calls import Call, PublicCall, read_order_id
from chalicelib.edge.rest.responses import Reply, reply_created
from chalicelib.edge.rest.routes import PublicRoute, Route
from chalicelib.errors import Unauthenticated

SIGNATURE_HEADER = "x-waybill-signature"


def initiate_payment(call: Call) -> Reply:
    """Initiate the payment of an order, for its customer."""
    body = call.read_body()
    order_id, method = read_order_id(body.get("order_id")), read_method(body)
    upi_id = read_upi_id(body)
    made = call.services.payments.initiate_payment(
        call.actor, order_id, method, upi_id, call.read_key()
    )
    return reply_created(render_payment(made.payment), made.is_replay)


def apply_payment_result(call: PublicCall, payment_id: str) -> Reply:
    """Apply the payment provider's word on a payment. Its signature stands for a token."""
    signatures = _join_signatures(call.request)
    call.services.payment_signature.verify_signature(signatures, call.request.raw_body)
    body = call.read_body()
    if read_payment_id(body) != payment_id:  # the URL is not signed, the body is
        raise Unauthenticated("The signature is of another payment.")
    if is_refund(body):
        call.services.settlements.confirm_refund(payment_id)
        return render_payment(call.services.payments.get_payment(payment_id))
    payment = call.services.payments.apply_result(payment_id, read_payment_result(body))
    return render_payment(payment)


def request_payout(call: Call) -> Reply:
    """Request a payout from the courier's wallet to a bank account."""
    body = call.read_body()
    amount_minor, account = read_amount(body), read_account(body)
    payout, is_replay = call.services.payouts.request_payout(
        call.actor, amount_minor, account, call.read_key()
    )
    return reply_created(render_payout(payout), is_replay)


def approve_payout(call: Call, payout_id: str) -> Reply:
    """Approve a payout that was requested."""
    return render_payout(call.services.payouts.approve_payout(payout_id))


def complete_payout(call: Call, payout_id: str) -> Reply:
    """Complete a payout: the bank's transaction is done."""
    transaction_id = read_text(call.read_body().get("transaction_id"), "transaction_id", 128)
    return render_payout(call.services.payouts.complete_payout(payout_id, transaction_id))


def tip_order(call: Call, order_id: str) -> Reply:
    """Give the courier of an order that has ended a tip, as its customer."""
    id_, amount_minor = read_order_id(order_id), read_amount(call.read_body())
    order, is_replay = call.services.tips.tip_order(call.actor, id_, amount_minor, call.read_key())
    return reply_created(render_order(order), is_replay)


def _join_signatures(request: Request) -> str | None:
    """Return every signature of a request: a header that is repeated counts each time."""
    headers = request.to_original_event().get("multiValueHeaders") or {}
    named = [values for name, values in headers.items() if name.lower() == SIGNATURE_HEADER]
    signatures = [value for values in named for value in values]
    return ",".join(signatures) or request.headers.get(SIGNATURE_HEADER)


ROUTES = (
    Route("POST", "/v1/payments", initiate_payment, Role.CUSTOMER),
    PublicRoute("POST", "/v1/payments/{payment_id}/webhook", apply_payment_result),
    Route("POST", "/v1/orders/{order_id}/tip", tip_order, Role.CUSTOMER),
    Route("POST", "/v1/payouts", request_payout, Role.COURIER),
    Route("POST", "/v1/admin/payouts/{payout_id}/approve", approve_payout, Role.ADMIN),
    Route("POST", "/v1/admin/payouts/{payout_id}/complete", complete_payout, Role.ADMIN),
)
