"""REST: payments and payouts (spec 003 tells of them and has no way to make them)."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, Request

from chalicelib.contracts.base import text
from chalicelib.contracts.money import (
    payment_body,
    payout_body,
    read_account,
    read_amount,
    read_method,
    read_payment_id,
    read_upi,
    read_verdict,
)
from chalicelib.domain.people import Role
from chalicelib.edge.app_services import Provider
from chalicelib.edge.rest.base import actor_of, answering, body_of, order_id_of
from chalicelib.errors import Unauthenticated

SIGNATURE = "x-waybill-signature"


def routes(provide: Provider) -> Blueprint:
    """The routes, to be registered with the app."""
    bp = Blueprint(__name__)

    @bp.route("/v1/payments", methods=["POST"], name="pay")
    @answering
    def pay() -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.CUSTOMER)
        body = body_of(bp.current_request)
        order_id, method = order_id_of(body.get("order_id")), read_method(body)
        return 201, payment_body(waybill.payments.initiate(actor, order_id, method, read_upi(body)))

    @bp.route("/v1/payments/{payment_id}/webhook", methods=["POST"], name="payment_webhook")
    @answering
    def payment_webhook(payment_id: str) -> Any:
        waybill, request = provide(), bp.current_request
        waybill.provider.check(_signatures(request), request.raw_body)
        body = body_of(request)
        if read_payment_id(body) != payment_id:  # the URL is not signed, the body is
            raise Unauthenticated("The signature is of another payment.")
        return payment_body(waybill.payments.settle(payment_id, read_verdict(body)))

    @bp.route("/v1/payouts", methods=["POST"], name="request_payout")
    @answering
    def request_payout() -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.COURIER)
        body = body_of(bp.current_request)
        amount, account = read_amount(body), read_account(body)
        return 201, payout_body(waybill.payouts.request(actor, amount, account))

    @bp.route("/v1/admin/payouts/{payout_id}/approve", methods=["POST"], name="approve_payout")
    @answering
    def approve_payout(payout_id: str) -> Any:
        waybill = provide()
        actor_of(waybill, bp.current_request, Role.ADMIN)
        return payout_body(waybill.payouts.approve(payout_id))

    @bp.route("/v1/admin/payouts/{payout_id}/complete", methods=["POST"], name="complete_payout")
    @answering
    def complete_payout(payout_id: str) -> Any:
        waybill = provide()
        actor_of(waybill, bp.current_request, Role.ADMIN)
        transaction = text(body_of(bp.current_request).get("transaction_id"), "transaction_id", 128)
        return payout_body(waybill.payouts.complete(payout_id, transaction))

    return bp


def _signatures(request: Request) -> str | None:
    """Return every signature in a request: a header that is repeated counts each time."""
    sent = request.to_original_event().get("multiValueHeaders") or {}
    found = [text for name, texts in sent.items() if name.lower() == SIGNATURE for text in texts]
    return ",".join(found) or request.headers.get(SIGNATURE)
