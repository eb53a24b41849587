"""Contract `food`: spec 002, food delivery. Here are its messages and its plain form, frames of
{"event", "data"}; socketio.py has the same over Socket.IO, orders.py its orders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from chalicelib.contracts.base import (
    REFRESH,
    REFRESHED,
    Contract,
    Data,
    MessageType,
    RequestError,
    SocketMessage,
    Writer,
    decode_message,
    encode_frame,
    find_audience,
    read_refresh,
)
from chalicelib.contracts.food.orders import (
    FLOW,
    STATUS_WORDS,
    render_order_fields,
    render_order_list,
)
from chalicelib.contracts.proof import read_pin
from chalicelib.contracts.reasons import read_reason
from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.ids import parse_id
from chalicelib.domain.messaging.connections import (
    Connection,
    Subscriber,
    name_person_room,
    name_pool_room,
)
from chalicelib.domain.messaging.mailboxes import name_restaurant_mailbox
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.requests import (
    AcceptOrder,
    ListOpenOrders,
    ListRestaurantOrders,
    TakeStep,
)
from chalicelib.domain.people import Role
from chalicelib.domain.rate_limits import RateLimit
from chalicelib.errors import Forbidden, InvalidInput, InvalidTransition, WaybillError

GET_AVAILABLE, GET_OF_RESTAURANT = "get-available-orders", "get-restaurant-orders"
PING = "ping"
DRIVERS, OWNERS = frozenset({Role.COURIER}), frozenset({Role.MERCHANT})
EVERYBODY = frozenset({Role.CUSTOMER}) | DRIVERS | OWNERS
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


_KNOWN_STATUSES = {word for status, word in STATUS_WORDS.items() if status is not Status.SCHEDULED}


class FoodContract(Contract):
    """The plain form. The other overrides how messages become frames, and back."""

    paths = ("/orders",)
    roles = EVERYBODY
    rate_limit = RateLimit(
        max_requests=20, window=timedelta(seconds=10)
    )  # spec 002 leaves the figure open
    keepalive_frame: str | None = encode_frame(
        {"event": "pong", "data": {}}
    )  # unasked: a word that every client knows

    def list_rooms(self, connection: Connection) -> Sequence[str]:
        """List an owner's restaurants' rooms, or the pool's for a driver."""
        if connection.role is Role.COURIER:
            return (name_pool_room(FLOW),)
        if connection.role is Role.MERCHANT:
            owned = connection.restaurant_ids[:MAX_RESTAURANTS]
            return tuple(
                name_person_room(name_restaurant_mailbox(id_)) for id_ in dict.fromkeys(owned)
            )
        return ()

    def render_first_frames(
        self, connection: Connection, offered: Sequence[Order]
    ) -> Sequence[str]:
        """Make none: spec 002 greets nobody."""
        return ()

    def is_for(self, event: Event, listener: Subscriber) -> bool:
        """Say whether an event is meant for the role that the listener has on this socket."""
        return find_audience(event) is listener.role

    def encode_event(self, name: str, data: Mapping[str, Any]) -> str:
        """Encode {event, data}."""
        return encode_frame({"event": name, "data": data})

    def read_message(self, text: str, connection: Connection, now: datetime) -> SocketMessage:
        """Read what a client asks. Raises InvalidInput or RequestError."""
        found = decode_message(text)
        name = found.get("event")
        if not isinstance(name, str):
            raise InvalidInput("event must be a text.")
        return self.read_event(name, found.get("data"), connection, now)

    def read_event(
        self, name: str, data: Any, connection: Connection, now: datetime, echo: Any = None
    ) -> SocketMessage:
        """Read a message as a request. Raises RequestError."""
        try:
            message = self.messages.get(name)
            if message is None:
                raise InvalidInput("This event is unknown.")
            if name != PING and data is not None and not isinstance(data, dict):
                raise InvalidInput("data must be an object.")
            if connection.role not in message.roles:
                raise Forbidden("Insufficient permissions.")
            return SocketMessage(name, message.read(data or {}, connection, now), echo)
        except WaybillError as error:
            raise RequestError(SocketMessage(name, echo=echo), error) from None

    def render_answer(
        self, message: SocketMessage, result: Any, connection: Connection
    ) -> Sequence[str]:
        """Answer with a list that was asked for, or a pong; what else was done is told as an
        event."""
        data = self.make_answer(message, result, connection)
        return () if data is None else (self.encode_event(ANSWER_NAMES[message.name], data),)

    def render_error(self, message: SocketMessage, error: WaybillError) -> Sequence[str]:
        """Make an `error`; the socket stays open."""
        return (self.encode_event("error", {"message": word_error(error)}),)


def word_error(error: WaybillError) -> str:
    """Say what is wrong, in the words of spec 002."""
    if not isinstance(error, InvalidTransition):
        return error.message
    if error.step == "accept":
        return "Order is not available."
    status = STATUS_WORDS[Status(error.status)]
    return f"Invalid status transition: {status} to {STEP_WORDS.get(error.step, error.step)}."


def _render_order_event(event: Event) -> Data:
    courier_id = event.courier.id if event.courier else None
    status, details = Status(event.status), event.order_details
    return {"order": render_order_fields(event.order_id, details, status, courier_id, event.at)}


def _render_new_order(event: Event) -> Data | None:
    """Render an order that is placed; a scheduled one is told of as it becomes active."""
    return None if event.status == Status.SCHEDULED.value else _render_order_event(event)


def _render_end(event: Event) -> Data | None:
    """Render an order that could not be handed over, once it has ended: spec 002 has no word for
    one that is brought back, and it is out for delivery still."""
    return None if Status(event.status) is Status.RETURNING else _render_order_event(event)


def _render_order_id(event: Event) -> Data:
    return {"orderId": event.order_id}


def _read_order_id(data: Data) -> int:
    id_ = parse_id(data.get("orderId"))
    if id_ is None:
        raise InvalidInput("Invalid order ID.", field="orderId")
    return id_


def _read_status_update(data: Data, connection: Connection, now: datetime) -> TakeStep:
    """Read a status as the step that leads there. A status that nobody knows is InvalidInput, one
    that is not for the role Forbidden: which comes first is settled here and not by `roles`."""
    steps = COMMANDS_BY_STATUS.get(connection.role, {}) if connection.role else {}
    status = data.get("status")
    if not isinstance(status, str) or status not in _KNOWN_STATUSES:
        raise InvalidInput("Invalid status.", field="status")
    if status not in steps:
        raise Forbidden("Insufficient permissions.")
    command = steps[status]
    if isinstance(command, commands.Reject):
        command = commands.Reject(read_reason(data, connection.role))
    return TakeStep(_read_order_id(data), commands.add_pin(command, read_pin(data)))


def _answer_open_orders(
    orders: Sequence[Order], connection: Connection, message: SocketMessage
) -> Data:
    return {"orders": render_order_list(orders, newest=True)}


def _answer_restaurant_orders(
    orders: Sequence[Order], connection: Connection, message: SocketMessage
) -> Data:
    return {"orders": render_order_list(orders, newest=False)}


def _answer_nothing(result: Any, connection: Connection, message: SocketMessage) -> None:
    return None


def _answer_empty(result: Any, connection: Connection, message: SocketMessage) -> Data:
    return {}


MESSAGES: Mapping[str, MessageType] = {
    "update-order-status": MessageType(EVERYBODY, _read_status_update, _answer_nothing),
    "accept-order": MessageType(
        DRIVERS,
        lambda data, connection, now: AcceptOrder(_read_order_id(data)),
        _answer_nothing,
    ),
    GET_AVAILABLE: MessageType(
        DRIVERS, lambda data, connection, now: ListOpenOrders(FLOW), _answer_open_orders
    ),
    GET_OF_RESTAURANT: MessageType(
        OWNERS, lambda data, connection, now: ListRestaurantOrders(), _answer_restaurant_orders
    ),
    PING: MessageType(EVERYBODY, lambda data, connection, now: None, _answer_empty),
    # Spec 002 has no such event; a token's end is ours to put off.
    REFRESH: MessageType(
        EVERYBODY, lambda data, connection, now: read_refresh(data), _answer_empty
    ),
}
# The name of the frame that answers a message; what is not here is answered by events alone.
ANSWER_NAMES: Mapping[str, str] = {
    GET_AVAILABLE: "available-orders",
    GET_OF_RESTAURANT: "restaurant-orders",
    PING: "pong",
    REFRESH: REFRESHED,
}

_CREATED = (
    Writer("order-created", _render_new_order, Role.CUSTOMER),
    Writer("new-order", _render_new_order, Role.MERCHANT),
)
_UPDATED = (Writer("order-updated", _render_order_event),)
WRITERS: Mapping[str, Sequence[Writer]] = {
    events.ORDER_PLACED: _CREATED,
    events.ORDER_ACTIVATED: _CREATED,
    events.ORDER_OPENED: (Writer("new-available-order", _render_order_event, Role.COURIER),),
    events.ORDER_TAKEN: (Writer("order-taken", _render_order_id, Role.COURIER),),
    events.OFFER_REASSIGNED: (Writer("order-taken", _render_order_id, Role.COURIER),),
    events.ORDER_CLAIMED: (
        Writer("order-accepted", _render_order_event, Role.COURIER),
        Writer("order-updated", _render_order_event, Role.COURIER),
    ),
    events.ORDER_ASSIGNED: (
        Writer("order-assigned", _render_order_event, Role.COURIER),
        Writer("order-updated", _render_order_event, Role.CUSTOMER),
        Writer("order-updated", _render_order_event, Role.MERCHANT),
    ),
    events.ORDER_CONFIRMED: _UPDATED,
    events.ORDER_PREPARING: _UPDATED,
    events.ORDER_READY: _UPDATED,
    events.ORDER_ACCEPTED: _UPDATED,
    events.ORDER_PICKED_UP: _UPDATED,
    events.ORDER_DELIVERED: _UPDATED,
    events.ORDER_CANCELLED: _UPDATED,
    events.ORDER_UNSERVED: _UPDATED,
    events.ORDER_RELEASED: _UPDATED,
    events.DELIVERY_FAILED: (Writer("order-updated", _render_end),),
    events.DELIVERY_RETURNED: _UPDATED,
}

FOOD = FoodContract(MESSAGES, WRITERS)
