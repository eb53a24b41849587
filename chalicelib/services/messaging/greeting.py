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
from chalicelib.domain.messaging.connections import Connection, list_mailboxes, mark_greeted
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Role
from chalicelib.errors import Gone, PostFailed, Stale
from chalicelib.services.messaging.connections import ConnectionRegistry
from chalicelib.services.messaging.mailboxes import (
    GreetingResult,
    LeaseEnding,
    LeaseHeld,
    Mailboxes,
)
from chalicelib.services.orders.customer import CustomerOrders
from chalicelib.services.ports import Clock, ConnectionStore, FrameSender

RenderFirstFrames = Callable[[Connection, Order | None], Sequence[str]]
"""How a contract greets: the connection, and the order that is offered to its courier now."""

ListRooms = Callable[[Connection], Sequence[str]]
"""The rooms, beyond its person's own, that a contract puts a connection in."""

# Until then a 410 may mean that $connect has not returned yet: 10 s, with clocks 2 min apart.
_CONNECTING = timedelta(seconds=130)
_RETRY_PAUSE = timedelta(seconds=1)
_SUPERSEDED = {events.OFFER_MADE, events.OFFER_TIMED_OUT, events.OFFER_REASSIGNED}


class GreetingService:
    """Greets connections."""

    def __init__(
        self,
        connections: ConnectionStore,
        presence: ConnectionRegistry,
        mailboxes: Mailboxes,
        ordering: CustomerOrders,
        gateway: FrameSender,
        first_frames: RenderFirstFrames,
        rooms: ListRooms,
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

    def greet_connection(self, connection_id: str) -> timedelta:
        """Greet a connection, once however often it is called; returns zero, or how soon to try
        again. A connection that has gone meanwhile is forgotten."""
        connection = self._connections.get_connection(connection_id, self._clock())
        if connection is None or connection.is_token_expired(self._clock()):
            return timedelta(0)
        try:
            # Not found out by a post: the mailbox forgets a listener that it can't post to.
            if not connection.greeted and not self._gateway.is_connected(connection_id):
                raise Gone(connection_id)
            if connection.person_id:
                self._greet_person(connection)
            elif not connection.greeted:
                self._post_first_frames(connection, None)
        except (LeaseHeld, LeaseEnding, Stale):
            return _RETRY_PAUSE
        except Gone:
            if self._clock() - connection.connected_at < _CONNECTING:
                return _RETRY_PAUSE
            self._presence.remove_connection(connection.id, connection.person_id)
        return timedelta(0)

    def with_start_cursors(self, connection: Connection) -> Connection:
        """The connection with where it begins to hear its mailboxes noted, to be written: before
        its client can know that it is connected, or hears something else from now on."""
        if not connection.person_id or connection.subscriptions == ():
            return connection
        mailboxes = self._list_mailboxes(connection)
        starts = {box: self._mailboxes.get_start_cursors(box, connection) for box in mailboxes}
        return replace(connection, start_cursors=starts)

    def _greet_person(self, connection: Connection) -> None:
        """Greet whoever is known by now, and see to it that all their mailboxes are heard."""
        mailboxes = self._list_mailboxes(connection)
        id_ = connection.id
        if connection.greeted and all(
            self._mailboxes.is_up_to_date(box, connection) for box in mailboxes
        ):
            return
        self._mailboxes.greet_and_deliver(
            connection.person_id, id_, lambda: self._greet_under_lease(id_)
        )
        self._deliver_backlogs(connection, mailboxes[1:])

    def _greet_under_lease(self, connection_id: str) -> GreetingResult:
        """Say the first frames and let the connection in; what they told is not told again."""
        connection = self._connections.get_connection(connection_id, self._clock())
        if connection is None:
            return GreetingResult(self._is_outdated)
        if connection.greeted:  # before; but whoever did it may not have lived to let it in
            self._presence.join_rooms(connection)
            return GreetingResult(self._is_outdated)
        offered = self._find_offered_order(connection)
        self._presence.join_rooms(self._post_first_frames(connection, offered))

        def skip(listening_id: str, event: Event) -> bool:
            told = listening_id == connection_id and _is_superseded(event, offered)
            return told or self._is_outdated(listening_id, event)

        return GreetingResult(skip, offered.outbox if offered else None)

    def _post_first_frames(self, connection: Connection, offered: Order | None) -> Connection:
        for frame in self._first_frames(connection, offered):
            self._gateway.post_frame(connection.id, frame)
        if not connection.person_id:
            return self._connections.update_connection(
                connection, replace(connection, greeted=True)
            )
        rooms = tuple(self._rooms(connection))
        return self._connections.update_connection(connection, mark_greeted(connection, rooms))

    def admit_connection(
        self, before: Connection, after: Connection, frames: Sequence[str]
    ) -> None:
        """Admit a connection that has just authenticated, or hears something else from now on:
        `frames` are its answer, said before anything new, then comes what waits for it. Raises
        Stale, and then nothing was said.

        A wakeup is on its way before anything is written: whoever is answered "success" is let in,
        even if this process dies first. The row is written next, as an answered client may speak at
        once; the rooms are joined last, as whatever is said in them must come after the answer.
        """
        after = self.with_start_cursors(mark_greeted(after, tuple(self._rooms(after))))
        self._presence.schedule_admission_check(after)
        noted = self._connections.update_connection(before, after)
        try:
            for frame in frames:
                self._gateway.post_frame(noted.id, frame)
        except Gone:
            self._presence.remove_connection(noted.id, noted.person_id)
            return
        except PostFailed:
            with suppress(PostFailed):
                self._presence.close_connection(noted.id)  # its client comes again
            return
        self._presence.join_rooms(noted)
        try:
            self._deliver_backlogs(noted, list_mailboxes(noted))
        except (PostFailed, Stale):
            self._presence.schedule_greeting(noted.id)

    def _deliver_backlogs(self, connection: Connection, mailboxes: Sequence[str]) -> None:
        for mailbox in mailboxes:
            self._mailboxes.deliver_backlog(mailbox, connection, self._is_outdated)

    def _list_mailboxes(self, connection: Connection) -> Sequence[str]:
        return list_mailboxes(mark_greeted(connection, tuple(self._rooms(connection))))

    def _find_offered_order(self, connection: Connection) -> Order | None:
        if connection.role is not Role.COURIER:
            return None
        return self._ordering.poll_offer(connection.person_id)

    def _is_outdated(self, connection_id: str, event: Event) -> bool:
        """Whether an offer that waited was answered or taken back meanwhile: accepting and
        declining leave nothing in the courier's own log that would say so."""
        if event.type != events.OFFER_MADE or event.offer is None:
            return False
        return not self._ordering.is_offer_current(event.order_id, event.offer)


def _is_superseded(event: Event, offered: Order | None) -> bool:
    """Whether the first frames told the newer state of what an event tells."""
    return (
        offered is not None
        and event.type in _SUPERSEDED
        and event.stream == offered.outbox.stream
        and event.version <= offered.version
    )
