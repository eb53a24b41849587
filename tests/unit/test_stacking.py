"""A courier's stops: the best sequence, exactly, and what one order more costs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from random import Random

import pytest

from chalicelib.domain.details import Place
from chalicelib.domain.geo import Point
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.stacking import (
    STOP_MIN,
    PlannedStop,
    RemainingStop,
    StopKind,
    find_insertion,
    list_stops,
    measure_leg_min,
    plan_stops,
    sum_arrivals,
)
from tests.builders import DEPOT, a_job, an_order, north_of


def an_errand(
    id_: int,
    pickup_m: float | None,
    dropoff_m: float | None,
    status: Status = Status.ACCEPTED,
    merchant_id: str | None = None,
) -> Order:
    """An order so many metres north of the depot; None: nobody knows where."""

    def place(name: str, metres: float | None) -> Place:
        return Place(name) if metres is None else Place(name, *north_of(DEPOT, metres))

    details = a_job(
        pickup=place("a shop", pickup_m),
        dropoff=place("a door", dropoff_m),
        merchant_id=merchant_id,
    )
    return an_order(status, id=id_, details=details)


def at(metres: float) -> Point:
    return north_of(DEPOT, metres)


def names(plan: Sequence[PlannedStop]) -> list[str]:
    """As 1+ for the pickup of order 1, 1- for its drop-off, 1< for its return."""
    signs = {StopKind.PICKUP: "+", StopKind.DROPOFF: "-", StopKind.RETURN: "<"}
    return [f"{one.stop.order_id}{signs[one.stop.kind]}" for one in plan]


def price(start: Point | None, stops: Sequence[RemainingStop]) -> list[PlannedStop]:
    plan: list[PlannedStop] = []
    for stop in stops:
        last = plan[-1] if plan else None
        leg = measure_leg_min(last.stop if last else None, start, stop)
        plan.append(PlannedStop(stop, (last.minutes if last else 0.0) + leg))
    return plan


def by_force(start: Point | None, orders: Sequence[Order]) -> list[list[PlannedStop]]:
    """All sequences in which each pickup comes before its drop-off."""
    chains = [list_stops(order) for order in orders]
    every = permutations([stop for chain in chains for stop in chain])
    return [
        price(start, stops)
        for stops in every
        if all(list(stops).index(c[0]) <= list(stops).index(c[-1]) for c in chains)
    ]


def draw_orders(random: Random, count: int) -> list[Order]:
    def metre() -> float | None:
        return None if random.random() < 0.05 else random.uniform(-4000, 4000)

    statuses = (Status.OFFERED, Status.ACCEPTED, Status.IN_TRANSIT, Status.RETURNING)
    return [
        an_errand(n, metre(), metre(), random.choice(statuses), random.choice((None, "m")))
        for n in range(1, count + 1)
    ]


@pytest.mark.parametrize("seed", range(40))
def test_the_plan_is_the_best_of_all(seed: int) -> None:
    random = Random(seed)
    orders, start = draw_orders(random, seed % 3 + 1), at(random.uniform(-4000, 4000))
    plan = plan_stops(start, orders)
    least = min(map(sum_arrivals, by_force(start, orders)))
    assert sum_arrivals(plan) == pytest.approx(least)
    assert sorted(names(plan)) == sorted(names(by_force(start, orders)[0]))
    assert plan == price(start, [one.stop for one in plan])


@pytest.mark.parametrize("seed", range(40))
def test_an_insertion_is_the_cheapest_that_keeps_what_was_promised(seed: int) -> None:
    random = Random(seed)
    *held, order = draw_orders(random, seed % 2 + 2)
    start, most = at(random.uniform(-4000, 4000)), random.choice((0.0, 3.0, 10.0, 30.0))
    if order.status in (Status.IN_TRANSIT, Status.RETURNING):
        order = an_errand(order.id, 500, 900, Status.SEARCHING)
    promised = {
        one.id: end(min(by_force(start, held[: n + 1]), key=sum_arrivals), one.id)
        for n, one in enumerate(held)
    }
    kept = [
        plan
        for plan in by_force(start, [*held, order])
        if all(end(plan, id_) <= minutes + most + 1e-9 for id_, minutes in promised.items())
    ]
    found = find_insertion(start, held, order, most)
    assert (found is None) == (not kept)
    if found:
        before = min(map(sum_arrivals, by_force(start, held)))
        assert found.extra_minutes == pytest.approx(min(map(sum_arrivals, kept)) - before)


def end(plan: Sequence[PlannedStop], order_id: int) -> float:
    return max(one.minutes for one in plan if one.stop.order_id == order_id)


def test_what_lies_on_the_way_costs_the_stops_alone() -> None:
    held = an_errand(1, 0, 3000, Status.IN_TRANSIT)
    found = find_insertion(at(0), [held], an_errand(2, 1000, 2000, Status.SEARCHING), 10)
    assert found is not None
    own = end(plan_stops(at(0), [an_errand(2, 1000, 2000)]), 2)
    assert found.extra_minutes == pytest.approx(own + 2 * STOP_MIN)
    assert not found.is_same_merchant


def test_what_keeps_the_first_customer_waiting_is_refused() -> None:
    held, far = an_errand(1, 0, 3000, Status.ACCEPTED), an_errand(2, -9000, -9100)
    after = find_insertion(at(0), [held], far, 0)
    assert after is not None  # the first one first
    moved = an_errand(1, 0, 3000, Status.IN_TRANSIT)
    best = find_insertion(at(1000), [moved], an_errand(2, 900, 800), 0)
    assert best is not None
    assert best.pickup_minutes > end(plan_stops(at(1000), [moved]), 1)
    same = find_insertion(at(1000), [moved], an_errand(2, 900, 800), 10)
    assert same is not None
    assert same.pickup_minutes < best.pickup_minutes


def test_two_of_one_merchant_are_one_stop() -> None:
    first, second = an_errand(1, 0, 2000), an_errand(2, 10, 2100, Status.SEARCHING)
    plan = plan_stops(at(-1000), [first, second])
    assert names(plan) == ["1+", "2+", "1-", "2-"]
    assert plan[0].minutes == plan[1].minutes
    found = find_insertion(at(-1000), [first], second, 10)
    assert found is not None
    assert found.is_same_merchant
    unknown = [an_errand(n, None, 2000, merchant_id="m") for n in (1, 2)]
    assert names(plan_stops(None, unknown))[:2] == ["1+", "2+"]


def test_who_is_at_a_pickup_ends_that_first() -> None:
    here, near = an_errand(1, 1000, 5000, Status.AT_PICKUP), an_errand(2, 0, 100)
    assert names(plan_stops(at(0), [near, here]))[0] == "1+"


def test_what_comes_back_is_a_return() -> None:
    assert names(plan_stops(at(0), [an_errand(1, 0, 900, Status.RETURNING)])) == ["1<"]
    assert plan_stops(at(0), []) == []
