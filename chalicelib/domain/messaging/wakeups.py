"""Wakeups: what must be done later, whoever is alive then. Each is safe to handle twice."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Subscriber


class RelayDue(msgspec.Struct, frozen=True, tag="relay"):
    """Tell whatever of this stream has not been told yet.

    It is sent before the commit: until `awaited_until`, `version` may still come. `to` are those
    who are told of that version, if there is no more to do than to tell them: a look at their
    mailboxes then says whether it is done. `tries` counts how often it was sent on unfinished.
    """

    stream: str
    version: int = 0
    awaited_until: datetime | None = None
    recipients: tuple[str, ...] = msgspec.field(default=(), name="to")
    tries: int = 0


class OfferDue(msgspec.Struct, frozen=True, tag="expire"):
    """The `seq`-th offer of an order lapses at `due`."""

    order_id: int
    seq: int
    due_at: datetime = msgspec.field(name="due")


class SearchDue(msgspec.Struct, frozen=True, tag="search"):
    """An order that searches for a courier, or waits for one to collect it, is due for a look."""

    order_id: int
    due_at: datetime = msgspec.field(name="due")


class GreetingDue(msgspec.Struct, frozen=True, tag="greet"):
    """Send a new connection its first frames: nothing can be posted while $connect runs.

    `tries` counts how often it was sent on unfinished.
    """

    connection_id: str
    tries: int = 0


class AuthenticationDue(msgspec.Struct, frozen=True, tag="auth_deadline"):
    """A connection that has not authenticated by now is closed."""

    connection_id: str


class TokenEndDue(msgspec.Struct, frozen=True, tag="token_end"):
    """The token of whoever speaks on a connection ends at `until`, unless it has been prolonged:
    then another such wakeup is on its way."""

    connection_id: str
    ends_at: datetime = msgspec.field(name="until")


class FanOutDue(msgspec.Struct, frozen=True, tag="fan_out"):
    """Post one unkept event to these listeners: a share of a large room."""

    event: Event
    subscribers: tuple[Subscriber, ...] = msgspec.field(name="listeners")


class HeartbeatDue(msgspec.Struct, frozen=True, tag="beat"):
    """A connection's heartbeat is due, sooner than the sweep could be relied upon."""

    connection_id: str


class OrdersDue(msgspec.Struct, frozen=True, tag="look"):
    """The deadlines of these orders have passed: a share of what one pass of the sweep lists."""

    order_ids: tuple[int, ...]


class ConnectionsDue(msgspec.Struct, frozen=True, tag="beats"):
    """These connections are to be checked: a share of what one pass of the sweep lists."""

    connection_ids: tuple[str, ...]


class CloseDue(msgspec.Struct, frozen=True, tag="hang_up"):
    """Close the socket of a connection that is forgotten here, and could not be closed then.

    `tries` counts how often it was sent on unfinished.
    """

    connection_id: str
    tries: int = 0


Wakeup = (
    RelayDue
    | OfferDue
    | SearchDue
    | GreetingDue
    | AuthenticationDue
    | FanOutDue
    | HeartbeatDue
    | OrdersDue
    | ConnectionsDue
    | CloseDue
    | TokenEndDue
)


_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=15)  # AWS quota: what SQS can delay a message


def compute_pause(tries: int) -> timedelta:
    """How long a wakeup waits that could not be finished: 5 s, then twice as long each time."""
    doubled: int = 2 ** min(tries, 10)
    return min(_FIRST_PAUSE * doubled, _LONGEST_PAUSE)


def encode_wakeup(wakeup: Wakeup) -> str:
    """A wakeup as the body of a queue message."""
    return msgspec.json.encode(wakeup).decode()


def decode_wakeup(body: str) -> Wakeup:
    """The wakeup in a queue message. Raises msgspec.ValidationError or DecodeError."""
    wakeup: Wakeup = msgspec.json.decode(body, type=Wakeup)
    return wakeup
