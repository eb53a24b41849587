"""Chat messages: a partition an order, in order of time."""

from __future__ import annotations

from uuid import uuid4

import msgspec
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition

from chalicelib.domain.orders.chat import CHAT_KEPT_FOR, ChatMessage
from chalicelib.domain.request_keys import RequestKey
from chalicelib.store.decoding import decode_json
from chalicelib.store.keys import save_with_key
from chalicelib.store.tables import ChatRow


class ChatTable:
    """Reads and writes the chats table."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def insert_message(self, message: ChatMessage, key: RequestKey | None = None) -> None:
        """Insert a message, with the key of its request. Raises Stale if another has its id, even
        one of the same words, as two messages must not become one; or if the key is used."""
        row = ChatRow(
            message.order_id,
            message.id,
            doc=msgspec.json.encode(message).decode(),
            commit=uuid4().hex,
            expires=int((message.at + CHAT_KEPT_FOR).timestamp()),
        )
        is_new: Condition = ChatRow.message_id.does_not_exist() | (ChatRow.commit == row.commit)
        save_with_key(self._connection, row, is_new, key, message.stream, message.at)

    def get_message(self, order_id: int, message_id: int) -> ChatMessage | None:
        """Read one message, strongly consistent; None if there is none."""
        try:
            return _decode_message(ChatRow.get(order_id, message_id, consistent_read=True))
        except DoesNotExist:
            return None

    def list_newest(self, order_id: int, limit: int, before: int | None) -> list[ChatMessage]:
        """List an order's newest messages, newest first, strongly consistent, at most `limit`;
        only those older than the message `before`, where one is given."""
        is_older = ChatRow.message_id < before if before is not None else None
        rows = ChatRow.query(
            order_id, is_older, consistent_read=True, scan_index_forward=False, limit=limit
        )
        return [_decode_message(row) for row in rows]


def _decode_message(row: ChatRow) -> ChatMessage:
    return decode_json(row.doc, ChatMessage)
