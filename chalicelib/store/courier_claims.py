"""Claims: that an order occupies a courier, as an update of the courier's row.

A claim, or a release before an order is done, is a part of the transaction that writes the order
(orders.py). So at any moment the order's row and the courier's agree, but for one case: the courier
of an order that is done is released afterwards, alone (services/dispatch/order_commits.py).
"""

from __future__ import annotations

from datetime import datetime

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.store.clock import to_epoch_ms
from chalicelib.store.conditional import RowUpdate
from chalicelib.store.courier_index import make_index_actions, make_index_removal
from chalicelib.store.courier_rows import (
    decode_courier,
    equals,
    find_row,
    is_as_read,
    is_paused_as,
)
from chalicelib.store.tables import CourierRow


def make_claim(
    courier_id: str, order_id: int, available_only: bool, visible_to: str | None = None
) -> RowUpdate:
    """Make the update by which an order occupies a courier who is free and not paused; from then on
    the customer `visible_to` may see where they are.

    Sent twice, it finds them occupied by this very order. That alone would let an order through
    which lost its own race: but then the order's own condition does not hold either.
    """
    idle: Condition = CourierRow.courier_id.exists() & CourierRow.order_id.does_not_exist()
    idle &= is_paused_as(False)  # the index, and whoever read the row, may be behind by a moment
    free = idle & (CourierRow.available == True) if available_only else idle  # noqa: E712
    actions: list[Action] = [CourierRow.order_id.set(order_id)]
    actions += make_index_removal()
    if visible_to:
        actions.append(CourierRow.shown_to.set(visible_to))
    return RowUpdate(CourierRow(courier_id), actions, free | (CourierRow.order_id == order_id))


def make_release(courier_id: str, order_id: int, now: datetime) -> RowUpdate | None:
    """Make the update that releases a courier from an order, into the index if still on duty; None
    if the order does not occupy them. Reads the row. Sent twice, it finds them as it left them."""
    # Half the price is enough, as the update has the condition that it is so still. Only an old
    # row that does not show the order yet is read again, before it is taken for released.
    row = find_row(courier_id, consistent=False)
    if row is None or row.order_id != order_id:
        row = find_row(courier_id)
    if row is None or row.order_id != order_id:
        return None
    now_ms = to_epoch_ms(now)
    actions: list[Action] = [
        CourierRow.order_id.remove(),
        CourierRow.shown_to.remove(),
        CourierRow.idle_since.set(now_ms),
    ]
    if row.available:
        actions += make_index_actions(decode_courier(row, now))
    is_done = CourierRow.order_id.does_not_exist() & (CourierRow.idle_since == now_ms)
    is_done &= equals(CourierRow.available, row.available) & is_paused_as(row.paused)
    return RowUpdate(CourierRow(courier_id), actions, is_as_read(row) | is_done)
