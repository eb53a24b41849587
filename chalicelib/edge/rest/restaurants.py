"""REST: restaurants and the orders placed with them (beside spec 002, which has none)."""

from __future__ import annotations

from chalicelib.contracts.base import read_text
from chalicelib.contracts.food.orders import (
    read_food_order,
    read_restaurant,
    render_restaurant,
)
from chalicelib.contracts.registry import render_order
from chalicelib.domain.people import Role
from chalicelib.edge.rest.calls import Call
from chalicelib.edge.rest.placing import read_extras, reply_placed
from chalicelib.edge.rest.responses import Reply
from chalicelib.edge.rest.routes import Route


def order_food(call: Call, restaurant_id: str) -> Reply:
    """Order a meal of a restaurant, for the customer who asks."""
    id_ = _read_restaurant_id(restaurant_id)
    pickup = call.services.restaurants.get_pickup_place(id_)
    details = read_food_order(call.read_body(), id_, pickup, call.actor.id, call.now)
    placed = call.services.customer_orders.place_order(details, read_extras(call, id_))
    return reply_placed(call, placed, render_order(placed.order))


def put_restaurant(call: Call, restaurant_id: str) -> Reply:
    """Save a restaurant's name and place."""
    id_ = _read_restaurant_id(restaurant_id)
    restaurant = read_restaurant(call.read_body(), id_)
    return render_restaurant(call.services.restaurants.save_profile(call.actor, restaurant))


def get_restaurant(call: Call, restaurant_id: str) -> Reply:
    """Show a restaurant to its merchant or an admin."""
    id_ = _read_restaurant_id(restaurant_id)
    return render_restaurant(call.services.restaurants.get_profile(call.actor, id_))


def _read_restaurant_id(captured: str) -> str:
    """Read a restaurant's id off the path. Raises InvalidInput."""
    return read_text(captured, "restaurantId", 128)


ROUTES = (
    Route("POST", "/v1/restaurants/{restaurant_id}/orders", order_food, Role.CUSTOMER),
    Route("PUT", "/v1/restaurants/{restaurant_id}", put_restaurant, Role.MERCHANT, Role.ADMIN),
    Route("GET", "/v1/restaurants/{restaurant_id}", get_restaurant, Role.MERCHANT, Role.ADMIN),
)
