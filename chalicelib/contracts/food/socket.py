"""Contract `food`: spec 002, food delivery. Here are its messages and its plain form, frames of
{"event", "data"}; food_socketio.py has the same over Socket.IO, food_orders.py its orders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from chalicelib.contracts.base import (
    REFRESH,
    REFRESHED,
    Contract,
    RequestError,
    SocketMessage,
    decode_message,
    encode_frame,
    read_refresh,
)
from chalicelib.contracts.food.orders import (
    FLOW,
    STATUS_WORDS,
    render_order_fields,
    render_order_list,
)
from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.ids import parse_id
from chalicelib.domain.messaging.connections import (
    Connection,
    Subscriber,
    person_room,
    pool_room,
)
from chalicelib.domain.messaging.mailboxes import RESTAURANT_PREFIX, restaurant_mailbox
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.requests import (
    AcceptOrder,
    ClientRequest,
    ListOpenOrders,
    ListRestaurantOrders,
    TakeStep,
)
from chalicelib.domain.people import Role
from chalicelib.domain.rate_limits import RateLimit
from chalicelib.errors import Forbidden, InvalidInput, InvalidTransition, WaybillError

GET_AVAILABLE = "get-available-orders"
MAX_RESTAURANTS = 50  # of one owner's token; each is a room

# Spec 002, "Allowed statuses by role".
COMMANDS_BY_STATUS: Mapping[Role, Mapping[str, Command]] = {
    Role.MERCHANT: {
        "confirmed": commands.Confirm(),
        "preparing": commands.Prepare(),
        "ready_for_pickup": commands.MakeReady(),
        "cancelled": commands.Reject(),
    },
    Role.COURIER: {"out_for_delivery": commands.PickUp(), "delivered": commands.Deliver()},
}
STEP_WORDS: dict[str, str] = {
    "confirm": "confirmed",
    "prepare": "preparing",
    "make_ready": "ready_for_pickup",
    "reject": "cancelled",
    "cancel": "cancelled",
    "pick_up": "out_for_delivery",
    "deliver": "delivered",
}


class FoodContract(Contract):
    """The plain form. The other overrides how messages become frames, and back."""

    roles = frozenset({Role.CUSTOMER, Role.COURIER, Role.MERCHANT})
    rate_limit = RateLimit(
        max_requests=20, window=timedelta(seconds=10)
    )  # spec 002 leaves the figure open
    keepalive_frame = encode_frame(
        {"event": "pong", "data": {}}
    )  # unasked: a word that every client knows

    def rooms_for(self, connection: Connection) -> Sequence[str]:
        """Owners listen in their restaurants' rooms, drivers in the pool's."""
        if connection.role is Role.COURIER:
            return (pool_room(FLOW),)
        if connection.role is Role.MERCHANT:
            owned = connection.restaurant_ids[:MAX_RESTAURANTS]
            return tuple(person_room(restaurant_mailbox(id_)) for id_ in dict.fromkeys(owned))
        return ()

    def first_frames(self, connection: Connection, offered: Order | None) -> Sequence[str]:
        """Spec 002 greets nobody."""
        return ()

    def render_event(self, event: Event, listener: Subscriber) -> Sequence[str]:
        """An event in this contract's words, for one who hears it in their role."""
        audience = guess_audience(event, listener.role)
        if audience is None:
            return ()
        return [
            self.encode_event(name, WRITERS[name](event))
            for name in NAMES.get((event.type, audience), ())
        ]

    def encode_event(self, name: str, data: Mapping[str, Any]) -> str:
        """One message as a frame."""
        return encode_frame({"event": name, "data": data})

    def read_message(self, text: str, connection: Connection, now: datetime) -> SocketMessage:
        """What a client asks. Raises InvalidInput or Refused."""
        found = decode_message(text)
        name = found.get("event")
        if not isinstance(name, str):
            raise InvalidInput("event must be a text.")
        if name == "ping":
            return SocketMessage(name)
        return self.read_event(name, found.get("data"), connection)

    def read_event(
        self, name: str, data: Any, connection: Connection, echo: Any = None
    ) -> SocketMessage:
        """A message as a request. Raises Refused."""
        try:
            reader = READERS.get(name) or OURS.get(name)
            if reader is None:
                raise InvalidInput("This event is unknown.")
            if data is not None and not isinstance(data, dict):
                raise InvalidInput("data must be an object.")
            return SocketMessage(name, reader(data or {}, connection.role), echo)
        except WaybillError as error:
            raise RequestError(SocketMessage(name, echo=echo), error) from None

    def success_frames(
        self, request: SocketMessage, result: Any, connection: Connection
    ) -> Sequence[str]:
        """A list that was asked for, or a pong; what else was done is told as an event."""
        if request.name == "ping":
            return (self.encode_event("pong", {}),)
        if request.name == REFRESH:
            return (self.encode_event(REFRESHED, {}),)
        listed = LISTS.get(request.name)
        if listed is None:
            return ()
        orders = render_order_list(result, newest=request.name == GET_AVAILABLE)
        return (self.encode_event(listed, {"orders": orders}),)

    def error_frames(self, request: SocketMessage, error: WaybillError) -> Sequence[str]:
        """`error`; the socket stays open."""
        return (self.encode_event("error", {"message": render_error(error)}),)


TO_COURIERS = frozenset(
    {events.ORDER_OPENED, events.ORDER_TAKEN, events.ORDER_CLAIMED, events.OFFER_REASSIGNED}
)


def guess_audience(event: Event, role: Role | None) -> Role | None:
    """As what a listener of this role hears an event: each copy of it is for one kind of people,
    and somebody may be two of them on two sockets."""
    if event.type in TO_COURIERS:
        meant = Role.COURIER
    elif event.to.startswith(RESTAURANT_PREFIX):
        meant = Role.MERCHANT
    elif event.details is not None and event.to == event.details.customer_id:
        meant = Role.CUSTOMER
    else:
        meant = Role.COURIER
    return meant if meant is role else None


def render_error(error: WaybillError) -> str:
    """What is wrong, in the words of spec 002."""
    if not isinstance(error, InvalidTransition):
        return error.message
    if error.step == "accept":
        return "Order is not available."
    status = STATUS_WORDS[Status(error.status)]
    return f"Invalid status transition: {status} to {STEP_WORDS.get(error.step, error.step)}."


def _render_order_event(event: Event) -> dict[str, Any]:
    assert event.details is not None, "events of orders are relayed with their job"
    courier_id = event.courier.id if event.courier else None
    status = Status(event.status)
    return {
        "order": render_order_fields(event.order_id, event.details, status, courier_id, event.at)
    }


def _render_order_id(event: Event) -> dict[str, Any]:
    return {"orderId": event.order_id}


def _read_order_id(data: Mapping[str, Any]) -> int:
    id_ = parse_id(data.get("orderId"))
    if id_ is None:
        raise InvalidInput("Invalid order ID.", field="orderId")
    return id_


def _require_role(role: Role | None, wanted: Role) -> None:
    if role is not wanted:
        raise Forbidden("Insufficient permissions.")


def _read_status_update(data: Mapping[str, Any], role: Role | None) -> ClientRequest:
    steps = COMMANDS_BY_STATUS.get(role, {}) if role else {}
    status = data.get("status")
    if not isinstance(status, str) or status not in STATUS_WORDS.values():
        raise InvalidInput("Invalid status.", field="status")
    if status not in steps:
        raise Forbidden("Insufficient permissions.")
    return TakeStep(_read_order_id(data), steps[status])


def _read_accept_order(data: Mapping[str, Any], role: Role | None) -> ClientRequest:
    _require_role(role, Role.COURIER)
    return AcceptOrder(_read_order_id(data))


def _read_available_orders(data: Mapping[str, Any], role: Role | None) -> ClientRequest:
    _require_role(role, Role.COURIER)
    return ListOpenOrders(FLOW)


def _read_restaurant_orders(data: Mapping[str, Any], role: Role | None) -> ClientRequest:
    _require_role(role, Role.MERCHANT)
    return ListRestaurantOrders()


READERS: Mapping[str, Callable[[Mapping[str, Any], Role | None], ClientRequest]] = {
    "update-order-status": _read_status_update,
    "accept-order": _read_accept_order,
    GET_AVAILABLE: _read_available_orders,
    "get-restaurant-orders": _read_restaurant_orders,
}
OURS: Mapping[
    str, Callable[[Mapping[str, Any], Role | None], ClientRequest]
] = {  # spec 002 has no such event
    REFRESH: lambda data, role: read_refresh(data),
}
LISTS: Mapping[str, str] = {
    GET_AVAILABLE: "available-orders",
    "get-restaurant-orders": "restaurant-orders",
}

UPDATED = ("order-updated",)
NAMES: Mapping[tuple[str, Role], tuple[str, ...]] = {
    (events.ORDER_PLACED, Role.CUSTOMER): ("order-created",),
    (events.ORDER_PLACED, Role.MERCHANT): ("new-order",),
    (events.ORDER_OPENED, Role.COURIER): ("new-available-order",),
    (events.ORDER_TAKEN, Role.COURIER): ("order-taken",),
    (events.OFFER_REASSIGNED, Role.COURIER): ("order-taken",),
    (events.ORDER_CLAIMED, Role.COURIER): ("order-accepted", "order-updated"),
    (events.ORDER_ASSIGNED, Role.COURIER): ("order-assigned",),
    (events.ORDER_ASSIGNED, Role.CUSTOMER): UPDATED,
    (events.ORDER_ASSIGNED, Role.MERCHANT): UPDATED,
    **{
        (type_, role): UPDATED
        for type_ in (
            events.ORDER_CONFIRMED,
            events.ORDER_PREPARING,
            events.ORDER_READY,
            events.ORDER_ACCEPTED,
            events.ORDER_PICKED_UP,
            events.ORDER_DELIVERED,
            events.ORDER_CANCELLED,
            events.ORDER_UNSERVED,
        )
        for role in (Role.CUSTOMER, Role.MERCHANT, Role.COURIER)
    },
}
WRITERS: Mapping[str, Callable[[Event], dict[str, Any]]] = {
    "order-created": _render_order_event,
    "new-order": _render_order_event,
    "order-updated": _render_order_event,
    "new-available-order": _render_order_event,
    "order-accepted": _render_order_event,
    "order-assigned": _render_order_event,
    "order-taken": _render_order_id,
}

FOOD = FoodContract()
