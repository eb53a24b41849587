"""REST: orders, from the customer's and the admin's side."""

from __future__ import annotations

from chalicelib.contracts.base import optional_text, text
from chalicelib.contracts.courier.socket import assigned_driver, read_job
from chalicelib.contracts.registry import order_body
from chalicelib.domain.people import Role
from chalicelib.edge.rest.calls import Call, read_order_id
from chalicelib.edge.rest.responses import Reply
from chalicelib.edge.rest.routes import Route


def place_order(call: Call) -> Reply:
    """Place a delivery for the customer who asks."""
    job = read_job(call.read_body(), call.actor.id, call.now)
    return 201, order_body(call.services.ordering.place(job))


def get_order(call: Call, order_id: str) -> Reply:
    """Show an order to somebody who may see it."""
    return order_body(call.services.ordering.get(call.actor, read_order_id(order_id)))


def cancel_order(call: Call, order_id: str) -> Reply:
    """Cancel an order, for its customer or an admin."""
    reason = optional_text(call.read_body().get("reason"), "reason")
    return order_body(call.services.ordering.cancel(call.actor, read_order_id(order_id), reason))


def retry_order(call: Call, order_id: str) -> Reply:
    """Search a courier again for an order that found none."""
    return order_body(call.services.ordering.retry(call.actor, read_order_id(order_id)))


def assign_order(call: Call, order_id: str) -> Reply:
    """Offer an order to the courier whom an admin names."""
    courier_id = text(call.read_body().get("courier_id"), "courier_id", 128)
    id_ = read_order_id(order_id)
    return order_body(call.services.ordering.assign(call.actor, id_, courier_id))


def get_active_order(call: Call) -> Reply:
    """Show the customer's newest unfinished order, and its courier once there is one."""
    order = call.services.ordering.active_for_customer(call.actor.id)
    if order is None:
        return {"active": False}
    body = {"active": True, "order": order_body(order)}
    if order.holder:
        body["assigned_driver"] = assigned_driver(call.services.profiles.named(order.holder))
    return body


ROUTES = (
    Route("POST", "/v1/orders", place_order, Role.CUSTOMER),
    Route("GET", "/v1/orders/{order_id}", get_order),
    Route("POST", "/v1/orders/{order_id}/cancel", cancel_order),
    Route("POST", "/v1/orders/{order_id}/retry", retry_order),
    Route("POST", "/v1/admin/orders/{order_id}/assign", assign_order, Role.ADMIN),
    # Spec 000 has both spellings.
    Route("GET", "/v1/customer/active-order", get_active_order, Role.CUSTOMER),
    Route("GET", "/v1/customer/activeOrder", get_active_order, Role.CUSTOMER),
)
