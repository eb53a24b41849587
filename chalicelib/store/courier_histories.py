"""Couriers' histories: what dispatchers did with them, a row each; and their pauses, each written
with such a row.

A row is put without a condition: what it is written with has one. So a write that was sent twice
leaves one row, and of two who pause a courier at once one leaves a row.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice

import msgspec
from msgspec.structs import replace
from pynamodb.connection import Connection
from pynamodb.expressions.update import Action

from chalicelib.domain.courier_changes import CourierChange
from chalicelib.domain.people import Courier
from chalicelib.domain.retries import Retries
from chalicelib.errors import NotFound
from chalicelib.store.conditional import transaction
from chalicelib.store.courier_index import make_index_actions, make_index_removal
from chalicelib.store.courier_rows import (
    NowSource,
    decode_courier,
    find_row,
    is_as_read,
    is_there_as_read,
)
from chalicelib.store.decoding import decode_json
from chalicelib.store.tables import CourierHistoryRow, CourierRow

MakeChange = Callable[[], CourierChange]
"""Makes the change that a write leaves, with an id of its own."""


class CourierHistoryTable:
    """Reads and writes the table of couriers' histories, whose rows are kept for `kept_for`. A
    courier has `max_orders` at once at most."""

    def __init__(
        self,
        connection: Connection,
        retries: Retries,
        kept_for: timedelta,
        clock: NowSource,
        max_orders: int = 1,
    ) -> None:
        self._connection = connection
        self._retries = retries
        self._kept_for = kept_for
        self._clock = clock
        self._max_orders = max_orders

    def set_paused(self, courier_id: str, is_paused: bool, make: MakeChange) -> Courier:
        """Pause a courier, or resume one, and leave a row of it; one who is already is left as they
        are. Returns the courier after it. Raises NotFound, Unavailable.

        A write whose answer got lost is refused as it comes again, and found done by the next try.
        """

        def change() -> Courier:
            row = find_row(courier_id)
            if row is None:
                raise NotFound("There is no such courier.")
            if bool(row.paused) is not is_paused:
                self._write_pause(row, is_paused, make())
                row = find_row(courier_id) or row
            return self._decode_row(row)

        return self._retries.retry_while_stale(change)

    def _write_pause(self, row: CourierRow, is_paused: bool, change: CourierChange) -> None:
        courier_id = str(row.courier_id)
        courier = replace(self._decode_row(row), is_paused=is_paused)
        paused = CourierRow.paused
        actions: list[Action] = [paused.set(True) if is_paused else paused.remove()]
        actions += make_index_actions(courier) if courier.is_free else make_index_removal()
        with transaction(self._connection) as write:
            is_same = is_as_read(row, self._max_orders) & is_there_as_read(row)
            write.update(CourierRow(courier_id), actions=actions, condition=is_same)
            write.save(make_history_row(change, self._kept_for))

    def _decode_row(self, row: CourierRow) -> Courier:
        return decode_courier(row, self._clock(), self._max_orders)

    def list_changes(
        self, courier_id: str, limit: int, below: int, now: datetime
    ) -> list[CourierChange]:
        """List what dispatchers did with a courier, the newest first, strongly consistent: at most
        `limit` whose ids are under `below`. What has expired is left out, which DynamoDB deletes
        some days late: it is the oldest."""
        rows = CourierHistoryRow.query(
            courier_id,
            CourierHistoryRow.change_id < below,
            consistent_read=True,
            scan_index_forward=False,
            limit=limit,
        )
        live = (row for row in islice(rows, limit) if row.expires > now.timestamp())
        return [decode_json(row.doc, CourierChange) for row in live]


def make_history_row(change: CourierChange, kept_for: timedelta) -> CourierHistoryRow:
    """Make the row of a change."""
    return CourierHistoryRow(
        change.courier_id,
        change.id,
        doc=msgspec.json.encode(change).decode(),
        expires=int((change.at + kept_for).timestamp()),
    )
