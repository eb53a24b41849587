"""How a connection ends: its socket is closed, it leaves its rooms, and its row is deleted.

Two things end, each by itself: the socket, which API Gateway has, and the row with the rooms, which
are ours. Clients close sockets, networks lose them, and a $disconnect may be lost or come late. So
each function here says which of the two it ends:

 close_socket*        the socket only
 remove_connection    the row and the rooms only; on_disconnect does it for a $disconnect
 close_*              both, the socket first: once its row is gone nothing would find it any more
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone

from chalicelib.domain.messaging.connections import Connection, name_person_room
from chalicelib.domain.messaging.wakeups import CloseDue, compute_pause
from chalicelib.errors import (
    FrameTooLarge,
    Gone,
    PostFailed,
    Unauthenticated,
    Unavailable,
    WaybillError,
)
from chalicelib.services.ports import (
    Clock,
    ConnectionStore,
    CourierStore,
    FrameSender,
    WakeupSender,
)

RenderLastFrames = Callable[[Connection, WaybillError], Sequence[str]]
"""Renders, in the words of a connection's contract, why it is closed."""

MAX_CLOSED = 10  # more connections than this are not closed one after another
ANY_AGE = datetime.min.replace(tzinfo=timezone.utc)  # "now" at which no subscriber is too old


class ConnectionCloser:
    """Ends connections."""

    def __init__(
        self,
        connections: ConnectionStore,
        couriers: CourierStore,
        sender: FrameSender,
        queue: WakeupSender,
        render_last_frames: RenderLastFrames,
        clock: Clock,
    ) -> None:
        self._connections = connections
        self._couriers = couriers
        self._sender = sender
        self._queue = queue
        self._render_last_frames = render_last_frames
        self._clock = clock

    def get_connection(self, connection_id: str) -> Connection | None:
        """Read a connection's row, None once it is gone or void."""
        return self._connections.get_connection(connection_id, self._clock())

    # The row and the rooms

    def on_disconnect(self, connection_id: str) -> None:
        """Remove a connection that has ended. Harmless twice."""
        self.remove_connection(connection_id, "")

    def remove_connection(self, connection_id: str, person_id: str, mailbox: str = "") -> None:
        """Take a connection out of every room and delete its row; the socket stays as it is.

        `person_id` is whose it was, and `mailbox` where it was found, where that is known: the row
        may be gone already. The rooms are left first, so that a row remains for another try if
        this process dies.

        A greeting may be joining the rooms at the same time (rooms.py). It joins the person's
        mailbox after all else, and then reads whether the row is still there. This leaves that
        mailbox before all else, and looks into it once more after the row is deleted. So

         - a greeting that joined the mailbox before it was left here had joined all else before,
           and all else is left after;
         - one that joined it later, and read the row before it was deleted, is found in it;
         - one that read the row later finds it deleted, and leaves by itself.
        """
        connection = self._connections.get_at_any_age(connection_id)
        if connection:
            person_id = connection.person_id
        rooms = dict.fromkeys(connection.rooms if connection else ())
        if mailbox:
            rooms[name_person_room(mailbox)] = None
        self.leave_rooms(connection_id, person_id, rooms)
        self._connections.delete_connection(connection_id)
        own_room = name_person_room(person_id) if connection and person_id else None
        if own_room and self.is_subscribed(connection_id, own_room, ANY_AGE):
            self.leave_rooms(connection_id, person_id, rooms)

    def leave_rooms(self, connection_id: str, person_id: str, rooms: Iterable[str]) -> None:
        """Take a connection out of its person's mailbox first (see remove_connection), then out of
        these rooms and its courier's open sockets."""
        own = (name_person_room(person_id),) if person_id else ()
        for room in dict.fromkeys((*own, *rooms)):
            self._connections.remove_from_room(room, connection_id)
        self.forget_socket(person_id, connection_id)

    def forget_socket(self, courier_id: str, connection_id: str) -> None:
        """Take a connection from its courier's open sockets, if it is anybody's. One read, and a
        write where it is there."""
        if courier_id:
            self._couriers.remove_socket(courier_id, connection_id)

    def is_subscribed(self, connection_id: str, room: str, now: datetime) -> bool:
        """Tell whether a connection is in a room, and not too old to be in it. One read."""
        subscribers = self._connections.list_subscribers(room, now)
        return any(one.connection_id == connection_id for one in subscribers)

    # The socket

    def close_socket(self, connection_id: str) -> None:
        """Close the socket of a connection. Raises PostFailed if it may still be open."""
        self._sender.close_connection(connection_id)

    def close_socket_eventually(self, connection_id: str) -> None:
        """Close the socket of a connection that has no row here, or soon none: now or, where that
        fails, by a wakeup, as nothing else would find it. Raises Unavailable."""
        try:
            self.close_socket(connection_id)
        except PostFailed:
            self._queue.send_wakeups([(CloseDue(connection_id), compute_pause(0))])

    # Both

    def close_connection(self, connection_id: str) -> None:
        """Close a connection from this side and remove it."""
        self.close_socket_eventually(connection_id)
        self.on_disconnect(connection_id)

    def close_connections(self, connection_ids: Sequence[str]) -> None:
        """Close connections from this side: up to MAX_CLOSED here, which are removed as well, the
        others by wakeups, whose $disconnect removes them. (Wakeups go first: closing may take
        long, and the process may die.) Raises Unavailable."""
        now, later = connection_ids[:MAX_CLOSED], connection_ids[MAX_CLOSED:]
        if later:
            self._queue.send_wakeups((CloseDue(id_), timedelta(0)) for id_ in later)
        for connection_id in now:
            self.close_connection(connection_id)

    def close_or_raise(self, connection_id: str) -> None:
        """Close a connection from this side and remove it. Raises PostFailed where it can't be
        closed now, and removes nothing then: the fault may be ours, and not the client's."""
        self.close_socket(connection_id)
        self.on_disconnect(connection_id)

    def close_with_reason(self, connection: Connection, reason: WaybillError) -> None:
        """Close a connection and remove it, and say why just before, where that can be said now:
        API Gateway closes without a reason."""
        with suppress(Gone, PostFailed, FrameTooLarge, Unavailable):
            for frame in self._render_last_frames(connection, reason):
                self._sender.post_frame(connection.id, frame)
        self.close_connection(connection.id)

    def close_expired(self, connection: Connection) -> None:
        """Close a connection whose token has expired."""
        self.close_with_reason(connection, Unauthenticated("The token has expired."))
