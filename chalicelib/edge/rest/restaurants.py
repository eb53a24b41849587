"""REST: restaurants and the orders placed with them (beside spec 002, which has none)."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint

from chalicelib.contracts.base import text
from chalicelib.contracts.food.orders import read_job, read_restaurant, restaurant_body, wire_order
from chalicelib.domain.people import Role
from chalicelib.edge.app_services import Provider
from chalicelib.edge.rest.base import actor_of, answering, body_of


def routes(provide: Provider) -> Blueprint:
    """The routes, to be registered with the app."""
    bp = Blueprint(__name__)

    @bp.route("/v1/restaurants/{restaurant_id}/orders", methods=["POST"], name="order_food")
    @answering
    def order_food(restaurant_id: str) -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.CUSTOMER)
        id_ = text(restaurant_id, "restaurantId", 128)
        pickup = waybill.restaurants.pickup_at(id_)
        job = read_job(body_of(bp.current_request), id_, pickup, actor.id, waybill.clock())
        return 201, wire_order(waybill.ordering.place(job))

    @bp.route("/v1/restaurants/{restaurant_id}", methods=["PUT"], name="put_restaurant")
    @answering
    def put_restaurant(restaurant_id: str) -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.MERCHANT, Role.ADMIN)
        id_ = text(restaurant_id, "restaurantId", 128)
        restaurant = read_restaurant(body_of(bp.current_request), id_)
        return restaurant_body(waybill.restaurants.put(actor, restaurant))

    @bp.route("/v1/restaurants/{restaurant_id}", methods=["GET"], name="get_restaurant")
    @answering
    def get_restaurant(restaurant_id: str) -> Any:
        waybill = provide()
        actor = actor_of(waybill, bp.current_request, Role.MERCHANT, Role.ADMIN)
        id_ = text(restaurant_id, "restaurantId", 128)
        return restaurant_body(waybill.restaurants.get(actor, id_))

    return bp
