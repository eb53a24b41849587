"""Wakeups: what must be done later, whoever is alive then. Each is safe to handle twice."""

from __future__ import annotations

from datetime import datetime

import msgspec

from chalicelib.domain.connections import Listener
from chalicelib.domain.events import Event


class Relay(msgspec.Struct, frozen=True, tag="relay"):
    """Tell whatever of this stream has not been told yet.

    It is sent before the commit: until `awaited_until`, `version` may still come. `to` are those
    who are told of that version, if there is no more to do than to tell them: a look at their
    mailboxes then says whether it is done.
    """

    stream: str
    version: int = 0
    awaited_until: datetime | None = None
    to: tuple[str, ...] = ()


class Expire(msgspec.Struct, frozen=True, tag="expire"):
    """The `seq`-th offer of an order lapses at `due`."""

    order_id: int
    seq: int
    due: datetime


class Search(msgspec.Struct, frozen=True, tag="search"):
    """The search of an order ends at `due`, or its wait for a courier to collect it."""

    order_id: int
    due: datetime


class Greet(msgspec.Struct, frozen=True, tag="greet"):
    """Send a new connection its first frames: nothing can be posted while $connect runs."""

    connection_id: str


class AuthDeadline(msgspec.Struct, frozen=True, tag="auth_deadline"):
    """A connection that has not authenticated by now is closed."""

    connection_id: str


class FanOut(msgspec.Struct, frozen=True, tag="fan_out"):
    """Post one unkept event to these listeners: a share of a large room."""

    event: Event
    listeners: tuple[Listener, ...]


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """A connection's heartbeat is due, sooner than the sweep could be relied upon."""

    connection_id: str


Wakeup = Relay | Expire | Search | Greet | AuthDeadline | FanOut | Beat


def encode(wakeup: Wakeup) -> str:
    """A wakeup as the body of a queue message."""
    return msgspec.json.encode(wakeup).decode()


def decode(body: str) -> Wakeup:
    """The wakeup in a queue message. Raises msgspec.ValidationError or DecodeError."""
    wakeup: Wakeup = msgspec.json.decode(body, type=Wakeup)
    return wakeup
