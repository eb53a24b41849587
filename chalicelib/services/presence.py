"""Who is here: connections from $connect to their end, however that comes about."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from msgspec.structs import replace

from chalicelib.domain.connections import CHECK_EVERY, Connection, person_room
from chalicelib.domain.people import Role
from chalicelib.errors import Gone, Stale
from chalicelib.services.ports import Clock, ConnectionStore, CourierStore, Gateway, Queue
from chalicelib.services.wakeups import AuthDeadline, Greet, Wakeup


class Presence:
    """Opens and forgets connections. `silence` says for each contract whose clients have to give
    a sign of life how long they may go without."""

    def __init__(
        self,
        connections: ConnectionStore,
        couriers: CourierStore,
        gateway: Gateway,
        queue: Queue,
        auth_deadline: timedelta,
        silence: Mapping[str, timedelta],
        clock: Clock,
    ) -> None:
        self._connections = connections
        self._couriers = couriers
        self._gateway = gateway
        self._queue = queue
        self._auth_deadline = auth_deadline
        self._silence = silence
        self._clock = clock

    def open(self, connection: Connection) -> None:
        """Note a connection whose $connect is running. It hears nothing yet: nothing can be posted
        to it before $connect has returned, so a wakeup greets it. Raises Unavailable."""
        self._connections.open(connection)
        wakeups: list[tuple[Wakeup, timedelta]] = [(Greet(connection.id), timedelta(0))]
        if not connection.person_id:
            wakeups.append((AuthDeadline(connection.id), self._auth_deadline))
        self._queue.send(wakeups)

    def greet_later(self, connection_id: str) -> None:
        """Have a connection greeted in a moment; what was said to it already is not repeated."""
        self._queue.send([(Greet(connection_id), timedelta(seconds=1))])

    def admit(self, connection: Connection) -> None:
        """Let a greeted connection hear what is said in its rooms. One that ended meanwhile, and
        whose $disconnect found it in none of them, is taken out again."""
        for room in connection.rooms:
            self._connections.join(room, connection)
        if connection.role is Role.COURIER and connection.hears is None:  # it can hear offers
            self._couriers.connected(connection.person_id, connection.id)
        if self.get(connection.id) is None:
            self._leave(connection.id, connection.person_id, set(connection.rooms))

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
        connection = self.get(connection_id)
        self.forget(connection_id, connection.person_id if connection else "")

    def forget(self, connection_id: str, person_id: str) -> None:
        """Take a connection out of every room and drop its row; nothing else changes."""
        connection = self.get(connection_id)
        self._leave(connection_id, person_id, set(connection.rooms if connection else ()))
        self._connections.close(connection_id)

    def _leave(self, connection_id: str, person_id: str, rooms: set[str]) -> None:
        if person_id:
            rooms.add(person_room(person_id))
            self._couriers.disconnected(person_id, connection_id)
        for room in rooms:
            self._connections.leave(room, connection_id)

    def end(self, connection_id: str) -> None:
        """Close a connection from this side, and forget it."""
        self._gateway.close(connection_id)
        self.close(connection_id)

    def end_unauthenticated(self, connection_id: str) -> None:
        """Close a connection that has had its time to authenticate and did not."""
        connection = self.get(connection_id)
        if connection and not connection.person_id:
            self.end(connection_id)

    def check(self, connection_id: str) -> None:
        """Look whether a connection still lives: a $disconnect may have been lost."""
        now = self._clock()
        connection = self._connections.get(connection_id, now)
        if connection is None:
            self._connections.close(connection_id)
            return
        if connection.check_at and connection.check_at > now:
            return
        if connection.check_at and connection.contract in self._silence:
            self.end(connection_id)
            return
        if not self._gateway.alive(connection_id):
            self.forget(connection_id, connection.person_id)
            return
        try:
            self._connections.update(connection, replace(connection, check_at=now + CHECK_EVERY))
        except Stale:
            return  # somebody else is at it

    def post(self, connection_id: str, frame: str) -> None:
        """Answer a connection; one that is gone is forgotten. Raises PostFailed, FrameTooLarge."""
        try:
            self._gateway.post(connection_id, frame)
        except Gone:
            self.close(connection_id)
