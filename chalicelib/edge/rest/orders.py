"""REST: orders, from the customer's and the admin's side."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint

from chalicelib.contracts.base import optional_text, text
from chalicelib.contracts.courier.socket import assigned_driver, read_job
from chalicelib.contracts.registry import order_body
from chalicelib.domain.people import Role
from chalicelib.edge.app_services import Provider
from chalicelib.edge.rest.base import actor_of, answering, body_of, order_id_of


def routes(provide: Provider) -> Blueprint:
    """The routes, to be registered with the app."""
    bp = Blueprint(__name__)

    @bp.route("/v1/orders", methods=["POST"], name="place_order")
    @answering
    def place_order() -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.CUSTOMER)
        job = read_job(body_of(bp.current_request), actor.id, waybill.clock())
        return 201, order_body(waybill.ordering.place(job))

    @bp.route("/v1/orders/{order_id}", methods=["GET"], name="get_order")
    @answering
    def get_order(order_id: str) -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request)
        return order_body(waybill.ordering.get(actor, order_id_of(order_id)))

    @bp.route("/v1/orders/{order_id}/cancel", methods=["POST"], name="cancel_order")
    @answering
    def cancel_order(order_id: str) -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request)
        reason = optional_text(body_of(bp.current_request).get("reason"), "reason")
        return order_body(waybill.ordering.cancel(actor, order_id_of(order_id), reason))

    @bp.route("/v1/orders/{order_id}/retry", methods=["POST"], name="retry_order")
    @answering
    def retry_order(order_id: str) -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request)
        return order_body(waybill.ordering.retry(actor, order_id_of(order_id)))

    @bp.route("/v1/admin/orders/{order_id}/assign", methods=["POST"], name="assign_order")
    @answering
    def assign_order(order_id: str) -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.ADMIN)
        courier_id = text(body_of(bp.current_request).get("courier_id"), "courier_id", 128)
        return order_body(waybill.ordering.assign(actor, order_id_of(order_id), courier_id))

    @answering
    def active_order() -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.CUSTOMER)
        order = waybill.ordering.active_for_customer(actor.id)
        if order is None:
            return {"active": False}
        body: dict[str, Any] = {"active": True, "order": order_body(order)}
        if order.holder:
            body["assigned_driver"] = assigned_driver(waybill.profiles.named(order.holder))
        return body

    # Spec 000 has both spellings.
    bp.route("/v1/customer/active-order", methods=["GET"], name="customer_active")(active_order)
    bp.route("/v1/customer/activeOrder", methods=["GET"], name="customer_active_2")(active_order)
    return bp
