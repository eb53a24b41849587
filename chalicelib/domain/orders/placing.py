"""What comes with the request that places an order, beside what the order is about."""

from __future__ import annotations

from enum import Enum

import msgspec

from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.options import NO_OPTIONS, OrderOptions
from chalicelib.domain.request_keys import RequestKey


class PlacingExtras(msgspec.Struct, frozen=True):
    """What a customer adds to an order, and the keys by which the same request is known again:
    the one that they sent with it, and the one of the order's external id. `quote_id` is the quote
    that they take."""

    options: OrderOptions = NO_OPTIONS
    key: RequestKey | None = None
    external_key: RequestKey | None = None
    quote_id: str | None = None

    def list_keys(self) -> tuple[RequestKey, ...]:
        """List the keys that there are."""
        return tuple(key for key in (self.key, self.external_key) if key)


NO_EXTRAS = PlacingExtras()


class Repeat(Enum):
    """By what a request was known to have been made before."""

    KEY = "key"
    EXTERNAL_ID = "external_id"


class PlacedOrder(msgspec.Struct, frozen=True):
    """An order that was placed: just now, or before, where the request is a `repeat`."""

    order: Order
    repeat: Repeat | None = None
