"""Many things done a few at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.services.lanes import LANES, in_lanes


def test_each_item_is_acted_on_once() -> None:
    seen: list[int] = []
    with ThreadPoolExecutor(4) as pool:
        in_lanes(pool, seen.append, range(1000))
        in_lanes(pool, seen.append, [])
    assert sorted(seen) == list(range(1000))


def test_as_many_are_acted_on_at_the_same_time_as_there_are_lanes() -> None:
    all_there = threading.Barrier(LANES)
    with ThreadPoolExecutor(LANES + 4) as pool:
        in_lanes(pool, lambda _: all_there.wait(5), range(2 * LANES))


def test_one_error_does_not_keep_the_others_from_being_served() -> None:
    seen: list[int] = []

    def act(item: int) -> None:
        if item == 3:
            raise ValueError(item)
        seen.append(item)

    with ThreadPoolExecutor(4) as pool, pytest.raises(ValueError, match="3"):
        in_lanes(pool, act, range(100))
    assert sorted(seen) == [n for n in range(100) if n != 3]
