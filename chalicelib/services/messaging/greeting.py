"""The first frames of a connection, and what its person missed.

Runs as a wakeup, since nothing can be posted while $connect runs, and under the lease of the
person's mailbox, so that nothing else is said to the connection before its first frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection, admitted, mailboxes_of
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Role
from chalicelib.errors import Gone, PostFailed, Stale
from chalicelib.services.messaging.connections import Presence
from chalicelib.services.messaging.mailboxes import Held, LeaseEnding, Mailboxes, Welcome
from chalicelib.services.orders.customer import Ordering
from chalicelib.services.ports import Clock, ConnectionStore, Gateway

FirstFrames = Callable[[Connection, Order | None], Sequence[str]]
"""How a contract greets: the connection, and the order that is offered to its courier now."""

Rooms = Callable[[Connection], Sequence[str]]
"""The rooms, beyond its person's own, that a contract puts a connection in."""

# Until then a 410 may mean that $connect has not returned yet: 10 s, with clocks 2 min apart.
_CONNECTING = timedelta(seconds=130)
_SOON = timedelta(seconds=1)
_SUPERSEDED = {events.OFFER_MADE, events.OFFER_TIMED_OUT, events.OFFER_REASSIGNED}


class Greeting:
    """Greets connections."""

    def __init__(
        self,
        connections: ConnectionStore,
        presence: Presence,
        mailboxes: Mailboxes,
        ordering: Ordering,
        gateway: Gateway,
        first_frames: FirstFrames,
        rooms: Rooms,
        clock: Clock,
    ) -> None:
        self._connections = connections
        self._presence = presence
        self._mailboxes = mailboxes
        self._ordering = ordering
        self._gateway = gateway
        self._first_frames = first_frames
        self._rooms = rooms
        self._clock = clock

    def greet(self, connection_id: str) -> timedelta:
        """Greet a connection, once however often it is called; returns zero, or how soon to try
        again. A connection that has gone meanwhile is forgotten."""
        connection = self._connections.get(connection_id, self._clock())
        if connection is None or connection.expired(self._clock()):
            return timedelta(0)
        try:
            # Not found out by a post: the mailbox forgets a listener that it can't post to.
            if not connection.greeted and not self._gateway.alive(connection_id):
                raise Gone(connection_id)
            if connection.person_id:
                self._let_in(connection)
            elif not connection.greeted:
                self._say_first(connection, None)
        except (Held, LeaseEnding, Stale):
            return _SOON
        except Gone:
            if self._clock() - connection.connected_at < _CONNECTING:
                return _SOON
            self._presence.forget(connection.id, connection.person_id)
        return timedelta(0)

    def begin(self, connection: Connection) -> Connection:
        """The connection with where it begins to hear its mailboxes noted, to be written: before
        its client can know that it is connected, or hears something else from now on."""
        if not connection.person_id or connection.hears == ():
            return connection
        mailboxes = self._mailboxes_of(connection)
        starts = {box: self._mailboxes.start_for(box, connection) for box in mailboxes}
        return replace(connection, starts=starts)

    def _let_in(self, connection: Connection) -> None:
        """Greet whoever is known by now, and see to it that all their mailboxes are heard."""
        mailboxes = self._mailboxes_of(connection)
        id_ = connection.id
        if connection.greeted and all(self._mailboxes.serves(box, connection) for box in mailboxes):
            return
        self._mailboxes.greet(connection.person_id, id_, lambda: self._welcome(id_))
        self._drain(connection, mailboxes[1:])

    def _welcome(self, connection_id: str) -> Welcome:
        """Say the first frames and let the connection in; what they told is not told again."""
        connection = self._connections.get(connection_id, self._clock())
        if connection is None:
            return Welcome(self._outdated)
        if connection.greeted:  # before; but whoever did it may not have lived to let it in
            self._presence.admit(connection)
            return Welcome(self._outdated)
        offered = self._offered_to(connection)
        self._presence.admit(self._say_first(connection, offered))

        def skip(listening_id: str, event: Event) -> bool:
            told = listening_id == connection_id and _superseded(event, offered)
            return told or self._outdated(listening_id, event)

        return Welcome(skip, offered.told if offered else None)

    def _say_first(self, connection: Connection, offered: Order | None) -> Connection:
        for frame in self._first_frames(connection, offered):
            self._gateway.post(connection.id, frame)
        if not connection.person_id:
            return self._connections.update(connection, replace(connection, greeted=True))
        rooms = tuple(self._rooms(connection))
        return self._connections.update(connection, admitted(connection, rooms))

    def admit(self, before: Connection, after: Connection, frames: Sequence[str]) -> None:
        """Admit a connection that has just authenticated, or hears something else from now on:
        `frames` are its answer, said before anything new, then comes what waits for it. Raises
        Stale, and then nothing was said.

        A wakeup is on its way before anything is written: whoever is answered "success" is let in,
        even if this process dies first. The row is written next, as an answered client may speak at
        once; the rooms are joined last, as whatever is said in them must come after the answer.
        """
        after = self.begin(admitted(after, tuple(self._rooms(after))))
        self._presence.see_to_it(after)
        noted = self._connections.update(before, after)
        try:
            for frame in frames:
                self._gateway.post(noted.id, frame)
        except Gone:
            self._presence.forget(noted.id, noted.person_id)
            return
        except PostFailed:
            with suppress(PostFailed):
                self._presence.end(noted.id)  # its client comes again
            return
        self._presence.admit(noted)
        try:
            self._drain(noted, mailboxes_of(noted))
        except (PostFailed, Stale):
            self._presence.greet_later(noted.id)

    def _drain(self, connection: Connection, mailboxes: Sequence[str]) -> None:
        for mailbox in mailboxes:
            self._mailboxes.drain(mailbox, connection, self._outdated)

    def _mailboxes_of(self, connection: Connection) -> Sequence[str]:
        return mailboxes_of(admitted(connection, tuple(self._rooms(connection))))

    def _offered_to(self, connection: Connection) -> Order | None:
        if connection.role is not Role.COURIER:
            return None
        return self._ordering.offered_to(connection.person_id)

    def _outdated(self, connection_id: str, event: Event) -> bool:
        """Whether an offer that waited was answered or taken back meanwhile: accepting and
        declining leave nothing in the courier's own log that would say so."""
        if event.type != events.OFFER_MADE or event.offer is None:
            return False
        return not self._ordering.stands(event.order_id, event.offer)


def _superseded(event: Event, offered: Order | None) -> bool:
    """Whether the first frames told the newer state of what an event tells."""
    return (
        offered is not None
        and event.type in _SUPERSEDED
        and event.stream == offered.told.stream
        and event.version <= offered.version
    )
