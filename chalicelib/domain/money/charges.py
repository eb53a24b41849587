"""What a customer pays for an order, in minor units."""

from __future__ import annotations

import msgspec

from chalicelib.domain.details import Job
from chalicelib.domain.orders.model import Order, Status

DELIVERY_FEE_MINOR = 30_00  # for what a shop sends; a parcel or a hail has no price of its own


class Charge(msgspec.Struct, frozen=True):
    """What the things cost, or the ride, and what bringing them costs."""

    goods_minor: int
    fee_minor: int

    @property
    def total_minor(self) -> int:
        """All of it."""
        return self.goods_minor + self.fee_minor


def charge(job: Job) -> Charge:
    """What a job costs."""
    if job.estimate:
        return Charge(job.estimate.fare_minor, 0)
    return Charge(job.items_minor, DELIVERY_FEE_MINOR if job.merchant_id else 0)


def bill(order: Order) -> Charge:
    """What an order costs: a ride that is over what it came to, everything else as placed."""
    done = order.status is Status.DONE and order.trip is not None
    return Charge(order.trip.fare_minor, 0) if done and order.trip else charge(order.job)
