"""What a contract is: a table of readers, a table of writers, and what is absent is silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from chalicelib.contracts import json_text
from chalicelib.contracts.visible import is_blank
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection, Heartbeat, Subscriber
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.requests import ClientRequest, RefreshToken
from chalicelib.domain.people import Role
from chalicelib.domain.rate_limits import RateLimit
from chalicelib.errors import InvalidInput, WaybillError

MAX_TEXT = 500
MAX_TOKEN = 8192
REFRESH, REFRESHED = "refresh", "refreshed"

Writer = Callable[[Event], Mapping[str, Any]]
Reader = Callable[[Mapping[str, Any], datetime], ClientRequest]


class SocketMessage(msgspec.Struct, frozen=True):
    """One thing asked over a socket: by which message, and what the client wants echoed.

    `paced`: whether it counts where the contract sets a pace.
    """

    name: str = ""
    request: ClientRequest | None = None
    echo: Any = None
    is_rate_limited: bool = True


class Contract(Protocol):
    """One wire contract, for one kind of client.

    `roles` may speak it. Where `in_band` is true a connection may open without a token, and the
    client authenticates with its first message; where `asks_first` is true, it is admitted by
    that message only, even if its token came with the handshake. With `known_only` that takes a
    profile; with `selective` a connection hears only the types of event that it asks for.
    `heartbeat` is what its connections are told regularly, `pace` how much each may ask.
    `sign_of_life` is a frame of ours that says nothing, which its clients may ignore: what keeps a
    silent connection open where HEARTBEAT_S asks for that.
    Where it `speaks_first`, no answer comes before its first frames.
    Inherit for the defaults.
    """

    roles: frozenset[Role]
    authenticates_by_message: bool = False
    requires_auth_message: bool = False
    requires_profile: bool = False
    subscribes: bool = False
    greeting_comes_first: bool = False
    heartbeat: Heartbeat | None = None
    keepalive_frame: str | None = None
    rate_limit: RateLimit | None = None

    def check_handshake(self, query: Mapping[str, str]) -> None:
        """Look at a handshake's query. Raises InvalidInput to refuse it."""
        return

    def rooms_for(self, connection: Connection) -> Sequence[str]:
        """The rooms, beyond the person's own, that a greeted connection listens in."""

    def first_frames(self, connection: Connection, offered: Order | None) -> Sequence[str]:
        """What a new connection hears first; `offered` is the open offer of its courier."""

    def render_event(self, event: Event, listener: Subscriber) -> Sequence[str]:
        """The frames for an event; none where the contract is silent."""

    def read_message(self, text: str, connection: Connection, now: datetime) -> SocketMessage:
        """What a client asks. Raises InvalidInput, or Refused where the answer must name it."""

    def success_frames(
        self, request: SocketMessage, result: Any, connection: Connection
    ) -> Sequence[str]:
        """The frames that say that it was done; `result` is what edge.desk made of the ask."""

    def error_frames(self, request: SocketMessage, error: WaybillError) -> Sequence[str]:
        """The frames that say no; `request` is empty if it could not be read at all."""

    def closes_after_error(self, request: SocketMessage, connection: Connection) -> bool:
        """Whether the socket is closed after this refusal."""
        return False


class RequestError(Exception):
    """A message whose name could be read and whose content is wrong."""

    def __init__(self, request: SocketMessage, error: WaybillError) -> None:
        super().__init__(error.message)
        self.message = request
        self.error = error


def encode_frame(message: Mapping[str, Any]) -> str:
    """A message as the text of one frame."""
    return msgspec.json.encode(message).decode()


def decode_message(text: str) -> dict[str, Any]:
    """The JSON object in a frame. Raises InvalidInput, PayloadTooLarge."""
    found = json_text.decode_json(text, "A message")
    if not isinstance(found, dict):
        raise InvalidInput("A message is a JSON object.")
    return found


def omit_none(**fields: Any) -> dict[str, Any]:
    """The fields that have a value: absent optionals are omitted, never null."""
    return {name: value for name, value in fields.items() if value is not None}


def read_text(value: Any, name: str, most: int = MAX_TEXT) -> str:
    """A required text, trimmed. Raises InvalidInput."""
    found = read_optional_text(value, name, most)
    if found is None:
        raise InvalidInput(f"{name} is required.", field=name)
    return found


def read_optional_text(value: Any, name: str, most: int = MAX_TEXT) -> str | None:
    """A text, trimmed, or None where it is absent or nothing of it can be seen.

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
    """{token} that takes the place of the one before. Raises InvalidInput."""
    return RefreshToken(read_text(data.get("token"), "token", MAX_TOKEN))


def read_boolean(value: Any, name: str) -> bool:
    """True or false and nothing else. Raises InvalidInput."""
    if not isinstance(value, bool):
        raise InvalidInput(f"{name} must be true or false.", field=name)
    return value


def read_number(value: Any, name: str, low: float, high: float) -> float:
    """A finite number within bounds. Raises InvalidInput."""
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
    """A finite number within bounds, or None where it is absent. Raises InvalidInput."""
    return None if value is None else read_number(value, name, low, high)


def read_point(lat: Any, lng: Any, names: tuple[str, str]) -> tuple[float, float] | None:
    """A pair of coordinates: both or neither. Raises InvalidInput."""
    if lat is None and lng is None:
        return None
    if lat is None or lng is None:
        raise InvalidInput(f"{names[0]} and {names[1]} come together.", field=names[0])
    return read_number(lat, names[0], -90, 90), read_number(lng, names[1], -180, 180)
