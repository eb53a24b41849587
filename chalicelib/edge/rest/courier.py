"""REST: what couriers do (spec 000)."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, Request

from chalicelib.contracts.base import boolean, text
from chalicelib.contracts.courier.socket import order_body, read_fix
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.people import Actor, Role
from chalicelib.edge.app_services import Provider
from chalicelib.edge.rest.base import actor_of, answering, body_of, order_id_of
from chalicelib.errors import CourierIdMismatch


def routes(provide: Provider) -> Blueprint:
    """The routes, to be registered with the app."""
    bp = Blueprint(__name__)

    def step(command: Command) -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.COURIER)
        order_id = _order_asked(bp.current_request, actor)
        return order_body(waybill.delivery.step(actor, order_id, command))

    @bp.route("/v1/courier/availability", methods=["POST"], name="set_availability")
    @answering
    def set_availability() -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.COURIER)
        body = body_of(bp.current_request)
        available = boolean(body.get("available"), "available")
        placed = body.get("lat") is not None or body.get("lng") is not None
        fix = read_fix(body, waybill.clock()) if placed else None
        waybill.fleet.set_available(actor, available, fix)
        return {"available": available}

    @bp.route("/v1/courier/location", methods=["POST"], name="record_location")
    @answering
    def record_location() -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.COURIER)
        fix = read_fix(body_of(bp.current_request), waybill.clock())
        return {"stored": waybill.fleet.record_fix(actor, fix) is not None}

    @bp.route("/v1/courier/orders/accept", methods=["POST"], name="accept_order")
    @answering
    def accept_order() -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.COURIER)
        order_id = _order_asked(bp.current_request, actor)
        return order_body(waybill.delivery.accept(actor, order_id))

    @bp.route("/v1/courier/orders/decline", methods=["POST"], name="decline_order")
    @answering
    def decline_order() -> Any:
        return step(commands.Decline())

    @bp.route("/v1/courier/orders/arrived", methods=["POST"], name="arrive")
    @answering
    def arrive() -> Any:
        return step(commands.Arrive())

    @bp.route("/v1/courier/orders/picked", methods=["POST"], name="pick_up")
    @answering
    def pick_up() -> Any:
        return step(commands.PickUp())

    @bp.route("/v1/courier/orders/reached", methods=["POST"], name="reach_dropoff")
    @answering
    def reach_dropoff() -> Any:
        return step(commands.Reach())

    @bp.route("/v1/courier/orders/delivered", methods=["POST"], name="deliver")
    @answering
    def deliver() -> Any:
        return step(commands.Deliver())

    @answering
    def active_order() -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.COURIER)
        order = waybill.ordering.active_for_courier(actor.id)
        return {"active": True, "order": order_body(order)} if order else {"active": False}

    # Spec 000 has both spellings.
    bp.route("/v1/courier/active-order", methods=["GET"], name="courier_active")(active_order)
    bp.route("/v1/courier/activeOrder", methods=["GET"], name="courier_active_2")(active_order)
    return bp


def _order_asked(request: Request, actor: Actor) -> int:
    """The order in the body. A `courier_id` there is optional and must be the token's own."""
    body = body_of(request)
    named = body.get("courier_id")
    if isinstance(named, str):
        named = text(named, "courier_id")
    if named is not None and str(named) != actor.id:
        raise CourierIdMismatch("courier_id is not the courier of this token.")
    return order_id_of(body.get("order_id"))
