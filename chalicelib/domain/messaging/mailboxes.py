"""The head of a mailbox: where its log ends, its newest events, its subscribers and their cursors.

Each person has a mailbox, and each restaurant, under a name that no person can have: its owners
subscribe to that. How a mailbox is written and delivered: services/messaging/mailboxes.py.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from chalicelib.domain.events import Event, parse_order_id
from chalicelib.domain.messaging.connections import LINK_PREFIX, Connection, Subscriber
from chalicelib.domain.messaging.cursors import (
    ALL_TYPES,
    POSITIONED,
    Client,
    DeliveryResult,
    SubscriberLag,
    get_cursor_key,
    get_cursor_keys,
    is_lag_kept,
    is_same_client,
    make_lag,
)
from chalicelib.domain.messaging.pending import parse_arrival
from chalicelib.domain.messaging.positions import LogPlace, join_position

APPLIED_KEPT_FOR = timedelta(minutes=15)  # in the head; after that the log itself is searched
MAX_APPLIED = 48  # streams, 0.5 KB: a busy restaurant's head must stay small, too
# An endpoint may hear of every order: of those of so short a time all notes are kept. A relay's
# wakeup comes within it, and finds by the note that nothing is left to do; without one it takes the
# lease, of which all who commit are in need, and looks through the log.
ENDPOINTS_APPLIED_KEPT_FOR = timedelta(seconds=90)
MAX_ENDPOINTS_APPLIED = 1000
STUCK_AFTER = timedelta(seconds=60)  # a client that can't be posted to is better off reconnecting
MAX_STUCK_CONNECTIONS = 2  # then the event itself may be at fault, and is left out

RESTAURANT_PREFIX = "restaurant#"
ENDPOINT_PREFIX = "webhook#"
# No person may have an id that names another mailbox than theirs.
RESERVED_PREFIXES = (RESTAURANT_PREFIX, ENDPOINT_PREFIX, LINK_PREFIX)


def name_restaurant_mailbox(restaurant_id: str) -> str:
    """Name the mailbox that a restaurant's owners subscribe to."""
    return f"{RESTAURANT_PREFIX}{restaurant_id}"


class MailboxSubscriber(msgspec.Struct, frozen=True):
    """A connection that subscribes to a mailbox, and when it has certainly ended."""

    subscriber: Subscriber
    ends_at: datetime


class Mailbox(msgspec.Struct, frozen=True):
    """One mailbox's head. Immutable: each method that changes it returns another.

    The log: `epoch` says when it was born, "" before its first lease. `next_seq` is the place that
    the next event gets. `stored_tail` are the newest events,
    kept in the head itself; `unsaved` those after them that the holder of the lease has appended
    and not written yet.

    Delivery: `delivered_to` is the shared cursor of subscribers to every type, `cursor_by_type`
    those of subscribers to some types, `lags` (by connection id) the exceptions. See cursors.py.

    What is appended: `pending` is still to be, the earliest first (see pending.py).
    `applied_versions` says for each stream up to which version its events are in the log, and
    since when that is noted (epoch seconds). Such a note is dropped after a while; notes made up
    to `applied_dropped_at` may be missing, and then the log itself must be searched.

    Who: `subscribers`; `holder` has the lease until `leased_until`, as of when the head was read,
    and `last_holder` is who ended it last: another one each time the head is written.
    """

    person_id: str
    epoch: str = ""
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
    last_holder: str | None = None

    @property
    def is_endpoints(self) -> bool:
        """True for the mailbox of a webhook endpoint. Its one subscriber is the webhook queue, and
        `delivered_to` that one's cursor."""
        return self.person_id.startswith(ENDPOINT_PREFIX)

    def is_leased(self, now: datetime) -> bool:
        """Tell whether somebody has the lease."""
        return self.leased_until is not None and self.leased_until >= now

    # The log

    @property
    def last_seq(self) -> int:
        """The place of the newest event, 0 where there is none."""
        return self.next_seq - 1

    @property
    def end(self) -> LogPlace:
        """The place of the newest event, with the log's epoch."""
        return LogPlace(self.epoch, self.last_seq)

    def may_still_append(self, now: datetime) -> bool:
        """Tell whether events may be posted that the head does not have yet."""
        return self.is_leased(now) or bool(self.pending)

    @property
    def tail(self) -> tuple[Event, ...]:
        """The newest events, in order: all those that are stored nowhere else, maybe more."""
        return self.stored_tail + self.unsaved

    def append_event(self, event: Event) -> Mailbox:
        """Give an event the next place of the log."""
        placed = replace(event, seq=self.next_seq)
        return replace(self, next_seq=self.next_seq + 1, unsaved=(*self.unsaved, placed))

    # Subscribers

    def list_subscribers(self, now: datetime) -> list[Subscriber]:
        """List the subscribers whose connections may still be open."""
        return [one.subscriber for one in self.subscribers if one.ends_at > now]

    def _list_connection_ids(self) -> set[str]:
        return {one.subscriber.connection_id for one in self.subscribers}

    def find_subscriber(self, connection_id: str) -> Subscriber | None:
        """Find the subscriber of a connection, None where it is not among them."""
        found = (one.subscriber for one in self.subscribers)
        return next((one for one in found if one.connection_id == connection_id), None)

    def list_lagging(self, now: datetime) -> list[Subscriber]:
        """List the subscribers that are less far than the others."""
        return [one for one in self.list_subscribers(now) if one.connection_id in self.lags]

    def is_up_to_date(self, connection: Connection) -> bool:
        """Tell whether a connection subscribes, to just its types and with a position where its
        client holds one, and has been delivered all. One whose arrival is pending is not served
        yet."""
        subscriber = self.find_subscriber(connection.id)
        if subscriber is None or subscriber.subscriptions != connection.subscriptions:
            return False
        if subscriber.is_positioned != connection.is_positioned:
            return False
        is_arriving = any(parse_arrival(id_) == connection.id for id_ in self.pending)
        return not is_arriving and not self.is_behind(subscriber)

    def admit_subscriber(
        self, subscriber: Subscriber, cursors: dict[str, int], now: datetime
    ) -> Mailbox:
        """Begin to deliver to a connection that has arrived, from `cursors` on: where they go back
        to a lag that an earlier connection of the same client left (get_start_cursors), that is
        taken over. The cursors of types that it has been delivered before stay.

        Where it begins is not decided here: a holder may die after it has posted, and its successor
        admits once more, when others have left meanwhile.
        """
        id_, here = subscriber.connection_id, self._list_connection_ids()
        lags = self._find_kept_lags(here, now)
        if subscriber.is_positioned:
            return self._admit_positioned(subscriber, cursors, lags, now)
        start = {**cursors, **(lags[id_].cursors if id_ in lags else {})}
        left_id = _find_left(lags, here, subscriber, cursors)
        stuck = 0
        if left_id and _is_taken_over(lags[left_id], start):
            stuck = lags.pop(left_id).stuck_connections + 1
        if stuck or any(seq < self.get_shared_cursor(key) for key, seq in start.items()):
            lags[id_] = SubscriberLag(
                subscriber.contract,
                subscriber.person_id,
                start,
                int(now.timestamp()),
                stuck_connections=stuck,
            )
        return replace(self, lags=lags)

    def _find_kept_lags(self, here: Container[str], now: datetime) -> dict[str, SubscriberLag]:
        """Find the lags of connections that are `here`, and of those that are gone and whose
        clients may still come back."""
        return {
            id_: lag
            for id_, lag in self.lags.items()
            if id_ in here or (is_lag_kept(lag, now) and POSITIONED not in lag.cursors)
        }

    def _admit_positioned(
        self,
        subscriber: Subscriber,
        cursors: dict[str, int],
        lags: dict[str, SubscriberLag],
        now: datetime,
    ) -> Mailbox:
        """Begin to deliver to a connection whose client holds its position, from just there. Where
        nobody was as far, the shared cursor moves, and those that it was shared by keep theirs."""
        id_, shared = subscriber.connection_id, self.get_shared_cursor(POSITIONED)
        at = min(cursors.get(POSITIONED, shared), self.last_seq)
        if id_ in lags:  # it has subscribed before
            at = min(at, lags.pop(id_).cursors.get(POSITIONED, at))
        behind = {subscriber: at} if at < self.last_seq else {}
        if at > shared:
            # Whose arrival is pending has no place yet. (Or has had one in this very lease; then it
            # was delivered all there was, which is more than what any newcomer has read of.)
            apart = {id_, *lags, *filter(None, map(parse_arrival, self.pending))}
            others = [one.subscriber for one in self.subscribers]
            behind |= {
                s: shared for s in others if s.is_positioned and s.connection_id not in apart
            }
        noted_at = int(now.timestamp())
        for one, seq in behind.items():
            lags[one.connection_id] = SubscriberLag(
                one.contract, one.person_id, {POSITIONED: seq}, noted_at
            )
        by_type = {**self.cursor_by_type, POSITIONED: max(at, shared)}
        return replace(self, lags=lags, cursor_by_type=by_type)

    # Cursors

    def get_shared_cursor(self, key: str) -> int:
        """Return up to where a type of event, or ALL_TYPES, has been delivered to somebody."""
        return self.delivered_to if key == ALL_TYPES else self.cursor_by_type.get(key, 0)

    def get_cursor(self, subscriber: Subscriber, key: str) -> int:
        """Return up to where a type of event, or ALL_TYPES, has been delivered to a subscriber."""
        lag = self.lags.get(subscriber.connection_id)
        shared = self.get_shared_cursor(key)
        return min(shared, lag.cursors.get(key, shared)) if lag else shared

    def get_lowest_cursor(self, subscriber: Subscriber) -> int:
        """Return up to where all that a subscriber asks for has been delivered to it."""
        keys = get_cursor_keys(subscriber)
        return min((self.get_cursor(subscriber, key) for key in keys), default=self.last_seq)

    def get_start_cursors(self, connection: Connection, now: datetime) -> dict[str, int]:
        """Return where a connection is to begin that opens now, or now asks for other types: what
        is delivered to others after this moment must be delivered to it as well, however late it
        subscribes. Where an earlier connection of the same client was left behind, it begins there.

        What it hears already has cursors here, and none in this. What it was to hear before, and
        has not joined for, keeps the start that its row says.
        """
        joined = self.find_subscriber(connection.id)
        heard = get_cursor_keys(joined) if joined else ()
        noted = connection.start_cursors.get(self.person_id, {})
        left = self._get_left_cursors(connection, now)
        starts: dict[str, int] = {}
        for key in get_cursor_keys(connection):
            if key not in heard:
                shared = self.get_shared_cursor(key)
                starts[key] = noted.get(key, min(shared, left.get(key, shared)))
        return starts

    def _get_left_cursors(self, connection: Connection, now: datetime) -> dict[str, int]:
        """Return the cursors that an earlier connection of the same client left behind. (A client
        that holds its own position needs none.)"""
        if connection.is_positioned:
            return {}
        here = self._list_connection_ids()
        kept = {id_: lag for id_, lag in self.lags.items() if is_lag_kept(lag, now)}
        id_ = _find_left(kept, here, connection, get_cursor_keys(connection))
        return kept[id_].cursors if id_ else {}

    # What is still to be delivered, and what stands in the way

    def is_undelivered_to_any(self, now: datetime) -> bool:
        """Tell whether something may still have to be delivered to a subscriber."""
        if self.is_endpoints:
            return self.delivered_to < self.last_seq
        return any(self.is_behind(one) for one in self.list_subscribers(now))

    def is_behind(self, subscriber: Subscriber) -> bool:
        """Tell whether something may still have to be delivered to a subscriber."""
        return self.get_lowest_cursor(subscriber) < self.last_seq

    def is_undelivered(self, subscriber: Subscriber, event: Event) -> bool:
        """Tell whether an event of the log is still to be delivered to a subscriber."""
        key = get_cursor_key(subscriber, event.type)
        return subscriber.subscribes_to(event.type) and event.seq > self.get_cursor(subscriber, key)

    def is_first_delivery(self, subscriber: Subscriber, event: Event) -> bool:
        """Tell whether no subscriber to an event's type has been delivered the event before. One
        whose client holds its position counts if no such subscriber was that far."""
        keys = (event.type, POSITIONED) if subscriber.is_positioned else (event.type,)
        return event.seq > max(map(self.get_shared_cursor, keys))

    def make_positions(self, subscriber: Subscriber, event: Event) -> tuple[str, str] | None:
        """Make the positions of a subscriber before it has heard an event, and once it has; None
        where its client holds none."""
        others = subscriber.other_logs
        if others is None:
            return None
        before, after = LogPlace(self.epoch, event.seq - 1), LogPlace(self.epoch, event.seq)
        return join_position(before, others), join_position(after, others)

    def is_backing_off(self, subscriber: Subscriber, now: datetime) -> bool:
        """Tell whether a post to a subscriber failed so lately that none is tried now."""
        lag = self.lags.get(subscriber.connection_id)
        return lag is not None and lag.retry_at > now.timestamp()

    def is_stuck(self, subscriber: Subscriber, now: datetime) -> bool:
        """Tell whether posts to a subscriber have failed for so long that it is better closed."""
        lag = self.lags.get(subscriber.connection_id)
        failing_s = now.timestamp() - lag.failing_since if lag and lag.failing_since else 0
        return failing_s >= STUCK_AFTER.total_seconds()

    def is_stuck_at_event(self, subscriber: Subscriber, now: datetime) -> bool:
        """Tell whether the same event has stopped one connection of a client after the other: the
        event may be at fault, and not the connections."""
        lag = self.lags.get(subscriber.connection_id)
        if lag is None or lag.stuck_connections < MAX_STUCK_CONNECTIONS:
            return False
        return self.is_stuck(subscriber, now)

    def apply_results(self, results: Sequence[DeliveryResult], now: datetime) -> Mailbox:
        """Move the cursors after a delivery. The furthest subscriber moves the shared cursor; each
        one that is behind it, or can't be posted to, has a lag of its own."""
        moved = self._move_shared_cursors(results)
        lags = dict(self.lags)
        for result in results:
            subscriber, id_ = result.subscriber, result.subscriber.connection_id
            cursors = {
                key: max(self.get_cursor(subscriber, key), result.cursor)
                for key in get_cursor_keys(subscriber)
            }
            # One whose client holds its position has a lag until it has heard all there is: without
            # one it must not be behind, as a newcomer may move the shared cursor (see above).
            end = self.last_seq if subscriber.is_positioned else 0
            is_behind = any(
                seq < max(end, moved.get_shared_cursor(key)) for key, seq in cursors.items()
            )
            if is_behind or result.failed:
                lags[id_] = make_lag(result, cursors, self.lags.get(id_), now)
            else:
                lags.pop(id_, None)
        return replace(moved, lags=lags)

    def _move_shared_cursors(self, results: Sequence[DeliveryResult]) -> Mailbox:
        delivered_to, by_type = self.delivered_to, dict(self.cursor_by_type)
        for result in results:
            for key in get_cursor_keys(result.subscriber):
                if key == ALL_TYPES:
                    delivered_to = max(delivered_to, result.cursor)
                else:
                    by_type[key] = max(by_type.get(key, 0), result.cursor)
        return replace(self, delivered_to=delivered_to, cursor_by_type=by_type)

    # What is in the log

    def has_applied(self, stream: str, version: int) -> bool:
        """Tell whether a stream's events are noted to be in the log up to a version."""
        return self.applied_versions.get(stream, (0, 0))[0] >= version

    def may_have_dropped_applied(self, at: datetime) -> bool:
        """Tell whether a note made at a time, or later, may have been dropped."""
        return self.applied_dropped_at >= int(at.timestamp())

    def mark_applied(self, stream: str, version: int, now: datetime) -> Mailbox:
        """Note that a stream's events up to a version are in the log. Drop notes that are old, and
        the oldest where there are many: the head is written, and paid for, with every event."""
        at = int(now.timestamp())
        noted = {**self.applied_versions, stream: (version, at)}
        oldest = at - int(APPLIED_KEPT_FOR.total_seconds())
        newest_first = sorted(noted.items(), key=lambda item: item[1][1], reverse=True)
        many = self._count_kept_notes(newest_first, at)
        kept = {name: note for name, note in newest_first[:many] if note[1] >= oldest}
        dropped = (note[1] for name, note in newest_first if name not in kept)
        dropped_at = max(self.applied_dropped_at, max(dropped, default=0))
        return replace(self, applied_versions=kept, applied_dropped_at=dropped_at)

    def _count_kept_notes(
        self, newest_first: Sequence[tuple[str, tuple[int, int]]], at: int
    ) -> int:
        if not self.is_endpoints:
            return MAX_APPLIED
        recent_since = at - int(ENDPOINTS_APPLIED_KEPT_FOR.total_seconds())
        recent = sum(note[1] >= recent_since for _, note in newest_first)
        return max(MAX_APPLIED, min(recent, MAX_ENDPOINTS_APPLIED))

    def list_recent_orders(self, since: datetime) -> list[int]:
        """List the orders whose events were appended since a time, some minutes back at most."""
        since_s = int(since.timestamp())
        streams = (name for name, note in self.applied_versions.items() if note[1] >= since_s)
        return [id_ for stream in streams if (id_ := parse_order_id(stream)) is not None]


def _find_left(
    lags: dict[str, SubscriberLag], here: Container[str], client: Client, keys: Iterable[str]
) -> str | None:
    """Find which of the connections that are not `here` any more was the same client's, and was
    left behind with one of these cursors."""
    wanted = set(keys)
    return next(
        (
            id_
            for id_, lag in lags.items()
            if id_ not in here and is_same_client(lag, client) and wanted & lag.cursors.keys()
        ),
        None,
    )


def _is_taken_over(left: SubscriberLag, start: dict[str, int]) -> bool:
    """Say whether a connection that begins at these cursors goes on from a lag that was left."""
    return all(seq <= left.cursors.get(key, seq) for key, seq in start.items())


class PlannedLease(msgspec.Struct, frozen=True):
    """The lease of a mailbox that is to be taken, with `pending_id` pending, by the very write that
    commits an outbox, if the mailbox is still as its `head` was read. `holder` has it `until`
    then."""

    head: Mailbox
    holder: str
    until: datetime
    pending_id: str
