"""The order in which a courier goes to the stops of several orders, and what one order more costs.

A courier has three orders at most, and so six stops: of all sequences in which each pickup comes
before its drop-off the best is found, exactly. The best is the one by which the orders arrive the
soonest, all their minutes added up. Pure: it reads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from math import inf
from typing import NamedTuple

from chalicelib.domain import travel
from chalicelib.domain.details import Place
from chalicelib.domain.geo import Point, measure_distance_m
from chalicelib.domain.orders.model import Order, Status

STOP_MIN = 2.0  # what a stop takes, until its courier goes on
_SAME_PLACE_M = 50.0
_PICKED_UP = frozenset({Status.IN_TRANSIT})
_NO_LIMITS: Mapping[int, float] = {}


class StopKind(str, Enum):
    """What a courier does at a stop. What could not be handed over is brought back: a return."""

    PICKUP = "pickup"
    DROPOFF = "dropoff"
    RETURN = "return"


class RemainingStop(NamedTuple):
    """A stop that is left of an order; `merchant_id` is who hands it over at a pickup."""

    order_id: int
    kind: StopKind
    place: Place
    merchant_id: str | None = None


class PlannedStop(NamedTuple):
    """A stop, and the minutes from now until its courier is there."""

    stop: RemainingStop
    minutes: float


class Insertion(NamedTuple):
    """The cost of one order more to a courier's plan.

    `pickup_minutes` are until they are at its pickup, `extra_minutes` what it adds to the sum of
    the minutes until each order has arrived. Of these, `own_minutes` are from its pickup to its
    door: no courier takes it there faster. `is_same_merchant`: they go to its merchant anyway.
    """

    pickup_minutes: float
    extra_minutes: float
    own_minutes: float
    is_same_merchant: bool

    @property
    def cost_minutes(self) -> float:
        """The minutes from the pickup at which somebody without orders would cost as much."""
        return self.extra_minutes - self.own_minutes


def list_stops(order: Order) -> tuple[RemainingStop, ...]:
    """List the stops that are left of an order, in their order."""
    details = order.details
    if order.status is Status.RETURNING:
        return (RemainingStop(order.id, StopKind.RETURN, details.pickup),)
    pickup = RemainingStop(order.id, StopKind.PICKUP, details.pickup, details.merchant_id)
    dropoff = RemainingStop(order.id, StopKind.DROPOFF, details.dropoff)
    return (dropoff,) if order.status in _PICKED_UP else (pickup, dropoff)


def plan_stops(
    start: Point | None, orders: Sequence[Order], speed_m_s: float = travel.SPEED_M_S
) -> list[PlannedStop]:
    """Plan the stops of a courier's orders, from where they are (None: nobody knows): the best
    sequence. Who is at a pickup ends that first."""
    chains = [list_stops(order) for order in orders]
    here = [n for n, order in enumerate(orders) if order.status is Status.AT_PICKUP]
    return _Search(start, chains, _NO_LIMITS, speed_m_s).find_best(here) or []


def find_insertion(
    start: Point | None,
    held: Sequence[Order],
    order: Order,
    most_extra_min: float,
    speed_m_s: float = travel.SPEED_M_S,
) -> Insertion | None:
    """Find what it costs to give an order to a courier who has others, `held` in the order in which
    they came; None if one of these would arrive later by more than `most_extra_min` than it would
    have with only those that came before it."""
    limits = {
        one.id: _get_arrival(plan_stops(start, held[: n + 1], speed_m_s), one.id) + most_extra_min
        for n, one in enumerate(held)
    }
    chains = [list_stops(one) for one in (*held, order)]
    here = [n for n, one in enumerate(held) if one.status is Status.AT_PICKUP]
    plan = _Search(start, chains, limits, speed_m_s).find_best(here)
    if plan is None:
        return None
    before = sum_arrivals(plan_stops(start, held, speed_m_s))
    pickup = next(one for one in plan if one.stop.order_id == order.id)
    others = (stop for chain in chains[:-1] for stop in chain)
    is_same = any(_is_same_place(stop, pickup.stop) for stop in others)
    own = measure_leg_min(chains[-1][0], None, chains[-1][-1], speed_m_s)
    return Insertion(pickup.minutes, sum_arrivals(plan) - before, own, is_same)


def sum_arrivals(plan: Sequence[PlannedStop]) -> float:
    """Add up the minutes until each order has arrived."""
    return sum(one.minutes for one in plan if one.stop.kind is not StopKind.PICKUP)


def measure_leg_min(
    before: RemainingStop | None,
    start: Point | None,
    stop: RemainingStop,
    speed_m_s: float = travel.SPEED_M_S,
) -> float:
    """Measure the minutes from one stop, or the start (`before` None), to be at the next."""
    if before is None:
        return _travel_min(start, stop, speed_m_s)
    if _is_same_place(before, stop):
        return 0.0
    return STOP_MIN + _travel_min(before.place.point, stop, speed_m_s)


def _travel_min(start: Point | None, stop: RemainingStop, speed_m_s: float) -> float:
    distance_m = travel.measure_way_m(start, stop.place.point)
    if distance_m is not None:
        return travel.estimate_travel_s(distance_m, speed_m_s) / 60
    is_pickup = stop.kind is StopKind.PICKUP
    return travel.TO_PICKUP_MIN if is_pickup else travel.TO_DROPOFF_MIN


def _is_same_place(one: RemainingStop, other: RemainingStop) -> bool:
    """Say whether two orders are picked up at the same place, by one visit."""
    if one.kind is not StopKind.PICKUP or other.kind is not StopKind.PICKUP:
        return False
    if one.place.point and other.place.point:
        return measure_distance_m(one.place.point, other.place.point) <= _SAME_PLACE_M
    return one.merchant_id is not None and one.merchant_id == other.merchant_id


def _get_arrival(plan: Sequence[PlannedStop], order_id: int) -> float:
    return max(one.minutes for one in plan if one.stop.order_id == order_id)


class _Search:
    """Looks through all sequences of the stops of some orders, `chains` having those of each, and
    leaves a branch as soon as it can't be the best. `limits` has the most minutes until an order
    arrives."""

    def __init__(
        self,
        start: Point | None,
        chains: Sequence[tuple[RemainingStop, ...]],
        limits: Mapping[int, float],
        speed_m_s: float,
    ) -> None:
        self._speed_m_s = speed_m_s
        self._start = start
        self._chains = chains
        self._limits = limits
        self._best: list[PlannedStop] | None = None
        self._least = inf

    def find_best(self, first: Sequence[int] = ()) -> list[PlannedStop] | None:
        """Find the best sequence; None if none is within the limits. The chains numbered `first`
        begin it."""
        done = [0] * len(self._chains)
        plan: list[PlannedStop] = []
        for n in first:
            plan.append(self._plan_next(plan, n, done))
            done[n] += 1
        self._extend(plan, done, 0.0)
        return self._best

    def _plan_next(self, plan: list[PlannedStop], n: int, done: list[int]) -> PlannedStop:
        """Plan the next stop of the n-th chain after a sequence."""
        stop = self._chains[n][done[n]]
        last = plan[-1] if plan else None
        before, at_min = (last.stop, last.minutes) if last else (None, 0.0)
        leg_min = measure_leg_min(before, self._start, stop, self._speed_m_s)
        return PlannedStop(stop, at_min + leg_min)

    def _extend(self, plan: list[PlannedStop], done: list[int], cost: float) -> None:
        """Try all that may follow a sequence of that cost."""
        open_ = [n for n, chain in enumerate(self._chains) if done[n] < len(chain)]
        if not open_:
            self._best, self._least = list(plan), cost
        for n in open_:
            after = self._plan_next(plan, n, done)
            is_end = after.stop.kind is not StopKind.PICKUP
            total = cost + after.minutes if is_end else cost
            is_late = is_end and after.minutes > self._limits.get(after.stop.order_id, inf)
            # Whatever has not arrived yet will not arrive before now.
            left = sum(done[m] < len(self._chains[m]) for m in open_) - is_end
            if is_late or total + left * after.minutes >= self._least:
                continue
            done[n] += 1
            plan.append(after)
            self._extend(plan, done, total)
            plan.pop()
            done[n] -= 1
