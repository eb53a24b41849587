"""Contract `courier`: spec 000, courier dispatch. Frames are {"event", "data"}.

Two kinds of client speak it, couriers and customers, on a path each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.contracts import fixes
from chalicelib.contracts.base import (
    REFRESH,
    REFRESHED,
    Contract,
    Reader,
    SocketMessage,
    Writer,
    decode_message,
    encode_frame,
    omit_none,
    read_optional_text,
    read_point,
    read_refresh,
    read_text,
)
from chalicelib.contracts.contacts import read_phone
from chalicelib.contracts.moments import format_iso
from chalicelib.domain import events
from chalicelib.domain.details import OrderDetails, Place
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection, Subscriber
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.requests import ReportFix
from chalicelib.domain.people import Fix, Person, Role
from chalicelib.errors import InvalidInput, InvalidTransition, RateLimited, WaybillError

# Spec 000's words for where an order stands. It has none for a search or a cancelled order.
STATUS_WORDS: dict[Status, str] = {
    Status.PENDING: "pending",
    Status.CONFIRMED: "confirmed",
    Status.PREPARING: "preparing",
    Status.READY: "ready",
    Status.SEARCHING: "searching",
    Status.OFFERED: "assigned",
    Status.ACCEPTED: "accepted",
    Status.AT_PICKUP: "arrived",
    Status.IN_TRANSIT: "picked_up",
    Status.DONE: "delivered",
    Status.CANCELLED: "cancelled",
    Status.UNSERVED: "no_nearby_driver",
}
# And for the steps that lead there.
STEP_WORDS: dict[str, str] = {
    "offer": "assigned",
    "assign": "assigned",
    "accept": "accepted",
    "decline": "declined",
    "arrive": "arrived",
    "pick_up": "picked_up",
    "reach": "reached",
    "deliver": "delivered",
    "cancel": "cancelled",
    "give_up": "no_nearby_driver",
}


class CourierContract(Contract):
    """The contract as one kind of client speaks it."""

    # Spec 000 has no word for it, and its clients pass over events that they do not know.
    keepalive_frame = encode_frame({"event": "heartbeat", "data": {}})

    def __init__(
        self, role: Role, readers: Mapping[str, Reader], writers: Mapping[str, Writer]
    ) -> None:
        self.roles = frozenset({role})
        self._readers = readers
        self._writers = writers

    def rooms_for(self, connection: Connection) -> Sequence[str]:
        """None beyond the person's own."""
        return ()

    def first_frames(self, connection: Connection, offered: Order | None) -> Sequence[str]:
        """A courier who comes back is told of the offer that is still open."""
        if offered is None:
            return ()
        data = _render_offer(offered.id, offered.details)
        return (encode_frame({"event": "order.assigned", "data": data}),)

    def render_event(self, event: Event, listener: Subscriber) -> Sequence[str]:
        """One frame an event, or none."""
        writer = self._writers.get(event.type)
        return (encode_frame(writer(event)),) if writer else ()

    def read_message(self, text: str, connection: Connection, now: datetime) -> SocketMessage:
        """What a client asks. Raises InvalidInput."""
        found = decode_message(text)
        name, data = found.get("event"), found.get("data", {})
        if not isinstance(data, dict):
            raise InvalidInput("data must be an object.")
        reader = self._readers.get(name) if isinstance(name, str) else None
        if reader is None:
            raise InvalidInput("This event is unknown.")
        return SocketMessage(str(name), reader(data, now))

    def success_frames(
        self, request: SocketMessage, result: Any, connection: Connection
    ) -> Sequence[str]:
        """Spec 000 answers nothing on the socket; that a token was taken is ours to say."""
        return (encode_frame({"event": REFRESHED, "data": {}}),) if request.name == REFRESH else ()

    def error_frames(self, request: SocketMessage, error: WaybillError) -> Sequence[str]:
        """Spec 000 has no errors on the socket; this is ours, and the socket stays open.

        A position that comes too soon is passed over without a word: the next one heals it.
        """
        if isinstance(error, RateLimited):
            return ()
        return (encode_frame({"event": "error", "data": {"message": error.message}}),)


def read_location(data: Mapping[str, Any], now: datetime) -> Fix:
    """{lat, lng, heading?, speed?, accuracy?, altitude?, ts?} as a fix. Raises InvalidInput.

    `ts` is epoch seconds or milliseconds, or an ISO time; without it the fix is from now.
    """
    return fixes.read_fix(data, now, "lat", "lng", "ts")


def read_delivery_order(data: Mapping[str, Any], customer_id: str, now: datetime) -> OrderDetails:
    """The body of POST /api/v1/orders as a job. Raises InvalidInput."""
    return OrderDetails(
        flow="delivery",
        customer_id=customer_id,
        pickup=_read_delivery_place(data, "pickup"),
        dropoff=_read_delivery_place(data, "dropoff"),
        receiver_phone=read_phone(data.get("receiver_phone"), "receiver_phone"),
        notes=read_optional_text(data.get("notes"), "notes"),
        created_at=now,
    )


def _read_delivery_place(data: Mapping[str, Any], side: str) -> Place:
    names = f"{side}_lat", f"{side}_lng"
    found = read_point(data.get(names[0]), data.get(names[1]), names)
    address = read_text(data.get(f"{side}_address"), f"{side}_address")
    return Place(address, *found) if found else Place(address)


def render_delivery_order(order: Order) -> dict[str, Any]:
    """An order as REST shows it."""
    return omit_none(
        id=str(order.id),
        status=STATUS_WORDS[order.status],
        customer_id=order.details.customer_id,
        courier_id=order.courier_id,
        **_render_places(order.details),
        receiver_phone=order.details.receiver_phone,
        notes=order.details.notes,
        created_at=format_iso(order.details.created_at),
        updated_at=format_iso(order.updated_at),
    )


def render_courier(person: Person) -> dict[str, Any]:
    """The courier of an order as its customer sees them: {id, name, phone, profile_picture?}."""
    return omit_none(
        id=person.id,
        name=person.name or "",
        phone=person.phone or "",
        profile_picture=person.profile_picture,
    )


def render_transition(error: InvalidTransition) -> dict[str, Any]:
    """What an illegal step is answered with, in the words of spec 000."""
    return {
        "from": STATUS_WORDS[Status(error.status)],
        "to": STEP_WORDS.get(error.step, error.step),
        "allowed": [STEP_WORDS[step] for step in error.allowed if step in STEP_WORDS],
    }


def _render_places(job: OrderDetails) -> dict[str, Any]:
    return omit_none(
        pickup_address=job.pickup.address,
        pickup_lat=job.pickup.lat,
        pickup_lng=job.pickup.lng,
        dropoff_address=job.dropoff.address,
        dropoff_lat=job.dropoff.lat,
        dropoff_lng=job.dropoff.lng,
    )


def _render_offer(order_id: int, job: OrderDetails) -> dict[str, Any]:
    return {
        "order_id": str(order_id),
        "customer_id": job.customer_id,
        **_render_places(job),
        **omit_none(receiver_phone=job.receiver_phone),
    }


def _order_details(event: Event) -> OrderDetails:
    assert event.details is not None, "events of orders are relayed with their job"
    return event.details


def _render_assigned(event: Event) -> Mapping[str, Any]:
    return {"event": "order.assigned", "data": _render_offer(event.order_id, _order_details(event))}


def _courier_writer(name: str) -> Writer:
    def write(event: Event) -> Mapping[str, Any]:
        data = {"order_id": str(event.order_id), "customer_id": _order_details(event).customer_id}
        return {"event": name, "data": data}

    return write


def _status_writer(status: str, with_places: bool = False, with_courier: bool = False) -> Writer:
    def write(event: Event) -> Mapping[str, Any]:
        data: dict[str, Any] = {"order_id": str(event.order_id), "status": status}
        if with_places:
            job = _order_details(event)
            data |= {**_render_places(job), **omit_none(receiver_phone=job.receiver_phone)}
        if with_courier and event.courier:
            data |= omit_none(
                courier_name=event.courier.name,
                courier_phone=event.courier.phone,
                courier_profile_picture=event.courier.picture,
            )
        return {"event": "order.status", "data": data}

    return write


_REFRESH: dict[str, Reader] = {REFRESH: lambda data, now: read_refresh(data)}
COURIER_READERS: dict[str, Reader] = {
    **_REFRESH,
    "location.update": lambda data, now: ReportFix(read_location(data, now)),
}
CUSTOMER_READERS: dict[str, Reader] = _REFRESH

COURIER_WRITERS: dict[str, Writer] = {
    events.OFFER_MADE: _render_assigned,
    events.OFFER_TIMED_OUT: _courier_writer("order.assignment_timed_out"),
    events.OFFER_REASSIGNED: _courier_writer("order.reassigned_away"),
    events.SEARCH_FAILED: _courier_writer("order.no_nearby_driver"),
}
CUSTOMER_WRITERS: dict[str, Writer] = {
    events.ORDER_OFFERED: _status_writer("assigned", with_places=True),
    events.ORDER_ACCEPTED: _status_writer("accepted", with_courier=True),
    events.ORDER_DECLINED: _status_writer("declined"),
    events.COURIER_ARRIVED: _status_writer("arrived"),
    events.ORDER_PICKED_UP: _status_writer("picked_up", with_courier=True),
    events.ORDER_DELIVERED: _status_writer("delivered", with_courier=True),
    events.ORDER_UNSERVED: _status_writer("no_nearby_driver"),
}

COURIER = CourierContract(Role.COURIER, COURIER_READERS, COURIER_WRITERS)
CUSTOMER = CourierContract(Role.CUSTOMER, CUSTOMER_READERS, CUSTOMER_WRITERS)
