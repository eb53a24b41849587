"""Whole histories with faults, from seeds: what must hold, holds. `make simulate-faults` has more.

They are computed by one process for all, whose sets are walked in the same order each time: so is a
seed's history the same here, by the Makefile, and on another machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.runner import seeds_of

HOME = Path(__file__).resolve().parents[2]
SEEDS = range(25)

Tell = Callable[[int], dict[str, Any]]


def simulate(*arguments: str, hash_seed: str = "0") -> Iterator[dict[str, Any]]:
    """The outcomes of a run, as they come."""
    command = [sys.executable, "-m", "tests.simulation", "--json", *arguments]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    with subprocess.Popen(
        command, cwd=HOME, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield from map(json.loads, process.stdout)
    assert process.returncode == 0


@pytest.fixture(scope="module")
def tell() -> Tell:
    """A seed's outcome."""
    told: dict[int, dict[str, Any]] = {}
    outcomes = simulate("--seeds", f"{SEEDS.start}-{SEEDS.stop - 1}", "--faults", "many")

    def outcome(seed: int) -> dict[str, Any]:
        while seed not in told:
            found = next(outcomes)
            told[int(found["seed"])] = found
        return told[seed]

    return outcome


@pytest.mark.parametrize("seed", SEEDS)
def test_what_must_hold_holds_whatever_fails(tell: Tell, seed: int) -> None:
    found = tell(seed)
    assert not found["violations"], f"make simulate-faults TRACE=1 SEEDS={seed}"


def test_endpoints_are_told_each_change_once_and_in_order_whatever_fails() -> None:
    """An order of each flow; one endpoint is created in the middle of it."""
    outcomes = list(simulate("--seeds", "0-3", "--faults", "many", "--endpoints"))
    assert [one["violations"] for one in outcomes] == [[]] * 4, "make simulate-faults … --endpoints"


def test_what_must_hold_holds_in_waves_and_with_two_orders_a_courier() -> None:
    outcomes = list(simulate("--seeds", "0,3,4,7", "--faults", "many", "--waves"))
    assert [one["violations"] for one in outcomes] == [[]] * 4, "make simulate-faults WAVES=1"


def test_what_must_hold_holds_with_dispatchers_and_phones_that_hold_positions() -> None:
    outcomes = list(simulate("--seeds", "0-3", "--faults", "many", "--hands", "--positions"))
    assert [one["violations"] for one in outcomes] == [[]] * 4, (
        "make simulate-faults HANDS=1 POSITIONS=1"
    )


def test_a_seed_has_one_history(tell: Tell) -> None:
    """Whatever came before it in the same process, and whatever sets are hashed by."""
    (alone,) = simulate("--seeds", "3", "--faults", "many", hash_seed="1")
    assert alone == tell(3)
    assert tell(2)["digest"] != tell(3)["digest"]


def test_seeds_are_ranges_and_lists() -> None:
    assert seeds_of("17") == [17]
    assert seeds_of("3,17,40-42") == [3, 17, 40, 41, 42]
