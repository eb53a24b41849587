"""Fees: what an end costs its customer beside the price, in minor units, by the settings.

A fee is decided once, as the order is written that ends, and is a part of it from then on: another
setting tomorrow changes no fee of today. All fees are the courier's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.money.pricing import compute_final_price, compute_way_minor, owes_way
from chalicelib.domain.money.waiting import count_waiting_minutes
from chalicelib.domain.orders.drafts import draft_for_courier, draft_for_customer
from chalicelib.domain.orders.flow import Transition
from chalicelib.domain.orders.history import note_price
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Role
from chalicelib.domain.price_lines import (
    CANCELLATION_FEE,
    NO_SHOW_FEE,
    RETURN_FEE,
    WAITING_FEE,
    PriceLine,
)


class CancelFee(msgspec.Struct, frozen=True):
    """What it costs a customer to cancel: once a courier has accepted, and once one is at the
    pickup, or past it."""

    accepted_minor: int
    at_pickup_minor: int


class FeePolicy(msgspec.Struct, frozen=True):
    """The fees, by flow. A flow that is not there has none."""

    cancel_fees: Mapping[str, CancelFee] = {}
    no_show_fees: Mapping[str, int] = {}
    return_percent: int = 60
    waiting_minute_minor: int = 0
    free_waiting: timedelta = timedelta(seconds=180)

    def charge_end(self, stored: Order | None, order: Order) -> Transition:
        """Return an order that is about to be written with its fees, if it ends by this write and
        there are any, and the event by which they are booked. It is the same however often asked.

        A scheduled order ends in silence: where it had a price, which may be paid, an event that
        nobody is told lets that be looked up.
        """
        courier_id = order.courier_id
        if stored is None or stored.is_terminal or not order.is_terminal:
            return order, ()
        if stored.status is Status.SCHEDULED and order.status is Status.CANCELLED:
            return order, _draft_silent_end(stored, order)
        if courier_id is None:
            return order, ()
        fees = self._list_fees(stored, order)
        if not fees:
            return order, ()
        order = replace(order, fees=fees)
        order = note_price(order, compute_final_price(order).total_minor)
        return order, (
            draft_for_courier(order, events.ORDER_CHARGED, courier_id, order.updated_at),
        )

    def _list_fees(self, stored: Order, order: Order) -> tuple[PriceLine, ...]:
        lines = (
            PriceLine(WAITING_FEE, self._compute_waiting_minor(order)),
            PriceLine(CANCELLATION_FEE, self._compute_cancel_minor(stored, order)),
            PriceLine(NO_SHOW_FEE, self._compute_no_show_minor(order)),
            PriceLine(RETURN_FEE, self._compute_return_minor(order)),
        )
        return tuple(line for line in lines if line.amount_minor)

    def _compute_cancel_minor(self, stored: Order, order: Order) -> int:
        """Compute what it costs to cancel: nothing before a courier has accepted, nor where it was
        not the customer who did."""
        fee = self.cancel_fees.get(order.details.flow)
        if fee is None or order.status is not Status.CANCELLED or not _is_by_customer(order):
            return 0
        if stored.status is Status.ACCEPTED:
            return fee.accepted_minor
        is_past = stored.status in (Status.AT_PICKUP, Status.IN_TRANSIT)
        return fee.at_pickup_minor if is_past else 0

    def _compute_waiting_minor(self, order: Order) -> int:
        """Compute what waiting costs where the order was picked up; else the fee of that end has
        it in it."""
        if not owes_way(order):
            return 0
        return count_waiting_minutes(order, self.free_waiting) * self.waiting_minute_minor

    def _compute_no_show_minor(self, order: Order) -> int:
        is_no_show = order.status is Status.NO_SHOW
        return self.no_show_fees.get(order.details.flow, 0) if is_no_show else 0

    def _compute_return_minor(self, order: Order) -> int:
        """Compute what bringing it back costs: a part of what bringing it costs, rounded half up,
        as customers reckon."""
        if order.status is not Status.RETURNED:
            return 0
        return (compute_way_minor(order) * self.return_percent + 50) // 100


def _draft_silent_end(stored: Order, order: Order) -> tuple[Event, ...]:
    """Draft the event of a scheduled order that is called off, if it had a price."""
    if not compute_final_price(stored).total_minor:
        return ()
    return (draft_for_customer(order, events.ORDER_CALLED_OFF, order.updated_at),)


def _is_by_customer(order: Order) -> bool:
    """Say whether the newest step of an order was its customer's."""
    return bool(order.changes) and order.changes[-1].actor_role is Role.CUSTOMER
