"""Wakeups: messages on the queue that say what must be looked at, and not what must be done.

Each is sent before what it relies on is written, with a delay, and may come too early, too late,
twice, or for something that never happened. Whoever handles one looks first what is so by then
(services/wakeup_handler.py). So a wakeup is safe to repeat, and one too many costs only a read.

The sweep's wakeups (SweepDue, OrdersDue, ConnectionsDue) are for those that got lost.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Subscriber


class RelayDue(msgspec.Struct, frozen=True, tag="relay"):
    """Deliver whatever of this stream has not been delivered yet.

    It is sent before the commit: until `awaited_until`, `version` may still come. `recipients` are
    those of that version, if there is no more to do than to deliver to them: a look at their
    mailboxes then tells whether it is done. Else they are `others`, who are only tried again.
    `is_offer`: one more recipient is the courier to whom that version offers the order. It was not
    known who that is as this was sent; the copies of the others name the courier. `ends`: that
    version ends its order, which is then summarized. `tries` counts how often it was sent on
    unfinished.
    """

    stream: str
    version: int = 0
    awaited_until: datetime | None = None
    recipients: tuple[str, ...] = msgspec.field(default=(), name="to")
    is_offer: bool = False
    ends: bool = False
    tries: int = 0
    others: tuple[str, ...] = ()


class OfferDue(msgspec.Struct, frozen=True, tag="expire"):
    """The `seq`-th offer of an order expires at `due_at`."""

    order_id: int
    seq: int
    due_at: datetime = msgspec.field(name="due")


class SearchDue(msgspec.Struct, frozen=True, tag="search"):
    """An order that searches for a courier, or waits for one to collect it, is due for a look."""

    order_id: int
    due_at: datetime = msgspec.field(name="due")


class NoShowDue(msgspec.Struct, frozen=True, tag="no_show"):
    """A courier may have waited at a stop of an order until `due_at`, from when on a no-show can be
    said: both sides are to be told."""

    order_id: int
    due_at: datetime = msgspec.field(name="due")


class GreetingDue(msgspec.Struct, frozen=True, tag="greet"):
    """Send a new connection its first frames: nothing can be posted while $connect runs.

    `tries` counts how often it was sent on unfinished. `courier_id` is whose connection it is, if a
    courier's: its row, which says so, may be gone by then.
    """

    connection_id: str
    tries: int = 0
    courier_id: str = ""


class AuthenticationDue(msgspec.Struct, frozen=True, tag="auth_deadline"):
    """A connection that has not authenticated by now is closed."""

    connection_id: str


class TokenEndDue(msgspec.Struct, frozen=True, tag="token_end"):
    """The token of whoever speaks on a connection ends at `ends_at`, unless it has been extended:
    then another such wakeup is on its way."""

    connection_id: str
    ends_at: datetime = msgspec.field(name="until")


class FanOutDue(msgspec.Struct, frozen=True, tag="fan_out"):
    """Post one event that is not kept to these subscribers: a share of a large room."""

    event: Event
    subscribers: tuple[Subscriber, ...] = msgspec.field(name="listeners")


class HeartbeatDue(msgspec.Struct, frozen=True, tag="beat"):
    """A connection's heartbeat is due, sooner than the sweep could be relied upon."""

    connection_id: str


class SweepDue(msgspec.Struct, frozen=True, tag="sweep"):
    """What has fallen due in the quarter of a minute before `due_at` is to be listed."""

    due_at: datetime = msgspec.field(name="due")


class OrdersDue(msgspec.Struct, frozen=True, tag="look"):
    """The deadlines of these orders have passed: a share of what one pass of the sweep lists."""

    order_ids: tuple[int, ...]


class ConnectionsDue(msgspec.Struct, frozen=True, tag="beats"):
    """These connections are to be checked: a share of what one pass of the sweep lists."""

    connection_ids: tuple[str, ...]


class CloseDue(msgspec.Struct, frozen=True, tag="hang_up"):
    """Close the socket of a connection: one that has no row any more, and could not be closed then,
    or one of many, whose $disconnect removes its row.

    `tries` counts how often it was sent on unfinished.
    """

    connection_id: str
    tries: int = 0


class ReplayDue(msgspec.Struct, frozen=True, tag="replay"):
    """Send a webhook endpoint the events of its log again that are of `since` or later, a page of
    them, up to the place `last_seq`, where the log ended as its owner asked. `next_seq` is where
    the page begins, 0 where that is still to be found."""

    endpoint_id: str
    since: datetime
    last_seq: int
    next_seq: int = 0


class TickDue(msgspec.Struct, frozen=True, tag="tick"):
    """Somebody may be watching the board: the tick of this number, of the ticks that began with
    `epoch`, is due."""

    epoch: str
    number: int


Wakeup = (
    RelayDue
    | OfferDue
    | SearchDue
    | NoShowDue
    | GreetingDue
    | AuthenticationDue
    | FanOutDue
    | HeartbeatDue
    | SweepDue
    | OrdersDue
    | ConnectionsDue
    | CloseDue
    | TokenEndDue
    | ReplayDue
    | TickDue
)


_FIRST_PAUSE = timedelta(seconds=5)
LONGEST_DELAY = timedelta(minutes=15)  # AWS quota: what SQS can delay a message


def compute_pause(tries: int) -> timedelta:
    """Compute how long an unfinished wakeup waits: 5 s, then twice as long each time, 15 min at
    most."""
    doubled: int = 2 ** min(tries, 10)
    return min(_FIRST_PAUSE * doubled, LONGEST_DELAY)


def encode_wakeup(wakeup: Wakeup) -> str:
    """Encode a wakeup as the body of a queue message."""
    return msgspec.json.encode(wakeup).decode()


def decode_wakeup(body: str) -> Wakeup:
    """Decode the body of a queue message. Raises msgspec.ValidationError or DecodeError."""
    wakeup: Wakeup = msgspec.json.decode(body, type=Wakeup)
    return wakeup
