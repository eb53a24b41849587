"""Who is here: connections from $connect to their end, however that comes about."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta, timezone

from msgspec.structs import replace

from chalicelib.domain.messaging.connections import (
    CHECK_EVERY,
    Connection,
    Heartbeat,
    Pace,
    mailbox_of,
    mailboxes_of,
    person_room,
)
from chalicelib.domain.messaging.wakeups import (
    AuthDeadline,
    Beat,
    Greet,
    HangUp,
    TokenEnd,
    Wakeup,
    pause_after,
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
from chalicelib.services.dispatch.holding import Holding
from chalicelib.services.dispatch.order_commits import COMMIT_WITHIN, RELAY_AFTER
from chalicelib.services.messaging.places import find_leavers
from chalicelib.services.ports import Clock, ConnectionStore, CourierStore, Gateway, Queue

log = logging.getLogger(__name__)

Heartbeats = Callable[[str], Heartbeat | None]
"""The heartbeat of a contract's connections, by its name; None where it has none."""

LastWords = Callable[[Connection, WaybillError], Sequence[str]]
"""How a connection's contract says why it is ended."""

_OFTEN = timedelta(minutes=1)  # a beat that comes more often than this is not left to the sweep
_EARLY = timedelta(seconds=1)  # clocks differ
_CLOSER_EVERY = timedelta(minutes=30)  # heartbeats are many; one in so long looks closer
_BEFORE_THE_END = timedelta(minutes=3)  # AWS has closed it by then, and its row is not void yet
_PLACE_TRIES = 10
_SOON = timedelta(seconds=2)
_EVER = datetime.min.replace(tzinfo=timezone.utc)  # nobody's time is over then


class Presence:
    """Opens and forgets connections. `silence` says for each contract whose clients have to give
    a sign of life how long they may go without."""

    def __init__(
        self,
        connections: ConnectionStore,
        couriers: CourierStore,
        gateway: Gateway,
        queue: Queue,
        holding: Holding,
        auth_deadline: timedelta,
        silence: Mapping[str, timedelta],
        heartbeats: Heartbeats,
        last_words: LastWords,
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

    def open(self, connection: Connection) -> None:
        """Note a connection whose $connect is running. It hears nothing yet: nothing can be posted
        to it before $connect has returned, so a wakeup greets it. Raises Unavailable."""
        beat = self._heartbeat(connection.contract)
        if beat:
            connection = replace(connection, check_at=connection.connected_at + beat.every)
        self._connections.open(connection)
        wakeups: list[tuple[Wakeup, timedelta]] = [(Greet(connection.id), timedelta(0))]
        wakeups += self._next(connection.id, beat)
        wakeups += self._at_token_end(connection)
        if not connection.person_id:
            wakeups.append((AuthDeadline(connection.id), self._auth_deadline))
        self._queue.send(wakeups)

    def greet_later(self, connection_id: str) -> None:
        """Have a connection greeted in a moment; what was said to it already is not repeated."""
        self._queue.send([(Greet(connection_id), timedelta(seconds=1))])

    def see_to_it(self, connection: Connection) -> None:
        """Have it looked at whether a connection that is about to be let in has been: soon, and
        once more when nobody can still be at it; and have it ended with its token. Raises
        Unavailable."""
        greet = Greet(connection.id)
        wakeups: list[tuple[Wakeup, timedelta]] = [(greet, RELAY_AFTER), (greet, COMMIT_WITHIN)]
        self._queue.send(wakeups + self._at_token_end(connection))

    def prolong(self, before: Connection, after: Connection) -> None:
        """Note that a connection that is not greeted yet ends later. Raises Stale, Unavailable."""
        self._queue.send(self._at_token_end(after))
        self._connections.update(before, after)

    def _at_token_end(self, connection: Connection) -> list[tuple[Wakeup, timedelta]]:
        """The wakeup that ends a connection with its token, where it would not be over by then. It
        must be on the queue before the row says so: an earlier one gives up when it reads that."""
        until = connection.until
        if until is None or until >= connection.ends_at:
            return []
        return [(TokenEnd(connection.id, until), until - self._clock())]

    def admit(self, connection: Connection) -> None:
        """Let a greeted connection hear what is said in its rooms. One that ended meanwhile, and
        whose $disconnect found it in none of them, is taken out again. Raises Stale.

        Its mailboxes are joined last: whoever finds it in all of them may take the rest for done.
        """
        if connection.role is Role.COURIER and connection.hears is None:  # it can hear offers
            self._couriers.connected(connection.person_id, connection.id, connection.heard_until)
        for room in sorted(connection.rooms, key=lambda room: mailbox_of(room) is not None):
            self._join(room, connection)
        if self.get(connection.id) is None:
            self._leave(connection.id, connection.person_id, connection.rooms)

    def _join(self, room: str, connection: Connection) -> None:
        """Join a room. Where it is full, somebody gives way: who comes now is certainly there,
        and of those who came before some may be gone without a word. Raises Stale."""
        for _ in range(_PLACE_TRIES):
            try:
                self._connections.join(room, connection)
                return
            except TooManySockets:
                self._make_place(room, connection.id)
        raise Stale  # others come faster; a wakeup tries again

    def _make_place(self, room: str, newcomer_id: str) -> None:
        listeners = self._connections.listeners(room, _EVER)
        others = [one for one in listeners if one.connection_id != newcomer_id]
        gone, silent = find_leavers(self._gateway, self._pool, others)
        list(self._pool.map(lambda one: self.forget(one.connection_id, one.person_id), gone))
        for one in gone:
            self._connections.leave(
                room, one.connection_id
            )  # its row, and so its rooms, may be lost
        if silent:
            row = self.get(silent.connection_id)
            if row:
                self.dismiss(row, Conflict("You have too many connections: a newer one stays."))
            self._connections.leave(room, silent.connection_id)

    def get(self, connection_id: str) -> Connection | None:
        """A connection's row, None once it is gone."""
        return self._connections.get(connection_id, self._clock())

    def awake(self, connection: Connection) -> Connection:
        """The connection after a sign of life, to be written."""
        silence = self._silence.get(connection.contract)
        return replace(connection, check_at=self._clock() + silence) if silence else connection

    def stay_awake(self, connection: Connection) -> None:
        """Note a sign of life."""
        with suppress(Stale):  # another has just been noted
            self._connections.update(connection, self.awake(connection))

    def update(self, before: Connection, after: Connection) -> Connection:
        """Write a connection's row. Raises Stale."""
        return self._connections.update(before, after)

    def close(self, connection_id: str) -> None:
        """Forget a connection that has ended. Harmless twice."""
        self.forget(connection_id, "")

    def forget(self, connection_id: str, person_id: str, mailbox: str = "") -> None:
        """Take a connection out of every room and drop its row; nothing else changes.

        `person_id` is whose it was, and `mailbox` where it was found, where that is known: the row
        may be gone already. The rooms are left first, so that a row remains for another try if this
        process dies, and once more: a greeting under way may have joined them meanwhile.
        """
        connection = self._connections.find(connection_id)
        if connection:
            person_id = connection.person_id
        rooms = dict.fromkeys(connection.rooms if connection else ())
        if mailbox:
            rooms[person_room(mailbox)] = None
        self._leave(connection_id, person_id, rooms)
        self._connections.close(connection_id)
        if connection:
            self._leave(connection_id, person_id, rooms)

    def _leave(self, connection_id: str, person_id: str, rooms: Iterable[str]) -> None:
        rooms = dict.fromkeys(rooms)
        if person_id:
            rooms[person_room(person_id)] = None
            self._couriers.disconnected(person_id, connection_id)
        for room in rooms:
            self._connections.leave(room, connection_id)

    def end(self, connection_id: str) -> None:
        """Close a connection from this side, and forget it."""
        self.turn_away(connection_id)
        self.close(connection_id)

    def cut_off(self, connection_id: str) -> None:
        """Close a connection from this side, and forget it; raises PostFailed where it can't be
        closed now, and then nothing is forgotten: it may be us, and not the client."""
        self.hang_up(connection_id)
        self.close(connection_id)

    def turn_away(self, connection_id: str) -> None:
        """Close the socket of a connection that is not, or no longer, known here; by a wakeup where
        that fails now: nothing else would find it once its row is gone. Raises Unavailable."""
        try:
            self.hang_up(connection_id)
        except PostFailed:
            self._queue.send([(HangUp(connection_id), pause_after(0))])

    def hang_up(self, connection_id: str) -> None:
        """Close the socket of a connection. Raises PostFailed if it may still be open."""
        self._gateway.close(connection_id)

    def dismiss(self, connection: Connection, why: WaybillError) -> None:
        """End a connection, and say why just before: what closes it can't carry a reason."""
        with suppress(Gone, PostFailed, FrameTooLarge):
            for frame in self._last_words(connection, why):
                self._gateway.post(connection.id, frame)
        self.end(connection.id)

    def dismiss_expired(self, connection: Connection) -> None:
        """End a connection whose token has ended."""
        self.dismiss(connection, Unauthenticated("The token has expired."))

    def end_expired(self, connection_id: str, until: datetime) -> timedelta:
        """End a connection whose token ends at a time, unless it has been prolonged; returns zero,
        or how soon to try again."""
        connection = self.get(connection_id)
        if connection is None or (connection.until and connection.until > until):
            return timedelta(0)
        left: timedelta = until - self._clock()
        if left > timedelta(0):
            return left  # the queue's delays are short
        if connection.expired(self._clock()):
            self.dismiss_expired(connection)
        return timedelta(0)

    def end_unauthenticated_soon(self, connection_id: str) -> None:
        """Leave a connection a moment to authenticate; then it is closed. Raises Unavailable."""
        self._queue.send([(AuthDeadline(connection_id), _SOON)])

    def end_unauthenticated(self, connection_id: str) -> None:
        """Close a connection that has had its time to authenticate and did not."""
        connection = self.get(connection_id)
        if connection and not connection.person_id:
            self.end(connection_id)

    def check(self, connection_id: str) -> None:
        """Look whether a connection still lives, by its heartbeat where it has one: a $disconnect
        may have been lost. One that lives is repaired, where a wakeup was lost that it relied on.
        """
        now = self._clock()
        connection = self._connections.find(connection_id)
        if connection is None or connection.void(now):  # what it was in is left all the same
            self.close(connection_id)
            return
        if connection.expired(now):
            self.dismiss_expired(connection)
            return
        if connection.check_at and connection.check_at - _EARLY > now:
            return
        if self._overstays(connection, now):
            self.end(connection_id)
            return
        beat = self._heartbeat(connection.contract)
        if not self._lives(connection, beat):
            self.forget(connection_id, connection.person_id)
            return
        if not self._note_next(connection, beat, now):
            return  # somebody else is at it
        self._queue.send(self._next(connection_id, beat))
        if not connection.greeted:
            self.greet_later(connection_id)
        elif beat is None or (now - connection.connected_at) % _CLOSER_EVERY < beat.every:
            self._repair(connection)

    def _overstays(self, connection: Connection, now: datetime) -> bool:
        """Whether it gave no sign of life for too long, or did not say in time who it is."""
        if connection.check_at and connection.contract in self._silence:
            return True
        return not connection.person_id and now >= connection.connected_at + self._auth_deadline

    def _note_next(self, connection: Connection, beat: Heartbeat | None, now: datetime) -> bool:
        """Note when a connection is to be checked next: at the end of its life at the latest, while
        its row still says whose it was."""
        every = beat.every if beat else CHECK_EVERY
        last = connection.ends_at - _BEFORE_THE_END
        check_at = min(now + every, last) if now < last else now + every
        try:
            self._connections.update(connection, replace(connection, check_at=check_at))
        except Stale:
            return False
        return True

    def _repair(self, connection: Connection) -> None:
        """Let a connection in that does not hear what it should; let its courier go of an order
        that is done. Two reads."""
        if self._deaf(connection):
            self.greet_later(connection.id)
        if connection.role is Role.COURIER and connection.person_id:
            courier = self._couriers.glance(connection.person_id)
            if courier:
                self._holding.let_go(courier)

    def _deaf(self, connection: Connection) -> bool:
        """Whether a greeted connection is missing in a mailbox that it hears: whoever admitted it
        died on the way."""
        rooms = map(person_room, mailboxes_of(connection))
        return not all(self._listens(connection.id, room) for room in rooms)

    def _listens(self, connection_id: str, room: str) -> bool:
        listening = self._connections.listeners(room, self._clock())
        return any(one.connection_id == connection_id for one in listening)

    def _lives(self, connection: Connection, beat: Heartbeat | None) -> bool:
        """Whether a connection is there; where that can't be told now, it counts as there."""
        if beat is None or not connection.greeted:
            return self._gateway.alive(connection.id)
        try:
            self._gateway.post(connection.id, beat.frame)
        except Gone:
            return False
        except PostFailed:
            log.warning("connection %s could not be pinged now", connection.id)
        return True

    @staticmethod
    def _next(connection_id: str, beat: Heartbeat | None) -> list[tuple[Wakeup, timedelta]]:
        """The wakeup of the next beat, where the sweep, every 15 s at best, would be too slow."""
        often = beat is not None and beat.every < _OFTEN
        return [(Beat(connection_id), beat.every)] if beat and often else []

    def pace(self, connection: Connection, pace: Pace) -> Connection:
        """Count one request of a connection; return its row. Raises RateLimited."""
        too_fast = RateLimited(
            f"At most {pace.most} events in {pace.within.total_seconds():g} seconds.",
            retry_after_s=pace.within.total_seconds(),
        )
        current: Connection | None = connection
        for _ in self._retries.attempts():
            if current is None:
                return connection
            now = self._clock()
            since = int((now - pace.within).timestamp() * 1000)
            recent = tuple(at for at in current.asked_at if at > since)
            if len(recent) >= pace.most:
                raise too_fast
            asked = replace(current, asked_at=(*recent, int(now.timestamp() * 1000)))
            try:
                return self._connections.update(current, asked)
            except Stale:  # requests at the same time, or a heartbeat
                current = self.get(connection.id)
        raise too_fast

    def post(self, connection_id: str, frame: str) -> None:
        """Answer a connection; one that is gone is forgotten. Raises PostFailed, FrameTooLarge."""
        try:
            self._gateway.post(connection_id, frame)
        except Gone:
            self.close(connection_id)
