"""Tips: what a customer gives the courier when the order is over. An order carries its own tips, so
that none is given twice or lost; the courier's wallet follows (services/money/debts.py)."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.orders.drafts import draft_for_courier
from chalicelib.domain.orders.flow import Transition
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.tip import Tip
from chalicelib.errors import Conflict, InvalidTransition

TIPPED_WITHIN = timedelta(hours=24)
MAX_TIPS = 50  # an order is one row


def had_courier(order: Order) -> bool:
    """Say whether an order that has ended had a courier who accepted it. One that was cancelled
    while it was merely offered names the courier who was asked, and has no contact of theirs."""
    was_accepted = order.status is not Status.CANCELLED or order.courier is not None
    return order.courier_id is not None and was_accepted


def get_end_time(order: Order) -> datetime:
    """Get the time when an order that has ended did so."""
    return order.timeline.get(order.status.value, order.updated_at)


def find_tip(order: Order, token: str, key: str | None) -> Tip | None:
    """Find the tip that a request has given: by its token, or by its key, where it has one."""
    tips = (t for t in order.tips if t.token == token or (key is not None and t.key == key))
    return next(tips, None)


def add_tip(order: Order, tip: Tip, now: datetime) -> Transition:
    """Add a tip to an order; its courier's wallet is to follow by the event.

    Raises InvalidTransition before the end; Conflict where nobody had the order, later than
    TIPPED_WITHIN after the end, and beyond MAX_TIPS.
    """
    if not order.is_terminal:
        raise InvalidTransition(order.status.value, "tip", ())
    courier_id = order.courier_id
    if courier_id is None or not had_courier(order):
        raise Conflict("This order had no courier.")
    if now > get_end_time(order) + TIPPED_WITHIN:
        raise Conflict("This order ended more than 24 hours ago.")
    if len(order.tips) >= MAX_TIPS:
        raise Conflict(f"An order takes at most {MAX_TIPS} tips.")
    order = replace(order, tips=(*order.tips, replace(tip, given_at=now)), updated_at=now)
    event = draft_for_courier(order, events.ORDER_TIPPED, courier_id, now)
    return order, (event,)
