"""Contract `courier`: spec 000, courier dispatch. Frames are {"event", "data"}.

Two kinds of client speak it, couriers and customers, on a path each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from chalicelib.contracts import fixes
from chalicelib.contracts.base import (
    REFRESH,
    REFRESHED,
    Contract,
    Data,
    MessageType,
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
from chalicelib.contracts.placing import render_order_options
from chalicelib.domain import events
from chalicelib.domain.details import OrderDetails, Place
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.requests import ReportFix
from chalicelib.domain.people import Fix, Person, Role
from chalicelib.errors import InvalidInput, InvalidTransition, RateLimited, WaybillError

# Spec 000's words for where an order stands. It has none for a search or a cancelled order, nor for
# one that could not be handed over: of those the nearest that its clients know.
STATUS_WORDS: dict[Status, str] = {
    Status.SCHEDULED: "scheduled",  # only of orders that asked for it
    Status.PENDING: "pending",
    Status.CONFIRMED: "confirmed",
    Status.PREPARING: "preparing",
    Status.READY: "ready",
    Status.SEARCHING: "searching",
    Status.OFFERED: "assigned",
    Status.ACCEPTED: "accepted",
    Status.AT_PICKUP: "arrived",
    Status.IN_TRANSIT: "picked_up",
    Status.RETURNING: "picked_up",
    Status.DONE: "delivered",
    Status.CANCELLED: "cancelled",
    Status.UNSERVED: "no_nearby_driver",
    Status.RETURNED: "cancelled",
    Status.LEFT: "cancelled",
    Status.DISCARDED: "cancelled",
    Status.NO_SHOW: "cancelled",
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
    "amend": "amended",
    "give_up": "no_nearby_driver",
}
# And for those of which spec 000 knows nothing: who asks for none of them hears of none.
OWN_STEP_WORDS: dict[str, str] = {
    "release": "released",
    "no_show": "no_show",
    "take_back": "returning",
    "finish_return": "returned",
    "leave": "left",
    "discard": "discarded",
    "reattempt": "reattempted",
}


class CourierContract(Contract):
    """The contract as one kind of client speaks it."""

    # Spec 000 has no word for it, and its clients pass over events that they do not know.
    keepalive_frame = encode_frame({"event": "heartbeat", "data": {}})

    def __init__(self, role: Role) -> None:
        """Keep of both tables what is for one role."""
        super().__init__(
            {name: message for name, message in MESSAGES.items() if role in message.roles},
            {type_: mine for type_, all_ in WRITERS.items() if (mine := _pick_for(role, all_))},
        )
        self.roles = frozenset({role})
        self.paths = (f"/api/v1/ws/{role.value}",)

    def encode_event(self, name: str, data: Data) -> str:
        """Encode {event, data}."""
        return encode_frame({"event": name, "data": data})

    def render_first_frames(
        self, connection: Connection, offered: Sequence[Order]
    ) -> Sequence[str]:
        """Tell a courier who comes back of each offer that is still open."""
        return tuple(
            self.encode_event("order.assigned", _render_offer(one.id, one.details))
            for one in offered
        )

    def read_message(self, text: str, connection: Connection, now: datetime) -> SocketMessage:
        """Read what a client asks. Raises InvalidInput."""
        found = decode_message(text)
        name, data = found.get("event"), found.get("data", {})
        if not isinstance(data, dict):
            raise InvalidInput("data must be an object.")
        message = self.messages.get(name) if isinstance(name, str) else None
        if message is None:
            raise InvalidInput("This event is unknown.")
        return SocketMessage(str(name), message.read(data, connection, now))

    def render_answer(
        self, message: SocketMessage, result: Any, connection: Connection
    ) -> Sequence[str]:
        """Answer nothing, as spec 000, but that a token was taken, which is ours to say."""
        data = self.make_answer(message, result, connection)
        return () if data is None else (self.encode_event(REFRESHED, data),)

    def render_error(self, message: SocketMessage, error: WaybillError) -> Sequence[str]:
        """Make an error frame: spec 000 has none, this is ours, and the socket stays open.

        A position that comes too soon is passed over without a word: the next one heals it.
        """
        if isinstance(error, RateLimited):
            return ()
        return (self.encode_event("error", {"message": error.message}),)


def read_location(data: Mapping[str, Any], now: datetime) -> Fix:
    """Read {lat, lng, heading?, speed?, accuracy?, altitude?, ts?} as a fix. Raises InvalidInput.

    `ts` is epoch seconds or milliseconds, or an ISO time; without it the fix is from now.
    """
    return fixes.read_fix(data, now, "lat", "lng", "ts")


def read_delivery_order(data: Mapping[str, Any], customer_id: str, now: datetime) -> OrderDetails:
    """Read the body of POST /api/v1/orders as an order's details. Raises InvalidInput."""
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
    """Render an order as REST shows it."""
    return omit_none(
        id=str(order.id),
        status=STATUS_WORDS[order.status],
        customer_id=order.details.customer_id,
        courier_id=order.courier_id,
        **render_places(order.details),
        receiver_phone=order.details.receiver_phone,
        notes=order.details.notes,
        created_at=format_iso(order.details.created_at),
        updated_at=format_iso(order.updated_at),
        **render_order_options(order),
    )


def render_courier(person: Person) -> dict[str, Any]:
    """Render the courier of an order as its customer sees them: {id, name, phone,
    profile_picture?}."""
    return omit_none(
        id=person.id,
        name=person.name or "",
        phone=person.phone or "",
        profile_picture=person.profile_picture,
    )


def render_transition(error: InvalidTransition) -> dict[str, Any]:
    """Render what an illegal step is answered with, in the words of spec 000."""
    words = {**STEP_WORDS, **OWN_STEP_WORDS} if error.step in OWN_STEP_WORDS else STEP_WORDS
    return {
        "from": STATUS_WORDS[Status(error.status)],
        "to": words.get(error.step, error.step),
        "allowed": [words[step] for step in error.allowed if step in words],
    }


def render_places(details: OrderDetails) -> dict[str, Any]:
    """Render both ends of an order; what is unknown is left out."""
    return omit_none(
        pickup_address=details.pickup.address,
        pickup_lat=details.pickup.lat,
        pickup_lng=details.pickup.lng,
        dropoff_address=details.dropoff.address,
        dropoff_lat=details.dropoff.lat,
        dropoff_lng=details.dropoff.lng,
    )


def _render_offer(order_id: int, details: OrderDetails) -> dict[str, Any]:
    return {
        "order_id": str(order_id),
        "customer_id": details.customer_id,
        **render_places(details),
        **omit_none(receiver_phone=details.receiver_phone),
    }


def _render_assigned(event: Event) -> Data:
    return _render_offer(event.order_id, event.order_details)


def _render_lost_offer(event: Event) -> Data:
    return {"order_id": str(event.order_id), "customer_id": event.order_details.customer_id}


def _write_for_courier(name: str, render: Callable[[Event], Data]) -> Sequence[Writer]:
    return (Writer(name, render, Role.COURIER),)


def _write_status(
    status: str, with_places: bool = False, with_courier: bool = False
) -> Sequence[Writer]:
    """Make the customer's `order.status` of this status, with what spec 000 shows beside it."""

    def render(event: Event) -> Data:
        data: dict[str, Any] = {"order_id": str(event.order_id), "status": status}
        if with_places:
            details = event.order_details
            data |= {**render_places(details), **omit_none(receiver_phone=details.receiver_phone)}
        if with_courier and event.courier:
            data |= omit_none(
                courier_name=event.courier.name,
                courier_phone=event.courier.phone,
                courier_profile_picture=event.courier.picture,
            )
        return data

    return (Writer("order.status", render, Role.CUSTOMER),)


def _pick_for(role: Role, writers: Sequence[Writer]) -> Sequence[Writer]:
    # The type alone says here whom an event is for: one object of the contract has one audience.
    return tuple(replace(writer, audience=None) for writer in writers if writer.audience is role)


MESSAGES: Mapping[str, MessageType] = {
    REFRESH: MessageType(
        frozenset({Role.COURIER, Role.CUSTOMER}),
        lambda data, connection, now: read_refresh(data),
        lambda result, connection, message: {},
    ),
    "location.update": MessageType(
        frozenset({Role.COURIER}),
        lambda data, connection, now: ReportFix(read_location(data, now)),
        lambda result, connection, message: None,
    ),
}

WRITERS: Mapping[str, Sequence[Writer]] = {
    events.OFFER_MADE: _write_for_courier("order.assigned", _render_assigned),
    events.OFFER_TIMED_OUT: _write_for_courier("order.assignment_timed_out", _render_lost_offer),
    events.OFFER_REASSIGNED: _write_for_courier("order.reassigned_away", _render_lost_offer),
    events.SEARCH_FAILED: _write_for_courier("order.no_nearby_driver", _render_lost_offer),
    events.ORDER_OFFERED: _write_status("assigned", with_places=True),
    events.ORDER_ACCEPTED: _write_status("accepted", with_courier=True),
    events.ORDER_DECLINED: _write_status("declined"),
    events.ORDER_RELEASED: _write_status("declined"),
    events.COURIER_ARRIVED: _write_status("arrived"),
    events.ORDER_PICKED_UP: _write_status("picked_up", with_courier=True),
    events.ORDER_DELIVERED: _write_status("delivered", with_courier=True),
    events.ORDER_UNSERVED: _write_status("no_nearby_driver"),
}

COURIER, CUSTOMER = CourierContract(Role.COURIER), CourierContract(Role.CUSTOMER)
