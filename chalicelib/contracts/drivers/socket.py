"""Contract `drivers`: spec 004, orders for drivers. Messages are {"type", …}.

Only drivers have a socket here; customers place their orders by REST, or on another contract.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.contracts.base import (
    REFRESH,
    Data,
    MessageType,
    SocketMessage,
    Writer,
    encode_frame,
    omit_none,
    read_optional_text,
    read_point,
    read_text,
)
from chalicelib.contracts.courier import socket as courier
from chalicelib.contracts.food.orders import render_id
from chalicelib.contracts.moments import format_naive_iso
from chalicelib.contracts.placing import render_order_options
from chalicelib.contracts.typed import TypedContract, make_ping, make_refresh
from chalicelib.domain import events
from chalicelib.domain.details import OrderDetails, Place
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Role
from chalicelib.errors import WaybillError

# Spec 004 has one word for where an order stands; for what it does not show, REST has spec 000's.
STATUS_WORDS: dict[Status, str] = {**courier.STATUS_WORDS, Status.OFFERED: "pending"}
DEFAULT_ORDER_TYPE = "pickup"  # the only order_type that spec 004 shows

_DECIMAL = re.compile(r"\s*[+-]?\d{1,3}(\.\d{1,20})?\s*", re.ASCII)


class DriversContract(TypedContract):
    """The contract: drivers listen, and may ping."""

    paths = ("/ws/driver/orders/", "/ws/driver/orders/{token}")
    roles = frozenset({Role.COURIER})
    keepalive_frame = encode_frame({"type": "pong"})  # unasked: a word that every client knows

    def render_first_frames(
        self, connection: Connection, offered: Sequence[Order]
    ) -> Sequence[str]:
        """Confirm the connection, then tell what is pending, even if that is nothing."""
        established = {
            "type": "connection_established",
            "message": "Connected to driver orders",
            "driver_id": render_driver_id(connection.person_id),
        }
        return encode_frame(established), encode_frame(render_pending_orders(offered))

    def render_error(self, message: SocketMessage, error: WaybillError) -> Sequence[str]:
        """Make an error frame: spec 004 has none, this is ours, and the socket stays open."""
        return (self.encode_event("error", {"message": error.message}),)


def render_pending_orders(offered: Iterable[Order]) -> dict[str, Any]:
    """Render `initial_orders`: what a driver is asked to take. Polling gives the same body."""
    return {
        "type": "initial_orders",
        "orders": [_render_pending_order(order) for order in offered],
        "message": "Current pending orders",
    }


def render_hail_order(order: Order) -> dict[str, Any]:
    """Render an order as REST shows it, to its driver and to its customer."""
    body = _render_order(order.id, order.details, order.status)
    return {**body, **render_order_options(order)}


def render_declined_order(order: Order) -> dict[str, Any]:
    """Render an order for the driver who said no: who is asked next is not theirs to know."""
    return {**render_hail_order(order), "status": "declined"}


def read_hail_order(data: Mapping[str, Any], customer_id: str, now: datetime) -> OrderDetails:
    """Read the body of POST /api/v1/driver-orders as an order's details. Raises InvalidInput."""
    return OrderDetails(
        flow="hail",
        customer_id=customer_id,
        pickup=_read_hail_place(data, "from"),
        dropoff=_read_hail_place(data, "to"),
        kind=read_optional_text(data.get("order_type"), "order_type", 40) or DEFAULT_ORDER_TYPE,
        created_at=now,
    )


def render_driver_id(person_id: str) -> int | str:
    """Render a person's id as spec 004 shows it: an integer, where JavaScript can hold it."""
    shown = render_id(person_id)
    assert shown is not None, "a person has an id"
    return shown


def _read_hail_place(data: Mapping[str, Any], side: str) -> Place:
    names = f"latitude_{side}", f"longitude_{side}"
    found = read_point(_read_decimal(data.get(names[0])), _read_decimal(data.get(names[1])), names)
    address = read_text(data.get(f"address_{side}"), f"address_{side}")
    return Place(address, *found) if found else Place(address)


def _read_decimal(value: Any) -> Any:
    """Read a number that is written as a text; all else is left for read_point to judge."""
    return float(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value


def _render_order(
    order_id: int, details: OrderDetails, status: Status, distance_m: float | None = None
) -> dict[str, Any]:
    """Render an order in full: what is unknown of it is left out."""
    return omit_none(
        id=order_id,
        order_code=_format_code(order_id),
        status=STATUS_WORDS[status],
        order_type=details.kind or DEFAULT_ORDER_TYPE,
        created_at=format_naive_iso(details.created_at),
        address_from=details.pickup.address,
        address_to=details.dropoff.address,
        latitude_from=_format_degrees(details.pickup.lat),
        longitude_from=_format_degrees(details.pickup.lng),
        latitude_to=_format_degrees(details.dropoff.lat),
        longitude_to=_format_degrees(details.dropoff.lng),
        distance_to_pickup_km=_to_km(distance_m),
    )


def _render_pending_order(order: Order) -> dict[str, Any]:
    return omit_none(
        id=order.id,
        order_code=_format_code(order.id),
        status=STATUS_WORDS[order.status],
        address_from=order.details.pickup.address,
        address_to=order.details.dropoff.address,
        distance_to_pickup_km=_to_km(order.offer.distance_m if order.offer else None),
    )


def _format_code(order_id: int) -> str:
    return f"ORD-{order_id:06d}"


def _format_degrees(value: float | None) -> str | None:
    return None if value is None else f"{round(value, 6) + 0.0:.6f}"  # + 0.0: never "-0.000000"


def _to_km(distance_m: float | None) -> float | None:
    return None if distance_m is None else round(distance_m / 1000, 2)


def _render_new_order(event: Event) -> Data:
    distance_m = event.offer.distance_m if event.offer else None
    return {
        "order": _render_order(event.order_id, event.order_details, Status.OFFERED, distance_m),
        "message": "New ride request available",
    }


def _render_timeout(event: Event) -> Data:
    return {
        "order_id": event.order_id,
        "message": "Order expired or reassigned to another driver",
    }


def _render_reassigned(event: Event) -> Data | None:
    """Render one `order_timeout` an offer: after a lapse it has been said already."""
    return None if event.data.get("lapsed") else _render_timeout(event)


_DRIVERS_ONLY = frozenset({Role.COURIER})
MESSAGES: Mapping[str, MessageType] = {
    "ping": make_ping(_DRIVERS_ONLY),
    REFRESH: make_refresh(_DRIVERS_ONLY),
}

WRITERS: Mapping[str, Sequence[Writer]] = {
    events.OFFER_MADE: (Writer("new_order", _render_new_order),),
    events.OFFER_TIMED_OUT: (Writer("order_timeout", _render_timeout),),
    events.OFFER_REASSIGNED: (Writer("order_timeout", _render_reassigned),),
    # To the driver who had it, who must not wait for an order that is gone; not to its customer,
    # who may drive too.
    events.ORDER_CANCELLED: (Writer("order_timeout", _render_timeout, Role.COURIER),),
}

DRIVERS = DriversContract(MESSAGES, WRITERS)
