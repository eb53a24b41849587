"""Contracts whose messages are {"type", …}, in both directions: what all of them have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chalicelib.contracts.base import (
    REFRESHED,
    Contract,
    Data,
    MessageType,
    SocketMessage,
    decode_message,
    encode_frame,
    read_refresh,
)
from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.people import Role
from chalicelib.errors import InvalidInput, WaybillError


class TypedContract(Contract):
    """A contract that reads and writes {"type", …}. An answer's data has its own `type`."""

    def encode_event(self, name: str, data: Data) -> str:
        """Encode {type, …}."""
        return encode_frame({"type": name, **data})

    def read_message(self, text: str, connection: Connection, now: datetime) -> SocketMessage:
        """Read what a client asks. Raises InvalidInput."""
        found = decode_message(text)
        name = found.get("type")
        message = self.messages.get(name) if isinstance(name, str) else None
        if message is None:
            raise InvalidInput("This type is unknown.")
        return SocketMessage(str(name), message.read(found, connection, now))

    def render_answer(
        self, message: SocketMessage, result: Any, connection: Connection
    ) -> Sequence[str]:
        """Make the answer that the table of messages has; none where that is silence."""
        data = self.make_answer(message, result, connection)
        return () if data is None else (encode_frame(data),)

    def render_error(self, message: SocketMessage, error: WaybillError) -> Sequence[str]:
        """Make an error frame; the socket stays open."""
        return (self.encode_event("error", {"code": error.code, "message": error.message}),)


def make_ping(roles: frozenset[Role]) -> MessageType:
    """Make the message `ping`, which asks for nothing and is answered by `pong`."""
    return MessageType(
        roles,
        lambda data, connection, now: None,
        lambda result, connection, message: {"type": "pong"},
    )


def make_refresh(roles: frozenset[Role]) -> MessageType:
    """Make the message that brings a newer token, and is answered once that is taken."""
    return MessageType(
        roles,
        lambda data, connection, now: read_refresh(data),
        lambda result, connection, message: {"type": REFRESHED},
    )
