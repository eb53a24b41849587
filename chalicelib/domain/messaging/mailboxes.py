"""The head of a person's log: where it ends, its newest events, what has been told, what is in it.

A restaurant has a mailbox too, under a name that no person can have: whoever owns it hears it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from chalicelib.domain.events import Event, parse_order_id
from chalicelib.domain.messaging.connections import Connection, Subscriber

APPLIED_KEPT_FOR = timedelta(minutes=15)  # by notes in the head; after that, the log itself knows
MAX_APPLIED = 48  # as many are 0.5 KB: a busy restaurant's head must stay small, too
LAG_KEPT_FOR = timedelta(minutes=10)  # a client that was left behind is back by then
STUCK_AFTER = timedelta(seconds=60)  # a client that can't be posted to is better off coming again
MAX_STUCK_CONNECTIONS = 2  # connections that ended at the same event before it is left out
ALL_TYPES = "*"  # the cursor of those who hear every type

_ARRIVAL_PREFIX = "arrival#"
_FIRST_PAUSE_S = 2
_LONGEST_PAUSE_S = 60

RESTAURANT_PREFIX = "restaurant#"


def restaurant_mailbox(restaurant_id: str) -> str:
    """Whose mailbox it is that a restaurant's owners hear."""
    return f"{RESTAURANT_PREFIX}{restaurant_id}"


class MailboxSubscriber(msgspec.Struct, frozen=True):
    """A connection that hears a mailbox, and when it has certainly ended."""

    subscriber: Subscriber
    ends_at: datetime


class SubscriberLag(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far one connection has been told, where that is less far than the others of its mailbox.

    `cursors` are places in the log, by type of event, or under EVERYTHING. `failing_since` and
    `retry_at` (epoch seconds) are set while posting to it fails; it is not tried before. `rounds`
    counts the connections that ended one after the other without getting past the same event.
    The entry outlives its connection: the client that comes again goes on from there.
    """

    contract: str
    person_id: str
    cursors: dict[str, int]
    updated_at: int = msgspec.field(default=0, name="noted_at")
    failing_since: int = 0
    retry_at: int = 0
    stuck_connections: int = msgspec.field(default=0, name="rounds")


class DeliveryResult(NamedTuple):
    """How far a listener was told in one go: everything up to `upto`. `posted` are the events that
    went out, `failed` says that the next one could not be posted for now."""

    subscriber: Subscriber
    cursor: int
    posted: tuple[Event, ...] = ()
    failed: bool = False


class Mailbox(msgspec.Struct, frozen=True):
    """`next_seq` is the place of the next event; all up to `delivered_to` have been told.

    That is for connections that hear everything. For those that subscribe, `heard` says for each
    type of event up to where it has been told to one that asked for it. `lags` are the exceptions:
    the connections that have been told less than that, by their ids.

    `taken` says for each stream up to which version its events are in the log, and when that was
    noted (epoch seconds); notes made up to `forgotten_at` may have been dropped. `todo` are marks
    of what is to be taken in, the earliest first: stream@version, or the arrival of a connection.
    `tail` are the newest events of the log, those that the head keeps itself; `fresh` those
    after them that the holder of the lease has put in and not written yet. `hearing` are those who
    are told, `holder` who has the lease, and `held_until` when it runs out, as of when it was read.
    """

    person_id: str
    next_seq: int = 1
    delivered_to: int = 0
    cursor_by_type: dict[str, int] = {}
    applied_versions: dict[str, tuple[int, int]] = {}
    applied_dropped_at: int = 0
    lags: dict[str, SubscriberLag] = {}
    pending: tuple[str, ...] = ()
    stored_tail: tuple[Event, ...] = ()
    unsaved: tuple[Event, ...] = ()
    subscribers: tuple[MailboxSubscriber, ...] = ()
    leased_until: datetime | None = None
    holder: str | None = None

    def is_leased(self, now: datetime) -> bool:
        """Whether somebody has the lease."""
        return self.leased_until is not None and self.leased_until >= now

    def list_subscribers(self, now: datetime) -> list[Subscriber]:
        """Those who hear this mailbox now."""
        return [one.subscriber for one in self.subscribers if one.ends_at > now]

    @property
    def last_seq(self) -> int:
        """The place of the newest event, 0 where there is none."""
        return self.next_seq - 1

    @property
    def tail(self) -> tuple[Event, ...]:
        """The newest events, in order: all those that are nowhere but here, and maybe more."""
        return self.stored_tail + self.unsaved

    def append_event(self, event: Event) -> Mailbox:
        """The head after an event was given the next place of the log."""
        placed = replace(event, seq=self.next_seq)
        return replace(self, next_seq=self.next_seq + 1, unsaved=(*self.unsaved, placed))

    # How far everybody is

    def get_shared_cursor(self, key: str) -> int:
        """Up to where a type of event, or EVERYTHING, has been told to one who listens to it."""
        return self.delivered_to if key == ALL_TYPES else self.cursor_by_type.get(key, 0)

    def get_cursor(self, listener: Subscriber, key: str) -> int:
        """Up to where one listener has certainly been told of a type of event, or EVERYTHING."""
        lag = self.lags.get(listener.connection_id)
        shared = self.get_shared_cursor(key)
        return min(shared, lag.cursors.get(key, shared)) if lag else shared

    def get_lowest_cursor(self, listener: Subscriber) -> int:
        """Up to where a listener has certainly been told of whatever it listens to."""
        cursors = (
            self.get_cursor(listener, key) for key in get_cursor_keys(listener.subscriptions)
        )
        return min(cursors, default=self.last_seq)

    def is_behind(self, listener: Subscriber) -> bool:
        """Whether something may still have to be told to a listener."""
        return self.get_lowest_cursor(listener) < self.last_seq

    def is_undelivered(self, listener: Subscriber, event: Event) -> bool:
        """Whether a listener is still to be told of an event of the log."""
        key = ALL_TYPES if listener.subscriptions is None else event.type
        return listener.subscribes_to(event.type) and event.seq > self.get_cursor(listener, key)

    def is_backing_off(self, listener: Subscriber, now: datetime) -> bool:
        """Whether posting to a listener failed so lately that it is not tried again yet."""
        lag = self.lags.get(listener.connection_id)
        return lag is not None and lag.retry_at > now.timestamp()

    def list_lagging(self, now: datetime) -> list[Subscriber]:
        """Those who hear this mailbox and have been told less than the others."""
        return [one for one in self.list_subscribers(now) if one.connection_id in self.lags]

    def is_stuck(self, listener: Subscriber, now: datetime) -> bool:
        """Whether posting to a listener has failed for so long that it is better ended."""
        lag = self.lags.get(listener.connection_id)
        failing_s = now.timestamp() - lag.failing_since if lag and lag.failing_since else 0
        return failing_s >= STUCK_AFTER.total_seconds()

    def is_stuck_at_event(self, listener: Subscriber, now: datetime) -> bool:
        """Whether the next event has kept one connection after the other from hearing anything: it
        may be at fault, and not they."""
        lag = self.lags.get(listener.connection_id)
        return (
            lag is not None
            and lag.stuck_connections >= MAX_STUCK_CONNECTIONS
            and self.is_stuck(listener, now)
        )

    def is_first_delivery(self, event: Event) -> bool:
        """Whether nobody who subscribes to an event's type has been told of it."""
        return event.seq > self.get_shared_cursor(event.type)

    def apply_results(self, reached: Sequence[DeliveryResult], now: datetime) -> Mailbox:
        """The head after some listeners were told, each as far as it says. The furthest moves the
        shared cursor; whoever is left behind it, or can't be posted to, has an entry of its own."""
        shared = dict(self.cursor_by_type)
        delivered_to = self.delivered_to
        for one in reached:
            if one.subscriber.subscriptions is None:
                delivered_to = max(delivered_to, one.cursor)
            for type_ in one.subscriber.subscriptions or ():
                shared[type_] = max(shared.get(type_, 0), one.cursor)
        told = replace(self, delivered_to=delivered_to, cursor_by_type=shared)
        lags = dict(self.lags)
        for one in reached:
            id_ = one.subscriber.connection_id
            own = {
                key: max(self.get_cursor(one.subscriber, key), one.cursor)
                for key in get_cursor_keys(one.subscriber.subscriptions)
            }
            late = any(own[key] < told.get_shared_cursor(key) for key in own)
            if late or one.failed:
                lags[id_] = _update_lag(one, own, self.lags.get(id_), now)
            else:
                lags.pop(id_, None)
        return replace(told, lags=lags)

    def admit_subscriber(
        self, listener: Subscriber, cursors: dict[str, int], now: datetime
    ) -> Mailbox:
        """The head after a connection has come that is to hear everything past `cursors`, or past
        where an earlier one of the same person was left behind on the same contract."""
        id_, here = (
            listener.connection_id,
            {one.subscriber.connection_id for one in self.subscribers},
        )
        lags = {key: lag for key, lag in self.lags.items() if key in here or _is_lag_kept(lag, now)}
        known, rounds = lags.get(id_), 0
        start = {**cursors, **(known.cursors if known else {})}
        for key, left in lags.items():
            if key not in here and _is_same_client(left, listener) and start.keys() & left.cursors:
                start = {k: min(seq, left.cursors.get(k, seq)) for k, seq in start.items()}
                rounds = left.stuck_connections + 1
                del lags[key]
                break
        if rounds or any(seq < self.get_shared_cursor(key) for key, seq in start.items()):
            at = int(now.timestamp())
            lags[id_] = SubscriberLag(
                listener.contract, listener.person_id, start, at, stuck_connections=rounds
            )
        return replace(self, lags=lags)

    def get_start_cursors(self, connection: Connection) -> dict[str, int]:
        """Where a connection is to begin that opens now, or hears something else from now on:
        what the others are told later must not have been told before it joins."""
        waiting = dict(
            pair for mark in self.pending for pair in _find_arrival_cursors(mark, connection.id)
        )
        lag = self.lags.get(connection.id)
        own = {**waiting, **(lag.cursors if lag else {})}
        return {
            k: own.get(k, self.get_shared_cursor(k))
            for k in get_cursor_keys(connection.subscriptions)
        }

    def is_up_to_date(self, connection_id: str, hears: tuple[str, ...] | None) -> bool:
        """Whether a connection is among the listeners, for what it asks for now, and has been told
        all there is."""
        arrives = any(parse_arrival(mark) == connection_id for mark in self.pending)
        mine = (
            one.subscriber
            for one in self.subscribers
            if one.subscriber.connection_id == connection_id
        )
        return not arrives and any(
            one.subscriptions == hears and not self.is_behind(one) for one in mine
        )

    # What is in the log

    def has_applied(self, stream: str, version: int) -> bool:
        """Whether the events of a stream are in the log up to a version, as far as notes tell."""
        return self.applied_versions.get(stream, (0, 0))[0] >= version

    def may_have_dropped_applied(self, at: datetime) -> bool:
        """Whether a note may have been dropped that was made at a time, or later."""
        return self.applied_dropped_at >= int(at.timestamp())

    def list_recent_orders(self, at: datetime) -> list[int]:
        """The ids of the orders whose events were put in from a time on, some minutes back."""
        since = int(at.timestamp())
        ids = (
            parse_order_id(stream)
            for stream, note in self.applied_versions.items()
            if note[1] >= since
        )
        return [id_ for id_ in ids if id_ is not None]

    def mark_applied(self, stream: str, version: int, now: datetime) -> Mailbox:
        """The head after the events up to `version` are in. Old notes are dropped, and the oldest
        where there are many: a head is written with every event."""
        at = int(now.timestamp())
        taken = {**self.applied_versions, stream: (version, at)}
        oldest = at - int(APPLIED_KEPT_FOR.total_seconds())
        by_age = sorted(taken.items(), key=lambda item: item[1][1], reverse=True)
        kept = {s: note for s, note in by_age[:MAX_APPLIED] if note[1] >= oldest}
        dropped = (note[1] for s, note in by_age if s not in kept)
        forgotten_at = max(dropped, default=self.applied_dropped_at)
        return replace(
            self,
            applied_versions=kept,
            applied_dropped_at=max(forgotten_at, self.applied_dropped_at),
        )


def get_cursor_keys(hears: tuple[str, ...] | None) -> tuple[str, ...]:
    """What the cursors of one who hears these types (None: all) are kept by."""
    return (ALL_TYPES,) if hears is None else hears


def encode_arrival(connection: Connection, mailbox: str) -> str:
    """What the holder of a mailbox's lease finds when a connection has joined it: where to begin.
    It is written with the joining itself, so that nobody lets go of the lease without seeing it."""
    start = connection.start_cursors.get(mailbox, {})
    return f"{_ARRIVAL_PREFIX}{connection.id}@{msgspec.json.encode(start).decode()}"


def parse_arrival(mark: str) -> str | None:
    """Which connection has joined, if a mark says so."""
    return (
        mark.removeprefix(_ARRIVAL_PREFIX).partition("@")[0]
        if mark.startswith(_ARRIVAL_PREFIX)
        else None
    )


def parse_arrival_cursors(mark: str) -> dict[str, int]:
    """Where the connection of an arrival mark is to begin; {}: with the others."""
    start = msgspec.json.decode(mark.partition("@")[2])
    return start if isinstance(start, dict) else {}  # a version, in marks of before


def _find_arrival_cursors(mark: str, connection_id: str) -> Iterable[tuple[str, int]]:
    return parse_arrival_cursors(mark).items() if parse_arrival(mark) == connection_id else ()


def _update_lag(
    one: DeliveryResult, own: dict[str, int], before: SubscriberLag | None, now: datetime
) -> SubscriberLag:
    """What is noted of a listener that is behind: pauses between tries grow with its failing."""
    at = int(now.timestamp())
    rounds = before.stuck_connections if before and not one.posted else 0
    lag = SubscriberLag(
        one.subscriber.contract, one.subscriber.person_id, own, at, stuck_connections=rounds
    )
    if not one.failed:
        return lag
    since = before.failing_since if before and before.failing_since and not one.posted else at
    pause = min(max(at - since, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
    return replace(lag, failing_since=since, retry_at=at + pause)


def _is_lag_kept(lag: SubscriberLag, now: datetime) -> bool:
    return now.timestamp() - lag.updated_at < LAG_KEPT_FOR.total_seconds()


def _is_same_client(lag: SubscriberLag, listener: Subscriber) -> bool:
    return (lag.contract, lag.person_id) == (listener.contract, listener.person_id)
