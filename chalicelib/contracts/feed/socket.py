"""Contract `feed`: spec 003, the event feed. Messages carry `type`, events the full envelope.

The client authenticates with its first message, then hears the types of event that it subscribes
to. What those are and how they are worded is in contracts/feed/events.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from chalicelib.contracts.base import (
    MAX_TOKEN,
    Data,
    MessageType,
    RequestError,
    SocketMessage,
    Writer,
    decode_message,
    encode_frame,
    omit_none,
    read_optional_text,
    read_text,
)
from chalicelib.contracts.feed.events import (
    EVENT_KINDS,
    TYPE_BY_NAME,
    is_feed_event,
    render_envelope,
)
from chalicelib.contracts.typed import TypedContract
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection, Subscriber, name_subscriber_room
from chalicelib.domain.messaging.positions import read_position
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.requests import Authenticate, ChangeSubscriptions, KeepAlive
from chalicelib.domain.people import Role
from chalicelib.errors import InvalidInput, Unauthenticated, WaybillError

MAX_EVENT_NAMES = 100  # in one message; the contract has 20
MAX_NAME_LENGTH = 128  # each comes back in `rejected_events` if it is none

# The contract's words for roles, where a client did not say its own.
ROLE_NAMES: dict[Role, str] = {
    Role.CUSTOMER: "customer",
    Role.COURIER: "delivery_boy",
    Role.MERCHANT: "shop",
    Role.ADMIN: "admin",
}


class FeedContract(TypedContract):
    """The contract: people listen to what they subscribe to."""

    paths = ("/api/websocket/ws",)
    roles = frozenset(ROLE_NAMES)
    authenticates_by_message = True
    requires_auth_message = True
    requires_profile = True
    subscribes = True

    def __init__(self, client_timeout: timedelta) -> None:
        super().__init__(MESSAGES, WRITERS)
        self.client_timeout = client_timeout

    def list_rooms(self, connection: Connection) -> Sequence[str]:
        """List the room in which all of the contract's connections can be counted."""
        return (name_subscriber_room(connection.id),)

    def render_first_frames(
        self, connection: Connection, offered: Sequence[Order]
    ) -> Sequence[str]:
        """Make none: the client speaks first."""
        return ()

    def render_event(self, event: Event, listener: Subscriber) -> Sequence[str]:
        """Render the event in its envelope, which is more than a name and data, if it is one of
        the contract's and for this person."""
        return (encode_frame(render_envelope(event)),) if is_feed_event(event) else ()

    def read_message(self, text: str, connection: Connection, now: datetime) -> SocketMessage:
        """Read what a client asks. Raises InvalidInput, Unauthenticated, or RequestError."""
        found = decode_message(text)
        name = found.get("type")
        message = self.messages.get(name) if isinstance(name, str) else None
        if not connection.person_id and name != "auth":
            raise Unauthenticated("Authenticate first.")
        if message is None:
            raise InvalidInput("This type is unknown.")
        try:
            echo = message.echo(found) if message.echo else None
            return SocketMessage(str(name), message.read(found, connection, now), echo)
        except WaybillError as error:
            raise RequestError(SocketMessage(str(name)), error) from None

    def render_error(self, message: SocketMessage, error: WaybillError) -> Sequence[str]:
        """Make {"type": "error", "message", "code"}."""
        return (self.encode_event("error", {"message": error.message, "code": error.code}),)

    def closes_after_error(self, message: SocketMessage, connection: Connection) -> bool:
        """Close the connection of a client that has not authenticated: it has one chance (spec
        003, Authentication)."""
        return not connection.person_id


def _read_role_name(found: Data) -> str | None:
    return read_optional_text(found.get("user_role"), "user_role", 40)


def _read_auth(found: Data, connection: Connection, now: datetime) -> Authenticate:
    person_id = found.get("user_id")
    if isinstance(person_id, int) and not isinstance(person_id, bool):
        person_id = str(person_id)
    return Authenticate(
        token=read_text(found.get("token"), "token", MAX_TOKEN),
        person_id=read_text(person_id, "user_id", 128),
        role_word=_read_role_name(found),
        position=read_position(found.get("from")),
    )


def _read_subscribe(found: Data, connection: Connection, now: datetime) -> ChangeSubscriptions:
    return ChangeSubscriptions(subscribe_to=_read_event_types(found))


def _read_unsubscribe(found: Data, connection: Connection, now: datetime) -> ChangeSubscriptions:
    return ChangeSubscriptions(unsubscribe_from=_read_event_types(found))


def _read_event_types(found: Data) -> tuple[str, ...]:
    """Read the types of event in `events`, in the core's words. Raises InvalidInput."""
    return tuple(TYPE_BY_NAME[name] for name in _read_names(found) if name in TYPE_BY_NAME)


def _read_rejected_names(found: Data) -> list[str] | None:
    """Read the names in `events` that are no event's; None where all are. Raises InvalidInput."""
    return [name for name in _read_names(found) if name not in TYPE_BY_NAME] or None


def _read_names(found: Data) -> list[str]:
    names = found.get("events")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidInput("events must be a list of texts.", field="events")
    if len(names) > MAX_EVENT_NAMES:
        raise InvalidInput(f"events must have at most {MAX_EVENT_NAMES} names.", field="events")
    if any(len(name) > MAX_NAME_LENGTH for name in names):
        raise InvalidInput(
            f"events have at most {MAX_NAME_LENGTH} characters each.", field="events"
        )
    return names


def _confirm_auth(result: Any, connection: Connection, message: SocketMessage) -> Data:
    return {
        "type": "authenticated",
        "user_id": connection.person_id,
        "user_role": message.echo or (ROLE_NAMES[connection.role] if connection.role else ""),
        "connection_id": connection.id,
    }


def _confirm_subscription(result: Any, connection: Connection, message: SocketMessage) -> Data:
    return omit_none(
        type="subscription_updated",
        subscribed_events=[EVENT_KINDS[type_].name for type_ in connection.subscriptions or ()],
        rejected_events=message.echo,
    )


_EVERYBODY = frozenset(ROLE_NAMES)
MESSAGES: Mapping[str, MessageType] = {
    "auth": MessageType(_EVERYBODY, _read_auth, _confirm_auth, _read_role_name),
    "subscribe": MessageType(
        _EVERYBODY, _read_subscribe, _confirm_subscription, _read_rejected_names
    ),
    "unsubscribe": MessageType(
        _EVERYBODY, _read_unsubscribe, _confirm_subscription, _read_rejected_names
    ),
    "heartbeat": MessageType(
        _EVERYBODY,
        lambda found, connection, now: KeepAlive(),
        lambda result, connection, message: {"type": "heartbeat_ack"},
    ),
}
WRITERS: Mapping[str, Sequence[Writer]] = {type_: (kind,) for type_, kind in EVENT_KINDS.items()}
