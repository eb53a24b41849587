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
    Refused,
    Request,
    frame,
    message,
    read_refresh,
)
from chalicelib.contracts.food.orders import FLOW, STATUS_WORDS, order_data, order_list
from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.ids import parse_id
from chalicelib.domain.messaging.connections import (
    Connection,
    Listener,
    Pace,
    person_room,
    pool_room,
)
from chalicelib.domain.messaging.mailboxes import RESTAURANT, restaurant_box
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.requests import AcceptOrder, Ask, ListOpen, ListOwn, TakeStep
from chalicelib.domain.people import Role
from chalicelib.errors import Forbidden, InvalidInput, InvalidTransition, WaybillError

AVAILABLE = "get-available-orders"
MAX_RESTAURANTS = 50  # of one owner's token; each is a room

# Spec 002, "Allowed statuses by role".
STEPS: Mapping[Role, Mapping[str, Command]] = {
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


class Food(Contract):
    """The plain form. The other overrides how messages become frames, and back."""

    roles = frozenset({Role.CUSTOMER, Role.COURIER, Role.MERCHANT})
    pace = Pace(most=20, within=timedelta(seconds=10))  # spec 002 leaves the figure open
    sign_of_life = frame({"event": "pong", "data": {}})  # unasked: a word that every client knows

    def rooms(self, connection: Connection) -> Sequence[str]:
        """Owners listen in their restaurants' rooms, drivers in the pool's."""
        if connection.role is Role.COURIER:
            return (pool_room(FLOW),)
        if connection.role is Role.MERCHANT:
            owned = connection.restaurant_ids[:MAX_RESTAURANTS]
            return tuple(person_room(restaurant_box(id_)) for id_ in dict.fromkeys(owned))
        return ()

    def first_frames(self, connection: Connection, offered: Order | None) -> Sequence[str]:
        """Spec 002 greets nobody."""
        return ()

    def words(self, event: Event, listener: Listener) -> Sequence[str]:
        """An event in this contract's words, for one who hears it in their role."""
        audience = audience_of(event, listener.role)
        if audience is None:
            return ()
        return [
            self.say(name, WRITERS[name](event)) for name in NAMES.get((event.type, audience), ())
        ]

    def say(self, name: str, data: Mapping[str, Any]) -> str:
        """One message as a frame."""
        return frame({"event": name, "data": data})

    def read(self, text: str, connection: Connection, now: datetime) -> Request:
        """What a client asks. Raises InvalidInput or Refused."""
        found = message(text)
        name = found.get("event")
        if not isinstance(name, str):
            raise InvalidInput("event must be a text.")
        if name == "ping":
            return Request(name)
        return self.asked(name, found.get("data"), connection)

    def asked(self, name: str, data: Any, connection: Connection, echo: Any = None) -> Request:
        """A message as a request. Raises Refused."""
        try:
            reader = READERS.get(name) or OURS.get(name)
            if reader is None:
                raise InvalidInput("This event is unknown.")
            if data is not None and not isinstance(data, dict):
                raise InvalidInput("data must be an object.")
            return Request(name, reader(data or {}, connection.role), echo)
        except WaybillError as error:
            raise Refused(Request(name, echo=echo), error) from None

    def answer(self, request: Request, result: Any, connection: Connection) -> Sequence[str]:
        """A list that was asked for, or a pong; what else was done is told as an event."""
        if request.name == "ping":
            return (self.say("pong", {}),)
        if request.name == REFRESH:
            return (self.say(REFRESHED, {}),)
        listed = LISTS.get(request.name)
        if listed is None:
            return ()
        orders = order_list(result, newest=request.name == AVAILABLE)
        return (self.say(listed, {"orders": orders}),)

    def refusal(self, request: Request, error: WaybillError) -> Sequence[str]:
        """`error`; the socket stays open."""
        return (self.say("error", {"message": error_text(error)}),)


TO_COURIERS = frozenset(
    {events.ORDER_OPENED, events.ORDER_TAKEN, events.ORDER_CLAIMED, events.OFFER_REASSIGNED}
)


def audience_of(event: Event, role: Role | None) -> Role | None:
    """As what a listener of this role hears an event: each copy of it is for one kind of people,
    and somebody may be two of them on two sockets."""
    if event.type in TO_COURIERS:
        meant = Role.COURIER
    elif event.to.startswith(RESTAURANT):
        meant = Role.MERCHANT
    elif event.job is not None and event.to == event.job.customer_id:
        meant = Role.CUSTOMER
    else:
        meant = Role.COURIER
    return meant if meant is role else None


def error_text(error: WaybillError) -> str:
    """What is wrong, in the words of spec 002."""
    if not isinstance(error, InvalidTransition):
        return error.message
    if error.step == "accept":
        return "Order is not available."
    status = STATUS_WORDS[Status(error.status)]
    return f"Invalid status transition: {status} to {STEP_WORDS.get(error.step, error.step)}."


def _with_order(event: Event) -> dict[str, Any]:
    assert event.job is not None, "events of orders are relayed with their job"
    courier_id = event.courier.id if event.courier else None
    status = Status(event.status)
    return {"order": order_data(event.order_id, event.job, status, courier_id, event.at)}


def _with_order_id(event: Event) -> dict[str, Any]:
    return {"orderId": event.order_id}


def _order_id(data: Mapping[str, Any]) -> int:
    id_ = parse_id(data.get("orderId"))
    if id_ is None:
        raise InvalidInput("Invalid order ID.", field="orderId")
    return id_


def _only(role: Role | None, wanted: Role) -> None:
    if role is not wanted:
        raise Forbidden("Insufficient permissions.")


def _update_status(data: Mapping[str, Any], role: Role | None) -> Ask:
    steps = STEPS.get(role, {}) if role else {}
    status = data.get("status")
    if not isinstance(status, str) or status not in STATUS_WORDS.values():
        raise InvalidInput("Invalid status.", field="status")
    if status not in steps:
        raise Forbidden("Insufficient permissions.")
    return TakeStep(_order_id(data), steps[status])


def _accept_order(data: Mapping[str, Any], role: Role | None) -> Ask:
    _only(role, Role.COURIER)
    return AcceptOrder(_order_id(data))


def _available_orders(data: Mapping[str, Any], role: Role | None) -> Ask:
    _only(role, Role.COURIER)
    return ListOpen(FLOW)


def _restaurant_orders(data: Mapping[str, Any], role: Role | None) -> Ask:
    _only(role, Role.MERCHANT)
    return ListOwn()


READERS: Mapping[str, Callable[[Mapping[str, Any], Role | None], Ask]] = {
    "update-order-status": _update_status,
    "accept-order": _accept_order,
    AVAILABLE: _available_orders,
    "get-restaurant-orders": _restaurant_orders,
}
OURS: Mapping[
    str, Callable[[Mapping[str, Any], Role | None], Ask]
] = {  # spec 002 has no such event
    REFRESH: lambda data, role: read_refresh(data),
}
LISTS: Mapping[str, str] = {
    AVAILABLE: "available-orders",
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
    "order-created": _with_order,
    "new-order": _with_order,
    "order-updated": _with_order,
    "new-available-order": _with_order,
    "order-accepted": _with_order,
    "order-assigned": _with_order,
    "order-taken": _with_order_id,
}

FOOD = Food()
