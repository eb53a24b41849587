"""Who is connected: connections from their $connect to their end.

A connection's life: $connect writes its row; a wakeup greets it, as nothing can be posted while
$connect runs; the greeting posts its first frames and joins its rooms (greeting.py, rooms.py);
checks find out whether it still lives (liveness.py); and it ends by a $disconnect, or from this
side (closing.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta

from msgspec.structs import replace

from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.messaging.wakeups import (
    AuthenticationDue,
    TokenEndDue,
    Wakeup,
)
from chalicelib.domain.rate_limits import RateLimit
from chalicelib.domain.retries import Retries
from chalicelib.errors import Gone, RateLimited, Stale
from chalicelib.services.messaging.closing import ConnectionCloser, RenderLastFrames
from chalicelib.services.messaging.liveness import (
    DoneOrders,
    FindHeartbeat,
    KeepWatched,
    LivenessChecker,
    make_greeting,
)
from chalicelib.services.messaging.outbox import COMMIT_WITHIN, RELAY_AFTER
from chalicelib.services.messaging.rooms import RoomMembership
from chalicelib.services.ports import (
    Clock,
    ConnectionStore,
    CourierStore,
    FrameSender,
    WakeupSender,
)

_AUTHENTICATION_GRACE = timedelta(seconds=2)


class ConnectionRegistry(ConnectionCloser):
    """The one door to connections: opens them, has them checked, and (as a ConnectionCloser) ends
    them."""

    def __init__(
        self,
        connections: ConnectionStore,
        couriers: CourierStore,
        sender: FrameSender,
        queue: WakeupSender,
        done_orders: DoneOrders,
        auth_deadline: timedelta,
        client_timeouts: Mapping[str, timedelta],
        find_heartbeat: FindHeartbeat,
        render_last_frames: RenderLastFrames,
        keep_watched: KeepWatched,
        pool: ThreadPoolExecutor,
        clock: Clock,
        retries: Retries | None = None,
    ) -> None:
        super().__init__(connections, couriers, sender, queue, render_last_frames, clock)
        self._auth_deadline = auth_deadline
        self._retries = retries or Retries()
        self._membership = RoomMembership(connections, couriers, sender, self, pool)
        self._liveness = LivenessChecker(
            connections,
            couriers,
            sender,
            queue,
            self,
            done_orders,
            auth_deadline,
            client_timeouts,
            find_heartbeat,
            keep_watched,
            clock,
        )

    # From $connect to the greeting

    def on_connect(self, connection: Connection) -> None:
        """Write a connection whose $connect is running, and have a wakeup greet it: nothing can be
        posted to it before $connect has returned. Raises Unavailable."""
        connection = self._liveness.with_first_check(connection)
        self._connections.insert_connection(connection)
        wakeups: list[tuple[Wakeup, timedelta]] = [(make_greeting(connection), timedelta(0))]
        wakeups += self._liveness.make_heartbeat_wakeups(connection)
        wakeups += self._make_token_wakeups(connection)
        if not connection.person_id:
            wakeups.append((AuthenticationDue(connection.id), self._auth_deadline))
        self._queue.send_wakeups(wakeups)

    def schedule_greeting(self, connection: Connection) -> None:
        """Have a connection greeted in a moment; what it was greeted with is not repeated."""
        self._liveness.schedule_greeting(connection)

    def schedule_admission_check(self, connection: Connection) -> None:
        """Have wakeups see to it that a connection that is about to be admitted joins its rooms:
        soon, and once more when nobody can still be at it. Have it closed when its token ends.
        Raises Unavailable."""
        greet = make_greeting(connection)
        wakeups: list[tuple[Wakeup, timedelta]] = [(greet, RELAY_AFTER), (greet, COMMIT_WITHIN)]
        self._queue.send_wakeups(wakeups + self._make_token_wakeups(connection))

    def join_rooms(self, connection: Connection) -> None:
        """Subscribe a greeted connection to all its rooms. Raises Stale."""
        self._membership.join_rooms(connection)

    def schedule_authentication_deadline(self, connection_id: str) -> None:
        """Leave a connection a moment to authenticate; then it is closed. Raises Unavailable."""
        self._queue.send_wakeups([(AuthenticationDue(connection_id), _AUTHENTICATION_GRACE)])

    def close_if_unauthenticated(self, connection_id: str) -> None:
        """Close a connection that has had its time to authenticate and did not."""
        connection = self.get_connection(connection_id)
        if connection and not connection.person_id:
            self.close_connection(connection_id)

    # The token of whoever speaks on it

    def extend_token(self, before: Connection, after: Connection) -> None:
        """Note that a connection that is not greeted yet ends later. Raises Stale, Unavailable."""
        self._queue.send_wakeups(self._make_token_wakeups(after))
        self._connections.update_connection(before, after)

    def _make_token_wakeups(self, connection: Connection) -> list[tuple[Wakeup, timedelta]]:
        """Make the wakeup that closes a connection at its token's end, where it would not be over
        by then. It must be on the queue before the row says so: an earlier one, for the token
        before, gives up when it reads the later end."""
        ends_at = connection.token_ends_at
        if ends_at is None or ends_at >= connection.ends_at:
            return []
        return [(TokenEndDue(connection.id, ends_at), ends_at - self._clock())]

    def end_connection_at(self, connection_id: str, ends_at: datetime) -> None:
        """Have a connection closed at a time at which it is no longer to hear anything, unless it
        is over before. Raises Unavailable."""
        connection = self.get_connection(connection_id)
        if connection is None or ends_at >= connection.subscribed_until:
            return
        with suppress(Stale):  # it was written just now: the room knows the end better than it
            self.extend_token(connection, replace(connection, token_ends_at=ends_at))

    def close_if_expired(self, connection_id: str, ends_at: datetime) -> timedelta:
        """Close a connection whose token ends at a time, unless it has been extended. Returns zero,
        or how soon to try again: the queue's delays are shorter than tokens."""
        connection = self.get_connection(connection_id)
        if connection is None or (connection.token_ends_at and connection.token_ends_at > ends_at):
            return timedelta(0)
        left: timedelta = ends_at - self._clock()
        if left > timedelta(0):
            return left
        if connection.is_token_expired(self._clock()):
            self.close_expired(connection)
        return timedelta(0)

    # While it is open

    def check_connection(self, connection_id: str) -> None:
        """Check whether a connection still lives, if it is due: end it, or post its heartbeat."""
        self._liveness.check_connection(connection_id)

    def with_new_deadline(self, connection: Connection) -> Connection:
        """Return the connection as it is to be written after its client's sign of life."""
        return self._liveness.with_new_deadline(connection)

    def extend_deadline(self, connection: Connection) -> None:
        """Write that a connection's client gave a sign of life."""
        with suppress(Stale):  # another sign has just been written
            self._connections.update_connection(connection, self.with_new_deadline(connection))

    def update_connection(self, before: Connection, after: Connection) -> Connection:
        """Write a connection's row. Raises Stale."""
        return self._connections.update_connection(before, after)

    def count_request(self, connection: Connection, limit: RateLimit) -> Connection:
        """Count one request of a connection; return its row. Raises RateLimited."""
        window_s = limit.window.total_seconds()
        too_fast = RateLimited(
            f"At most {limit.max_requests} events in {window_s:g} seconds.", retry_after_s=window_s
        )
        current: Connection | None = connection
        for _ in self._retries.pace_attempts():
            if current is None:
                return connection
            now = self._clock()
            since_ms = int((now - limit.window).timestamp() * 1000)
            recent = tuple(at_ms for at_ms in current.recent_requests if at_ms > since_ms)
            if len(recent) >= limit.max_requests:
                raise too_fast
            counted = (*recent, int(now.timestamp() * 1000))
            try:
                return self._connections.update_connection(
                    current, replace(current, recent_requests=counted)
                )
            except Stale:  # requests at the same time, or a heartbeat
                current = self.get_connection(connection.id)
        raise too_fast

    def post_frame(self, connection_id: str, frame: str) -> None:
        """Answer a connection; one that is gone is removed. Raises PostFailed, FrameTooLarge."""
        try:
            self._sender.post_frame(connection_id, frame)
        except Gone:
            self.on_disconnect(connection_id)
