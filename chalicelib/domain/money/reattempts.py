"""What it costs to try an order again: the way from where the thing is now, by today's tariff.

What was bought is paid with the order that had it brought, whatever became of that, and never
twice. Only a no-show costs nothing but its fee, so that there the goods are the child's to pay.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from chalicelib.domain.details import OrderDetails
from chalicelib.domain.money.fares import Tariffs, estimate_anew, find_tariff, itemize_trip
from chalicelib.domain.money.pricing import estimate_price, owes_way
from chalicelib.domain.money.quotes import with_quoted_fare
from chalicelib.domain.orders.model import Order
from chalicelib.domain.price_lines import BASE, DISTANCE, ITEMS, PriceLine
from chalicelib.errors import InvalidInput

Priced = tuple[OrderDetails, tuple[PriceLine, ...]]
"""An order's details with what they are estimated to cost, and its agreed price; () where its flow
says what it costs."""


def price_child(parent: Order, details: OrderDetails, tariffs: Mapping[str, Tariffs]) -> Priced:
    """Price the child of an order by its `details`, which say where the thing is. `tariffs` are by
    flow. A vehicle type that has no tariff any more costs what it did."""
    owes_goods = not owes_way(parent)
    try:
        if _is_quoted(parent):
            way = _itemize_way(details, tariffs[details.flow]) or parent.price
            goods = tuple(line for line in parent.price if line.kind == ITEMS and owes_goods)
            lines = (*goods, *(line for line in way if line.kind != ITEMS))
            return with_quoted_fare(details, lines), lines
        if details.estimate is not None:
            details = estimate_anew(details, tariffs[details.flow])
    except InvalidInput:  # the settings have dropped the vehicle type since
        return details, parent.price
    if owes_goods or not details.items:
        return details, parent.price
    return details, (PriceLine(BASE, estimate_price(replace(details, items=())).fee_minor),)


def _is_quoted(order: Order) -> bool:
    """Say whether an order's price was quoted; else it is a child's, that has its base alone."""
    return any(line.kind == DISTANCE for line in order.price)


def _itemize_way(details: OrderDetails, tariffs: Tariffs) -> tuple[PriceLine, ...]:
    """List what the way costs; nothing where it has no two ends that are known."""
    pickup, dropoff = details.pickup.point, details.dropoff.point
    if pickup is None or dropoff is None:
        return ()
    return itemize_trip(pickup, dropoff, find_tariff(tariffs, details.vehicle_type))
