"""Payments: each attempt to pay for an order is a row under it."""

from __future__ import annotations

from uuid import uuid4

import msgspec
from pynamodb.exceptions import DoesNotExist

from chalicelib.domain.money.payments import Payment
from chalicelib.store.saving import save_if
from chalicelib.store.tables import PaymentRow


class PaymentTable:
    """The payments table."""

    def get_attempt(self, order_id: int, attempt: int) -> Payment | None:
        """Read one attempt, strongly consistent; None if there is none."""
        try:
            row = PaymentRow.get(order_id, attempt, consistent_read=True)
        except DoesNotExist:
            return None
        return _decode_payment(row)

    def get_latest(self, order_id: int) -> Payment | None:
        """The last attempt to pay for an order, strongly consistent; None if there is none."""
        rows = PaymentRow.query(
            order_id, consistent_read=True, scan_index_forward=False, limit=1, page_size=1
        )
        return next((_decode_payment(row) for row in rows), None)

    def commit_payment(self, before: Payment | None, after: Payment) -> None:
        """Write `after` if the attempt is still `before` (None: not there). A write whose answer
        got lost is sent again by the SDK and finds itself done. Raises Stale."""
        unchanged = (
            PaymentRow.version == before.version if before else PaymentRow.order_id.does_not_exist()
        )
        row = PaymentRow(
            after.order_id,
            after.attempt,
            doc=msgspec.json.encode(after).decode(),
            version=after.version,
            commit=uuid4().hex,
        )
        save_if(row, unchanged | (PaymentRow.commit == row.commit))


def _decode_payment(row: PaymentRow) -> Payment:
    return msgspec.json.decode(row.doc, type=Payment)
