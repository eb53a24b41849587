"""Fan-out: posting an event to a whole room, or to several people, at once and without keeping it.

For what may be lost because the next one heals it: positions, ETAs, orders open to a pool. What
must not be lost goes through mailboxes.

Whether an order can be had is special: nothing comes after it that would heal a wrong word. So an
event that says so is compared with the order before it is posted and, as the order may be taken
meanwhile, once more after.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Subscriber, name_person_room
from chalicelib.domain.messaging.wakeups import FanOutDue
from chalicelib.domain.orders.drafts import draft_order_event
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

MAX_POSTS = 100  # more subscribers than this are shared out over wakeups


class FanOut:
    """Posts events that are not kept."""

    def __init__(
        self,
        orders: OrderStore,
        connections: ConnectionStore,
        registry: ConnectionRegistry,
        sender: FrameSender,
        render_event: RenderEvent,
        queue: WakeupSender,
        pool: ThreadPoolExecutor,
        clock: Clock,
    ) -> None:
        self._orders = orders
        self._connections = connections
        self._registry = registry
        self._sender = sender
        self._render_event = render_event
        self._queue = queue
        self._pool = pool
        self._clock = clock

    def post_to_room(self, room: str, event: Event, but: frozenset[str] = frozenset()) -> None:
        """Post an event to everybody in a room except the people in `but`."""
        subscribers = self._connections.list_subscribers(room, self._clock())
        self.post_to_subscribers([one for one in subscribers if one.person_id not in but], event)

    def post_to_people(self, person_ids: Iterable[str], event: Event) -> None:
        """Post an event to each of these people, on all their connections."""
        now = self._clock()
        by_person = self._pool.map(
            lambda id_: self._connections.list_subscribers(name_person_room(id_), now), person_ids
        )
        self.post_to_subscribers([one for of_person in by_person for one in of_person], event)

    def post_to_subscribers(self, subscribers: Sequence[Subscriber], event: Event) -> None:
        """Post an event to those that subscribe to its type: up to MAX_POSTS side by side, the
        others by wakeups. (Wakeups go first: the posts may take long, and the process may die.)"""
        subscribers = [one for one in subscribers if one.subscribes_to(event.type)]
        now, later = subscribers[:MAX_POSTS], subscribers[MAX_POSTS:]
        for n in range(0, len(later), MAX_POSTS):
            share = FanOutDue(event, tuple(later[n : n + MAX_POSTS]))
            self._queue.send_wakeups([(share, timedelta(0))])
        if event.type in OPENING_TYPES:
            self._post_if_true(now, event)
        else:
            self._post_event(now, event)

    def _post_if_true(self, subscribers: Sequence[Subscriber], event: Event) -> None:
        """Post what an event says of an order to those of whom it is true.

        Whoever takes the order while this posts has it closed to all, and that may overtake this.
        Then this is what a courier hears last, and it is false: so it is closed here once more.
        """
        if not subscribers:
            return
        order = self._orders.get_order(event.order_id)
        posted = [one for one in subscribers if is_still_true(event.type, order, one.person_id)]
        self._post_event(posted, event)
        closed_by = CLOSED_BY.get(event.type)
        if not posted or closed_by is None:
            return
        order = self._orders.get_order(event.order_id)
        late = [one for one in posted if not is_still_true(event.type, order, one.person_id)]
        closed = draft_order_event(order, closed_by, "", self._clock(), details=order.details)
        self._post_event([one for one in late if one.person_id != order.courier_id], closed)

    def _post_event(self, subscribers: Sequence[Subscriber], event: Event) -> None:
        """Post an event to all of them side by side; the frames for one of them one by one, as they
        must arrive in order. Connections that are gone are removed."""
        gone: list[Subscriber] = []
        left = [(one, list(self._render_event(one, event))) for one in subscribers]
        while left := [(one, frames) for one, frames in left if frames]:
            posts = [(one.connection_id, frames.pop(0)) for one, frames in left]
            failures = self._sender.post_frames(posts)
            for (one, frames), failure in zip(left, failures, strict=True):
                if isinstance(failure, Gone):
                    gone.append(one)
                    frames.clear()
                elif failure:
                    log.warning("%s was not posted: %s", event.type, type(failure).__name__)
        list(self._pool.map(self._remove_connection, gone))

    def _remove_connection(self, subscriber: Subscriber) -> None:
        self._registry.remove_connection(subscriber.connection_id, subscriber.person_id)
