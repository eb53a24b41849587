"""What a customer pays for an order, in minor units."""

from __future__ import annotations

import msgspec

from chalicelib.domain.jobs import Job

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
    return Charge(job.items_minor, DELIVERY_FEE_MINOR if job.merchant_id else 0)
