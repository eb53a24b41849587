"""Histories of orders, in rows that are put once and never changed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

from pynamodb.exceptions import DoesNotExist

from chalicelib.domain.orders.changes import History
from chalicelib.store.compression import pack, unpack
from chalicelib.store.tables import HistoryRow

log = logging.getLogger(__name__)

_TOKEN_BYTES = 6  # it must differ from the order's other tokens only


class HistoryTable:
    """The histories table."""

    def save_history(self, order_id: int, history: History, expires_at: datetime) -> str:
        """Put a history; return the token to find it by. It is made of the contents: to put the
        same again changes nothing, and two who put different ones don't meet."""
        doc = pack(history)
        token = blake2b(doc, digest_size=_TOKEN_BYTES).hexdigest()
        HistoryRow(order_id, token, doc=doc, expires=int(expires_at.timestamp())).save()
        return token

    def find_history(
        self, order_id: int, token: str, now: datetime, is_consistent: bool = True
    ) -> History | None:
        """Read a history; None if it is expired. (DynamoDB deletes what is expired some days late.)
        Not `is_consistent` is half the price: one that was put a moment ago may be missed."""
        try:
            row = HistoryRow.get(order_id, token, consistent_read=is_consistent)
        except DoesNotExist:
            return None
        return unpack(row.doc, History) if now.timestamp() < row.expires else None

    def list_histories(self, keys: Sequence[tuple[int, str]], now: datetime) -> dict[int, History]:
        """Read the histories of some orders by ids and tokens, as they are or lately were. What is
        expired is left out, and so is what can't be read."""
        rows = HistoryRow.batch_get(list(keys)) if keys else ()
        found: dict[int, History] = {}
        for row in rows:
            try:
                if now.timestamp() < row.expires:
                    found[int(row.order_id)] = unpack(row.doc, History)
            except Exception:  # whatever is wrong with it
                log.exception("parked: the history of order %d can't be read", row.order_id)
        return found
