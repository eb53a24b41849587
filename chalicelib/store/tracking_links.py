"""Tracking links: from the hash of a token to an order, in rows that are put once."""

from __future__ import annotations

from datetime import datetime

from pynamodb.exceptions import DoesNotExist

from chalicelib.domain.orders.tracking_links import ROW_KEPT_FOR
from chalicelib.store.tables import LinkRow


class LinkTable:
    """The links table."""

    def insert_link(self, hash_: str, order_id: int, now: datetime) -> None:
        """Put a link's row. Of 256 random bits there are no two: nothing is replaced."""
        expires = int((now + ROW_KEPT_FOR).timestamp())
        LinkRow(hash_, order_id=order_id, expires=expires).save()

    def find_order_id(self, hash_: str, now: datetime) -> int | None:
        """Read which order a link may be of, strongly consistent: it may have been made just now.
        None if there is none, or it is expired. (DynamoDB deletes what is expired some days late.)
        """
        try:
            row = LinkRow.get(hash_, consistent_read=True)
        except DoesNotExist:
            return None
        return int(row.order_id) if now.timestamp() < row.expires else None
