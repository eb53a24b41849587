"""Orders and restaurants as contract `food` shows and takes them.

Ids are numbers wherever they are decimal; money is decimal on the wire and in minor units inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from chalicelib.contracts.base import number, optional_text, point, present, text
from chalicelib.contracts.moments import iso
from chalicelib.contracts.money import money
from chalicelib.domain.details import Item, Job, Place
from chalicelib.domain.ids import MAX_ID
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Restaurant
from chalicelib.errors import InvalidInput

FLOW = "food"
MAX_ITEMS = 50
MAX_NAME = 100
MAX_QUANTITY = 1000
MAX_PRICE = 1_000_000
MAX_LIST_BYTES = 120_000  # AWS quota: 128 KB a message, less the rest of the frame

STATUS_WORDS: dict[Status, str] = {
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
}


def wire_id(id_: str | None) -> int | str | None:
    """A person's or restaurant's id: a number where it is a decimal one that every client can hold
    exactly, else the text."""
    if id_ is not None and id_.isascii() and id_.isdigit() and len(id_) <= 16:
        value = int(id_)
        if value <= MAX_ID and str(value) == id_:
            return value
    return id_


def wire_order(order: Order) -> dict[str, Any]:
    """An order as this contract shows it."""
    return order_data(order.id, order.job, order.status, order.courier_id, order.updated_at)


def order_list(orders: Sequence[Order], newest: bool = False) -> list[dict[str, Any]]:
    """Orders, the newest last, as a list that fits into one message. Where not all do, these are
    the oldest of them, as they have waited longest: what is done makes room for the others. Or the
    `newest`, where those that are left may never be done."""
    found, room = [], MAX_LIST_BYTES
    for order in map(wire_order, reversed(orders) if newest else orders):
        room -= len(msgspec.json.encode(order)) + 1
        if room < 0:
            break
        found.append(order)
    return found[::-1] if newest else found


def order_data(
    id_: int, job: Job, status: Status, courier_id: str | None, updated_at: datetime
) -> dict[str, Any]:
    """An order\'s data, from an order or from an event of one."""
    return {
        "id": id_,
        "status": STATUS_WORDS[status],
        "userId": wire_id(job.customer_id),
        "restaurantId": wire_id(job.merchant_id),
        "driverId": wire_id(courier_id),
        "items": [
            {"name": i.name, "quantity": i.quantity, "price": money(i.price_minor)}
            for i in job.items
        ],
        "totalAmount": money(job.items_minor),
        "deliveryAddress": job.dropoff.address,
        "createdAt": iso(job.created_at),
        "updatedAt": iso(updated_at),
        **present(notes=job.notes),
    }


def read_job(
    data: Mapping[str, Any], restaurant_id: str, pickup: Place, customer_id: str, now: datetime
) -> Job:
    """The body of POST /api/v1/restaurants/{id}/orders as a job. Raises InvalidInput."""
    names = ("latitude", "longitude")
    found = point(data.get("latitude"), data.get("longitude"), names)
    address = text(data.get("deliveryAddress"), "deliveryAddress")
    return Job(
        flow=FLOW,
        customer_id=customer_id,
        pickup=pickup,
        dropoff=Place(address, *found) if found else Place(address),
        created_at=now,
        notes=optional_text(data.get("notes"), "notes"),
        merchant_id=restaurant_id,
        items=_read_items(data.get("items")),
    )


def _read_items(value: Any) -> tuple[Item, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_ITEMS:
        raise InvalidInput(f"items must be a list of 1 to {MAX_ITEMS}.", field="items")
    return tuple(_read_item(item) for item in value)


def _read_item(value: Any) -> Item:
    if not isinstance(value, dict):
        raise InvalidInput("Each of items is an object.", field="items")
    quantity = number(value.get("quantity"), "quantity", 1, MAX_QUANTITY)
    if not quantity.is_integer():
        raise InvalidInput("quantity must be a whole number.", field="quantity")
    return Item(
        text(value.get("name"), "name", MAX_NAME), int(quantity), _minor(value.get("price"))
    )


def _minor(value: Any) -> int:
    price = number(value, "price", 0, MAX_PRICE)
    minor = Decimal(repr(price)) * 100
    if minor != int(minor):
        raise InvalidInput("price has at most two decimals.", field="price")
    return int(minor)


def read_restaurant(data: Mapping[str, Any], restaurant_id: str) -> Restaurant:
    """{name, address, latitude, longitude} as a profile. Raises InvalidInput."""
    names = ("latitude", "longitude")
    found = point(data.get("latitude"), data.get("longitude"), names)
    if found is None:
        raise InvalidInput("latitude and longitude are required.", field="latitude")
    name, address = text(data.get("name"), "name"), text(data.get("address"), "address")
    return Restaurant(restaurant_id, name, address, *found)


def restaurant_body(restaurant: Restaurant) -> dict[str, Any]:
    """A restaurant's profile as REST shows it."""
    return {
        "id": wire_id(restaurant.id),
        "name": restaurant.name,
        "address": restaurant.address,
        "latitude": restaurant.lat,
        "longitude": restaurant.lng,
    }
