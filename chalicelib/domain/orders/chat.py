"""Conversations about an order: between its customer and its courier."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec

from chalicelib.domain.events import MESSAGE_SENT, Entry, Event, Outbox
from chalicelib.domain.people import Role

MAX_TEXT_LENGTH = 1000  # spec 001: characters
MAX_MESSAGES = 500  # about one order: what is bounded can be paged through
PAGE_SIZE = 100  # messages at once
CHAT_KEPT_FOR = timedelta(days=90)


_SIDES = (Role.CUSTOMER, Role.COURIER)


class ChatMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message, the `nth` about its order. `to` are its recipients: the customer, then
    the courier, if anybody has the order, each on all devices. A message never changes, so that it
    is an outbox of its own."""

    id: int
    order_id: int
    sender_id: str
    sender_role: Role
    text: str
    at: datetime
    to: tuple[str, ...] = ()
    nth: int = 1

    @property
    def stream(self) -> str:
        """The stream name of this message's events."""
        return name_chat_stream(self.order_id, self.id)

    @property
    def outbox(self) -> Outbox:
        """The message's events for both sides."""
        return self.make_outbox_for(self.to)

    def make_outbox_for(self, person_ids: Collection[str]) -> Outbox:
        """Make the outbox with the events for some of the recipients. The numbers of the events are
        the same as in the whole outbox: they are parts of their ids."""
        data = {"message": msgspec.to_builtins(self)}
        events = tuple(
            Event(
                MESSAGE_SENT,
                to,
                self.stream,
                version=1,
                ordinal=n,
                at=self.at,
                data=data,
                audience=audience,
            )
            for n, (to, audience) in enumerate(zip(self.to, _SIDES, strict=False))
            if to in person_ids
        )
        return Outbox(self.stream, None, (Entry(1, self.at, events),))


def name_chat_stream(order_id: int, message_id: int) -> str:
    """Name the stream of a message's events, before there is a message or after."""
    return f"chat#{order_id}#{message_id}"


def parse_chat_stream(stream: str) -> tuple[int, int]:
    """Read the ids of order and message from the stream of a message's events."""
    return parse_message_key(stream.partition("#")[2])


def parse_message_key(name: str) -> tuple[int, int]:
    """Read the ids of order and message from a stream's name less its kind: `{order}#{message}`."""
    order_id, _, message_id = name.partition("#")
    return int(order_id), int(message_id)


class MessagePosition(msgspec.Struct, frozen=True):
    """Where the next page of a conversation begins: before a message."""

    before: int


class MessagePage(msgspec.Struct, frozen=True):
    """Some messages about an order, the newest first. `position` None: there are no more."""

    messages: list[ChatMessage]
    position: MessagePosition | None = None
