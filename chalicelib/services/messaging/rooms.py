"""Joining rooms: how a connection comes to be posted to, and who leaves a room that is full."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import NamedTuple

from chalicelib.domain.messaging.connections import (
    Connection,
    Subscriber,
    is_mailbox_room,
    name_person_room,
)
from chalicelib.domain.people import Role
from chalicelib.errors import Conflict, Gone, Stale, TooManySockets
from chalicelib.services.messaging.closing import ANY_AGE, ConnectionCloser
from chalicelib.services.ports import ConnectionStore, CourierStore, FrameSender

_JOIN_TRIES = 10
_MAX_GONE = 16  # removed at once: each takes some writes, and a newcomer waits
_UNKNOWN = datetime.max.replace(tzinfo=timezone.utc)  # counts as active just now


class EvictionCandidates(NamedTuple):
    """Subscribers that are gone and, if there are none, the one that has been silent longest."""

    gone: Sequence[Subscriber]
    silent: Subscriber | None


class RoomMembership:
    """Lets connections join rooms."""

    def __init__(
        self,
        connections: ConnectionStore,
        couriers: CourierStore,
        sender: FrameSender,
        closer: ConnectionCloser,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._connections = connections
        self._couriers = couriers
        self._sender = sender
        self._closer = closer
        self._pool = pool

    def join_rooms(self, connection: Connection) -> None:
        """Subscribe a greeted connection to all its rooms. Raises Stale.

        Its mailboxes are joined last: whoever finds it in all of them may take the rest for done.
        Its person's mailbox is the very last, and after it the row is read once more: a connection
        that ended meanwhile is taken out again. (What ends it relies on this order, too: see
        ConnectionCloser.remove_connection.) Just before it, its courier counts as connected: by
        then there is hardly anything that they do not hear.
        """
        own = name_person_room(connection.person_id)
        for room in sorted(connection.rooms, key=lambda room: (is_mailbox_room(room), room == own)):
            if room == own and connection.role is Role.COURIER and connection.subscriptions is None:
                # Only a connection that hears every type hears offers.
                self._couriers.add_socket(
                    connection.person_id, connection.id, connection.subscribed_until
                )
            self._join_room(room, connection)
        if self._closer.get_connection(connection.id) is None:
            self._closer.leave_rooms(connection.id, connection.person_id, connection.rooms)

    def _join_room(self, room: str, connection: Connection) -> None:
        """Join a room. Where it is full, another leaves it: the newcomer is certainly there, and of
        those who came before some may be gone without a word. Raises Stale."""
        for _ in range(_JOIN_TRIES):
            try:
                self._connections.add_to_room(room, connection)
                return
            except TooManySockets:
                self._evict_subscribers(room, connection.id)
        raise Stale  # others join faster; a wakeup tries again

    def _evict_subscribers(self, room: str, newcomer_id: str) -> None:
        """Remove the subscribers that are gone or, if there are none, close the most silent one.

        Each is taken out of this room explicitly, too: its row may be lost, and with the row the
        list of its rooms.
        """
        subscribers = self._connections.list_subscribers(room, ANY_AGE)
        others = [one for one in subscribers if one.connection_id != newcomer_id]
        gone, silent = self._find_evictable(others)
        list(self._pool.map(self._remove, gone))
        for one in gone:
            self._connections.remove_from_room(room, one.connection_id)
        if silent:
            connection = self._closer.get_connection(silent.connection_id)
            if connection:
                reason = Conflict("You have too many connections: a newer one stays.")
                self._closer.close_with_reason(connection, reason)
            self._connections.remove_from_room(room, silent.connection_id)

    def _remove(self, subscriber: Subscriber) -> None:
        self._closer.remove_connection(subscriber.connection_id, subscriber.person_id)

    def _find_evictable(self, subscribers: Sequence[Subscriber]) -> EvictionCandidates:
        """Look at each subscriber's connection, side by side. One that can't be looked at counts as
        active just now; of equals the first, which joined first, is chosen."""
        last_active = list(self._pool.map(self._get_last_active, subscribers))
        gone = [one for one, at in zip(subscribers, last_active, strict=True) if at is None]
        if gone:
            return EvictionCandidates(gone[:_MAX_GONE], None)
        alive = [(at, n) for n, at in enumerate(last_active) if at is not None]
        return EvictionCandidates((), subscribers[min(alive)[1]] if alive else None)

    def _get_last_active(self, subscriber: Subscriber) -> datetime | None:
        """Return when a subscriber's connection was last active, None where it is gone."""
        try:
            return self._sender.get_last_active(subscriber.connection_id) or _UNKNOWN
        except Gone:
            return None
