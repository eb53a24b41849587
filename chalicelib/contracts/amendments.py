"""Changes of scheduled orders, as PATCH /api/v1/orders/{id} takes them: by the names by which each
contract takes new orders, merged as RFC 7396 has it, and then read as a new order is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from chalicelib.contracts.base import omit_none
from chalicelib.contracts.courier.socket import read_delivery_order, render_places
from chalicelib.contracts.drivers.socket import read_hail_order
from chalicelib.contracts.food.orders import read_food_order
from chalicelib.contracts.money import to_major_units
from chalicelib.contracts.placing import (
    WINDOW_NAMES,
    read_metadata,
    read_quote_id,
    read_windows,
    render_windows,
)
from chalicelib.contracts.rides.bodies import render_location
from chalicelib.contracts.rides.readers import read_ride_request
from chalicelib.domain.details import OrderDetails
from chalicelib.domain.orders.amendment import Amendment
from chalicelib.domain.orders.model import Order
from chalicelib.errors import InvalidInput

_OPTIONS = ("metadata", "quote_id", *WINDOW_NAMES)


class _Form(msgspec.Struct, frozen=True):
    """How one contract takes a new order: `describe` makes the request that would place an order as
    it is, `read` reads such a request; `names` are what may be changed of it."""

    names: tuple[str, ...]
    describe: Callable[[OrderDetails], dict[str, Any]]
    read: Callable[[Mapping[str, Any], OrderDetails], OrderDetails]


def read_amendment(patch: Mapping[str, Any], order: Order) -> Amendment:
    """Read a patch of an order: what is absent stays, null removes. Raises InvalidInput for what
    can't be changed, and for what a new order could not be."""
    form, details, options = FORMS[order.details.flow], order.details, order.options
    for name in patch:
        if name not in form.names and name not in _OPTIONS:
            raise InvalidInput(f"{name[:100]} can't be changed.", field=name[:100])
    merged = merge_patch(
        {
            **form.describe(details),
            **omit_none(metadata=options.metadata or None),
            **render_windows(options.windows),
        },
        patch,
    )
    changed = options
    if not patch.keys().isdisjoint(WINDOW_NAMES):
        changed = replace(changed, windows=read_windows(merged))
    if "metadata" in patch:
        changed = replace(changed, metadata=read_metadata(merged.get("metadata")))
    if not patch.keys().isdisjoint(form.names):
        details = form.read(merged, details)
    return Amendment(details, changed, "quote_id" in patch, read_quote_id(patch))


def merge_patch(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Merge a patch into an object, objects within objects too: RFC 7396."""
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            inner = merged.get(name)
            merged[name] = merge_patch(inner if isinstance(inner, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def _describe_delivery(details: OrderDetails) -> dict[str, Any]:
    return {
        **render_places(details),
        **omit_none(receiver_phone=details.receiver_phone, notes=details.notes),
    }


def _read_delivery(body: Mapping[str, Any], details: OrderDetails) -> OrderDetails:
    read = read_delivery_order(body, details.customer_id, details.created_at)
    return replace(
        details,
        pickup=read.pickup,
        dropoff=read.dropoff,
        receiver_phone=read.receiver_phone,
        notes=read.notes,
    )


def _describe_hail(details: OrderDetails) -> dict[str, Any]:
    return omit_none(
        address_from=details.pickup.address,
        latitude_from=details.pickup.lat,
        longitude_from=details.pickup.lng,
        address_to=details.dropoff.address,
        latitude_to=details.dropoff.lat,
        longitude_to=details.dropoff.lng,
    )


def _read_hail(body: Mapping[str, Any], details: OrderDetails) -> OrderDetails:
    read = read_hail_order(body, details.customer_id, details.created_at)
    return replace(details, pickup=read.pickup, dropoff=read.dropoff)


def _describe_ride(details: OrderDetails) -> dict[str, Any]:
    return omit_none(
        pickup=render_location(details.pickup),
        destination=render_location(details.dropoff),
        notes=details.notes,
    )


def _read_ride(body: Mapping[str, Any], details: OrderDetails) -> OrderDetails:
    read = read_ride_request(body)
    return replace(details, pickup=read.pickup, dropoff=read.dropoff, notes=read.notes)


def _describe_meal(details: OrderDetails) -> dict[str, Any]:
    return omit_none(
        deliveryAddress=details.dropoff.address,
        latitude=details.dropoff.lat,
        longitude=details.dropoff.lng,
        notes=details.notes,
        items=[
            {
                "name": item.name,
                "quantity": item.quantity,
                "price": to_major_units(item.price_minor),
            }
            for item in details.items
        ],
    )


def _read_meal(body: Mapping[str, Any], details: OrderDetails) -> OrderDetails:
    restaurant_id = details.merchant_id or ""
    pickup, customer_id = details.pickup, details.customer_id
    read = read_food_order(body, restaurant_id, pickup, customer_id, details.created_at)
    return replace(details, dropoff=read.dropoff, notes=read.notes)


_ENDS = ("pickup", "dropoff")
FORMS: Mapping[str, _Form] = {
    "delivery": _Form(
        (
            *(f"{end}_{part}" for end in _ENDS for part in ("address", "lat", "lng")),
            "receiver_phone",
            "notes",
        ),
        _describe_delivery,
        _read_delivery,
    ),
    "hail": _Form(
        tuple(
            f"{part}_{end}"
            for end in ("from", "to")
            for part in ("address", "latitude", "longitude")
        ),
        _describe_hail,
        _read_hail,
    ),
    "ride": _Form(("pickup", "destination", "notes"), _describe_ride, _read_ride),
    "food": _Form(
        ("deliveryAddress", "latitude", "longitude", "notes"), _describe_meal, _read_meal
    ),
}
