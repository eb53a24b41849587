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
    """The parts of an earning, in minor units. Their names are those of events and contracts."""

    base: int
    distance_bonus: int
    on_time_bonus: int = 0
    rating_bonus: int = 0

    @property
    def amount_minor(self) -> int:
        """The sum of the parts."""
        return self.base + self.distance_bonus + self.on_time_bonus + self.rating_bonus


class MonthlyRecord(msgspec.Struct, frozen=True):
    """A courier's deliveries in one month; `rewarded` once the month's bonus is booked."""

    deliveries: int = 0
    on_time: int = 0
    rewarded: bool = False

    def with_delivery(self, on_time: bool) -> MonthlyRecord:
        """Return the record with one delivery more."""
        return MonthlyRecord(self.deliveries + 1, self.on_time + on_time, self.rewarded)

    @property
    def deserves_bonus(self) -> bool:
        """True from when the threshold is reached until the bonus is booked."""
        has_enough = self.deliveries >= BONUS_DELIVERIES
        is_punctual = 100 * self.on_time >= BONUS_PERCENT * self.deliveries
        return has_enough and is_punctual and not self.rewarded


def compute_earning(order: Order) -> EarningBreakdown:
    """Compute what a delivered order earns; where its places are unknown, the base."""
    way_m = measure_way_m(order.details.pickup.point, order.details.dropoff.point) or 0.0
    beyond_m = max(0.0, way_m - NEAR_M)
    return EarningBreakdown(BASE_MINOR, round(beyond_m * PER_KM_MINOR / 1000))


def was_on_time(order: Order) -> bool:
    """Tell whether a delivered order arrived within the promised time since a courier took it."""
    took = get_delivery_time(order) - _get_acceptance_time(order)
    return took <= timedelta(minutes=PROMISED_MIN)


def get_delivery_time(order: Order) -> datetime:
    """Get the time when a delivered order was handed over."""
    return order.timeline.get(Status.DONE.value, order.updated_at)


def format_period(at: datetime) -> str:
    """Format the month of a time: YYYY-MM."""
    return f"{at:%Y-%m}"


def _get_acceptance_time(order: Order) -> datetime:
    # A courier who takes an order from a pool is in transit with it at once: it is never accepted.
    known = [order.timeline.get(s.value) for s in (Status.ACCEPTED, Status.IN_TRANSIT)]
    return min((at for at in known if at), default=order.details.created_at)
