"""The price of a courier for a pickup, in minutes, where couriers are ranked by time. Pure.

A price is the minutes to the pickup at the vehicle's speed, with two corrections: less for a
courier whose last offer is long ago, more for one who refuses many. The weights are below. A
courier who was never asked, or has never answered, gets no correction.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from chalicelib.domain.geo import Point, measure_distance_m
from chalicelib.domain.orders.acceptance import count_answers
from chalicelib.domain.people import Courier
from chalicelib.domain.travel import SPEED_M_S, TO_PICKUP_MIN, estimate_travel_s

WAITED_WEIGHT = 0.05  # minutes less for each minute since their last offer,
MOST_WAITED_MIN = 20.0  # of which so many count: a minute at most
REFUSED_WEIGHT = 5.0  # minutes more for somebody who never takes an order
# A share of few answers says little: so many are added to them, all of which were a yes.
_TRUSTED_ANSWERS = 4
_KM_H = 3.6  # of one m/s


class TimeRank(msgspec.Struct, frozen=True):
    """Prices couriers in minutes. `speeds_km_h` has the vehicle types whose speed is known; any
    other is as fast as domain/travel.py says."""

    speeds_km_h: tuple[tuple[str, float], ...] = ()

    def price_courier(self, courier: Courier, pickup: Point | None, now: datetime) -> float:
        """Price a courier for a pickup, in minutes."""
        correction = compute_correction(courier, now)
        if courier.point is None or pickup is None:
            return TO_PICKUP_MIN + correction
        distance_m = measure_distance_m(courier.point, pickup)
        return estimate_travel_s(distance_m, self.get_speed_m_s(courier)) / 60 + correction

    def estimate_least_price(self, distance_m: float) -> float:
        """Estimate the least price, in minutes, of couriers at that distance or beyond."""
        fastest = max([SPEED_M_S, *(speed / _KM_H for _, speed in self.speeds_km_h)])
        return estimate_travel_s(distance_m, fastest) / 60 - WAITED_WEIGHT * MOST_WAITED_MIN

    def get_speed_m_s(self, courier: Courier) -> float:
        """Return how fast a courier is, by what they drive."""
        known = dict(self.speeds_km_h).get((courier.vehicle_type or "").strip().lower())
        return known / _KM_H if known else SPEED_M_S


def compute_correction(courier: Courier, now: datetime) -> float:
    """Compute the minutes by which a courier's past makes them cost more, or less if below 0."""
    waited_min = (now - courier.asked_at) / timedelta(minutes=1) if courier.asked_at else 0.0
    made, refused = count_answers(courier.answers)
    refused_share = refused / (made + _TRUSTED_ANSWERS)
    counted_min = min(max(waited_min, 0.0), MOST_WAITED_MIN)
    return REFUSED_WEIGHT * refused_share - WAITED_WEIGHT * counted_min
