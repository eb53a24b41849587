"""A city from a seed: restaurants around hot spots, demand by the hour, couriers with shifts."""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate
from random import Random

from infra.simulate.options import Options
from infra.simulate.scenario import PlannedOrder, Scenario, Shift, Spot

# Orders by the part of the day: a quiet morning, lunch, a lull, dinner, and the end.
DEMAND = (0.3, 0.5, 1.0, 1.5, 1.1, 0.6, 0.5, 0.8, 1.5, 2.0, 1.4, 0.6)
# Vehicle, share of couriers, metres a second on the way, stops and lights included.
VEHICLES = (("bicycle", 0.4, 4.2), ("scooter", 0.45, 6.4), ("car", 0.15, 5.6))

_HOT_SPOTS = 6
_DETOUR = 1.35  # streets, against the straight line
_PREP_MEDIAN_S, _PREP_SPREAD = 660.0, 0.45
_REACH_M = 1_800.0  # of a delivery, in the median
_SPREAD_OF_TEMPER = 6.0  # the larger, the more alike couriers are in what they decline


def make_city(options: Options) -> Scenario:
    """Make a day of a city. The same options make the same day."""
    random = Random(f"city {options.seed}")
    size_m = options.city_km * 1000
    hot_spots = tuple(
        (random.uniform(0.2, 0.8) * size_m, random.uniform(0.2, 0.8) * size_m)
        for _ in range(_HOT_SPOTS)
    )
    restaurants = [
        _scatter(random, random.choice(hot_spots), 700.0, size_m)
        for _ in range(options.restaurants)
    ]
    orders = _plan_orders(random, options, restaurants, size_m)
    return Scenario(
        name=f"seed {options.seed}",
        orders=orders,
        shifts=_plan_shifts(random, options, hot_spots, size_m),
        pickup_service_s=90.0,
        dropoff_service_s=120.0,
        detour=_DETOUR,
        hot_spots=hot_spots,
    )


def draw_hour(random: Random) -> float:
    """Draw when in the day something is asked for: a share of 1, by the demand."""
    sums = list(accumulate(DEMAND))
    n = bisect(sums, random.uniform(0, sums[-1]))
    return (min(n, len(DEMAND) - 1) + random.random()) / len(DEMAND)


def _plan_orders(
    random: Random, options: Options, restaurants: list[Spot], size_m: float
) -> tuple[PlannedOrder, ...]:
    day_s = options.hours * 3600
    # Some restaurants are asked for far more often than others.
    weights = list(accumulate(1 / (rank + 5) for rank in range(len(restaurants))))
    planned: list[PlannedOrder] = []
    for placed_s in sorted(draw_hour(random) * day_s for _ in range(options.orders)):
        pickup = random.choices(restaurants, cum_weights=weights)[0]
        reach_m = random.lognormvariate(0, 0.5) * _REACH_M
        prep_s = random.lognormvariate(0, _PREP_SPREAD) * _PREP_MEDIAN_S
        planned.append(
            PlannedOrder(
                f"o{len(planned) + 1}",
                round(placed_s, 3),
                round(placed_s + prep_s, 3),
                pickup,
                _scatter(random, pickup, reach_m, size_m),
            )
        )
    return tuple(planned)


def _plan_shifts(
    random: Random, options: Options, hot_spots: tuple[Spot, ...], size_m: float
) -> tuple[Shift, ...]:
    """Plan shifts of two to five hours around the hours of demand, until there are enough hours."""
    day_s = options.hours * 3600
    left_s = options.orders / options.orders_per_courier_hour * 3600
    shifts: list[Shift] = []
    while left_s > 0:
        length_s = min(random.uniform(2, 5) * 3600, day_s)
        middle_s = draw_hour(random) * day_s
        on_s = min(max(0.0, middle_s - length_s / 2), day_s - length_s)
        left_s -= length_s
        vehicle, _, speed = random.choices(VEHICLES, [share for _, share, _ in VEHICLES])[0]
        shifts.append(
            Shift(
                f"c{len(shifts) + 1}",
                round(on_s, 3),
                round(on_s + length_s, 3),
                _scatter(random, random.choice(hot_spots), 900.0, size_m),
                speed * random.uniform(0.85, 1.15),
                vehicle,
                draw_share(random, options.decline),
                draw_share(random, options.ignore),
            )
        )
    return tuple(shifts)


def draw_share(random: Random, mean: float) -> float:
    """Draw a courier's own share around the mean of all: some decline much, most little."""
    if mean <= 0 or mean >= 1:
        return mean
    return random.betavariate(mean * _SPREAD_OF_TEMPER, (1 - mean) * _SPREAD_OF_TEMPER)


def _scatter(random: Random, around: Spot, spread_m: float, size_m: float) -> Spot:
    """Draw a spot near another, within the city."""
    return (
        round(min(max(random.gauss(around[0], spread_m), 0.0), size_m), 1),
        round(min(max(random.gauss(around[1], spread_m), 0.0), size_m), 1),
    )
