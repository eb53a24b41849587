"""REST: orders for drivers (spec 004, which names no path but that drivers poll)."""

from __future__ import annotations

from chalicelib.contracts.drivers.socket import (
    read_hail_order,
    render_declined_order,
    render_hail_order,
    render_pending_orders,
)
from chalicelib.contracts.placing import render_order_options
from chalicelib.contracts.reasons import read_reason
from chalicelib.domain.orders import commands
from chalicelib.domain.people import Role
from chalicelib.edge.rest.calls import Call, read_order_id
from chalicelib.edge.rest.placing import read_extras, reply_placed
from chalicelib.edge.rest.responses import Reply
from chalicelib.edge.rest.routes import Route


def place_driver_order(call: Call) -> Reply:
    """Place an order for the nearest driver, for the customer who asks."""
    details = read_hail_order(call.read_body(), call.actor.id, call.now)
    placed = call.services.customer_orders.place_order(details, read_extras(call))
    return reply_placed(call, placed, render_hail_order(placed.order))


def list_driver_orders(call: Call) -> Reply:
    """Show the driver who polls the orders that are offered to them, if any is."""
    offered = call.services.customer_orders.poll_offers(call.actor.id)
    body = render_pending_orders(offered)
    body["orders"] = [
        {**shown, **render_order_options(order)}
        for shown, order in zip(body["orders"], offered, strict=True)
    ]
    return body


def accept_driver_order(call: Call, order_id: str) -> Reply:
    """Accept the order that is offered to the driver."""
    order = call.services.courier_orders.accept_order(call.actor, read_order_id(order_id))
    return render_hail_order(order)


def decline_driver_order(call: Call, order_id: str) -> Reply:
    """Decline the order that is offered to the driver."""
    id_ = read_order_id(order_id)
    command = commands.Decline(read_reason(call.read_body(), Role.COURIER))
    order = call.services.courier_orders.take_step(call.actor, id_, command)
    return render_declined_order(order)


ROUTES = (
    Route("POST", "/v1/driver-orders", place_driver_order, Role.CUSTOMER),
    Route("GET", "/v1/driver/orders", list_driver_orders, Role.COURIER),
    Route("POST", "/v1/driver/orders/{order_id}/accept", accept_driver_order, Role.COURIER),
    Route("POST", "/v1/driver/orders/{order_id}/decline", decline_driver_order, Role.COURIER),
)
