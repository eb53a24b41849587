"""Conversations: what a customer and their courier write to each other."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor, wait
from datetime import timedelta

from chalicelib.domain.ids import IdSource
from chalicelib.domain.messaging.wakeups import RelayDue as RelayWakeup
from chalicelib.domain.orders.chat import CHAT_KEPT_FOR, MAX_MESSAGES, PAGE_SIZE, ChatMessage
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Actor
from chalicelib.domain.rate_limits import CHAT, RateLimit
from chalicelib.domain.retries import Retries
from chalicelib.errors import InvalidTransition, RateLimited
from chalicelib.services.dispatch.order_commits import RELAY_AFTER
from chalicelib.services.messaging.relay import OutboxRelay
from chalicelib.services.orders.customer import CustomerOrders
from chalicelib.services.ports import AllowanceStore, ChatStore, Clock, WakeupSender

MAX_PAGE_BYTES = 100_000  # of one page's text: AWS quota, 128 KB a message


class ChatService:
    """Keeps messages and tells them. A message is its own outbox (services/messaging)."""

    def __init__(
        self,
        chats: ChatStore,
        allowances: AllowanceStore,
        ordering: CustomerOrders,
        relay: OutboxRelay,
        queue: WakeupSender,
        limits: Mapping[str, RateLimit],
        ids: IdSource,
        pool: Executor,
        clock: Clock,
        retries: Retries | None = None,
    ) -> None:
        self._retries = retries or Retries()
        self._chats = chats
        self._allowances = allowances
        self._ordering = ordering
        self._relay = relay
        self._queue = queue
        self._limit = limits[CHAT]
        self._ids = ids
        self._pool = pool
        self._clock = clock

    def send_message(self, actor: Actor, order_id: int, text: str) -> ChatMessage:
        """Write to the other side, while the order is not finished.

        Raises NotFound for outsiders, InvalidTransition once it is over, RateLimited.
        """
        assert actor.role is not None
        counting = self._pool.submit(self._chats.list_newest, order_id, 1, None)
        order, now = self._spend_allowance(actor, order_id), self._clock()
        to = tuple(id_ for id_ in (order.details.customer_id, order.courier_id) if id_)
        nth = 1 + max((message.nth for message in counting.result()), default=0)
        if nth > MAX_MESSAGES:
            raise RateLimited(f"{MAX_MESSAGES} messages are enough for one ride.")
        role = actor.role

        def keep() -> ChatMessage:  # under another id each time: Stale says that it was taken
            message = ChatMessage(self._ids(), order_id, actor.id, role, text, now, to, nth)
            return self._commit_message(message)

        return self._retries.retry_while_stale(keep)

    def _spend_allowance(self, actor: Actor, order_id: int) -> Order:
        """The order that somebody wants to write about. The limit is of attempts, so that it can be
        taken from while the order is read. Raises as `send` does."""
        name = f"{CHAT}#{actor.id}"
        taking = self._pool.submit(self._allowances.take, name, self._limit, self._clock())
        try:
            order = self._ordering.get_order(actor, order_id)
        finally:
            wait([taking])
        if order.is_terminal:
            raise InvalidTransition(order.status.value, "write", ())
        if not taking.result():
            raise RateLimited(
                "That is enough messages for a minute.",
                retry_after_s=self._limit.window / timedelta(seconds=1),
            )
        return order

    def list_messages(
        self, actor: Actor, order_id: int, before: int | None = None
    ) -> list[ChatMessage]:
        """The newest messages of a conversation, before one of them if said, in order of time.
        Raises NotFound for outsiders."""
        self._ordering.get_order(actor, order_id)
        found, size, kept_since = [], 0, self._clock() - CHAT_KEPT_FOR
        for message in self._chats.list_newest(order_id, PAGE_SIZE, before):
            size += len(message.text.encode()) + 200
            if size > MAX_PAGE_BYTES or message.at < kept_since:
                break
            found.append(message)
        return found[::-1]

    def _commit_message(self, message: ChatMessage) -> ChatMessage:
        self._queue.send_wakeups([(RelayWakeup(message.stream), RELAY_AFTER)])
        self._chats.insert_message(message)
        # The other side waits for it: the sender's own devices must not hold it up.
        others = tuple(id_ for id_ in message.to if id_ != message.sender_id)
        for first_or_last in (others, (message.sender_id,)):
            self._relay.deliver_now(message.make_outbox_for(first_or_last))
        return message
