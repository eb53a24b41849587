"""What a customer changes of an order that is scheduled."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from chalicelib.domain.details import OrderDetails
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.options import OrderOptions


class Amendment(msgspec.Struct, frozen=True):
    """An order's details and options as they are to be. `names_quote` says whether its quote is to
    be another: `quote_id`, or none."""

    details: OrderDetails
    options: OrderOptions
    names_quote: bool = False
    quote_id: str | None = None


ReadAmendment = Callable[[Order], Amendment]
"""Reads what is to be changed of an order, as it is now. Raises InvalidInput."""

MatchVersion = Callable[[int], bool]
"""Says whether a version of an order is the one that is to be changed."""
