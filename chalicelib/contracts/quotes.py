"""Quotes as REST takes and shows them. The names are ours: no spec has quotes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.contracts.base import omit_none, read_number, read_optional_text, read_text
from chalicelib.contracts.food.orders import read_items
from chalicelib.contracts.moments import format_iso, read_rfc3339
from chalicelib.contracts.money import render_price
from chalicelib.domain.details import Place
from chalicelib.domain.money.quotes import IssuedQuote, QuoteRequest
from chalicelib.domain.orders.windows import Windows, check_windows
from chalicelib.errors import InvalidInput

FOOD, RIDE = "food", "ride"
FLOWS = ("delivery", "hail", RIDE, FOOD)


def read_quote_request(data: Mapping[str, Any], now: datetime) -> QuoteRequest:
    """Read the body of POST /api/v1/quotes. Raises InvalidInput."""
    flow = data.get("flow")
    if flow not in FLOWS:
        raise InvalidInput(f"flow must be one of {', '.join(FLOWS)}.", field="flow")
    if flow != FOOD and data.get("restaurant_id") is not None:
        raise InvalidInput("restaurant_id is for flow food only.", field="restaurant_id")
    if flow == FOOD and data.get("pickup") is not None:
        raise InvalidInput("Flow food has restaurant_id in place of pickup.", field="pickup")
    # What an order of the flow can't say makes no difference to its price.
    items = data.get("items") if flow == FOOD else None
    vehicle_type = data.get("vehicle_type") if flow == RIDE else None
    return QuoteRequest(
        flow=flow,
        dropoff=_read_place(data.get("dropoff"), "dropoff"),
        pickup=None if flow == FOOD else _read_place(data.get("pickup"), "pickup"),
        restaurant_id=_read_restaurant_id(data.get("restaurant_id")) if flow == FOOD else None,
        vehicle_type=read_optional_text(vehicle_type, "vehicle_type", 40),
        items=() if items is None else read_items(items),
        pickup_from=_read_pickup_from(data.get("pickup_from"), now),
    )


def render_quote(issued: IssuedQuote) -> dict[str, Any]:
    """Render a quote. The minutes are left out where nobody can be asked."""
    return omit_none(
        quote_id=issued.id,
        flow=issued.quote.request.flow,
        **render_price(issued.quote.lines),
        distance_km=round(issued.distance_m / 1000, 2),
        pickup_eta_min=issued.pickup_eta_min,
        dropoff_eta_min=issued.dropoff_eta_min,
        expires_at=format_iso(issued.quote.expires_at),
        serviceable=issued.reason is None,
        reason=issued.reason,
    )


def _read_restaurant_id(value: Any) -> str:
    """Read a restaurant's id, also as the number that this contract shows. Raises InvalidInput."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return read_text(str(value) if is_number else value, "restaurant_id", 128)


def _read_place(value: Any, name: str) -> Place:
    """Read {address?, lat, lng}. Raises InvalidInput."""
    if not isinstance(value, dict):
        raise InvalidInput(f"{name} must have lat and lng.", field=name)
    lat = read_number(value.get("lat"), f"{name}.lat", -90, 90)
    lng = read_number(value.get("lng"), f"{name}.lng", -180, 180)
    return Place(read_optional_text(value.get("address"), f"{name}.address") or "", lat, lng)


def _read_pickup_from(value: Any, now: datetime) -> datetime | None:
    """Read from when it can be picked up; None for now. Raises InvalidInput."""
    if value is None:
        return None
    at = read_rfc3339(value, "pickup_from")
    check_windows(Windows(pickup_from=at), now)
    return at
