"""Claims: that an order occupies a courier, as an update of the courier's row.

A claim, or a release before an order is done, is a part of the transaction that writes the order
(orders.py). So at any moment the order's row and the courier's agree, but for one case: the courier
of an order that is done is released afterwards, alone (services/dispatch/order_commits.py).

A courier may have one order, and then a claim is on the condition that none is there. Where several
are allowed, the first is in `order_id` and the rest in `others`. A claim then reads the row, and is
on the condition that the orders are still those: so they are never more than allowed. Who has more,
as more were allowed before, is given none until enough of them are done.

Where couriers are ranked by time, a claim notes when the offer was made, and the release, which has
read the row, how it was answered: neither is a write more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.orders.acceptance import NO_ANSWERS, add_answer
from chalicelib.domain.people import HeldOrder
from chalicelib.errors import CourierTaken
from chalicelib.store.clock import to_epoch_ms
from chalicelib.store.conditional import RowUpdate
from chalicelib.store.courier_index import make_index_actions, make_index_removal
from chalicelib.store.courier_rows import (
    decode_courier,
    encode_held,
    equals,
    find_row,
    is_as_read,
    is_paused_as,
    is_there_as_read,
    list_held,
)
from chalicelib.store.tables import CourierRow


class Claim(NamedTuple):
    """An order that is to occupy a courier: only one who is on duty, if `available_only`; and with
    `max_orders` at most. `asked_at` is when they were asked, where that is to be noted."""

    courier_id: str
    held: HeldOrder
    available_only: bool
    max_orders: int = 1
    asked_at: datetime | None = None


def make_claim(claim: Claim) -> RowUpdate:
    """Make the update by which an order occupies a courier who has room for it and is not paused;
    from then on its customer may see where they are. Reads the row where a courier may have several
    orders. Raises CourierTaken if there is no room.

    Sent twice, it finds them occupied by this very order. That alone would let an order through
    which lost its own race: but then the order's own condition does not hold either.
    """
    if claim.max_orders > 1 and (row := find_row(claim.courier_id)):
        return _add_to_held(claim, row)
    order_id, visible_to = claim.held.order_id, claim.held.visible_to
    idle: Condition = CourierRow.courier_id.exists() & CourierRow.order_id.does_not_exist()
    idle &= is_paused_as(False)  # the index, and whoever read the row, may be behind by a moment
    free = _require_duty(idle) if claim.available_only else idle
    actions: list[Action] = [CourierRow.order_id.set(order_id)]
    actions += make_index_removal()
    if visible_to:
        actions.append(CourierRow.shown_to.set(visible_to))
    actions += _make_asked_actions(claim)
    is_occupied = CourierRow.order_id == order_id
    return RowUpdate(CourierRow(claim.courier_id), actions, free | is_occupied)


def _add_to_held(claim: Claim, row: CourierRow) -> RowUpdate:
    """Make the update that adds an order to those of a courier as they were read."""
    before, held = list_held(row), claim.held
    is_full = len([one for one in before if one != held]) >= claim.max_orders
    if is_full or row.paused or (claim.available_only and not row.available):
        raise CourierTaken(claim.courier_id)
    after = before if held in before else [*before, held]
    actions = _make_held_actions(after) + _make_asked_actions(claim)
    if len(after) >= claim.max_orders:
        actions += make_index_removal()
    is_same: Condition = _are_held(before) & is_paused_as(False)
    is_same = _require_duty(is_same) if claim.available_only else is_same
    is_occupied = (CourierRow.order_id == held.order_id) | CourierRow.others.contains(
        encode_held(held)
    )
    return RowUpdate(CourierRow(claim.courier_id), actions, is_same | is_occupied)


def _make_asked_actions(claim: Claim) -> list[Action]:
    return [CourierRow.asked_at.set(to_epoch_ms(claim.asked_at))] if claim.asked_at else []


def _require_duty(condition: Condition) -> Condition:
    is_on_duty: Condition = condition & (CourierRow.available == True)  # noqa: E712
    return is_on_duty


def make_release(
    courier_id: str,
    order_id: int,
    now: datetime,
    max_orders: int = 1,
    is_taken: bool | None = None,
) -> RowUpdate | None:
    """Make the update that releases a courier from an order, into the index if still on duty; None
    if the order does not occupy them. `is_taken` is noted as their answer, None as none. Reads the
    row. Sent twice, it finds them as it left them."""
    row = _find_holder(courier_id, order_id)
    if row is None:
        return None
    answered = _make_answer_actions(row, is_taken)
    if row.others:
        return _remove_from_held(row, order_id, now, max_orders, answered)
    now_ms = to_epoch_ms(now)
    actions: list[Action] = [
        CourierRow.order_id.remove(),
        CourierRow.shown_to.remove(),
        CourierRow.idle_since.set(now_ms),
        *answered,
    ]
    if row.available:
        actions += make_index_actions(decode_courier(row, now))
    is_done = CourierRow.order_id.does_not_exist() & (CourierRow.idle_since == now_ms)
    is_done &= equals(CourierRow.available, row.available) & is_paused_as(row.paused)
    return RowUpdate(CourierRow(courier_id), actions, _is_same(row, max_orders) | is_done)


def _is_same(row: CourierRow, max_orders: int) -> Any:
    """Make the condition that a courier is as they were read: they enter the index as that says."""
    return is_as_read(row, max_orders) & is_there_as_read(row)


def _remove_from_held(
    row: CourierRow,
    order_id: int,
    now: datetime,
    max_orders: int,
    answered: Sequence[Action],
) -> RowUpdate | None:
    """Make the update that takes one of several orders from a courier, who goes on with the rest:
    back in the index only where that leaves room for another."""
    after = [one for one in list_held(row) if one.order_id != order_id]
    actions = [*_make_held_actions(after), *answered]
    has_room = bool(row.available) and len(after) < max_orders
    actions += make_index_actions(decode_courier(row, now)) if has_room else make_index_removal()
    is_done = _are_held(after) & is_paused_as(row.paused)
    is_done &= equals(CourierRow.available, row.available)
    return RowUpdate(CourierRow(row.courier_id), actions, _is_same(row, max_orders) | is_done)


def _make_answer_actions(row: CourierRow, is_taken: bool | None) -> list[Action]:
    """Note an answer. A row that shows the order has all answers before it, as each came with a
    release; and the release is on the condition that the orders are still those."""
    if is_taken is None:
        return []
    return [CourierRow.answers.set(add_answer(int(row.answers or NO_ANSWERS), is_taken))]


def _find_holder(courier_id: str, order_id: int) -> CourierRow | None:
    """Read a courier whom an order occupies, as they are or lately were; None if it does not.

    Half the price is enough, as whoever updates the row has the condition that it is so still. Only
    an old row that does not show the order yet is read again, before it is taken for released.
    """
    for consistent in (False, True):
        row = find_row(courier_id, consistent=consistent)
        if row is not None and _is_held(row, order_id):
            return row
    return None


def _is_held(row: CourierRow, order_id: int) -> bool:
    return any(one.order_id == order_id for one in list_held(row))


def _make_held_actions(held: Sequence[HeldOrder]) -> list[Action]:
    """Write the orders of a courier, of whom there is one at least."""
    first, *rest = held
    shown_to, others = CourierRow.shown_to, CourierRow.others
    return [
        CourierRow.order_id.set(first.order_id),
        shown_to.set(first.visible_to) if first.visible_to else shown_to.remove(),
        others.set([encode_held(one) for one in rest]) if rest else others.remove(),
    ]


def _are_held(held: Sequence[HeldOrder]) -> Any:
    """Make the condition that a courier's orders are these."""
    order_id = held[0].order_id if held else None
    others = [encode_held(one) for one in held[1:]]
    is_same: Any = CourierRow.courier_id.exists() & equals(CourierRow.order_id, order_id)
    return is_same & equals(CourierRow.others, others or None)
