"""Payments: each attempt to pay for an order is a row in the order's partition."""

from __future__ import annotations

from uuid import uuid4

import msgspec
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition

from chalicelib.domain.money.payments import Payment
from chalicelib.domain.request_keys import RequestKey
from chalicelib.store.conditional import transaction
from chalicelib.store.decoding import decode_json
from chalicelib.store.keys import make_key_put, save_with_key
from chalicelib.store.tables import OrderRow, PaymentRow


class PaymentTable:
    """Reads and writes the payments table."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_attempt(self, order_id: int, attempt: int) -> Payment | None:
        """Read one attempt, strongly consistent; None if there is none."""
        try:
            row = PaymentRow.get(order_id, attempt, consistent_read=True)
        except DoesNotExist:
            return None
        return _decode_payment(row)

    def get_latest(self, order_id: int) -> Payment | None:
        """Read the last attempt to pay for an order, strongly consistent; None if there is none."""
        rows = PaymentRow.query(
            order_id, consistent_read=True, scan_index_forward=False, limit=1, page_size=1
        )
        return next((_decode_payment(row) for row in rows), None)

    def list_attempts(self, order_id: int) -> list[Payment]:
        """Read all attempts to pay for an order, the oldest first, strongly consistent."""
        return list(map(_decode_payment, PaymentRow.query(order_id, consistent_read=True)))

    def commit_payment(
        self,
        before: Payment | None,
        after: Payment,
        key: RequestKey | None = None,
        order_version: int | None = None,
    ) -> None:
        """Write `after` if the attempt is still `before` (None: not there), with the key of the
        request that began it, and if its order has `order_version` still (None: whichever).
        Raises Stale."""
        is_before = (
            PaymentRow.version == before.version if before else PaymentRow.order_id.does_not_exist()
        )
        row = _encode_payment(after)
        is_unchanged: Condition = is_before | (PaymentRow.commit == row.commit)
        now, target = after.initiated_at, after.outbox.stream
        if order_version is None:
            save_with_key(self._connection, row, is_unchanged, key, target, now)
            return
        with transaction(self._connection) as write:
            write.save(row, condition=is_unchanged)
            is_priced: Condition = OrderRow.version == order_version
            write.condition_check(OrderRow, after.order_id, condition=is_priced)
            if key:
                make_key_put(key, target, now, row.commit).add_to(write)


def _encode_payment(payment: Payment) -> PaymentRow:
    """Write an attempt as its row, with a token of this write."""
    return PaymentRow(
        payment.order_id,
        payment.attempt,
        doc=msgspec.json.encode(payment).decode(),
        version=payment.version,
        commit=uuid4().hex,
    )


def _decode_payment(row: PaymentRow) -> Payment:
    return decode_json(row.doc, Payment)
