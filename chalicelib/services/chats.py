"""Conversations: what a customer and their courier write to each other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from chalicelib.domain.chats import PAGE, Message
from chalicelib.domain.ids import IdSource
from chalicelib.domain.limits import CHAT, Limit
from chalicelib.domain.people import Actor
from chalicelib.errors import InvalidTransition, RateLimited, Stale, Unavailable
from chalicelib.services.changes import RELAY_AFTER
from chalicelib.services.ordering import Ordering
from chalicelib.services.ports import AllowanceStore, ChatStore, Clock, Queue
from chalicelib.services.relay import Relay
from chalicelib.services.wakeups import Relay as RelayWakeup

MAX_BYTES = 100_000  # of one page's text: AWS quota, 128 KB a message
_ID_TRIES = 5


class Chats:
    """Keeps messages and tells them. A message is its own outbox: see services/mailbox.py."""

    def __init__(
        self,
        chats: ChatStore,
        allowances: AllowanceStore,
        ordering: Ordering,
        relay: Relay,
        queue: Queue,
        limits: Mapping[str, Limit],
        ids: IdSource,
        clock: Clock,
    ) -> None:
        self._chats = chats
        self._allowances = allowances
        self._ordering = ordering
        self._relay = relay
        self._queue = queue
        self._limit = limits[CHAT]
        self._ids = ids
        self._clock = clock

    def send(self, actor: Actor, order_id: int, text: str) -> Message:
        """Write to the other side, while the order is not finished.

        Raises NotFound for outsiders, InvalidTransition once it is over, RateLimited.
        """
        assert actor.role is not None
        order = self._ordering.get(actor, order_id)
        if order.terminal:
            raise InvalidTransition(order.status.value, "write", ())
        now = self._clock()
        if not self._allowances.take(f"{CHAT}#{actor.id}", self._limit, now):
            raise RateLimited(
                "That is enough messages for a minute.",
                retry_after_s=self._limit.within / timedelta(seconds=1),
            )
        to = tuple(id_ for id_ in (order.job.customer_id, order.courier_id) if id_)
        for _ in range(_ID_TRIES):
            message = Message(self._ids(), order_id, actor.id, actor.role, text, now, to)
            try:
                return self._commit(message)
            except Stale:  # the id is taken: draw another
                continue
        raise Unavailable("The message could not be kept; try again.")

    def read(self, actor: Actor, order_id: int, before: int | None = None) -> list[Message]:
        """The newest messages of a conversation, before one of them if said, in order of time.
        Raises NotFound for outsiders."""
        self._ordering.get(actor, order_id)
        found, size = [], 0
        for message in self._chats.newest(order_id, PAGE, before):
            size += len(message.text.encode()) + 200
            if size > MAX_BYTES:
                break
            found.append(message)
        return found[::-1]

    def _commit(self, message: Message) -> Message:
        self._queue.send([(RelayWakeup(message.stream), RELAY_AFTER)])
        self._chats.put(message)
        self._relay.at_once(message.told)
        return message
