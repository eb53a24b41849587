"""Contract `rides`: spec 001, ride sharing. Frames in are {event|action|type, data?, event_id?},
frames out {event, data, event_id?}; each request is answered by `<event>_response`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from chalicelib.contracts.base import (
    Contract,
    Data,
    MessageType,
    RequestError,
    SocketMessage,
    Writer,
    decode_message,
    encode_frame,
    omit_none,
    read_text,
)
from chalicelib.contracts.proof import read_pin
from chalicelib.contracts.reasons import read_reason
from chalicelib.contracts.rides import bodies
from chalicelib.contracts.rides.answers import (
    BOTH,
    DRIVER,
    RIDER,
    answer_accept_ride,
    answer_authenticate,
    answer_complete_ride,
    answer_go_online,
    answer_request_ride,
    answer_send_chat,
    answer_update_location,
    answer_with,
    get_role,
    render_conversation,
)
from chalicelib.contracts.rides.readers import (
    NO_SUCH_RIDE,
    add_keys,
    read_authenticate,
    read_before,
    read_location_update,
    read_rating,
    read_ride_id,
    read_ride_request,
)
from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection, Subscriber, name_public_room
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.chat import MAX_TEXT_LENGTH
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.requests import (
    AcceptOrder,
    CancelOrder,
    ClientRequest,
    GetMessages,
    GetOrder,
    PlaceOrder,
    RateCourier,
    SendMessage,
    SetAvailability,
    TakeStep,
)
from chalicelib.errors import (
    Forbidden,
    InvalidInput,
    InvalidTransition,
    Unauthenticated,
    UseRest,
    WaybillError,
)

NAME = "rides"
FLOW = "ride"
WELCOME = "Welcome to the ride-sharing service!"
AUTHENTICATE = "authenticate"
MAX_EVENT_ID = 128
MIN_EVENT_ID = -(2**63)

# Codes that are not simply ours in capitals, and what is said with them.
ERROR_CODES = {
    "invalid_input": "INVALID_PAYLOAD",
    "payload_too_large": "INVALID_PAYLOAD",
    "offer_gone": "RIDE_TAKEN",
    "courier_busy": "RIDE_ACTIVE",
}
ERROR_MESSAGES = {
    "not_found": NO_SUCH_RIDE,
    "offer_gone": "This ride is no longer to be had.",
    "courier_busy": "You have another ride that is not finished.",
}


class RidesContract(Contract):
    """The contract, for riders and drivers on one path."""

    paths = ("/api/v1/ws/rides",)
    roles = BOTH
    authenticates_by_message = True
    requires_profile = True
    greeting_comes_first = True
    # Spec 001 has no word for it, and its clients pass over events that they do not know.
    keepalive_frame = encode_frame({"event": "heartbeat", "data": {}})

    def __init__(self, ws_create: bool) -> None:
        """Set whether rides are requested and drivers rated over the socket, or by REST only.

        Spec 001 has these by REST in its one part, and over the socket in its other.
        """
        super().__init__(MESSAGES, WRITERS)
        self._ws_create = ws_create

    def list_rooms(self, connection: Connection) -> Sequence[str]:
        """List the room of announcements, which are for everybody."""
        return (name_public_room(NAME, connection.id),)

    def render_first_frames(
        self, connection: Connection, offered: Sequence[Order]
    ) -> Sequence[str]:
        """Make the welcome."""
        return (_encode_event_frame("server_message", {"msg": WELCOME}),)

    def is_for(self, event: Event, listener: Subscriber) -> bool:
        """Say whether an event is of a ride, or of none of the flows."""
        return event.details is None or event.details.flow == FLOW

    def encode_event(self, name: str, data: Data) -> str:
        """Encode {event, data}."""
        return _encode_event_frame(name, data)

    def read_message(self, text: str, connection: Connection, now: datetime) -> SocketMessage:
        """Read what a client asks. Raises InvalidInput or RequestError."""
        found = decode_message(text)
        name = next((found[key] for key in ("event", "action", "type") if key in found), None)
        if not isinstance(name, str):
            raise InvalidInput("event must be a text.")
        message = SocketMessage(name)
        try:
            message = SocketMessage(name, echo=_read_event_id(found.get("event_id")))
            request = _read_request(name, found.get("data"), connection, now)
            request = add_keys(request, message, found.get("data"), connection, now)
            if not self._ws_create and isinstance(request, PlaceOrder | RateCourier):
                raise UseRest("This is done by REST here.")
        except WaybillError as error:
            raise RequestError(message, error) from None
        return msgspec.structs.replace(message, request=request)

    def render_answer(
        self, message: SocketMessage, result: Any, connection: Connection
    ) -> Sequence[str]:
        """Make an `<event>_response` with status "success"."""
        said = self.make_answer(message, result, connection)
        return (_encode_response(message, {"status": "success", **(said or {})}),)

    def render_error(self, message: SocketMessage, error: WaybillError) -> Sequence[str]:
        """Make an `<event>_response` with status "error"; `error` where no event could be read."""
        data = omit_none(
            status="error",
            message=ERROR_MESSAGES.get(error.code) or _word_error(error),
            detail=_word_detail(error),
            code=ERROR_CODES.get(error.code, error.code.upper()),
        )
        return (_encode_response(message, data),)

    def closes_after_error(self, message: SocketMessage, connection: Connection) -> bool:
        """Close after a failed authentication (spec 001, "Error Handling"), but not the connection
        of somebody who is known already: their next token was no good, and nothing changes."""
        return message.name == AUTHENTICATE and not connection.person_id


def _read_request(
    name: str, data: Any, connection: Connection, now: datetime
) -> ClientRequest | None:
    event = MESSAGES.get(name)
    if event is None:
        raise InvalidInput("This event is unknown.", field="event")
    if data is not None and not isinstance(data, dict):
        raise InvalidInput("data must be an object.", field="data")
    if name != AUTHENTICATE:
        if not connection.person_id:
            raise Unauthenticated("Authenticate first.")
        if connection.role not in event.roles:
            raise Forbidden(f"{name} is not for a {bodies.USER_TYPES[get_role(connection)]}.")
    return event.read(data or {}, connection, now)


def _read_event_id(value: Any) -> str | int | None:
    """Read what the client wants echoed, as it is. Raises InvalidInput where that can't be done.

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


def _encode_event_frame(name: str, data: Mapping[str, Any]) -> str:
    return encode_frame({"event": name, "data": data})


def _encode_response(message: SocketMessage, data: Mapping[str, Any]) -> str:
    name = f"{message.name}_response" if message.name in MESSAGES else "error"
    return encode_frame({"event": name, "data": data, **omit_none(event_id=message.echo)})


def _word_error(error: WaybillError) -> str:
    if isinstance(error, InvalidTransition):
        return f"This can't be done: the ride is {bodies.STATUS_WORDS[Status(error.status)]}."
    return error.message


def _word_detail(error: WaybillError) -> str | None:
    if after_s := error.details.get("retry_after_s"):
        return f"Try again in {after_s:g} s."
    field = error.details.get("field")
    return f"See {field}." if field else None


MESSAGES: Mapping[str, MessageType] = {
    AUTHENTICATE: MessageType(
        BOTH,
        read_authenticate,
        answer_authenticate,
    ),
    "go_online": MessageType(
        DRIVER,
        lambda data, connection, now: SetAvailability(True, for_rides=True),
        answer_go_online,
    ),
    "go_offline": MessageType(
        DRIVER,
        lambda data, connection, now: SetAvailability(False),
        answer_with("Driver is now offline"),
    ),
    "update_location": MessageType(DRIVER, read_location_update, answer_update_location),
    "accept_ride": MessageType(
        DRIVER, lambda data, connection, now: AcceptOrder(read_ride_id(data)), answer_accept_ride
    ),
    "start_ride": MessageType(
        DRIVER,
        lambda data, connection, now: TakeStep(
            read_ride_id(data), commands.PickUp(pin=read_pin(data))
        ),
        answer_with("Ride started"),
    ),
    "complete_ride": MessageType(
        DRIVER,
        lambda data, connection, now: TakeStep(
            read_ride_id(data), commands.Deliver(pin=read_pin(data))
        ),
        answer_complete_ride,
    ),
    "cancel_ride": MessageType(
        BOTH,
        lambda data, connection, now: CancelOrder(
            read_ride_id(data), read_reason(data, connection.role)
        ),
        answer_with("Ride canceled"),
    ),
    "request_ride": MessageType(
        RIDER,
        lambda data, connection, now: PlaceOrder(read_ride_request(data)),
        answer_request_ride,
    ),
    "rate_driver": MessageType(
        RIDER, lambda data, connection, now: read_rating(data), answer_with("Rating submitted")
    ),
    "join_ride_room": MessageType(
        BOTH,
        lambda data, connection, now: GetOrder(read_ride_id(data)),
        lambda view, connection, message: {
            "message": "Joined ride room",
            "ride_data": bodies.render_ride_summary(view),
        },
    ),
    "get_ride_state": MessageType(
        BOTH,
        lambda data, connection, now: GetOrder(read_ride_id(data)),
        lambda view, connection, message: {
            "message": "Ride state retrieved",
            "ride_data": bodies.render_ride(view),
        },
    ),
    "send_chat_message": MessageType(
        BOTH,
        lambda data, connection, now: SendMessage(
            read_ride_id(data), read_text(data.get("message"), "message", MAX_TEXT_LENGTH)
        ),
        answer_send_chat,
    ),
    "get_ride_chats": MessageType(
        BOTH,
        lambda data, connection, now: GetMessages(read_ride_id(data), read_before(data)),
        lambda found, connection, message: render_conversation(found),
    ),
}

# What they are told. Whose event it is decides who hears it: contracts only word it.
_UPDATE = (Writer("ride_status_update", bodies.render_status_update),)
WRITERS: Mapping[str, Sequence[Writer]] = {
    events.ORDER_ACCEPTED: _UPDATE,
    events.COURIER_ARRIVED: _UPDATE,
    events.ORDER_PICKED_UP: _UPDATE,
    events.ORDER_DELIVERED: _UPDATE,
    events.ORDER_CANCELLED: _UPDATE,
    events.DELIVERY_FAILED: _UPDATE,  # of rides only by a no-show
    events.ORDER_UNSERVED: _UPDATE,
    events.ORDER_REOPENED: _UPDATE,
    events.COURIER_STEPPED: _UPDATE,
    events.OFFER_REASSIGNED: (Writer("ride_status_update", bodies.render_taken_away),),
    events.ORDER_BROADCAST: (Writer("new_ride_request", bodies.render_ride_request),),
    events.BROADCAST_CLOSED: (Writer("ride_request_closed", bodies.render_request_closed),),
    events.COURIER_MOVED: (Writer("driver_location_update", bodies.render_location_update),),
    events.MESSAGE_SENT: (Writer("chat_message", bodies.render_sent_message),),
    events.ANNOUNCEMENT: (Writer("server_message", lambda event: {"msg": event.data["text"]}),),
}
