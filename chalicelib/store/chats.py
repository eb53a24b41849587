"""Messages, by order and in order of time."""

from __future__ import annotations

from uuid import uuid4

import msgspec
from pynamodb.exceptions import DoesNotExist

from chalicelib.domain.orders.chat import CHAT_KEPT_FOR, ChatMessage
from chalicelib.store.saving import save_if
from chalicelib.store.tables import ChatRow


class ChatTable:
    """The chats table."""

    def insert_message(self, message: ChatMessage) -> None:
        """Keep a message. Raises Stale if there is another of that id, whatever it says; a write
        whose answer got lost is sent again by the SDK and finds itself done."""
        row = ChatRow(
            message.order_id,
            message.id,
            doc=msgspec.json.encode(message).decode(),
            commit=uuid4().hex,
            expires=int((message.at + CHAT_KEPT_FOR).timestamp()),
        )
        save_if(row, ChatRow.message_id.does_not_exist() | (ChatRow.commit == row.commit))

    def get_message(self, order_id: int, message_id: int) -> ChatMessage | None:
        """Read one message, strongly consistent; None if there is none."""
        try:
            return _decode_message(ChatRow.get(order_id, message_id, consistent_read=True))
        except DoesNotExist:
            return None

    def list_newest(self, order_id: int, limit: int, before: int | None) -> list[ChatMessage]:
        """The newest messages, before one of them if said, newest first, at most `limit`."""
        older = ChatRow.message_id < before if before is not None else None
        rows = ChatRow.query(
            order_id, older, consistent_read=True, scan_index_forward=False, limit=limit
        )
        return [_decode_message(row) for row in rows]


def _decode_message(row: ChatRow) -> ChatMessage:
    return msgspec.json.decode(row.doc, type=ChatMessage)
