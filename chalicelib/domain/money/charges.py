"""What a customer pays for an order, in minor units."""

from __future__ import annotations

import msgspec

from chalicelib.domain.details import OrderDetails
from chalicelib.domain.orders.model import Order, Status

DELIVERY_FEE_MINOR = 30_00  # for what a shop sends; a parcel or a hail has no price of its own


class Price(msgspec.Struct, frozen=True):
    """What the things cost, or the ride, and what bringing them costs."""

    goods_minor: int
    fee_minor: int

    @property
    def total_minor(self) -> int:
        """All of it."""
        return self.goods_minor + self.fee_minor


def quote_price(job: OrderDetails) -> Price:
    """What a job costs."""
    if job.estimate:
        return Price(job.estimate.fare_minor, 0)
    return Price(job.items_minor, DELIVERY_FEE_MINOR if job.merchant_id else 0)


def final_price(order: Order) -> Price:
    """What an order costs: a ride that is over what it came to, everything else as placed."""
    done = order.status is Status.DONE and order.trip is not None
    return Price(order.trip.fare_minor, 0) if done and order.trip else quote_price(order.details)
