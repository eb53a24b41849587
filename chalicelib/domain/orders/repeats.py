"""When asking for a step once more changes nothing. Each flow names its own in its REPEATS.

A client whose answer was lost asks again, and a timer may come twice or too early. Such a step is
answered with the order as it is and with no events. Nowhere else is a repeat looked for.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chalicelib.domain.orders import commands
from chalicelib.domain.orders.flow import IsRepeat
from chalicelib.domain.orders.model import Order, Status

_HELD_BEFORE_PICKUP = frozenset({Status.OFFERED, Status.ACCEPTED, Status.AT_PICKUP})
_OUT_OF_KITCHEN = frozenset({Status.READY, Status.IN_TRANSIT})


def stands_in(status: Status) -> IsRepeat:
    """Make the predicate of a step that leads to one status: the order stands there already."""

    def is_repeat(order: Order, command: Any, now: datetime) -> bool:
        return order.status is status

    return is_repeat


def has_reached_dropoff(order: Order, command: Any, now: datetime) -> bool:
    """Say whether the courier was at the drop-off before: to reach it leaves the status alone."""
    return order.status is Status.IN_TRANSIT and "reached" in order.timeline


def is_offered_to_assignee(order: Order, command: commands.AssignCourier, now: datetime) -> bool:
    """Say whether the courier whom an admin names has the order already, by an offer or by work."""
    is_alone = not order.more_offers
    return (
        order.status in _HELD_BEFORE_PICKUP and is_alone and order.courier_id == command.courier_id
    )


def is_with_assignee(order: Order, command: commands.AssignCourier, now: datetime) -> bool:
    """Say whether the courier whom an admin names has the merchant's order already."""
    return order.status in _OUT_OF_KITCHEN and order.courier_id == command.courier_id


def is_with_taker(order: Order, command: commands.Accept, now: datetime) -> bool:
    """Say whether the courier who takes an order from the pool is on the way with it already."""
    return order.status is Status.IN_TRANSIT and order.courier_id == command.courier.id


def is_nothing_to_expire(order: Order, command: commands.ExpireOffer, now: datetime) -> bool:
    """Say whether the offer is another than the timer was set for, or has time left: one that has
    been answered must not end the next one."""
    offer = order.offer
    is_over = offer is None or order.open_seq != command.seq or not offer.has_expired(now)
    return order.status is Status.OFFERED and is_over
