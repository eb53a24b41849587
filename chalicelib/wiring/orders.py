"""Orders: what customers and couriers do with them, and what people say of them."""

from __future__ import annotations

import msgspec

from chalicelib.domain.rate_limits import LIMITS
from chalicelib.services.orders.chat import Chats
from chalicelib.services.orders.courier import Delivery
from chalicelib.services.orders.courier_status import Fleet
from chalicelib.services.orders.customer import Ordering
from chalicelib.services.orders.event_details import Particulars
from chalicelib.services.orders.ratings import Ratings
from chalicelib.settings import Settings
from chalicelib.wiring.dispatch import Dispatch
from chalicelib.wiring.messaging import Messaging
from chalicelib.wiring.money import Money
from chalicelib.wiring.parts import Parts
from chalicelib.wiring.positions import Positions


class Orders(msgspec.Struct, frozen=True):
    """What the other rooms and the edge need of this one."""

    customer: Ordering
    courier: Delivery
    status: Fleet
    chats: Chats
    ratings: Ratings


def build_orders(
    settings: Settings,
    parts: Parts,
    messaging: Messaging,
    money: Money,
    dispatch: Dispatch,
    positions: Positions,
) -> Orders:
    """Build the room. `positions` complete the commands of rides and hear of fixes."""
    customer = _build_customer(parts, dispatch)
    courier = _build_courier(parts, money, dispatch, positions)
    status = Fleet(
        parts.couriers,
        courier,
        dispatch.holding,
        positions.listeners,
        settings.fix_max_accuracy_m,
        settings.fix_max_age,
        parts.clock,
    )
    return Orders(
        customer=customer,
        courier=courier,
        status=status,
        chats=_build_chats(parts, messaging, customer),
        ratings=Ratings(parts.ratings, customer, parts.clock),
    )


def _build_customer(parts: Parts, dispatch: Dispatch) -> Ordering:
    return Ordering(
        parts.orders,
        parts.couriers,
        parts.people,
        parts.mailboxes,
        dispatch.orders,
        dispatch.sequential,
        dispatch.holding,
        parts.ids,
        parts.clock,
        parts.retries,
    )


def _build_courier(
    parts: Parts, money: Money, dispatch: Dispatch, positions: Positions
) -> Delivery:
    return Delivery(
        parts.people,
        dispatch.orders,
        dispatch.sequential,
        dispatch.holding,
        Particulars(parts.couriers, parts.restaurants, money.payments.status_of),
        # What a command lacks until the order's flow has completed it.
        {"ride": positions.meter.prepare, "food": dispatch.pool.prepare},
        parts.clock,
    )


def _build_chats(parts: Parts, messaging: Messaging, customer: Ordering) -> Chats:
    return Chats(
        parts.chats,
        parts.allowances,
        customer,
        messaging.relay,
        parts.queue,
        LIMITS,
        parts.ids,
        parts.threads,
        parts.clock,
        parts.retries,
    )
