"""Reading an order that may not be there."""

from __future__ import annotations

from chalicelib.domain.events import parse_order_id
from chalicelib.domain.orders.model import Order
from chalicelib.errors import NotFound
from chalicelib.services.ports import OrderStore


def find_order(orders: OrderStore, stream: str | None) -> Order | None:
    """Read the order of a stream; None where it is no order's, or there is none."""
    order_id = parse_order_id(stream) if stream else None
    try:
        return orders.get_order(order_id) if order_id else None
    except NotFound:
        return None
