"""Contract `drivers`: spec 004, orders for drivers. Messages are {"type", …}.

Only drivers have a socket here; customers place their orders by REST, or on another contract.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.contracts.base import (
    REFRESH,
    REFRESHED,
    Contract,
    Request,
    frame,
    message,
    optional_text,
    point,
    present,
    read_refresh,
    text,
)
from chalicelib.contracts.courier import socket as courier
from chalicelib.contracts.food.orders import wire_id
from chalicelib.contracts.moments import naive_iso
from chalicelib.domain import events
from chalicelib.domain.details import Job, Place
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection, Listener
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Role
from chalicelib.errors import InvalidInput, WaybillError

# Spec 004 has one word for where an order stands; for what it does not show, REST has spec 000's.
STATUS_WORDS: dict[Status, str] = {**courier.STATUS_WORDS, Status.OFFERED: "pending"}
DEFAULT_KIND = "pickup"  # the only order_type that spec 004 shows

_DECIMAL = re.compile(r"\s*[+-]?\d{1,3}(\.\d{1,20})?\s*", re.ASCII)


class Drivers(Contract):
    """The contract: drivers listen, and may ping."""

    roles = frozenset({Role.COURIER})
    sign_of_life = frame({"type": "pong"})  # unasked: a word that every client knows

    def rooms(self, connection: Connection) -> Sequence[str]:
        """None beyond the driver's own."""
        return ()

    def first_frames(self, connection: Connection, offered: Order | None) -> Sequence[str]:
        """The connection is confirmed, then comes what is pending, even if that is nothing."""
        established = {
            "type": "connection_established",
            "message": "Connected to driver orders",
            "driver_id": driver_id(connection.person_id),
        }
        return frame(established), frame(pending_orders(offered))

    def words(self, event: Event, listener: Listener) -> Sequence[str]:
        """One frame an event, or none."""
        writer = WRITERS.get(event.type)
        worded = writer(event) if writer else None
        return (frame(worded),) if worded else ()

    def read(self, text: str, connection: Connection, now: datetime) -> Request:
        """`ping`, which asks for nothing but an answer, or `refresh`. Raises InvalidInput."""
        found = message(text)
        name = found.get("type")
        if not isinstance(name, str) or name not in ANSWERS:
            raise InvalidInput("This type is unknown.")
        return Request(name, read_refresh(found) if name == REFRESH else None)

    def answer(self, request: Request, result: Any, connection: Connection) -> Sequence[str]:
        """`pong`, or that a token was taken."""
        return (frame({"type": ANSWERS[request.name]}),)

    def refusal(self, request: Request, error: WaybillError) -> Sequence[str]:
        """Spec 004 has no errors on the socket; this is ours, and the socket stays open."""
        return (frame({"type": "error", "message": error.message}),)


def pending_orders(offered: Order | None) -> dict[str, Any]:
    """`initial_orders`: what a driver is asked to take. Polling gives the same body."""
    return {
        "type": "initial_orders",
        "orders": [_pending(offered)] if offered else [],
        "message": "Current pending orders",
    }


def order_body(order: Order) -> dict[str, Any]:
    """An order as REST shows it, to its driver and to its customer."""
    return _order(order.id, order.job, order.status)


def declined_body(order: Order) -> dict[str, Any]:
    """An order as it is for the driver who said no: who is asked next is not theirs to know."""
    return {**order_body(order), "status": "declined"}


def read_job(data: Mapping[str, Any], customer_id: str, now: datetime) -> Job:
    """The body of POST /api/v1/driver-orders as a job. Raises InvalidInput."""
    return Job(
        flow="hail",
        customer_id=customer_id,
        pickup=_read_place(data, "from"),
        dropoff=_read_place(data, "to"),
        kind=optional_text(data.get("order_type"), "order_type", 40) or DEFAULT_KIND,
        created_at=now,
    )


def driver_id(person_id: str) -> int | str:
    """A person's id as spec 004 shows it: an integer, where it is one that JavaScript can hold."""
    shown = wire_id(person_id)
    assert shown is not None, "a person has an id"
    return shown


def _read_place(data: Mapping[str, Any], side: str) -> Place:
    names = f"latitude_{side}", f"longitude_{side}"
    found = point(_decimal(data.get(names[0])), _decimal(data.get(names[1])), names)
    address = text(data.get(f"address_{side}"), f"address_{side}")
    return Place(address, *found) if found else Place(address)


def _decimal(value: Any) -> Any:
    """A number that is written as a text; whatever else it is, it stays for `point` to judge."""
    return float(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value


def _order(
    order_id: int, job: Job, status: Status, distance_m: float | None = None
) -> dict[str, Any]:
    """An order in full: what is unknown of it is left out."""
    return present(
        id=order_id,
        order_code=_code(order_id),
        status=STATUS_WORDS[status],
        order_type=job.kind or DEFAULT_KIND,
        created_at=naive_iso(job.created_at),
        address_from=job.pickup.address,
        address_to=job.dropoff.address,
        latitude_from=_degrees(job.pickup.lat),
        longitude_from=_degrees(job.pickup.lng),
        latitude_to=_degrees(job.dropoff.lat),
        longitude_to=_degrees(job.dropoff.lng),
        distance_to_pickup_km=_km(distance_m),
    )


def _pending(order: Order) -> dict[str, Any]:
    return present(
        id=order.id,
        order_code=_code(order.id),
        status=STATUS_WORDS[order.status],
        address_from=order.job.pickup.address,
        address_to=order.job.dropoff.address,
        distance_to_pickup_km=_km(order.offer.distance_m if order.offer else None),
    )


def _code(order_id: int) -> str:
    return f"ORD-{order_id:06d}"


def _degrees(value: float | None) -> str | None:
    return None if value is None else f"{round(value, 6) + 0.0:.6f}"  # + 0.0: never "-0.000000"


def _km(distance_m: float | None) -> float | None:
    return None if distance_m is None else round(distance_m / 1000, 2)


def _new_order(event: Event) -> Mapping[str, Any]:
    assert event.job is not None, "events of orders are relayed with their job"
    distance_m = event.offer.distance_m if event.offer else None
    return {
        "type": "new_order",
        "order": _order(event.order_id, event.job, Status.OFFERED, distance_m),
        "message": "New ride request available",
    }


def _order_timeout(event: Event) -> Mapping[str, Any]:
    return {
        "type": "order_timeout",
        "order_id": event.order_id,
        "message": "Order expired or reassigned to another driver",
    }


def _reassigned(event: Event) -> Mapping[str, Any] | None:
    """One `order_timeout` an offer: after a lapse it has been said already."""
    return None if event.data.get("lapsed") else _order_timeout(event)


def _cancelled(event: Event) -> Mapping[str, Any] | None:
    """To the driver who had it, who must not wait for an order that is gone; not to its customer,
    who may drive too."""
    assert event.job is not None, "events of orders are relayed with their job"
    return None if event.to == event.job.customer_id else _order_timeout(event)


ANSWERS = {"ping": "pong", REFRESH: REFRESHED}

WRITERS = {
    events.OFFER_MADE: _new_order,
    events.OFFER_TIMED_OUT: _order_timeout,
    events.OFFER_REASSIGNED: _reassigned,
    events.ORDER_CANCELLED: _cancelled,
}

DRIVERS = Drivers()
