"""Contract `feed`: spec 003, the event feed. Messages carry `type`, events the full envelope.

The client authenticates with its first message, then hears the types of event that it subscribes
to. What those are and how they are worded is in contracts/feed/events.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.contracts.base import (
    Contract,
    RequestError,
    SocketMessage,
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
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection, Subscriber, subscriber_room
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.requests import Authenticate, ChangeSubscriptions, KeepAlive
from chalicelib.domain.people import Role
from chalicelib.errors import InvalidInput, Unauthenticated, WaybillError

MAX_EVENT_NAMES = 100  # in one message; the contract has 17
MAX_NAME_LENGTH = 128  # each comes back in `rejected_events` if it is none
_MAX_TOKEN = 8192

# The contract's words for roles, where a client did not say its own.
ROLE_NAMES: dict[Role, str] = {
    Role.CUSTOMER: "customer",
    Role.COURIER: "delivery_boy",
    Role.MERCHANT: "shop",
    Role.ADMIN: "admin",
}


class FeedContract(Contract):
    """The contract: people listen to what they subscribe to."""

    roles = frozenset(ROLE_NAMES)
    authenticates_by_message = True
    requires_auth_message = True
    requires_profile = True
    subscribes = True

    def rooms_for(self, connection: Connection) -> Sequence[str]:
        """One in which all of the contract's connections can be counted, beyond the person's."""
        return (subscriber_room(connection.id),)

    def first_frames(self, connection: Connection, offered: Order | None) -> Sequence[str]:
        """None: the client speaks first."""
        return ()

    def render_event(self, event: Event, listener: Subscriber) -> Sequence[str]:
        """The event in its envelope, if it is one of the contract's and for this person."""
        return (encode_frame(render_envelope(event)),) if is_feed_event(event) else ()

    def read_message(self, text: str, connection: Connection, now: datetime) -> SocketMessage:
        """What a client asks. Raises InvalidInput, Unauthenticated, or Refused."""
        found = decode_message(text)
        name = found.get("type")
        reader = READERS.get(name) if isinstance(name, str) else None
        if not connection.person_id and name != "auth":
            raise Unauthenticated("Authenticate first.")
        if reader is None:
            raise InvalidInput("This type is unknown.")
        try:
            return reader(found)
        except WaybillError as error:
            raise RequestError(SocketMessage(str(name)), error) from None

    def success_frames(
        self, request: SocketMessage, result: Any, connection: Connection
    ) -> Sequence[str]:
        """The contract's confirmation of each message."""
        return (encode_frame(ANSWERS[request.name](request, connection)),)

    def error_frames(self, request: SocketMessage, error: WaybillError) -> Sequence[str]:
        """{"type": "error", "message", "code"}."""
        return (encode_frame({"type": "error", "message": error.message, "code": error.code}),)

    def closes_after_error(self, request: SocketMessage, connection: Connection) -> bool:
        """Who has not authenticated gets one chance (spec 003, Authentication)."""
        return not connection.person_id


def _read_auth(found: Mapping[str, Any]) -> SocketMessage:
    person_id = found.get("user_id")
    if isinstance(person_id, int) and not isinstance(person_id, bool):
        person_id = str(person_id)
    word = read_optional_text(found.get("user_role"), "user_role", 40)
    ask = Authenticate(
        token=read_text(found.get("token"), "token", _MAX_TOKEN),
        person_id=read_text(person_id, "user_id", 128),
        role_word=word,
    )
    return SocketMessage("auth", ask, word)


def _read_subscribe(found: Mapping[str, Any]) -> SocketMessage:
    known, rejected = _read_event_names(found)
    return SocketMessage("subscribe", ChangeSubscriptions(subscribe_to=known), rejected)


def _read_unsubscribe(found: Mapping[str, Any]) -> SocketMessage:
    known, rejected = _read_event_names(found)
    return SocketMessage("unsubscribe", ChangeSubscriptions(unsubscribe_from=known), rejected)


def _read_heartbeat(found: Mapping[str, Any]) -> SocketMessage:
    return SocketMessage("heartbeat", KeepAlive())


def _read_event_names(found: Mapping[str, Any]) -> tuple[tuple[str, ...], list[str] | None]:
    """The event types in `events`, in the core's words, and the names that are none."""
    names = found.get("events")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidInput("events must be a list of texts.", field="events")
    if len(names) > MAX_EVENT_NAMES:
        raise InvalidInput(f"events must have at most {MAX_EVENT_NAMES} names.", field="events")
    if any(len(name) > MAX_NAME_LENGTH for name in names):
        raise InvalidInput(
            f"events have at most {MAX_NAME_LENGTH} characters each.", field="events"
        )
    rejected = [name for name in names if name not in TYPE_BY_NAME]
    return tuple(TYPE_BY_NAME[name] for name in names if name in TYPE_BY_NAME), rejected or None


def _confirm_auth(request: SocketMessage, connection: Connection) -> dict[str, Any]:
    return {
        "type": "authenticated",
        "user_id": connection.person_id,
        "user_role": request.echo or (ROLE_NAMES[connection.role] if connection.role else ""),
        "connection_id": connection.id,
    }


def _confirm_subscription(request: SocketMessage, connection: Connection) -> dict[str, Any]:
    return omit_none(
        type="subscription_updated",
        subscribed_events=[EVENT_KINDS[type_].name for type_ in connection.subscriptions or ()],
        rejected_events=request.echo,
    )


READERS: dict[str, Callable[[Mapping[str, Any]], SocketMessage]] = {
    "auth": _read_auth,
    "subscribe": _read_subscribe,
    "unsubscribe": _read_unsubscribe,
    "heartbeat": _read_heartbeat,
}
ANSWERS: dict[str, Callable[[SocketMessage, Connection], dict[str, Any]]] = {
    "auth": _confirm_auth,
    "subscribe": _confirm_subscription,
    "unsubscribe": _confirm_subscription,
    "heartbeat": lambda request, connection: {"type": "heartbeat_ack"},
}

FEED = FeedContract()
