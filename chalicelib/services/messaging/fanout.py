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
from chalicelib.domain.messaging.connections import Subscriber, person_room
from chalicelib.domain.messaging.wakeups import FanOutDue
from chalicelib.domain.orders.effects import draft_order_event
from chalicelib.domain.orders.openings import CLOSED_BY, OPENING_TYPES, is_still_true
from chalicelib.errors import Gone
from chalicelib.services.messaging.connections import ConnectionRegistry
from chalicelib.services.ports import (
    Clock,
    ConnectionStore,
    FrameSender,
    OrderStore,
    RenderEvent,
    WakeupSender,
)

log = logging.getLogger(__name__)

MAX_POSTS = 100  # more listeners than this are shared out over wakeups


class FanOut:
    """Posts unkept events."""

    def __init__(
        self,
        orders: OrderStore,
        connections: ConnectionStore,
        presence: ConnectionRegistry,
        gateway: FrameSender,
        words: RenderEvent,
        queue: WakeupSender,
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

    def post_to_room(self, room: str, event: Event, but: frozenset[str] = frozenset()) -> None:
        """Say it to everybody in a room except the people in `but`."""
        found = self._connections.list_subscribers(room, self._clock())
        self.post_to_subscribers(
            [listener for listener in found if listener.person_id not in but], event
        )

    def post_to_people(self, person_ids: Iterable[str], event: Event) -> None:
        """Say it to each of these people, on all their sockets."""
        now = self._clock()
        rooms = self._pool.map(
            lambda id_: self._connections.list_subscribers(person_room(id_), now), person_ids
        )
        self.post_to_subscribers([listener for room in rooms for listener in room], event)

    def post_to_subscribers(self, listeners: Sequence[Subscriber], event: Event) -> None:
        """Post it to those who want it: up to CHUNK side by side, the others by wakeups."""
        listeners = [listener for listener in listeners if listener.subscribes_to(event.type)]
        rest = listeners[MAX_POSTS:]
        for n in range(0, len(rest), MAX_POSTS):
            self._queue.send_wakeups(
                [(FanOutDue(event, tuple(rest[n : n + MAX_POSTS])), timedelta(0))]
            )
        if event.type in OPENING_TYPES:
            self._post_if_true(listeners[:MAX_POSTS], event)
        else:
            self._post_event(listeners[:MAX_POSTS], event)

    def _post_if_true(self, listeners: Sequence[Subscriber], event: Event) -> None:
        """Post what an event says of an order to those of whom it is so. Whoever takes the order
        while this posts has it said to all, and maybe sooner: then it is taken back here."""
        if not listeners:
            return
        order = self._orders.get_order(event.order_id)
        told = [li for li in listeners if is_still_true(event.type, order, li.person_id)]
        self._post_event(told, event)
        closed_by = CLOSED_BY.get(event.type)
        if not told or closed_by is None:
            return
        order = self._orders.get_order(event.order_id)
        late = [li for li in told if not is_still_true(event.type, order, li.person_id)]
        closed = draft_order_event(order, closed_by, "", self._clock(), details=order.details)
        self._post_event([li for li in late if li.person_id != order.courier_id], closed)

    def _post_event(self, listeners: Sequence[Subscriber], event: Event) -> None:
        """Post to all of them side by side; what one is told in several frames, one by one."""
        left = [(listener, list(self._words(listener, event))) for listener in listeners]
        gone: list[Subscriber] = []
        while left := [(listener, frames) for listener, frames in left if frames]:
            posts = [(listener.connection_id, frames.pop(0)) for listener, frames in left]
            for (listener, frames), failure in zip(
                left, self._gateway.post_frames(posts), strict=True
            ):
                if isinstance(failure, Gone):
                    gone.append(listener)
                    frames.clear()
                elif failure:
                    log.warning("%s was not posted: %s", event.type, type(failure).__name__)
        list(
            self._pool.map(
                lambda one: self._presence.remove_connection(one.connection_id, one.person_id), gone
            )
        )
