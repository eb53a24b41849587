"""Conversations: what a customer and their courier write to each other.

A message never changes, so that it is an outbox of its own: its relay wakeup goes out first, then
it is stored, then it is delivered to both sides. The wakeup does what a death has left undone, and
where no message was stored it finds none, and ends after COMMIT_WITHIN.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor, Future, wait
from datetime import timedelta
from typing import NamedTuple

from msgspec.structs import replace

from chalicelib.domain.ids import IdSource
from chalicelib.domain.orders.chat import (
    CHAT_KEPT_FOR,
    MAX_MESSAGES,
    PAGE_SIZE,
    ChatMessage,
    MessagePage,
    MessagePosition,
    name_chat_stream,
    parse_chat_stream,
)
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.permissions import Permission, check_permission
from chalicelib.domain.people import Actor
from chalicelib.domain.rate_limits import CHAT, RateLimit
from chalicelib.domain.request_keys import RequestKey
from chalicelib.domain.retries import Retries
from chalicelib.errors import InvalidTransition, RateLimited, Stale, WaybillError
from chalicelib.services.messaging.outbox import make_relay_wakeup
from chalicelib.services.messaging.relay import OutboxRelay
from chalicelib.services.orders.customer import CustomerOrders
from chalicelib.services.ports import AllowanceStore, ChatStore, Clock, WakeupSender
from chalicelib.services.request_keys import RequestKeys

MAX_PAGE_BYTES = 100_000  # of one page's text: AWS quota, 128 KB a message
_MESSAGE_BYTES = 200  # of a message on the wire, besides its text


class _Announced(NamedTuple):
    """The id of a message to be stored, and its relay wakeup on the way to the queue."""

    message_id: int
    sending: Future[None]


class ChatService:
    """Stores and delivers messages. `pool` asks at once what does not depend on each other."""

    def __init__(
        self,
        chats: ChatStore,
        allowances: AllowanceStore,
        customer_orders: CustomerOrders,
        keys: RequestKeys,
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
        self._customer_orders = customer_orders
        self._keys = keys
        self._relay = relay
        self._queue = queue
        self._limit = limits[CHAT]
        self._ids = ids
        self._pool = pool
        self._clock = clock

    def send_message(
        self, actor: Actor, order_id: int, text: str, key: RequestKey | None = None
    ) -> ChatMessage:
        """Write to the other side of an order, while it is not finished. Spends an allowance.
        Return the message that the same request has written before, if it has.

        The wakeup goes out while it is asked whether this is allowed. Of a refused message it finds
        nothing. Raises NotFound for outsiders, InvalidTransition once the order is over,
        RateLimited, Unavailable, KeyReused.
        """
        announced = [self._announce_message(order_id)]
        looking = self._pool.submit(self._find_sent, key)
        try:
            draft = self._draft_message(actor, order_id, text)
        except WaybillError:
            if sent := looking.result():
                return sent  # what was done is done, whatever is allowed by now
            raise
        finally:
            wait([looking])
            wait([announced[0].sending])
        if sent := looking.result():
            return sent
        return self._retries.retry_while_stale(
            lambda: self._commit_announced(draft, announced, key)
        )

    def _commit_announced(
        self, draft: ChatMessage, announced: list[_Announced], key: RequestKey | None
    ) -> ChatMessage:
        """Commit a message under the id that is announced, or announce another: a try before this
        one was Stale, as its id was taken, or the key."""
        id_, sending = announced.pop() if announced else self._announce_message(draft.order_id)
        sending.result()  # what is not on the queue must not be stored
        return self._commit_message(replace(draft, id=id_), key)

    def _draft_message(self, actor: Actor, order_id: int, text: str) -> ChatMessage:
        """Make a message for both sides of an order, without an id yet. Spends an allowance. Raises
        as send_message does."""
        assert actor.role is not None
        counting = self._pool.submit(self._count_messages, order_id)
        try:
            order, now = self._spend_allowance(actor, order_id), self._clock()
        finally:
            wait([counting])
        nth = 1 + counting.result()
        if nth > MAX_MESSAGES:
            raise RateLimited(f"{MAX_MESSAGES} messages are enough for one ride.")
        to = tuple(id_ for id_ in (order.details.customer_id, order.courier_id) if id_)
        return ChatMessage(0, order_id, actor.id, actor.role, text, now, to, nth)

    def _announce_message(self, order_id: int) -> _Announced:
        """Draw the id of a message that is to be stored, and begin to send its relay wakeup."""
        message_id = self._ids()
        wakeup = make_relay_wakeup(name_chat_stream(order_id, message_id), 1, (), self._clock())
        return _Announced(message_id, self._pool.submit(self._queue.send_wakeups, [wakeup]))

    def _count_messages(self, order_id: int) -> int:
        newest = self._chats.list_newest(order_id, 1, None)
        return max((message.nth for message in newest), default=0)

    def _spend_allowance(self, actor: Actor, order_id: int) -> Order:
        """Return the order about which somebody may write, and spend one of their messages.

        The limit is of attempts, so that it can be taken from while the order is read. Raises as
        send_message does.
        """
        name = f"{CHAT}#{actor.id}"
        taking = self._pool.submit(self._allowances.try_use, name, self._limit, self._clock())
        try:
            order = self._customer_orders.get_order(actor, order_id)
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

    def _find_sent(self, key: RequestKey | None) -> ChatMessage | None:
        """Find the message that the same request has written. Raises KeyReused."""
        stream = self._keys.find_target(key)
        return self._chats.get_message(*parse_chat_stream(stream)) if stream else None

    def _commit_message(self, message: ChatMessage, key: RequestKey | None) -> ChatMessage:
        """Store a message and deliver it; or return the one that the same request has stored at the
        same moment. Raises Stale if its id is taken.

        The other side waits for it: the sender's own devices are delivered to afterwards.
        """
        others = tuple(id_ for id_ in message.to if id_ != message.sender_id)
        try:
            self._relay.write_and_deliver(
                message.make_outbox_for(others), lambda: self._chats.insert_message(message, key)
            )
        except Stale:
            if sent := self._find_sent(key):
                return sent
            raise
        self._relay.deliver_now(message.make_outbox_for((message.sender_id,)))
        return message

    def list_messages(
        self, actor: Actor, order_id: int, before: int | None = None
    ) -> list[ChatMessage]:
        """List the newest messages of a conversation, or the newest before the message `before`, in
        order of time: as many as fit into one answer. Raises NotFound for outsiders."""
        self._customer_orders.get_order(actor, order_id)
        size, found = 0, []
        for message in self._list_kept(order_id, PAGE_SIZE, before):
            size += len(message.text.encode()) + _MESSAGE_BYTES
            if size > MAX_PAGE_BYTES:
                break
            found.append(message)
        return found[::-1]

    def list_page(
        self, actor: Actor, order_id: int, limit: int, position: MessagePosition | None = None
    ) -> MessagePage:
        """List a page of a conversation for a dispatcher, the newest first. Raises NotFound for
        whoever has no hand in the order."""
        check_permission(Permission.HAND, self._customer_orders.get_order(actor, order_id), actor)
        before = position.before if position else None
        found = self._list_kept(order_id, limit + 1, before)
        page = found[:limit]
        return MessagePage(page, MessagePosition(page[-1].id) if len(found) > limit else None)

    def _list_kept(self, order_id: int, limit: int, before: int | None) -> list[ChatMessage]:
        """List the newest messages, less those that have expired: DynamoDB deletes them late."""
        kept_since = self._clock() - CHAT_KEPT_FOR
        found = self._chats.list_newest(order_id, limit, before)
        return [message for message in found if message.at >= kept_since]
