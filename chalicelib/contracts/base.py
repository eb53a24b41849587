"""The layout of a contract: a table of messages, a table of writers; what is absent is silence.

`messages` says for each message that clients send who may send it, how it becomes a request, and
how it is answered. `writers` says for each type of event which frames it becomes, and for whom.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from chalicelib.contracts import json_text
from chalicelib.contracts.visible import is_blank
from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection, Heartbeat, Subscriber
from chalicelib.domain.messaging.mailboxes import RESTAURANT_PREFIX
from chalicelib.domain.messaging.watching import Watch
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.requests import ClientRequest, RefreshToken
from chalicelib.domain.people import Role
from chalicelib.domain.rate_limits import RateLimit
from chalicelib.errors import InvalidInput, WaybillError

MAX_TEXT = 500
MAX_TOKEN = 8192
REFRESH, REFRESHED = "refresh", "refreshed"

Data = Mapping[str, Any]


class SocketMessage(msgspec.Struct, frozen=True):
    """One thing asked over a socket: by which message, and what the client wants echoed.

    `is_rate_limited`: whether the message counts where the contract limits them.
    """

    name: str = ""
    request: ClientRequest | None = None
    echo: Any = None
    is_rate_limited: bool = True


class MessageType(msgspec.Struct, frozen=True):
    """One message that clients send.

    `roles` may send it. `read` makes a request of its data, or None where nothing is asked but an
    answer; raises InvalidInput, Forbidden, NotFound. `answer` makes the answer's data of what the
    request came to (edge/socket_requests.py says what that is), or None for silence. `echo` reads
    what the answer repeats of the message.
    """

    roles: frozenset[Role]
    read: Callable[[Data, Connection, datetime], ClientRequest | None]
    answer: Callable[[Any, Connection, SocketMessage], Data | None]
    echo: Callable[[Data], Any] | None = None


class Writer(msgspec.Struct, frozen=True):
    """One frame that an event becomes: its name on the wire and its data, None for silence.

    Events with another audience than the writer's don't become this frame; None takes them all.
    """

    name: str
    render: Callable[[Event], Data | None]
    audience: Role | None = None


# Types of event that only couriers are told of.
_FOR_COURIERS = frozenset(
    {
        events.OFFER_MADE,
        events.OFFER_TIMED_OUT,
        events.OFFER_REASSIGNED,
        events.SEARCH_FAILED,
        events.ORDER_OPENED,
        events.ORDER_TAKEN,
        events.ORDER_CLAIMED,
        events.COURIER_STEPPED,
    }
)


def find_audience(event: Event) -> Role | None:
    """Find the role that a copy of an event is meant for: somebody may have two, on two sockets.
    None is for everybody.

    Events say it themselves. Those of rows written before they did, which are delivered for a day
    and looked up for eight, are judged by type and recipient.
    """
    if event.audience is not None or event.details is None:
        return event.audience
    if event.type in _FOR_COURIERS:
        return Role.COURIER
    if event.to.startswith(RESTAURANT_PREFIX):
        return Role.MERCHANT
    return Role.CUSTOMER if event.to == event.details.customer_id else Role.COURIER


class Contract(ABC):
    """One wire contract, for one kind of client. Inherit for the defaults.

    Who speaks it: `roles` may, on its literal WebSocket `paths`. With `authenticates_by_message` a
    connection may open without a token, and its first message brings one; with
    `requires_auth_message` it is admitted by that message only, even if a token came with the
    handshake; with `opens_by_link` the token is a tracking link's. `requires_profile` lets nobody
    authenticate who has no profile.

    What it hears: with `subscribes` only the types of event that it asks for. Where the
    `greeting_comes_first`, no answer comes before the first frames. `rate_limit` is how much each
    connection may ask.

    How it stays open: `heartbeat` is what its connections are told regularly, `keepalive_frame` a
    frame that says nothing, for clients to ignore, where HEARTBEAT_S asks for signs of life. A
    connection that is silent for `client_timeout` is closed.
    """

    paths: tuple[str, ...] = ()
    roles: frozenset[Role]
    authenticates_by_message: bool = False
    requires_auth_message: bool = False
    requires_profile: bool = False
    opens_by_link: bool = False
    subscribes: bool = False
    greeting_comes_first: bool = False
    heartbeat: Heartbeat | None = None
    keepalive_frame: str | None = None
    client_timeout: timedelta | None = None
    rate_limit: RateLimit | None = None

    def __init__(
        self, messages: Mapping[str, MessageType], writers: Mapping[str, Sequence[Writer]]
    ) -> None:
        self.messages = messages
        self.writers = writers

    def check_handshake(self, query: Mapping[str, str]) -> None:
        """Check a handshake's query. Raises InvalidInput to refuse it."""
        return

    def read_watch(self, query: Mapping[str, str], position: str | None) -> Watch | None:
        """Read of a handshake's query what its connection is shown of the board; None, for nothing,
        where that is not what the contract is for. Raises InvalidInput."""
        return None

    def list_rooms(self, connection: Connection) -> Sequence[str]:
        """List the rooms, beyond the person's own, in which a greeted connection listens."""
        return ()

    def render_first_frames(
        self, connection: Connection, offered: Sequence[Order]
    ) -> Sequence[str]:
        """Make what a new connection is told first; `offered` are open offers to its courier."""
        return ()

    def is_for(self, event: Event, listener: Subscriber) -> bool:
        """Say whether an event concerns a listener of this contract at all."""
        return True

    @abstractmethod
    def encode_event(self, name: str, data: Data) -> str:
        """Encode a frame, in the contract's envelope."""

    def render_event(self, event: Event, listener: Subscriber) -> Sequence[str]:
        """Render the frames of an event by the contract's writers, in their order."""
        if not self.is_for(event, listener):
            return ()
        writers = self.writers.get(event.type, ())
        drafts = ((w.name, w.render(event)) for w in writers if is_writer_for(w, event))
        return tuple(self.encode_event(name, data) for name, data in drafts if data is not None)

    def add_position(self, frame: str, position: str) -> str:
        """Add to an event's frame at which position its client is then: `pos`, beside the keys of
        the envelope. Those who did not ask for it get the frame as it was."""
        return f'{frame[:-1]},"pos":"{position}"}}'

    @abstractmethod
    def read_message(self, text: str, connection: Connection, now: datetime) -> SocketMessage:
        """Read what a client asks. Raises InvalidInput, or RequestError where the answer must name
        the message."""

    def make_answer(
        self, message: SocketMessage, result: Any, connection: Connection
    ) -> Data | None:
        """Make an answer's data by the table of messages; None for silence."""
        return self.messages[message.name].answer(result, connection, message)

    @abstractmethod
    def render_answer(
        self, message: SocketMessage, result: Any, connection: Connection
    ) -> Sequence[str]:
        """Make the frames of the answer; `result` is what edge/socket_requests.py returned."""

    @abstractmethod
    def render_error(self, message: SocketMessage, error: WaybillError) -> Sequence[str]:
        """Make the frames that say no; `message` is empty if it could not be read."""

    def closes_after_error(self, message: SocketMessage, connection: Connection) -> bool:
        """Say whether the socket is closed after this error."""
        return False


def is_writer_for(writer: Writer, event: Event) -> bool:
    """Say whether a writer is for this copy of an event."""
    return writer.audience is None or writer.audience is find_audience(event)


class RequestError(Exception):
    """A message whose name could be read and whose content is wrong."""

    def __init__(self, message: SocketMessage, error: WaybillError) -> None:
        super().__init__(error.message)
        self.message = message
        self.error = error


def encode_frame(message: Mapping[str, Any]) -> str:
    """Encode a message as the text of one frame."""
    return msgspec.json.encode(message).decode()


def decode_message(text: str) -> dict[str, Any]:
    """Decode the JSON object in a frame. Raises InvalidInput, PayloadTooLarge."""
    found = json_text.decode_json(text, "A message")
    if not isinstance(found, dict):
        raise InvalidInput("A message is a JSON object.")
    return found


def omit_none(**fields: Any) -> dict[str, Any]:
    """Keep the fields that have a value: absent optionals are omitted, never null."""
    return {name: value for name, value in fields.items() if value is not None}


def read_text(value: Any, name: str, most: int = MAX_TEXT) -> str:
    """Read a required text, trimmed. Raises InvalidInput."""
    found = read_optional_text(value, name, most)
    if found is None:
        raise InvalidInput(f"{name} is required.", field=name)
    return found


def read_optional_text(value: Any, name: str, most: int = MAX_TEXT) -> str | None:
    """Read a text, trimmed; None where it is absent or nothing of it can be seen.

    Raises InvalidInput.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidInput(f"{name} must be a text.", field=name)
    trimmed = value.strip()
    if len(trimmed) > most:
        raise InvalidInput(f"{name} must have at most {most} characters.", field=name)
    if any((ord(c) < 32 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0 for c in trimmed):
        raise InvalidInput(f"{name} must not have control characters.", field=name)
    return None if is_blank(trimmed) else trimmed


def read_refresh(data: Mapping[str, Any]) -> RefreshToken:
    """Read {token}, which takes the place of the token before. Raises InvalidInput."""
    return RefreshToken(read_text(data.get("token"), "token", MAX_TOKEN))


def read_boolean(value: Any, name: str) -> bool:
    """Read true or false, and nothing else. Raises InvalidInput."""
    if not isinstance(value, bool):
        raise InvalidInput(f"{name} must be true or false.", field=name)
    return value


def read_number(value: Any, name: str, low: float, high: float) -> float:
    """Read a finite number within bounds. Raises InvalidInput."""
    bad = isinstance(value, bool) or not isinstance(value, int | float)
    if (
        bad or not low <= value <= high
    ):  # false for NaN, infinities and numbers too large for floats
        raise InvalidInput(
            f"{name} must be a number from {format_number(low)} to {format_number(high)}.",
            field=name,
        )
    return float(value)


def format_number(value: float) -> str:
    """Write a number as people do: 1,000,000 and 0.01, never 1e+06."""
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,}"


def read_optional_number(value: Any, name: str, low: float, high: float) -> float | None:
    """Read a finite number within bounds; None where it is absent. Raises InvalidInput."""
    return None if value is None else read_number(value, name, low, high)


def read_point(lat: Any, lng: Any, names: tuple[str, str]) -> tuple[float, float] | None:
    """Read a pair of coordinates: both or neither. Raises InvalidInput."""
    if lat is None and lng is None:
        return None
    if lat is None or lng is None:
        raise InvalidInput(f"{names[0]} and {names[1]} come together.", field=names[0])
    return read_number(lat, names[0], -90, 90), read_number(lng, names[1], -180, 180)
