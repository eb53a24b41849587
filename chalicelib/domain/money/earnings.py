"""What couriers earn with a delivery, and the bonus for a month of punctual ones. Minor units."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.travel import PROMISED_MIN, measure_way_m

BASE_MINOR = 50_00
NEAR_M = 2_500  # the base pays this far
PER_KM_MINOR = 10_00  # and this every km beyond

ON_TIME = "on_time"
BONUS_MINOR = 50_00
BONUS_DELIVERIES = 20  # at least so many in a month
BONUS_PERCENT = 95  # and so many of them on time


class EarningBreakdown(msgspec.Struct, frozen=True):
    """What an earning is made of; its amount is the sum."""

    base: int
    distance_bonus: int
    on_time_bonus: int = 0
    rating_bonus: int = 0

    @property
    def amount_minor(self) -> int:
        """All of it."""
        return self.base + self.distance_bonus + self.on_time_bonus + self.rating_bonus


class MonthlyRecord(msgspec.Struct, frozen=True):
    """How a courier does in one month; `rewarded` once the bonus is booked."""

    deliveries: int = 0
    on_time: int = 0
    rewarded: bool = False

    def with_delivery(self, on_time: bool) -> MonthlyRecord:
        """One delivery more."""
        return MonthlyRecord(self.deliveries + 1, self.on_time + on_time, self.rewarded)

    @property
    def deserves_bonus(self) -> bool:
        """Whether the bonus threshold is reached and the bonus still due."""
        enough = self.deliveries >= BONUS_DELIVERIES
        punctual = 100 * self.on_time >= BONUS_PERCENT * self.deliveries
        return enough and punctual and not self.rewarded


def compute_earning(order: Order) -> EarningBreakdown:
    """What a delivered order earns. Where its places are unknown, the base."""
    beyond_m = max(
        0.0,
        (measure_way_m(order.details.pickup.point, order.details.dropoff.point) or 0.0) - NEAR_M,
    )
    return EarningBreakdown(BASE_MINOR, round(beyond_m * PER_KM_MINOR / 1000))


def was_on_time(order: Order) -> bool:
    """Whether a delivered order arrived within the promised time of its courier taking it."""
    return get_delivery_time(order) - _get_acceptance_time(order) <= timedelta(minutes=PROMISED_MIN)


def get_delivery_time(order: Order) -> datetime:
    """When it was handed over."""
    return order.timeline.get(Status.DONE.value, order.updated_at)


def format_period(at: datetime) -> str:
    """The month of a time: YYYY-MM."""
    return f"{at:%Y-%m}"


def _get_acceptance_time(order: Order) -> datetime:
    known = [order.timeline.get(s.value) for s in (Status.ACCEPTED, Status.IN_TRANSIT)]
    return min((at for at in known if at), default=order.details.created_at)
