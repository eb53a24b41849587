"""What is broadcast of an order: that couriers can have it, or no longer.

Such an event may be posted late, by a wakeup, and must still be true by then.
"""

from __future__ import annotations

from chalicelib.domain import events
from chalicelib.domain.orders.model import Order, Status

# The event that an order can be had -> the event that it no longer can.
CLOSED_BY = {
    events.ORDER_OPENED: events.ORDER_TAKEN,
    events.ORDER_BROADCAST: events.BROADCAST_CLOSED,
}
OPENING_TYPES = frozenset({*CLOSED_BY.keys(), *CLOSED_BY.values()})


def is_still_true(type_: str, order: Order, person_id: str) -> bool:
    """Say whether an event of one of OPENING_TYPES is true of the order as it is, for a courier."""
    can_be_had = order.is_open or _is_open_to(order, person_id)
    return can_be_had if type_ in CLOSED_BY else not can_be_had


def _is_open_to(order: Order, person_id: str) -> bool:
    may_take = person_id in order.offered_to and person_id not in order.excluded
    return order.status is Status.SEARCHING and may_take
