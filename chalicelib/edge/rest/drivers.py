"""REST: orders for drivers (spec 004, which names no path but that drivers poll)."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint

from chalicelib.contracts.drivers.socket import declined_body, order_body, pending_orders, read_job
from chalicelib.domain.orders import commands
from chalicelib.domain.people import Role
from chalicelib.edge.app_services import Provider
from chalicelib.edge.rest.base import actor_of, answering, body_of, order_id_of


def routes(provide: Provider) -> Blueprint:
    """The routes, to be registered with the app."""
    bp = Blueprint(__name__)

    @bp.route("/v1/driver-orders", methods=["POST"], name="place_driver_order")
    @answering
    def place_driver_order() -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.CUSTOMER)
        job = read_job(body_of(bp.current_request), actor.id, waybill.clock())
        return 201, order_body(waybill.ordering.place(job))

    @bp.route("/v1/driver/orders", methods=["GET"], name="poll_driver_orders")
    @answering
    def poll_driver_orders() -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.COURIER)
        return pending_orders(waybill.ordering.offered_to(actor.id))

    @bp.route("/v1/driver/orders/{order_id}/accept", methods=["POST"], name="driver_accepts")
    @answering
    def driver_accepts(order_id: str) -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.COURIER)
        return order_body(waybill.delivery.accept(actor, order_id_of(order_id)))

    @bp.route("/v1/driver/orders/{order_id}/decline", methods=["POST"], name="driver_declines")
    @answering
    def driver_declines(order_id: str) -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.COURIER)
        order = waybill.delivery.step(actor, order_id_of(order_id), commands.Decline())
        return declined_body(order)

    return bp
