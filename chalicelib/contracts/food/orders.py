"""Orders and restaurants as contract `food` shows and takes them.

Ids are numbers wherever they are decimal; money is decimal on the wire and in minor units inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from chalicelib.contracts.base import (
    omit_none,
    read_number,
    read_optional_text,
    read_point,
    read_text,
)
from chalicelib.contracts.moments import format_iso
from chalicelib.contracts.money import to_major_units
from chalicelib.domain.details import OrderDetails, OrderItem, Place
from chalicelib.domain.ids import MAX_ID
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Restaurant
from chalicelib.errors import InvalidInput

FLOW = "food"
MAX_ITEMS = 50
MAX_ITEM_NAME = 100
MAX_QUANTITY = 1000
MAX_PRICE = 1_000_000
MAX_LIST_BYTES = 120_000  # AWS quota: 128 KB a message, less the rest of the frame

STATUS_WORDS: dict[Status, str] = {
    Status.SCHEDULED: "scheduled",  # only of orders that asked for it
    Status.PENDING: "pending",
    Status.CONFIRMED: "confirmed",
    Status.PREPARING: "preparing",
    Status.READY: "ready_for_pickup",
    Status.SEARCHING: "ready_for_pickup",  # from here on, how orders of other flows read here
    Status.OFFERED: "ready_for_pickup",
    Status.ACCEPTED: "out_for_delivery",
    Status.AT_PICKUP: "out_for_delivery",
    Status.IN_TRANSIT: "out_for_delivery",
    Status.DONE: "delivered",
    Status.CANCELLED: "cancelled",
    Status.UNSERVED: "cancelled",
    Status.RETURNING: "out_for_delivery",
    Status.RETURNED: "cancelled",
    Status.LEFT: "cancelled",
    Status.DISCARDED: "cancelled",
    Status.NO_SHOW: "cancelled",
}


def render_id(id_: str | None) -> int | str | None:
    """Render a person's or restaurant's id: a number where every client can hold it exactly as
    one, else the text."""
    if id_ is not None and id_.isascii() and id_.isdigit() and len(id_) <= 16:
        value = int(id_)
        if value <= MAX_ID and str(value) == id_:
            return value
    return id_


def render_food_order(order: Order) -> dict[str, Any]:
    """Render an order as this contract shows it."""
    return render_order_fields(
        order.id, order.details, order.status, order.courier_id, order.updated_at
    )


def render_order_list(orders: Sequence[Order], newest: bool = False) -> list[dict[str, Any]]:
    """Orders, the newest last, as a list that fits into one message. Where not all do, these are
    the oldest of them, as they have waited longest: what is done makes room for the others. Or the
    `newest`, where those that are left may never be done."""
    found, room = [], MAX_LIST_BYTES
    for order in map(render_food_order, reversed(orders) if newest else orders):
        room -= len(msgspec.json.encode(order)) + 1
        if room < 0:
            break
        found.append(order)
    return found[::-1] if newest else found


def render_order_fields(
    id_: int, details: OrderDetails, status: Status, courier_id: str | None, updated_at: datetime
) -> dict[str, Any]:
    """Render an order's data, from an order or from an event of one."""
    return {
        "id": id_,
        "status": STATUS_WORDS[status],
        "userId": render_id(details.customer_id),
        "restaurantId": render_id(details.merchant_id),
        "driverId": render_id(courier_id),
        "items": [
            {"name": i.name, "quantity": i.quantity, "price": to_major_units(i.price_minor)}
            for i in details.items
        ],
        "totalAmount": to_major_units(details.items_minor),
        "deliveryAddress": details.dropoff.address,
        "createdAt": format_iso(details.created_at),
        "updatedAt": format_iso(updated_at),
        **omit_none(notes=details.notes),
    }


def read_food_order(
    data: Mapping[str, Any], restaurant_id: str, pickup: Place, customer_id: str, now: datetime
) -> OrderDetails:
    """Read the body of POST /api/v1/restaurants/{id}/orders. Raises InvalidInput."""
    names = ("latitude", "longitude")
    found = read_point(data.get("latitude"), data.get("longitude"), names)
    address = read_text(data.get("deliveryAddress"), "deliveryAddress")
    return OrderDetails(
        flow=FLOW,
        customer_id=customer_id,
        pickup=pickup,
        dropoff=Place(address, *found) if found else Place(address),
        created_at=now,
        notes=read_optional_text(data.get("notes"), "notes"),
        merchant_id=restaurant_id,
        items=read_items(data.get("items")),
    )


def read_items(value: Any) -> tuple[OrderItem, ...]:
    """Read a list of {name, quantity, price}, 1 to MAX_ITEMS of them. Raises InvalidInput."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_ITEMS:
        raise InvalidInput(f"items must be a list of 1 to {MAX_ITEMS}.", field="items")
    return tuple(_read_item(item) for item in value)


def _read_item(value: Any) -> OrderItem:
    if not isinstance(value, dict):
        raise InvalidInput("Each of items is an object.", field="items")
    quantity = read_number(value.get("quantity"), "quantity", 1, MAX_QUANTITY)
    if not quantity.is_integer():
        raise InvalidInput("quantity must be a whole number.", field="quantity")
    return OrderItem(
        read_text(value.get("name"), "name", MAX_ITEM_NAME),
        int(quantity),
        _read_price(value.get("price")),
    )


def _read_price(value: Any) -> int:
    price = read_number(value, "price", 0, MAX_PRICE)
    minor = Decimal(repr(price)) * 100
    if minor != int(minor):
        raise InvalidInput("price has at most two decimals.", field="price")
    return int(minor)


def read_restaurant(data: Mapping[str, Any], restaurant_id: str) -> Restaurant:
    """Read {name, address, latitude, longitude} as a profile. Raises InvalidInput."""
    names = ("latitude", "longitude")
    found = read_point(data.get("latitude"), data.get("longitude"), names)
    if found is None:
        raise InvalidInput("latitude and longitude are required.", field="latitude")
    name, address = read_text(data.get("name"), "name"), read_text(data.get("address"), "address")
    return Restaurant(restaurant_id, name, address, *found)


def render_restaurant(restaurant: Restaurant) -> dict[str, Any]:
    """Render a restaurant's profile as REST shows it."""
    return {
        "id": render_id(restaurant.id),
        "name": restaurant.name,
        "address": restaurant.address,
        "latitude": restaurant.lat,
        "longitude": restaurant.lng,
    }
