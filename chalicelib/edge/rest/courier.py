"""REST: a courier's availability, positions and steps (spec 000)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.contracts.base import read_boolean, read_text
from chalicelib.contracts.courier.locations import read_locations
from chalicelib.contracts.courier.socket import read_location, render_delivery_order
from chalicelib.contracts.proof import read_pin
from chalicelib.contracts.reasons import read_chosen_reason, read_failure, read_no_show, read_reason
from chalicelib.contracts.stops import render_stop
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.reasons import ALLOWED_REASONS, FAILURE_REASONS
from chalicelib.domain.people import Fix, Role
from chalicelib.edge.rest.calls import Call, read_order_id
from chalicelib.edge.rest.responses import Reply
from chalicelib.edge.rest.routes import Route, View
from chalicelib.errors import CourierIdMismatch


def set_availability(call: Call) -> Reply:
    """Put the courier on duty or off, at a position if the body has one."""
    body = call.read_body()
    available = read_boolean(body.get("available"), "available")
    fix = _read_optional_fix(body, call.now)
    call.services.courier_status.set_available(call.actor, available, fix)
    return {"available": available}


def _read_optional_fix(body: Mapping[str, Any], now: datetime) -> Fix | None:
    """Read the position of a body that may have none; what would come with one must be right all
    the same. Raises InvalidInput."""
    if body.get("lat") is None and body.get("lng") is None:
        read_location({**body, "lat": 0, "lng": 0}, now)
        return None
    return read_location(body, now)


def record_location(call: Call) -> Reply:
    """Record the courier's position; `stored` is false if a newer one is known."""
    fix = read_location(call.read_body(), call.now)
    courier = call.services.courier_status.record_fix(call.actor, fix)
    return {"stored": courier is not None}


def record_locations(call: Call) -> Reply:
    """Record where the courier was and is, with a verdict of each point."""
    fixes = read_locations(call.read_body(), call.now)
    verdicts = call.services.courier_status.record_fixes(call.actor, fixes)
    return {"points": [{"verdict": verdict.value} for verdict in verdicts]}


def accept_order(call: Call) -> Reply:
    """Accept the order that is offered to the courier."""
    order = call.services.courier_orders.accept_order(call.actor, _read_own_order_id(call))
    return render_delivery_order(order)


def make_step_view(command: Command) -> View:
    """Make the view that takes one step of the courier's order, with the PIN that the body has."""

    def take_step(call: Call) -> Reply:
        order_id = _read_own_order_id(call)
        step = commands.add_pin(command, read_pin(call.read_body()))
        order = call.services.courier_orders.take_step(call.actor, order_id, step)
        return render_delivery_order(order)

    return take_step


def decline_order(call: Call) -> Reply:
    """Decline the order that is offered to the courier."""
    order_id = _read_own_order_id(call)
    command = commands.Decline(read_reason(call.read_body(), Role.COURIER))
    order = call.services.courier_orders.take_step(call.actor, order_id, command)
    return render_delivery_order(order)


def release_order(call: Call) -> Reply:
    """Give an accepted order back before its pickup."""
    order_id = _read_own_order_id(call)
    reason = read_chosen_reason(call.read_body(), ALLOWED_REASONS[Role.COURIER])
    return render_delivery_order(call.services.rides.release_order(call.actor, order_id, reason))


def fail_order(call: Call) -> Reply:
    """Say that an order can't be handed over, and what becomes of it."""
    order_id = _read_own_order_id(call)
    body = call.read_body()
    command = read_failure(body, read_chosen_reason(body, FAILURE_REASONS))
    order = call.services.courier_orders.take_step(call.actor, order_id, command)
    return render_delivery_order(order)


def report_no_show(call: Call) -> Reply:
    """Say that nobody is at the stop where the courier waits."""
    order_id = _read_own_order_id(call)
    failure = read_no_show(call.read_body())
    order = call.services.courier_orders.report_no_show(call.actor, order_id, failure)
    return render_delivery_order(order)


def get_active_order(call: Call) -> Reply:
    """Show the order that the courier has at hand."""
    order = call.services.customer_orders.poll_active_order(call.actor.id)
    if order is None:
        return {"active": False}
    return {"active": True, "order": render_delivery_order(order)}


def list_orders(call: Call) -> Reply:
    """List the orders that the courier has at hand, and the stops of those that they accepted, in
    the order in which they are to go there."""
    plan = call.services.held_orders.poll_plan(call.actor.id)
    return {
        "orders": [render_delivery_order(order) for order in plan.orders],
        "stops": [render_stop(one.stop, one.eta) for one in plan.stops],
    }


def _read_own_order_id(call: Call) -> int:
    """Read the order's id in the body. A `courier_id` there is optional.

    Raises CourierIdMismatch if it is not the token's own.
    """
    body = call.read_body()
    courier_id = body.get("courier_id")
    if isinstance(courier_id, str):
        courier_id = read_text(courier_id, "courier_id")
    if courier_id is not None and str(courier_id) != call.actor.id:
        raise CourierIdMismatch("courier_id is not the courier of this token.")
    return read_order_id(body.get("order_id"))


ROUTES = (
    Route("POST", "/v1/courier/availability", set_availability, Role.COURIER),
    Route("POST", "/v1/courier/location", record_location, Role.COURIER),
    Route("POST", "/v1/courier/locations", record_locations, Role.COURIER),  # ours
    Route("POST", "/v1/courier/orders/accept", accept_order, Role.COURIER),
    Route("POST", "/v1/courier/orders/decline", decline_order, Role.COURIER),
    Route("POST", "/v1/courier/orders/arrived", make_step_view(commands.Arrive()), Role.COURIER),
    Route("POST", "/v1/courier/orders/picked", make_step_view(commands.PickUp()), Role.COURIER),
    Route(
        "POST", "/v1/courier/orders/reached", make_step_view(commands.ReachDropoff()), Role.COURIER
    ),
    Route("POST", "/v1/courier/orders/delivered", make_step_view(commands.Deliver()), Role.COURIER),
    # No spec has these: ours, for couriers of all flows.
    Route("POST", "/v1/courier/orders/release", release_order, Role.COURIER),
    Route("POST", "/v1/courier/orders/no-show", report_no_show, Role.COURIER),
    Route("POST", "/v1/courier/orders/failed", fail_order, Role.COURIER),
    Route(
        "POST", "/v1/courier/orders/returned", make_step_view(commands.FinishReturn()), Role.COURIER
    ),
    Route("GET", "/v1/courier/orders", list_orders, Role.COURIER),
    # Spec 000 has both spellings.
    Route("GET", "/v1/courier/active-order", get_active_order, Role.COURIER),
    Route("GET", "/v1/courier/activeOrder", get_active_order, Role.COURIER),
)
