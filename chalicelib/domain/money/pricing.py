"""What a customer pays for an order, in minor units."""

from __future__ import annotations

import msgspec

from chalicelib.domain.details import OrderDetails
from chalicelib.domain.orders.model import Order, Status

DELIVERY_FEE_MINOR = 30_00  # for what a shop sends; a parcel or a hail has no price of its own


class Price(msgspec.Struct, frozen=True):
    """The price of an order: of its goods or its ride, and of bringing them."""

    goods_minor: int
    fee_minor: int

    @property
    def total_minor(self) -> int:
        """The sum that the customer pays."""
        return self.goods_minor + self.fee_minor


def quote_price(details: OrderDetails) -> Price:
    """Quote the price of an order as it was placed: of a ride its estimate, of goods their sum."""
    if details.estimate:
        return Price(details.estimate.fare_minor, 0)
    return Price(details.items_minor, DELIVERY_FEE_MINOR if details.merchant_id else 0)


def compute_final_price(order: Order) -> Price:
    """Compute the price to be paid: the fare of the trip that a finished ride made, else the
    quote."""
    if order.status is Status.DONE and order.trip:
        return Price(order.trip.fare_minor, 0)
    return quote_price(order.details)
