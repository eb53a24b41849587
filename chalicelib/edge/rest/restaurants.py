"""REST: restaurants and the orders placed with them (beside spec 002, which has none)."""

from __future__ import annotations

from chalicelib.contracts.base import text
from chalicelib.contracts.food.orders import read_job, read_restaurant, restaurant_body, wire_order
from chalicelib.domain.people import Role
from chalicelib.edge.rest.calls import Call
from chalicelib.edge.rest.responses import Reply
from chalicelib.edge.rest.routes import Route


def order_food(call: Call, restaurant_id: str) -> Reply:
    """Order a meal of a restaurant, for the customer who asks."""
    id_ = _read_restaurant_id(restaurant_id)
    pickup = call.services.restaurants.pickup_at(id_)
    job = read_job(call.read_body(), id_, pickup, call.actor.id, call.now)
    return 201, wire_order(call.services.ordering.place(job))


def put_restaurant(call: Call, restaurant_id: str) -> Reply:
    """Save a restaurant's name and place."""
    id_ = _read_restaurant_id(restaurant_id)
    restaurant = read_restaurant(call.read_body(), id_)
    return restaurant_body(call.services.restaurants.put(call.actor, restaurant))


def get_restaurant(call: Call, restaurant_id: str) -> Reply:
    """Show a restaurant to its merchant or an admin."""
    id_ = _read_restaurant_id(restaurant_id)
    return restaurant_body(call.services.restaurants.get(call.actor, id_))


def _read_restaurant_id(captured: str) -> str:
    """Read a restaurant's id off the path. Raises InvalidInput."""
    return text(captured, "restaurantId", 128)


ROUTES = (
    Route("POST", "/v1/restaurants/{restaurant_id}/orders", order_food, Role.CUSTOMER),
    Route("PUT", "/v1/restaurants/{restaurant_id}", put_restaurant, Role.MERCHANT, Role.ADMIN),
    Route("GET", "/v1/restaurants/{restaurant_id}", get_restaurant, Role.MERCHANT, Role.ADMIN),
)
