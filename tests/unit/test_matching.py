"""Matching by the least cost, held against trying all ways."""

from __future__ import annotations

from itertools import permutations
from random import Random

import pytest

from chalicelib.domain.orders.matching import match_cheapest

Costs = list[list[float | None]]


def value(costs: Costs, match: list[int | None]) -> tuple[int, float]:
    """How many rows get none, and what the others cost."""
    pairs = [(row, column) for row, column in enumerate(match) if column is not None]
    assert len({column for _, column in pairs}) == len(pairs)
    found = [costs[row][column] for row, column in pairs]
    assert None not in found
    return len(costs) - len(pairs), sum(cost for cost in found if cost is not None)


def by_force(costs: Costs) -> tuple[int, float]:
    rows, columns = len(costs), len(costs[0])
    best = (rows, 0.0)
    slots: list[int | None] = [*range(columns), *[None] * rows]
    for taken in set(permutations(slots, rows)):
        match = [
            column if column is not None and costs[row][column] is not None else None
            for row, column in enumerate(taken)
        ]
        best = min(best, value(costs, match))
    return best


@pytest.mark.parametrize("seed", range(60))
def test_the_match_is_the_best_of_all(seed: int) -> None:
    random = Random(seed)
    rows, columns = random.randint(1, 4), random.randint(1, 4)
    costs: Costs = [
        [None if random.random() < 0.25 else random.uniform(-50, 30) for _ in range(columns)]
        for _ in range(rows)
    ]
    assert value(costs, match_cheapest(costs)) == pytest.approx(by_force(costs))


def test_nothing_fits_nothing() -> None:
    assert match_cheapest([]) == []
    assert match_cheapest([[]]) == [None]
    assert match_cheapest([[None, None], [None, None]]) == [None, None]


def test_the_older_order_gets_the_only_courier() -> None:
    pickup, age = (3.0, 2.0), (5.0, 1.0)
    costs: Costs = [[minutes - old] for minutes, old in zip(pickup, age, strict=True)]
    assert match_cheapest(costs) == [0, None]


def test_a_large_window_is_matched_in_no_time() -> None:
    random = Random(1)
    costs: Costs = [[random.uniform(0, 30) for _ in range(50)] for _ in range(40)]
    found = match_cheapest(costs)
    greedy: set[int] = set()
    total = 0.0
    for row in costs:
        column = min((c for c in range(50) if c not in greedy), key=lambda c: row[c] or 0.0)
        greedy.add(column)
        total += row[column] or 0.0
    assert value(costs, found)[0] == 0
    assert value(costs, found)[1] <= total
