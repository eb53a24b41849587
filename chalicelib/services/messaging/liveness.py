"""Whether connections still live: heartbeats, the clients' signs of life, and what to mend.

API Gateway's $disconnect may be lost, and a network may lose a connection without a word. So each
connection has a time, `check_at`, at which it is checked: by a heartbeat's own wakeup where it
comes often, else by the sweep. A check ends what is over, posts the heartbeat, notes the next
check, and mends what a process that died may have left half done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from msgspec.structs import replace

from chalicelib.domain.messaging.connections import (
    Connection,
    Heartbeat,
    list_mailboxes,
    name_person_room,
)
from chalicelib.domain.messaging.wakeups import GreetingDue, HeartbeatDue, Wakeup
from chalicelib.domain.people import Courier, Role
from chalicelib.errors import Gone, PostFailed, Stale
from chalicelib.services.messaging.closing import ConnectionCloser
from chalicelib.services.ports import (
    Clock,
    ConnectionStore,
    CourierStore,
    FrameSender,
    WakeupSender,
)

log = logging.getLogger(__name__)

FindHeartbeat = Callable[[str], Heartbeat | None]
"""Finds the heartbeat of a contract's connections, by its name; None where it has none."""

KeepWatched = Callable[[], None]
"""Sees to it that the board, which somebody watches, is kept up to date."""

_SWEEP_RESOLUTION = timedelta(minutes=1)  # a heartbeat that is more frequent is not left to it
_CLOCK_SKEW = timedelta(seconds=1)
_REPAIR_INTERVAL = timedelta(minutes=30)  # heartbeats are many; one in so long looks closer
_LAST_CHECK_BEFORE_END = timedelta(minutes=3)  # AWS has closed it by then; its row is not void yet
_GREETING_PAUSE = timedelta(seconds=1)


class DoneOrders(Protocol):
    """Releases couriers from orders that are done, if whoever did them did not live to."""

    def release_from_done_order(self, courier: Courier) -> bool: ...


class LivenessChecker:
    """Checks connections. `client_timeouts` says for each contract whose clients have to give a
    sign of life how long they may go without."""

    def __init__(
        self,
        connections: ConnectionStore,
        couriers: CourierStore,
        sender: FrameSender,
        queue: WakeupSender,
        closer: ConnectionCloser,
        done_orders: DoneOrders,
        auth_deadline: timedelta,
        client_timeouts: Mapping[str, timedelta],
        find_heartbeat: FindHeartbeat,
        keep_watched: KeepWatched,
        clock: Clock,
    ) -> None:
        self._connections = connections
        self._couriers = couriers
        self._sender = sender
        self._queue = queue
        self._closer = closer
        self._done_orders = done_orders
        self._auth_deadline = auth_deadline
        self._client_timeouts = client_timeouts
        self._find_heartbeat = find_heartbeat
        self._keep_watched = keep_watched
        self._clock = clock

    def with_new_deadline(self, connection: Connection) -> Connection:
        """Return the connection as it is to be written after its client's sign of life."""
        timeout = self._client_timeouts.get(connection.contract)
        return replace(connection, check_at=self._clock() + timeout) if timeout else connection

    def with_first_check(self, connection: Connection) -> Connection:
        """Return a connection that opens with the time of its first heartbeat."""
        beat = self._find_heartbeat(connection.contract)
        if beat is None:
            return connection
        return replace(connection, check_at=connection.connected_at + beat.interval)

    def make_heartbeat_wakeups(self, connection: Connection) -> list[tuple[Wakeup, timedelta]]:
        """Make the wakeup of the next heartbeat, where the sweep, which comes every 15 s at best,
        would be too slow."""
        beat = self._find_heartbeat(connection.contract)
        if beat is None or beat.interval >= _SWEEP_RESOLUTION:
            return []
        return [(HeartbeatDue(connection.id), beat.interval)]

    def schedule_greeting(self, connection: Connection) -> None:
        """Have a connection greeted in a moment; what it was greeted with is not repeated."""
        self._queue.send_wakeups([(make_greeting(connection), _GREETING_PAUSE)])

    def check_connection(self, connection_id: str) -> None:
        """Check a connection that is due: end it, or post its heartbeat and note the next check. A
        connection that is not due, or that another is just checking, is left alone."""
        now = self._clock()
        connection = self._connections.get_at_any_age(connection_id)
        if connection is None:
            self._closer.on_disconnect(connection_id)
        elif connection.is_void(now) or connection.is_token_expired(now):
            self._end_over_age(connection, now)
        elif connection.check_at and connection.check_at - _CLOCK_SKEW > now:
            return
        elif self._is_overdue(connection, now):
            self._closer.close_connection(connection_id)
        elif not self._is_alive(connection):
            self._closer.remove_connection(connection_id, connection.person_id)
        elif self._schedule_check(connection, now):
            self._continue_after_check(connection, now)

    def _end_over_age(self, connection: Connection, now: datetime) -> None:
        if connection.is_void(now):  # its socket is gone; its rooms are left all the same
            self._closer.on_disconnect(connection.id)
        else:
            self._closer.close_expired(connection)

    def _is_overdue(self, connection: Connection, now: datetime) -> bool:
        """Tell whether a connection's client gave no sign of life for too long, or did not say in
        time who it is. (`check_at` has passed: it is the end of the client's time.)"""
        if connection.check_at and connection.contract in self._client_timeouts:
            return True
        return not connection.person_id and now >= connection.connected_at + self._auth_deadline

    def _is_alive(self, connection: Connection) -> bool:
        """Tell whether a connection is there, by its heartbeat where it has one. Where that can't
        be told now, it counts as there."""
        beat = self._find_heartbeat(connection.contract)
        if beat is None or not connection.greeted:  # nothing may precede the first frames
            return self._sender.is_connected(connection.id)
        try:
            self._sender.post_frame(connection.id, beat.frame)
        except Gone:
            return False
        except PostFailed:
            named = {"connection_id": connection.id}  # hashed where it is written
            log.warning("a connection could not be pinged now", extra=named)
        return True

    def _schedule_check(self, connection: Connection, now: datetime) -> bool:
        """Note when a connection is to be checked next: at the end of its life at the latest, while
        its row still says whose it was. Returns False if another is just checking it."""
        beat = self._find_heartbeat(connection.contract)
        next_at = now + (beat.interval if beat else connection.check_interval)
        last_at = connection.ends_at - _LAST_CHECK_BEFORE_END
        check_at = min(next_at, last_at) if now < last_at else next_at
        try:
            self._connections.update_connection(connection, replace(connection, check_at=check_at))
        except Stale:
            return False
        return True

    def _continue_after_check(self, connection: Connection, now: datetime) -> None:
        """Arm the next heartbeat, and mend a connection that lives. Each mending costs two reads,
        so of many heartbeats only one in _REPAIR_INTERVAL does it."""
        self._queue.send_wakeups(self.make_heartbeat_wakeups(connection))
        beat = self._find_heartbeat(connection.contract)
        if not connection.greeted:
            self.schedule_greeting(connection)
        elif beat is None or (now - connection.connected_at) % _REPAIR_INTERVAL < beat.interval:
            self._repair_connection(connection)

    def _repair_connection(self, connection: Connection) -> None:
        """Have a connection greeted again that misses a mailbox: whoever admitted it died on the
        way. Release its courier from an order that is done. See to it that what it watches is kept
        up to date."""
        if connection.watch is not None:
            self._keep_watched()
        elif self._misses_mailbox(connection):
            self.schedule_greeting(connection)
        if connection.role is Role.COURIER and connection.person_id:
            courier = self._couriers.get_eventually(connection.person_id)
            if courier:
                self._done_orders.release_from_done_order(courier)

    def _misses_mailbox(self, connection: Connection) -> bool:
        rooms, now = map(name_person_room, list_mailboxes(connection)), self._clock()
        return not all(self._closer.is_subscribed(connection.id, room, now) for room in rooms)


def make_greeting(connection: Connection) -> GreetingDue:
    """Make the wakeup that greets a connection."""
    is_couriers = connection.role is Role.COURIER
    return GreetingDue(connection.id, courier_id=connection.person_id if is_couriers else "")
