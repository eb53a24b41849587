"""Deliveries of events to webhook endpoints, and reminders of those that are tried much later.

A reminder stands among the connections: in their index of what is to be checked it is listed by the
queries that the sweep makes anyway. An index of its own would cost eight more of them, every 15 s,
though nobody had a webhook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from secrets import token_urlsafe
from zlib import crc32

import msgspec
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition

from chalicelib.domain.events import LOGGED_FOR
from chalicelib.domain.webhooks.delivery import Delivery, SendDue, make_reminder_id
from chalicelib.store.clock import to_epoch_ms
from chalicelib.store.compression import pack, unpack
from chalicelib.store.conditional import save_if
from chalicelib.store.tables import SHARDS, ConnectionRow, DeliveryRow

# From its last write on. An event is tried for some three days after it was logged, and is in the
# log for eight: what is in the log has its delivery, so that a replay knows what has arrived.
KEPT_FOR = LOGGED_FOR + timedelta(days=4)
_REMINDED_FOR = timedelta(days=14)  # by then the log has not the event any more


class DeliveryTable:
    """Reads and writes the deliveries table."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def find_delivery(self, endpoint_id: str, seq: int) -> Delivery | None:
        """Read a delivery, strongly consistent; None before its first attempt ended."""
        try:
            row = DeliveryRow.get(endpoint_id, seq, consistent_read=True)
        except DoesNotExist:
            return None
        return unpack(row.doc, Delivery)

    def save_delivery(self, delivery: Delivery) -> None:
        """Write a delivery, on the condition that its version is one more than the stored one's;
        sent twice, it finds itself done. Raises Stale."""
        row = DeliveryRow(
            delivery.endpoint_id,
            delivery.seq,
            doc=pack(delivery),
            version=delivery.version,
            commit=token_urlsafe(6),
            expires=int((self._clock() + KEPT_FOR).timestamp()),
        )
        is_before: Condition = (
            DeliveryRow.version == delivery.version - 1
            if delivery.version > 1
            else DeliveryRow.seq.does_not_exist()
        )
        save_if(row, is_before | (DeliveryRow.commit == row.commit))

    def list_deliveries(
        self, endpoint_id: str, limit: int, before: int | None = None
    ) -> list[Delivery]:
        """List an endpoint's deliveries below the place `before` (None: all), newest first."""
        rows = DeliveryRow.query(
            endpoint_id,
            None if before is None else DeliveryRow.seq < before,
            scan_index_forward=False,
            limit=limit,
            page_size=limit,
        )
        return [unpack(row.doc, Delivery) for row in rows]

    def put_reminder(self, send: SendDue, at: datetime) -> None:
        """Have the sweep list a message, to be sent at a time. Harmless twice."""
        id_ = make_reminder_id(send)
        ConnectionRow(
            id_,
            doc=msgspec.json.encode(send).decode(),
            version=1,
            expires=int((at + _REMINDED_FOR).timestamp()),
            check_shard=crc32(id_.encode()) % SHARDS,
            check_at=to_epoch_ms(at),
        ).save()

    def delete_reminders(self, sends: Iterable[SendDue]) -> None:
        """Forget messages that are on the queue now. Harmless if they are forgotten already."""
        with ConnectionRow.batch_write() as batch:
            for send in sends:
                batch.delete(ConnectionRow(make_reminder_id(send)))
