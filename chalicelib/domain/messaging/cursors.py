"""Cursors: up to where each subscriber of a mailbox has been delivered to.

Nearly all subscribers of a mailbox are equally far, so the mailbox keeps one shared cursor for each
type of event (ALL_TYPES: for those that subscribe to every type). Only a subscriber that is less
far has an entry of its own, a *lag*.

Those whose clients hold their own positions have a shared cursor of their own (POSITIONED), for all
types: where their clients come back to is none of the person's business, nor of other devices'.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Subscriber

ALL_TYPES = "*"  # the cursor of those that subscribe to every type
POSITIONED = "+"  # and of those whose clients hold their positions
LAG_KEPT_FOR = timedelta(minutes=10)  # a client whose connection ended is back by then

_FIRST_PAUSE_S = 2
_LONGEST_PAUSE_S = 60


class SubscriberLag(msgspec.Struct, frozen=True, omit_defaults=True):
    """The cursors of one connection, where they are behind the shared ones.

    `cursors` are places in the log, by type of event or under ALL_TYPES. `failing_since` and
    `retry_at` (epoch seconds) are set while posts to the connection fail; no post is tried before
    `retry_at`. `stuck_connections` counts the connections that ended, one after the other, without
    getting past the same event. A lag outlives its connection by LAG_KEPT_FOR: the same client,
    when it connects again, goes on from there.
    """

    contract: str
    person_id: str
    cursors: dict[str, int]
    updated_at: int = msgspec.field(default=0, name="noted_at")
    failing_since: int = 0
    retry_at: int = 0
    stuck_connections: int = msgspec.field(default=0, name="rounds")


class DeliveryResult(NamedTuple):
    """How far one delivery got with a subscriber: everything up to `cursor`. `posted` are the
    events that went out; `failed` says that the next one can't be posted now."""

    subscriber: Subscriber
    cursor: int
    posted: tuple[Event, ...] = ()
    failed: bool = False


class Listener(Protocol):
    """A connection, or a subscriber."""

    @property
    def subscriptions(self) -> tuple[str, ...] | None: ...
    @property
    def is_positioned(self) -> bool: ...


class Client(Protocol):
    """Whose a connection, or a subscriber, is."""

    @property
    def contract(self) -> str: ...
    @property
    def person_id(self) -> str: ...


def get_cursor_keys(listener: Listener) -> tuple[str, ...]:
    """List the cursors of a listener, by its types (None: every type)."""
    if listener.is_positioned:
        return (POSITIONED,)
    return (ALL_TYPES,) if listener.subscriptions is None else listener.subscriptions


def get_cursor_key(listener: Listener, type_: str) -> str:
    """Return the cursor of a listener that an event's type moves."""
    if listener.is_positioned:
        return POSITIONED
    return ALL_TYPES if listener.subscriptions is None else type_


def make_lag(
    result: DeliveryResult, cursors: dict[str, int], before: SubscriberLag | None, now: datetime
) -> SubscriberLag:
    """Make the lag of a subscriber that is behind after a delivery. Where the post failed, the
    pause before the next try is as long as posts have been failing (2 s at least, 60 s at most).
    An event that did go out ends the count of failures: the connection works."""
    at = int(now.timestamp())
    subscriber, is_unbroken = result.subscriber, before is not None and not result.posted
    stuck = before.stuck_connections if before and is_unbroken else 0
    lag = SubscriberLag(
        subscriber.contract, subscriber.person_id, cursors, at, stuck_connections=stuck
    )
    if not result.failed:
        return lag
    since = before.failing_since if before and is_unbroken and before.failing_since else at
    pause_s = min(max(at - since, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
    return replace(lag, failing_since=since, retry_at=at + pause_s)


def is_lag_kept(lag: SubscriberLag, now: datetime) -> bool:
    """Tell whether the client of a lag may still come back to it."""
    return now.timestamp() - lag.updated_at < LAG_KEPT_FOR.total_seconds()


def is_same_client(lag: SubscriberLag, client: Client) -> bool:
    """Tell whether this is, as far as can be told, the client that a lag was kept for."""
    return (lag.contract, lag.person_id) == (client.contract, client.person_id)
