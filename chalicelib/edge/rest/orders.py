"""REST: orders, from the customer's and the admin's side."""

from __future__ import annotations

from chalicelib.contracts.amendments import read_amendment
from chalicelib.contracts.courier.socket import read_delivery_order, render_courier
from chalicelib.contracts.history import render_history
from chalicelib.contracts.placing import read_windows
from chalicelib.contracts.reasons import read_reason
from chalicelib.contracts.registry import render_order
from chalicelib.domain.people import Role
from chalicelib.edge.rest.calls import Call, read_order_id
from chalicelib.edge.rest.placing import read_extras, reply_placed, show_pins
from chalicelib.edge.rest.responses import Reply
from chalicelib.edge.rest.routes import Route
from chalicelib.edge.rest.versions import IF_MATCH, read_if_match, reply_with_version


def place_order(call: Call) -> Reply:
    """Place a delivery for the customer who asks."""
    details = read_delivery_order(call.read_body(), call.actor.id, call.now)
    placed = call.services.customer_orders.place_order(details, read_extras(call))
    return reply_placed(call, placed, render_order(placed.order))


def get_order(call: Call, order_id: str) -> Reply:
    """Show an order to somebody who may see it."""
    order = call.services.customer_orders.get_order(call.actor, read_order_id(order_id))
    return reply_with_version(order, show_pins(call, order, render_order(order)))


def amend_order(call: Call, order_id: str) -> Reply:
    """Change a scheduled order, for its customer or an admin."""
    patch, id_ = call.read_body(), read_order_id(order_id)
    matches = read_if_match(call.read_header(IF_MATCH))
    order = call.services.amendments.amend_order(
        call.actor, id_, matches, lambda stored: read_amendment(patch, stored)
    )
    return reply_with_version(order, show_pins(call, order, render_order(order)))


def cancel_order(call: Call, order_id: str) -> Reply:
    """Cancel an order, for its customer or an admin."""
    reason = read_reason(call.read_body(), call.actor.role)
    id_ = read_order_id(order_id)
    return render_order(call.services.customer_orders.cancel_order(call.actor, id_, reason))


def retry_order(call: Call, order_id: str) -> Reply:
    """Search a courier again for an order that found none."""
    order = call.services.customer_orders.retry_search(call.actor, read_order_id(order_id))
    return show_pins(call, order, render_order(order))


def get_order_history(call: Call, order_id: str) -> Reply:
    """Show what has happened to an order, to somebody who has, or had, a part in it."""
    shown = call.services.order_history.get_history(call.actor, read_order_id(order_id))
    return render_history(shown.entries, shown.left_out)


def reattempt_order(call: Call, order_id: str) -> Reply:
    """Try again, by an order of its own, what could not be handed over: now, or in its windows."""
    id_, windows = read_order_id(order_id), read_windows(call.read_body())
    placed = call.services.reattempts.reattempt_order(call.actor, id_, call.read_key(), windows)
    return reply_placed(call, placed, render_order(placed.order))


def get_active_order(call: Call) -> Reply:
    """Show the customer's newest unfinished order, and its courier once there is one."""
    order = call.services.customer_orders.find_active_for_customer(call.actor.id)
    if order is None:
        return {"active": False}
    body = {"active": True, "order": show_pins(call, order, render_order(order))}
    if order.occupied_courier_id:
        courier = call.services.profiles.get_profile(order.occupied_courier_id)
        body["assigned_driver"] = render_courier(courier)
    return body


ROUTES = (
    Route("POST", "/v1/orders", place_order, Role.CUSTOMER),
    Route("GET", "/v1/orders/{order_id}", get_order),
    Route("PATCH", "/v1/orders/{order_id}", amend_order, Role.CUSTOMER, Role.ADMIN),
    Route("GET", "/v1/orders/{order_id}/history", get_order_history),
    Route("POST", "/v1/orders/{order_id}/cancel", cancel_order),
    Route("POST", "/v1/orders/{order_id}/retry", retry_order),
    Route(
        "POST",
        "/v1/orders/{order_id}/reattempt",
        reattempt_order,
        Role.CUSTOMER,
        Role.MERCHANT,
        Role.ADMIN,
    ),
    # Spec 000 has both spellings.
    Route("GET", "/v1/customer/active-order", get_active_order, Role.CUSTOMER),
    Route("GET", "/v1/customer/activeOrder", get_active_order, Role.CUSTOMER),
)
