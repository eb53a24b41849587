"""Contract `rides`: spec 001, ride sharing. Frames in are {event|action|type, data?, event_id?},
frames out {event, data, event_id?}; each request is answered by `<event>_response`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from chalicelib.contracts.base import (
    Contract,
    Refused,
    Request,
    frame,
    message,
    optional_text,
    present,
    text,
)
from chalicelib.contracts.fixes import read_fix
from chalicelib.contracts.rides import bodies
from chalicelib.domain import events
from chalicelib.domain.details import Wish
from chalicelib.domain.events import Event
from chalicelib.domain.ids import parse_id
from chalicelib.domain.messaging.connections import Connection, Listener, public_room
from chalicelib.domain.money.fares import STANDARD
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.chat import MAX_MESSAGE, Message
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.requests import (
    AcceptOrder,
    Ask,
    Authenticate,
    CancelRide,
    Rate,
    ReadMessages,
    ReportFix,
    RequestRide,
    SeeRide,
    SendMessage,
    SetAvailable,
    TakeStep,
)
from chalicelib.domain.people import Role
from chalicelib.errors import (
    Forbidden,
    InvalidInput,
    InvalidTransition,
    NotFound,
    Unauthenticated,
    WaybillError,
)

NAME = "rides"
FLOW = "ride"
WELCOME = "Welcome to the ride-sharing service!"
AUTHENTICATE = "authenticate"
MAX_TOKEN = 8192
MAX_EVENT_ID = 128
MIN_EVENT_ID = -(2**63)

Data = Mapping[str, Any]
Reader = Callable[[Data, datetime], Ask]
Writer = Callable[[Event], Mapping[str, Any]]
Answer = Callable[[Any, Connection], Mapping[str, Any]]

RIDER, DRIVER = frozenset({Role.CUSTOMER}), frozenset({Role.COURIER})
BOTH = RIDER | DRIVER

# Codes that are not simply ours in capitals, and what is said with them.
CODES = {
    "invalid_input": "INVALID_PAYLOAD",
    "payload_too_large": "INVALID_PAYLOAD",
    "offer_gone": "RIDE_TAKEN",
    "courier_busy": "RIDE_ACTIVE",
}
SAID = {
    "not_found": "There is no such ride.",
    "offer_gone": "This ride is no longer to be had.",
    "courier_busy": "You have another ride that is not finished.",
}


class Rides(Contract):
    """The contract, for riders and drivers on one path."""

    roles = BOTH
    in_band = True
    known_only = True
    speaks_first = True
    # Spec 001 has no word for it, and its clients pass over events that they do not know.
    sign_of_life = frame({"event": "heartbeat", "data": {}})

    def rooms(self, connection: Connection) -> Sequence[str]:
        """Everybody hears announcements."""
        return (public_room(NAME, connection.id),)

    def first_frames(self, connection: Connection, offered: Order | None) -> Sequence[str]:
        """The welcome, whoever it is."""
        return (_frame("server_message", {"msg": WELCOME}),)

    def words(self, event: Event, listener: Listener) -> Sequence[str]:
        """One frame an event, or none."""
        writer = WRITERS.get(event.type)
        if writer is None or (event.job is not None and event.job.flow != FLOW):
            return ()
        name, write = writer
        return (_frame(name, write(event)),)

    def read(self, text: str, connection: Connection, now: datetime) -> Request:
        """What a client asks. Raises InvalidInput or Refused."""
        found = message(text)
        name = next((found[key] for key in ("event", "action", "type") if key in found), None)
        if not isinstance(name, str):
            raise InvalidInput("event must be a text.")
        request = Request(name)
        try:
            request = Request(name, echo=_event_id(found.get("event_id")))
            ask = _ask(name, found.get("data"), connection, now)
        except WaybillError as error:
            raise Refused(request, error) from None
        return msgspec.structs.replace(request, ask=ask)

    def answer(self, request: Request, result: Any, connection: Connection) -> Sequence[str]:
        """`<event>_response` with status "success"."""
        said = EVENTS[request.name].answer(result, connection)
        return (_response(request, {"status": "success", **said}),)

    def refusal(self, request: Request, error: WaybillError) -> Sequence[str]:
        """`<event>_response` with status "error"; `error` where no event could be read."""
        data = present(
            status="error",
            message=SAID.get(error.code) or _said(error),
            detail=_detail(error),
            code=CODES.get(error.code, error.code.upper()),
        )
        return (_response(request, data),)

    def ends(self, request: Request, connection: Connection) -> bool:
        """A failed authentication ends the connection (spec 001, "Error Handling"), but not one of
        somebody who is known already: their next token was no good, and nothing changes."""
        return request.name == AUTHENTICATE and not connection.person_id


class _Event(msgspec.Struct, frozen=True):
    """One event that clients send: whose it is, how it is read, how it is answered."""

    roles: frozenset[Role]
    read: Reader
    answer: Answer


def _ask(name: str, data: Any, connection: Connection, now: datetime) -> Ask:
    event = EVENTS.get(name)
    if event is None:
        raise InvalidInput("This event is unknown.", field="event")
    if data is not None and not isinstance(data, dict):
        raise InvalidInput("data must be an object.", field="data")
    if name != AUTHENTICATE:
        if not connection.person_id:
            raise Unauthenticated("Authenticate first.")
        if connection.role not in event.roles:
            raise Forbidden(f"{name} is not for a {bodies.USER_TYPES[_role(connection)]}.")
    return event.read(data or {}, now)


def _role(connection: Connection) -> Role:
    assert connection.role in BOTH, "nobody else is admitted"
    return connection.role


def _event_id(value: Any) -> str | int | None:
    """What the client wants echoed, as it is. Raises InvalidInput where that can't be done.

    Not a fraction: what was sent as 1.50 would come back as 1.5.
    """
    if value is None:
        return None
    if isinstance(value, str) and len(value) <= MAX_EVENT_ID:
        return value
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if is_whole and MIN_EVENT_ID <= value < 2**64:  # what a frame can carry
        return int(value)
    raise InvalidInput(
        f"event_id must be a text of at most {MAX_EVENT_ID} characters or a whole number.",
        field="event_id",
    )


def _frame(name: str, data: Mapping[str, Any]) -> str:
    return frame({"event": name, "data": data})


def _response(request: Request, data: Mapping[str, Any]) -> str:
    name = f"{request.name}_response" if request.name in EVENTS else "error"
    return frame({"event": name, "data": data, **present(event_id=request.echo)})


def _said(error: WaybillError) -> str:
    if isinstance(error, InvalidTransition):
        return f"This can't be done: the ride is {bodies.STATUS_WORDS[Status(error.status)]}."
    return error.message


def _detail(error: WaybillError) -> str | None:
    if after_s := error.details.get("retry_after_s"):
        return f"Try again in {after_s:g} s."
    field = error.details.get("field")
    return f"See {field}." if field else None


# Readers


def ride_id(data: Data) -> int:
    """The ride that is meant. Raises InvalidInput if absent, NotFound if there can't be one."""
    value = data.get("ride_id")
    if value is None or isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidInput("ride_id is required.", field="ride_id")
    if isinstance(value, str):
        value = text(value, "ride_id")
    found = parse_id(value)
    if found is None:
        raise NotFound(SAID["not_found"])
    return found


def read_wish(data: Data) -> Wish:
    """The body of `request_ride` and of POST /api/v1/riders/rides. Raises InvalidInput."""
    return Wish(
        pickup=bodies.read_place(data.get("pickup"), "pickup"),
        dropoff=bodies.read_place(data.get("destination"), "destination"),
        vehicle_type=optional_text(data.get("vehicle_type"), "vehicle_type", 40) or STANDARD,
        notes=optional_text(data.get("notes"), "notes"),
    )


def read_rating(data: Data) -> Rate:
    """The body of `rate_driver` and of POST /api/v1/riders/rate/driver. Raises InvalidInput."""
    stars = data.get("rating")
    if isinstance(stars, bool) or not isinstance(stars, int) or not 1 <= stars <= 5:
        raise InvalidInput("rating must be a whole number from 1 to 5.", field="rating")
    return Rate(ride_id(data), stars, optional_text(data.get("comment"), "comment"))


def _read_fix(data: Data, now: datetime) -> ReportFix:
    fix = read_fix(data, now, "latitude", "longitude", "timestamp")
    return ReportFix(fix, at_work=True)


def read_page(data: Data) -> int | None:
    """Before which message a page of a conversation ends, if that is said. Raises InvalidInput."""
    before = data.get("before")
    if before is None:
        return None
    found = parse_id(before)
    if found is None:
        raise InvalidInput("before must be the id of a message.", field="before")
    return found


# What clients send, and how it is answered


def _simply(words: str) -> Answer:
    return lambda result, connection: {"message": words}


def _authenticated(actor: Any, connection: Connection) -> Mapping[str, Any]:
    return {
        "message": "Authenticated successfully",
        "user_type": bodies.USER_TYPES[_role(connection)],
        "user_id": connection.person_id,
    }


def _online(result: Any, connection: Connection) -> Mapping[str, Any]:
    return {"message": "Driver is now online", "driver_id": connection.person_id}


def _located(stored: bool, connection: Connection) -> Mapping[str, Any]:
    return {"message": "Location updated" if stored else "A newer location is known"}


def _accepted(order: Order, connection: Connection) -> Mapping[str, Any]:
    assert order.courier is not None, "whoever accepted it has it"
    return {"message": "Ride accepted", "driver_info": bodies.driver_info(order.courier)}


def _completed(order: Order, connection: Connection) -> Mapping[str, Any]:
    return {"message": "Ride completed", "ride_data": bodies.completed_body(order)}


def _requested(order: Order, connection: Connection) -> Mapping[str, Any]:
    return {"message": "Ride requested", **bodies.requested(order)}


def _sent(sent: Message, connection: Connection) -> Mapping[str, Any]:
    return {"message": "Message sent", "chat_id": str(sent.id)}


def listed(found: Sequence[Message]) -> dict[str, Any]:
    """A page of a conversation."""
    return {
        "message": f"Retrieved {len(found)} chat messages",
        "chats": [bodies.listed_message(one) for one in found],
    }


EVENTS: Mapping[str, _Event] = {
    AUTHENTICATE: _Event(
        BOTH,
        lambda data, now: Authenticate(text(data.get("token"), "token", MAX_TOKEN)),
        _authenticated,
    ),
    "go_online": _Event(DRIVER, lambda data, now: SetAvailable(True, drives=True), _online),
    "go_offline": _Event(
        DRIVER, lambda data, now: SetAvailable(False), _simply("Driver is now offline")
    ),
    "update_location": _Event(DRIVER, _read_fix, _located),
    "accept_ride": _Event(DRIVER, lambda data, now: AcceptOrder(ride_id(data)), _accepted),
    "start_ride": _Event(
        DRIVER,
        lambda data, now: TakeStep(ride_id(data), commands.PickUp()),
        _simply("Ride started"),
    ),
    "complete_ride": _Event(
        DRIVER, lambda data, now: TakeStep(ride_id(data), commands.Deliver()), _completed
    ),
    "cancel_ride": _Event(
        BOTH,
        lambda data, now: CancelRide(ride_id(data), optional_text(data.get("reason"), "reason")),
        _simply("Ride canceled"),
    ),
    "request_ride": _Event(RIDER, lambda data, now: RequestRide(read_wish(data)), _requested),
    "rate_driver": _Event(RIDER, lambda data, now: read_rating(data), _simply("Rating submitted")),
    "join_ride_room": _Event(
        BOTH,
        lambda data, now: SeeRide(ride_id(data)),
        lambda view, connection: {
            "message": "Joined ride room",
            "ride_data": bodies.joined_body(view),
        },
    ),
    "get_ride_state": _Event(
        BOTH,
        lambda data, now: SeeRide(ride_id(data)),
        lambda view, connection: {
            "message": "Ride state retrieved",
            "ride_data": bodies.ride_body(view),
        },
    ),
    "send_chat_message": _Event(
        BOTH,
        lambda data, now: SendMessage(
            ride_id(data), text(data.get("message"), "message", MAX_MESSAGE)
        ),
        _sent,
    ),
    "get_ride_chats": _Event(
        BOTH,
        lambda data, now: ReadMessages(ride_id(data), read_page(data)),
        lambda found, connection: listed(found),
    ),
}

# What they are told. Whose event it is decides who hears it: contracts only word it.
_UPDATE = ("ride_status_update", bodies.status_update)
WRITERS: Mapping[str, tuple[str, Writer]] = {
    events.ORDER_ACCEPTED: _UPDATE,
    events.COURIER_ARRIVED: _UPDATE,
    events.ORDER_PICKED_UP: _UPDATE,
    events.ORDER_DELIVERED: _UPDATE,
    events.ORDER_CANCELLED: _UPDATE,
    events.ORDER_UNSERVED: _UPDATE,
    events.ORDER_REOPENED: _UPDATE,
    events.COURIER_STEPPED: _UPDATE,
    events.ORDER_CALLED: ("new_ride_request", bodies.ride_request),
    events.ORDER_CLOSED: ("ride_request_closed", bodies.request_closed),
    events.COURIER_MOVED: ("driver_location_update", bodies.location_update),
    events.MESSAGE_SENT: (
        "chat_message",
        lambda event: bodies.chat_message(msgspec.convert(event.data["message"], Message)),
    ),
    events.ANNOUNCEMENT: ("server_message", lambda event: {"msg": event.data["text"]}),
}

RIDES = Rides()
