"""What an order owes its courier beside the earning: each debt is one booking of their wallet."""

from __future__ import annotations

from chalicelib.domain.money.wallets import Debt, make_fee_key, make_tip_key
from chalicelib.domain.orders.model import Order
from chalicelib.domain.price_lines import TIP


def list_debts(order: Order) -> tuple[Debt, ...]:
    """List all that an order owes its courier, under the keys by which each is booked once."""
    fees = (Debt(make_fee_key(order.id, f.kind), f.amount_minor, f.kind) for f in order.fees)
    tips = (
        Debt(make_tip_key(order.id, number), tip.amount_minor, TIP)
        for number, tip in enumerate(order.tips, 1)
    )
    return (*fees, *tips)


def list_new_debts(before: Order | None, after: Order) -> tuple[Debt, ...]:
    """List what a change of an order has added to what it owes: only that is looked for in the
    ledger, as each look is a read."""
    known = {debt.key for debt in list_debts(before)} if before else set()
    return tuple(debt for debt in list_debts(after) if debt.key not in known)
