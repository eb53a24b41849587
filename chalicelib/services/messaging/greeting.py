"""Greeting: a connection's first frames, its rooms, and what its person missed.

A greeting runs as a wakeup, since nothing can be posted while $connect runs, and under the lease of
the person's mailbox, so that nothing else is posted to the connection before its first frames. It
may die at any line: it is done again, and what is done already is not repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.details import Offer
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection, list_mailboxes, mark_greeted
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Role
from chalicelib.errors import Gone, PostFailed, Stale
from chalicelib.services.messaging.connections import ConnectionRegistry
from chalicelib.services.messaging.leases import LeaseEnding, LeaseHeld, MailboxLease
from chalicelib.services.messaging.liveness import KeepWatched
from chalicelib.services.messaging.mailboxes import Mailboxes
from chalicelib.services.messaging.resuming import ConnectionResumer, ResumptionPending
from chalicelib.services.ports import Clock, ConnectionStore, FrameSender

RenderFirstFrames = Callable[[Connection, Sequence[Order]], Sequence[str]]
"""How a contract greets: the connection, and the orders that are offered to its courier now."""

ListRooms = Callable[[Connection], Sequence[str]]
"""Lists the rooms, beyond its person's own, that a contract puts a connection in."""

# Until then a 410 may mean that $connect has not returned yet: 10 s, with clocks 2 min apart.
_CONNECTING = timedelta(seconds=130)
_RETRY_PAUSE = timedelta(seconds=1)
_SUPERSEDED = {events.OFFER_MADE, events.OFFER_TIMED_OUT, events.OFFER_REASSIGNED}


class CourierOffers(Protocol):
    """What a greeting asks about offers."""

    def poll_offers(self, courier_id: str) -> Sequence[Order]:
        """Return the orders that are offered to a courier now."""

    def is_offer_current(self, order_id: int, offer: Offer) -> bool:
        """Tell whether an offer still awaits its courier's answer."""


class GreetingService:
    """Greets connections, and admits those that authenticate by a message."""

    def __init__(
        self,
        connections: ConnectionStore,
        registry: ConnectionRegistry,
        mailboxes: Mailboxes,
        offers: CourierOffers,
        sender: FrameSender,
        resumer: ConnectionResumer,
        render_first_frames: RenderFirstFrames,
        list_rooms: ListRooms,
        keep_watched: KeepWatched,
        clock: Clock,
    ) -> None:
        self._connections = connections
        self._registry = registry
        self._mailboxes = mailboxes
        self._offers = offers
        self._sender = sender
        self._resumer = resumer
        self._render_first_frames = render_first_frames
        self._list_rooms = list_rooms
        self._keep_watched = keep_watched
        self._clock = clock

    def with_start_cursors(self, connection: Connection) -> Connection:
        """Return the connection with the cursors at which it begins in its mailboxes. They must be
        written before its client can know that it is connected, or subscribes to other types: what
        happens from then on is delivered to it, however long its greeting takes."""
        if not connection.person_id:
            return connection
        mailboxes = self._list_mailboxes(connection)
        if connection.resumption and not connection.is_positioned:
            return self._resumer.with_ends(connection, mailboxes)
        if connection.subscriptions == ():
            return replace(connection, start_cursors={})
        starts = {box: self._mailboxes.get_start_cursors(box, connection) for box in mailboxes}
        return replace(connection, start_cursors=starts)

    # By a wakeup, after $connect

    def greet_connection(self, connection_id: str, courier_id: str = "") -> timedelta:
        """Greet a connection, once however often it is called; returns zero, or how soon to try
        again. A connection that has gone meanwhile is removed; one that is removed already is also
        taken from its courier's open sockets. Raises PostFailed."""
        connection = self._connections.get_connection(connection_id, self._clock())
        if connection is None:
            # Whoever was here before may have let it join as it was being removed, and have died
            # before they left its rooms again. (What is left of it in rooms goes with the next
            # post. But by its socket alone its courier would count as connected until its end.)
            self._registry.forget_socket(courier_id, connection_id)
            return timedelta(0)
        if connection.is_token_expired(self._clock()):
            return timedelta(0)
        try:
            self._greet_as_due(connection)
        except (LeaseHeld, LeaseEnding, ResumptionPending, Stale):
            return _RETRY_PAUSE
        except Gone:
            if self._clock() - connection.connected_at < _CONNECTING:
                return _RETRY_PAUSE
            self._registry.remove_connection(connection.id, connection.person_id)
        return timedelta(0)

    def _greet_as_due(self, connection: Connection) -> None:
        """Do what a connection waits for, if anything. Raises Gone where its socket is not open,
        and what the greeting of a known person raises."""
        # Asked here, and not left to a post: a mailbox removes a subscriber that is Gone, and
        # within _CONNECTING this one may just not be open yet.
        if not connection.greeted and not self._sender.is_connected(connection.id):
            raise Gone(connection.id)
        if connection.person_id and connection.is_resuming:
            self._resume_connection(connection)
        elif connection.person_id:
            self._greet_person(connection)
        elif not connection.greeted:
            self._post_first_frames(connection, ())

    def _greet_person(self, connection: Connection) -> None:
        """Greet the connection of a known person, and subscribe it to all their mailboxes.

        When the block ends, the lease delivers what waits in the person's own mailbox. The other
        mailboxes (restaurants') come after that: the connection has arrived in them, too, and
        that is pending there until somebody takes their lease.
        """
        mailboxes = self._list_mailboxes(connection)
        if not mailboxes:
            self._greet_without_mailbox(connection)
            return
        is_greeted = connection.greeted
        if is_greeted and all(self._mailboxes.is_up_to_date(box, connection) for box in mailboxes):
            return
        with self._mailboxes.hold_lease(connection.person_id) as lease:
            lease.skip = self._is_outdated
            current = self._connections.get_connection(connection.id, self._clock())
            if current and current.is_resuming:
                # Its client has subscribed meanwhile. Were it let in now, it would hear what is new
                # before what is kept, without positions, and out of its person's own place.
                raise ResumptionPending
            if current and current.greeted:  # by another, who may have died before this line
                self._registry.join_rooms(current)
            elif current:
                self._greet_under_lease(current, lease)
        self._deliver_backlogs(connection, mailboxes[1:])
        lease.check_delivered(connection.id)

    def _greet_without_mailbox(self, connection: Connection) -> None:
        """Greet a connection that hears only what is kept nowhere: no event waits for it, and
        there is no lease. It joins its rooms again where another has died before that."""
        if not connection.greeted:
            connection = self._post_first_frames(connection, ())
        self._registry.join_rooms(connection)
        if connection.watch is not None:
            # After the joining: who keeps the board up to date stops only where nobody is there.
            self._keep_watched()

    def _greet_under_lease(self, connection: Connection, lease: MailboxLease) -> None:
        """Post a connection's first frames and let it join its rooms.

        The first frames show the offers that its courier has now. So the offers' events are
        appended at once and skipped for this connection: delivered later, they would repeat them.
        """
        offered = self._find_offered_orders(connection)
        self._registry.join_rooms(self._post_first_frames(connection, offered))
        if not offered:
            return
        for order in offered:
            lease.enqueue_outbox(order.outbox)

        def skip(connection_id: str, event: Event) -> bool:
            is_shown = connection_id == connection.id and any(
                _is_superseded(event, order) for order in offered
            )
            return is_shown or self._is_outdated(connection_id, event)

        lease.skip = skip

    def _post_first_frames(self, connection: Connection, offered: Sequence[Order]) -> Connection:
        """Post the first frames, then note it in the row; returns the row. Raises Stale, Gone,
        PostFailed. (Dying between the two posts them once more.)"""
        for frame in self._render_first_frames(connection, offered):
            self._sender.post_frame(connection.id, frame)
        greeted = self._mark_greeted(connection)
        return self._connections.update_connection(connection, greeted)

    def _mark_greeted(self, connection: Connection) -> Connection:
        if not connection.person_id:
            return replace(connection, greeted=True)
        return mark_greeted(connection, tuple(self._list_rooms(connection)))

    def _resume_connection(self, connection: Connection) -> None:
        """Tell a connection what is kept after the position that its client holds, with its first
        frames if they are due, and let it join its rooms. Raises ResumptionPending, Stale, Gone,
        PostFailed: then it is to be done again."""
        mailboxes = self._list_mailboxes(connection)
        frames: Sequence[str] = ()
        if not connection.greeted:
            offered = self._find_offered_orders(connection)
            frames = self._render_first_frames(connection, offered)
        joining = self._resumer.resume(
            connection, mailboxes, frames, self._mark_greeted, self._is_outdated
        )
        self._registry.join_rooms(joining)
        self._deliver_backlogs(joining, mailboxes)

    # By a client's message

    def admit_connection(
        self, before: Connection, after: Connection, frames: Sequence[str]
    ) -> None:
        """Admit a connection that has just authenticated, or that subscribes to other types now.
        `frames` are its answer: they are posted before anything new, then comes what waits for it.
        Raises Stale, and then nothing was posted.

        1. A wakeup is on its way before anything is written: a client that is answered "success"
           is subscribed, even if this process dies first.
        2. The row is written before the answer is posted, as an answered client may speak at once.
        3. The rooms are joined last: whatever is posted to them must come after the answer.
        """
        after = self._mark_greeted(after).with_due_resumption(before)
        after = self.with_start_cursors(after)
        self._registry.schedule_admission_check(after)
        written = self._connections.update_connection(before, after)
        if not self._post_answer(written, frames):
            return
        try:
            if written.is_resuming:
                self._resume_connection(written)
                return
            self._registry.join_rooms(written)
            self._deliver_backlogs(written, list_mailboxes(written))
        except (PostFailed, Stale, ResumptionPending):
            self._registry.schedule_greeting(written)
        except Gone:
            self._registry.remove_connection(written.id, written.person_id)

    def _post_answer(self, connection: Connection, frames: Sequence[str]) -> bool:
        """Post the answer to a client that is admitted. Returns False where that can't be done: the
        connection is removed or closed then, and its client comes again."""
        try:
            for frame in frames:
                self._sender.post_frame(connection.id, frame)
        except Gone:
            self._registry.remove_connection(connection.id, connection.person_id)
            return False
        except PostFailed:
            with suppress(PostFailed):
                self._registry.close_connection(connection.id)
            return False
        return True

    def _deliver_backlogs(self, connection: Connection, mailboxes: Sequence[str]) -> None:
        """Deliver what waits in each mailbox. All are tried before PostFailed or Stale is raised:
        no mailbox waits for another."""
        failure: Exception | None = None
        for mailbox in mailboxes:
            try:
                self._mailboxes.deliver_backlog(mailbox, connection, self._is_outdated)
            except (PostFailed, Stale) as error:
                failure = failure or error
        if failure:
            raise failure

    def _list_mailboxes(self, connection: Connection) -> Sequence[str]:
        """List the mailboxes that a connection subscribes to once it is greeted: its person's
        first."""
        return list_mailboxes(mark_greeted(connection, tuple(self._list_rooms(connection))))

    # Offers

    def _find_offered_orders(self, connection: Connection) -> Sequence[Order]:
        if connection.role is not Role.COURIER:
            return ()
        return self._offers.poll_offers(connection.person_id)

    def _is_outdated(self, connection_id: str, event: Event) -> bool:
        """Tell whether an offer that waited was answered or taken back meanwhile: accepting and
        declining leave nothing in the courier's own log that would say so."""
        if event.type != events.OFFER_MADE or event.offer is None:
            return False
        return not self._offers.is_offer_current(event.order_id, event.offer)


def _is_superseded(event: Event, offered: Order) -> bool:
    """Tell whether the first frames showed a newer state than an event does."""
    return (
        event.type in _SUPERSEDED
        and event.stream == offered.outbox.stream
        and event.version <= offered.version
    )
