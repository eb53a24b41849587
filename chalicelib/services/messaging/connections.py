"""Who is here: connections from $connect to their end, however that comes about."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta, timezone

from msgspec.structs import replace

from chalicelib.domain.messaging.connections import (
    CHECK_INTERVAL,
    Connection,
    Heartbeat,
    RequestLimit,
    list_mailboxes,
    parse_mailbox_room,
    person_room,
)
from chalicelib.domain.messaging.wakeups import (
    AuthenticationDue,
    CloseDue,
    GreetingDue,
    HeartbeatDue,
    TokenEndDue,
    Wakeup,
    compute_pause,
)
from chalicelib.domain.people import Role
from chalicelib.domain.retries import Retries
from chalicelib.errors import (
    Conflict,
    FrameTooLarge,
    Gone,
    PostFailed,
    RateLimited,
    Stale,
    TooManySockets,
    Unauthenticated,
    WaybillError,
)
from chalicelib.services.dispatch.courier_releaser import CourierReleaser
from chalicelib.services.dispatch.order_commits import COMMIT_WITHIN, RELAY_AFTER
from chalicelib.services.messaging.places import find_evictable
from chalicelib.services.ports import (
    Clock,
    ConnectionStore,
    CourierStore,
    FrameSender,
    WakeupSender,
)

log = logging.getLogger(__name__)

FindHeartbeat = Callable[[str], Heartbeat | None]
"""The heartbeat of a contract's connections, by its name; None where it has none."""

RenderLastFrames = Callable[[Connection, WaybillError], Sequence[str]]
"""How a connection's contract says why it is ended."""

_SWEEP_RESOLUTION = timedelta(
    minutes=1
)  # a beat that comes more often than this is not left to the sweep
_CLOCK_SKEW = timedelta(seconds=1)  # clocks differ
_REPAIR_INTERVAL = timedelta(minutes=30)  # heartbeats are many; one in so long looks closer
_LAST_CHECK_BEFORE_END = timedelta(
    minutes=3
)  # AWS has closed it by then, and its row is not void yet
_JOIN_TRIES = 10
_AUTHENTICATION_GRACE = timedelta(seconds=2)
_ANY_AGE = datetime.min.replace(tzinfo=timezone.utc)  # nobody's time is over then


class ConnectionRegistry:
    """Opens and forgets connections. `silence` says for each contract whose clients have to give
    a sign of life how long they may go without."""

    def __init__(
        self,
        connections: ConnectionStore,
        couriers: CourierStore,
        gateway: FrameSender,
        queue: WakeupSender,
        holding: CourierReleaser,
        auth_deadline: timedelta,
        silence: Mapping[str, timedelta],
        heartbeats: FindHeartbeat,
        last_words: RenderLastFrames,
        pool: ThreadPoolExecutor,
        clock: Clock,
        retries: Retries | None = None,
    ) -> None:
        self._retries = retries or Retries()
        self._heartbeat = heartbeats
        self._last_words = last_words
        self._pool = pool
        self._connections = connections
        self._couriers = couriers
        self._gateway = gateway
        self._queue = queue
        self._holding = holding
        self._auth_deadline = auth_deadline
        self._silence = silence
        self._clock = clock

    def on_connect(self, connection: Connection) -> None:
        """Note a connection whose $connect is running. It hears nothing yet: nothing can be posted
        to it before $connect has returned, so a wakeup greets it. Raises Unavailable."""
        beat = self._heartbeat(connection.contract)
        if beat:
            connection = replace(connection, check_at=connection.connected_at + beat.interval)
        self._connections.insert_connection(connection)
        wakeups: list[tuple[Wakeup, timedelta]] = [(GreetingDue(connection.id), timedelta(0))]
        wakeups += self._make_heartbeat_wakeups(connection.id, beat)
        wakeups += self._make_token_wakeups(connection)
        if not connection.person_id:
            wakeups.append((AuthenticationDue(connection.id), self._auth_deadline))
        self._queue.send_wakeups(wakeups)

    def schedule_greeting(self, connection_id: str) -> None:
        """Have a connection greeted in a moment; what was said to it already is not repeated."""
        self._queue.send_wakeups([(GreetingDue(connection_id), timedelta(seconds=1))])

    def schedule_admission_check(self, connection: Connection) -> None:
        """Have it looked at whether a connection that is about to be let in has been: soon, and
        once more when nobody can still be at it; and have it ended with its token. Raises
        Unavailable."""
        greet = GreetingDue(connection.id)
        wakeups: list[tuple[Wakeup, timedelta]] = [(greet, RELAY_AFTER), (greet, COMMIT_WITHIN)]
        self._queue.send_wakeups(wakeups + self._make_token_wakeups(connection))

    def extend_token(self, before: Connection, after: Connection) -> None:
        """Note that a connection that is not greeted yet ends later. Raises Stale, Unavailable."""
        self._queue.send_wakeups(self._make_token_wakeups(after))
        self._connections.update_connection(before, after)

    def _make_token_wakeups(self, connection: Connection) -> list[tuple[Wakeup, timedelta]]:
        """The wakeup that ends a connection with its token, where it would not be over by then. It
        must be on the queue before the row says so: an earlier one gives up when it reads that."""
        until = connection.token_ends_at
        if until is None or until >= connection.ends_at:
            return []
        return [(TokenEndDue(connection.id, until), until - self._clock())]

    def join_rooms(self, connection: Connection) -> None:
        """Let a greeted connection hear what is said in its rooms. One that ended meanwhile, and
        whose $disconnect found it in none of them, is taken out again. Raises Stale.

        Its mailboxes are joined last: whoever finds it in all of them may take the rest for done.
        """
        if (
            connection.role is Role.COURIER and connection.subscriptions is None
        ):  # it can hear offers
            self._couriers.add_socket(
                connection.person_id, connection.id, connection.subscribed_until
            )
        for room in sorted(connection.rooms, key=lambda room: parse_mailbox_room(room) is not None):
            self._join_room(room, connection)
        if self.get_connection(connection.id) is None:
            self._leave_rooms(connection.id, connection.person_id, connection.rooms)

    def _join_room(self, room: str, connection: Connection) -> None:
        """Join a room. Where it is full, somebody gives way: who comes now is certainly there,
        and of those who came before some may be gone without a word. Raises Stale."""
        for _ in range(_JOIN_TRIES):
            try:
                self._connections.add_to_room(room, connection)
                return
            except TooManySockets:
                self._evict_subscribers(room, connection.id)
        raise Stale  # others come faster; a wakeup tries again

    def _evict_subscribers(self, room: str, newcomer_id: str) -> None:
        listeners = self._connections.list_subscribers(room, _ANY_AGE)
        others = [one for one in listeners if one.connection_id != newcomer_id]
        gone, silent = find_evictable(self._gateway, self._pool, others)
        list(
            self._pool.map(
                lambda one: self.remove_connection(one.connection_id, one.person_id), gone
            )
        )
        for one in gone:
            self._connections.remove_from_room(
                room, one.connection_id
            )  # its row, and so its rooms, may be lost
        if silent:
            row = self.get_connection(silent.connection_id)
            if row:
                self.close_with_reason(
                    row, Conflict("You have too many connections: a newer one stays.")
                )
            self._connections.remove_from_room(room, silent.connection_id)

    def get_connection(self, connection_id: str) -> Connection | None:
        """A connection's row, None once it is gone."""
        return self._connections.get_connection(connection_id, self._clock())

    def with_new_deadline(self, connection: Connection) -> Connection:
        """The connection after a sign of life, to be written."""
        silence = self._silence.get(connection.contract)
        return replace(connection, check_at=self._clock() + silence) if silence else connection

    def extend_deadline(self, connection: Connection) -> None:
        """Note a sign of life."""
        with suppress(Stale):  # another has just been noted
            self._connections.update_connection(connection, self.with_new_deadline(connection))

    def update_connection(self, before: Connection, after: Connection) -> Connection:
        """Write a connection's row. Raises Stale."""
        return self._connections.update_connection(before, after)

    def on_disconnect(self, connection_id: str) -> None:
        """Forget a connection that has ended. Harmless twice."""
        self.remove_connection(connection_id, "")

    def remove_connection(self, connection_id: str, person_id: str, mailbox: str = "") -> None:
        """Take a connection out of every room and drop its row; nothing else changes.

        `person_id` is whose it was, and `mailbox` where it was found, where that is known: the row
        may be gone already. The rooms are left first, so that a row remains for another try if this
        process dies, and once more: a greeting under way may have joined them meanwhile.
        """
        connection = self._connections.get_at_any_age(connection_id)
        if connection:
            person_id = connection.person_id
        rooms = dict.fromkeys(connection.rooms if connection else ())
        if mailbox:
            rooms[person_room(mailbox)] = None
        self._leave_rooms(connection_id, person_id, rooms)
        self._connections.delete_connection(connection_id)
        if connection:
            self._leave_rooms(connection_id, person_id, rooms)

    def _leave_rooms(self, connection_id: str, person_id: str, rooms: Iterable[str]) -> None:
        rooms = dict.fromkeys(rooms)
        if person_id:
            rooms[person_room(person_id)] = None
            self._couriers.remove_socket(person_id, connection_id)
        for room in rooms:
            self._connections.remove_from_room(room, connection_id)

    def close_connection(self, connection_id: str) -> None:
        """Close a connection from this side, and forget it."""
        self.close_socket_eventually(connection_id)
        self.on_disconnect(connection_id)

    def close_or_raise(self, connection_id: str) -> None:
        """Close a connection from this side, and forget it; raises PostFailed where it can't be
        closed now, and then nothing is forgotten: it may be us, and not the client."""
        self.close_socket(connection_id)
        self.on_disconnect(connection_id)

    def close_socket_eventually(self, connection_id: str) -> None:
        """Close the socket of a connection that is not, or no longer, known here; by a wakeup where
        that fails now: nothing else would find it once its row is gone. Raises Unavailable."""
        try:
            self.close_socket(connection_id)
        except PostFailed:
            self._queue.send_wakeups([(CloseDue(connection_id), compute_pause(0))])

    def close_socket(self, connection_id: str) -> None:
        """Close the socket of a connection. Raises PostFailed if it may still be open."""
        self._gateway.close_connection(connection_id)

    def close_with_reason(self, connection: Connection, why: WaybillError) -> None:
        """End a connection, and say why just before: what closes it can't carry a reason."""
        with suppress(Gone, PostFailed, FrameTooLarge):
            for frame in self._last_words(connection, why):
                self._gateway.post_frame(connection.id, frame)
        self.close_connection(connection.id)

    def close_expired(self, connection: Connection) -> None:
        """End a connection whose token has ended."""
        self.close_with_reason(connection, Unauthenticated("The token has expired."))

    def close_if_expired(self, connection_id: str, until: datetime) -> timedelta:
        """End a connection whose token ends at a time, unless it has been prolonged; returns zero,
        or how soon to try again."""
        connection = self.get_connection(connection_id)
        if connection is None or (connection.token_ends_at and connection.token_ends_at > until):
            return timedelta(0)
        left: timedelta = until - self._clock()
        if left > timedelta(0):
            return left  # the queue's delays are short
        if connection.is_token_expired(self._clock()):
            self.close_expired(connection)
        return timedelta(0)

    def schedule_authentication_deadline(self, connection_id: str) -> None:
        """Leave a connection a moment to authenticate; then it is closed. Raises Unavailable."""
        self._queue.send_wakeups([(AuthenticationDue(connection_id), _AUTHENTICATION_GRACE)])

    def close_if_unauthenticated(self, connection_id: str) -> None:
        """Close a connection that has had its time to authenticate and did not."""
        connection = self.get_connection(connection_id)
        if connection and not connection.person_id:
            self.close_connection(connection_id)

    def check_connection(self, connection_id: str) -> None:
        """Look whether a connection still lives, by its heartbeat where it has one: a $disconnect
        may have been lost. One that lives is repaired, where a wakeup was lost that it relied on.
        """
        now = self._clock()
        connection = self._connections.get_at_any_age(connection_id)
        if connection is None or connection.is_void(now):  # what it was in is left all the same
            self.on_disconnect(connection_id)
            return
        if connection.is_token_expired(now):
            self.close_expired(connection)
            return
        if connection.check_at and connection.check_at - _CLOCK_SKEW > now:
            return
        if self._is_overdue(connection, now):
            self.close_connection(connection_id)
            return
        beat = self._heartbeat(connection.contract)
        if not self._is_alive(connection, beat):
            self.remove_connection(connection_id, connection.person_id)
            return
        if not self._schedule_check(connection, beat, now):
            return  # somebody else is at it
        self._queue.send_wakeups(self._make_heartbeat_wakeups(connection_id, beat))
        if not connection.greeted:
            self.schedule_greeting(connection_id)
        elif beat is None or (now - connection.connected_at) % _REPAIR_INTERVAL < beat.interval:
            self._repair_connection(connection)

    def _is_overdue(self, connection: Connection, now: datetime) -> bool:
        """Whether it gave no sign of life for too long, or did not say in time who it is."""
        if connection.check_at and connection.contract in self._silence:
            return True
        return not connection.person_id and now >= connection.connected_at + self._auth_deadline

    def _schedule_check(
        self, connection: Connection, beat: Heartbeat | None, now: datetime
    ) -> bool:
        """Note when a connection is to be checked next: at the end of its life at the latest, while
        its row still says whose it was."""
        every = beat.interval if beat else CHECK_INTERVAL
        last = connection.ends_at - _LAST_CHECK_BEFORE_END
        check_at = min(now + every, last) if now < last else now + every
        try:
            self._connections.update_connection(connection, replace(connection, check_at=check_at))
        except Stale:
            return False
        return True

    def _repair_connection(self, connection: Connection) -> None:
        """Let a connection in that does not hear what it should; let its courier go of an order
        that is done. Two reads."""
        if self._misses_mailbox(connection):
            self.schedule_greeting(connection.id)
        if connection.role is Role.COURIER and connection.person_id:
            courier = self._couriers.get_eventually(connection.person_id)
            if courier:
                self._holding.release_from_done_order(courier)

    def _misses_mailbox(self, connection: Connection) -> bool:
        """Whether a greeted connection is missing in a mailbox that it hears: whoever admitted it
        died on the way."""
        rooms = map(person_room, list_mailboxes(connection))
        return not all(self._is_subscribed(connection.id, room) for room in rooms)

    def _is_subscribed(self, connection_id: str, room: str) -> bool:
        listening = self._connections.list_subscribers(room, self._clock())
        return any(one.connection_id == connection_id for one in listening)

    def _is_alive(self, connection: Connection, beat: Heartbeat | None) -> bool:
        """Whether a connection is there; where that can't be told now, it counts as there."""
        if beat is None or not connection.greeted:
            return self._gateway.is_connected(connection.id)
        try:
            self._gateway.post_frame(connection.id, beat.frame)
        except Gone:
            return False
        except PostFailed:
            log.warning("connection %s could not be pinged now", connection.id)
        return True

    @staticmethod
    def _make_heartbeat_wakeups(
        connection_id: str, beat: Heartbeat | None
    ) -> list[tuple[Wakeup, timedelta]]:
        """The wakeup of the next beat, where the sweep, every 15 s at best, would be too slow."""
        often = beat is not None and beat.interval < _SWEEP_RESOLUTION
        return [(HeartbeatDue(connection_id), beat.interval)] if beat and often else []

    def count_request(self, connection: Connection, pace: RequestLimit) -> Connection:
        """Count one request of a connection; return its row. Raises RateLimited."""
        too_fast = RateLimited(
            f"At most {pace.max_requests} events in {pace.window.total_seconds():g} seconds.",
            retry_after_s=pace.window.total_seconds(),
        )
        current: Connection | None = connection
        for _ in self._retries.pace_attempts():
            if current is None:
                return connection
            now = self._clock()
            since = int((now - pace.window).timestamp() * 1000)
            recent = tuple(at for at in current.recent_requests if at > since)
            if len(recent) >= pace.max_requests:
                raise too_fast
            asked = replace(current, recent_requests=(*recent, int(now.timestamp() * 1000)))
            try:
                return self._connections.update_connection(current, asked)
            except Stale:  # requests at the same time, or a heartbeat
                current = self.get_connection(connection.id)
        raise too_fast

    def post_frame(self, connection_id: str, frame: str) -> None:
        """Answer a connection; one that is gone is forgotten. Raises PostFailed, FrameTooLarge."""
        try:
            self._gateway.post_frame(connection_id, frame)
        except Gone:
            self.on_disconnect(connection_id)
