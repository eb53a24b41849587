"""Saying something to a whole room, or to several people, at once and without keeping it.

For what may be lost because the next one heals: positions, ETAs, orders open to a pool. What must
not be lost goes through mailboxes. Of whether an order can be had nothing comes next: that is
looked up before it is said, and once more after, so that what is heard last is so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Listener, person_room
from chalicelib.domain.messaging.wakeups import FanOut
from chalicelib.domain.orders.effects import tell
from chalicelib.domain.orders.openings import CLOSED_BY, TYPES, is_so
from chalicelib.errors import Gone
from chalicelib.services.messaging.connections import Presence
from chalicelib.services.ports import (
    Clock,
    ConnectionStore,
    Gateway,
    OrderStore,
    Queue,
    Words,
)

log = logging.getLogger(__name__)

CHUNK = 100  # more listeners than this are shared out over wakeups


class Broadcast:
    """Posts unkept events."""

    def __init__(
        self,
        orders: OrderStore,
        connections: ConnectionStore,
        presence: Presence,
        gateway: Gateway,
        words: Words,
        queue: Queue,
        pool: ThreadPoolExecutor,
        clock: Clock,
    ) -> None:
        self._orders = orders
        self._connections = connections
        self._presence = presence
        self._gateway = gateway
        self._words = words
        self._queue = queue
        self._pool = pool
        self._clock = clock

    def to_room(self, room: str, event: Event, but: frozenset[str] = frozenset()) -> None:
        """Say it to everybody in a room except the people in `but`."""
        found = self._connections.listeners(room, self._clock())
        self.say([listener for listener in found if listener.person_id not in but], event)

    def to_people(self, person_ids: Iterable[str], event: Event) -> None:
        """Say it to each of these people, on all their sockets."""
        now = self._clock()
        rooms = self._pool.map(
            lambda id_: self._connections.listeners(person_room(id_), now), person_ids
        )
        self.say([listener for room in rooms for listener in room], event)

    def say(self, listeners: Sequence[Listener], event: Event) -> None:
        """Post it to those who want it: up to CHUNK side by side, the others by wakeups."""
        listeners = [listener for listener in listeners if listener.wants(event.type)]
        rest = listeners[CHUNK:]
        for n in range(0, len(rest), CHUNK):
            self._queue.send([(FanOut(event, tuple(rest[n : n + CHUNK])), timedelta(0))])
        if event.type in TYPES:
            self._post_if_so(listeners[:CHUNK], event)
        else:
            self._post(listeners[:CHUNK], event)

    def _post_if_so(self, listeners: Sequence[Listener], event: Event) -> None:
        """Post what an event says of an order to those of whom it is so. Whoever takes the order
        while this posts has it said to all, and maybe sooner: then it is taken back here."""
        if not listeners:
            return
        order = self._orders.get(event.order_id)
        told = [li for li in listeners if is_so(event.type, order, li.person_id)]
        self._post(told, event)
        closed_by = CLOSED_BY.get(event.type)
        if not told or closed_by is None:
            return
        order = self._orders.get(event.order_id)
        late = [li for li in told if not is_so(event.type, order, li.person_id)]
        closed = tell(order, closed_by, "", self._clock(), job=order.job)
        self._post([li for li in late if li.person_id != order.courier_id], closed)

    def _post(self, listeners: Sequence[Listener], event: Event) -> None:
        """Post to all of them side by side; what one is told in several frames, one by one."""
        left = [(listener, list(self._words(listener, event))) for listener in listeners]
        gone: list[Listener] = []
        while left := [(listener, frames) for listener, frames in left if frames]:
            posts = [(listener.connection_id, frames.pop(0)) for listener, frames in left]
            for (listener, frames), failure in zip(
                left, self._gateway.post_all(posts), strict=True
            ):
                if isinstance(failure, Gone):
                    gone.append(listener)
                    frames.clear()
                elif failure:
                    log.warning("%s was not posted: %s", event.type, type(failure).__name__)
        list(
            self._pool.map(
                lambda one: self._presence.forget(one.connection_id, one.person_id), gone
            )
        )
