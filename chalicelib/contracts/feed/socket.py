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
    Refused,
    Request,
    frame,
    message,
    optional_text,
    present,
    text,
)
from chalicelib.contracts.feed.events import KINDS, TYPES, envelope, worded
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection, Listener, feed_room
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.requests import Authenticate, Listen, StayAwake
from chalicelib.domain.people import Role
from chalicelib.errors import InvalidInput, Unauthenticated, WaybillError

MAX_NAMES = 100  # in one message; the contract has 17
MAX_NAME = 128  # each comes back in `rejected_events` if it is none
_MAX_TOKEN = 8192

# The contract's words for roles, where a client did not say its own.
ROLE_NAMES: dict[Role, str] = {
    Role.CUSTOMER: "customer",
    Role.COURIER: "delivery_boy",
    Role.MERCHANT: "shop",
    Role.ADMIN: "admin",
}


class Feed(Contract):
    """The contract: people listen to what they subscribe to."""

    roles = frozenset(ROLE_NAMES)
    in_band = True
    asks_first = True
    known_only = True
    selective = True

    def rooms(self, connection: Connection) -> Sequence[str]:
        """One in which all of the contract's connections can be counted, beyond the person's."""
        return (feed_room(connection.id),)

    def first_frames(self, connection: Connection, offered: Order | None) -> Sequence[str]:
        """None: the client speaks first."""
        return ()

    def words(self, event: Event, listener: Listener) -> Sequence[str]:
        """The event in its envelope, if it is one of the contract's and for this person."""
        return (frame(envelope(event)),) if worded(event) else ()

    def read(self, text: str, connection: Connection, now: datetime) -> Request:
        """What a client asks. Raises InvalidInput, Unauthenticated, or Refused."""
        found = message(text)
        name = found.get("type")
        reader = READERS.get(name) if isinstance(name, str) else None
        if not connection.person_id and name != "auth":
            raise Unauthenticated("Authenticate first.")
        if reader is None:
            raise InvalidInput("This type is unknown.")
        try:
            return reader(found)
        except WaybillError as error:
            raise Refused(Request(str(name)), error) from None

    def answer(self, request: Request, result: Any, connection: Connection) -> Sequence[str]:
        """The contract's confirmation of each message."""
        return (frame(ANSWERS[request.name](request, connection)),)

    def refusal(self, request: Request, error: WaybillError) -> Sequence[str]:
        """{"type": "error", "message", "code"}."""
        return (frame({"type": "error", "message": error.message, "code": error.code}),)

    def ends(self, request: Request, connection: Connection) -> bool:
        """Who has not authenticated gets one chance (spec 003, Authentication)."""
        return not connection.person_id


def _read_auth(found: Mapping[str, Any]) -> Request:
    person_id = found.get("user_id")
    if isinstance(person_id, int) and not isinstance(person_id, bool):
        person_id = str(person_id)
    word = optional_text(found.get("user_role"), "user_role", 40)
    ask = Authenticate(
        token=text(found.get("token"), "token", _MAX_TOKEN),
        person_id=text(person_id, "user_id", 128),
        role_word=word,
    )
    return Request("auth", ask, word)


def _read_subscribe(found: Mapping[str, Any]) -> Request:
    known, rejected = _names(found)
    return Request("subscribe", Listen(more=known), rejected)


def _read_unsubscribe(found: Mapping[str, Any]) -> Request:
    known, rejected = _names(found)
    return Request("unsubscribe", Listen(fewer=known), rejected)


def _read_heartbeat(found: Mapping[str, Any]) -> Request:
    return Request("heartbeat", StayAwake())


def _names(found: Mapping[str, Any]) -> tuple[tuple[str, ...], list[str] | None]:
    """The event types in `events`, in the core's words, and the names that are none."""
    names = found.get("events")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidInput("events must be a list of texts.", field="events")
    if len(names) > MAX_NAMES:
        raise InvalidInput(f"events must have at most {MAX_NAMES} names.", field="events")
    if any(len(name) > MAX_NAME for name in names):
        raise InvalidInput(f"events have at most {MAX_NAME} characters each.", field="events")
    rejected = [name for name in names if name not in TYPES]
    return tuple(TYPES[name] for name in names if name in TYPES), rejected or None


def _authenticated(request: Request, connection: Connection) -> dict[str, Any]:
    return {
        "type": "authenticated",
        "user_id": connection.person_id,
        "user_role": request.echo or (ROLE_NAMES[connection.role] if connection.role else ""),
        "connection_id": connection.id,
    }


def _subscribed(request: Request, connection: Connection) -> dict[str, Any]:
    return present(
        type="subscription_updated",
        subscribed_events=[KINDS[type_].name for type_ in connection.hears or ()],
        rejected_events=request.echo,
    )


READERS: dict[str, Callable[[Mapping[str, Any]], Request]] = {
    "auth": _read_auth,
    "subscribe": _read_subscribe,
    "unsubscribe": _read_unsubscribe,
    "heartbeat": _read_heartbeat,
}
ANSWERS: dict[str, Callable[[Request, Connection], dict[str, Any]]] = {
    "auth": _authenticated,
    "subscribe": _subscribed,
    "unsubscribe": _subscribed,
    "heartbeat": lambda request, connection: {"type": "heartbeat_ack"},
}

FEED = Feed()
