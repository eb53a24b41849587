"""One seed after another: `make simulate-faults SEEDS=0-300 FAULTS=many SKEW=0`.

A line for each violation, with its seed; a table at the end. One seed is told with its trace. As
JSON (`--json`), one line a seed, it is what the suite reads.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import tests.conftest  # noqa: F401 - the environment must be safe before anything is imported
from tests.simulation.faults import RATES
from tests.simulation.story import Outcome, tell
from tests.simulation.town import Plan


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 1 if anything was violated."""
    logging.disable(logging.CRITICAL)
    given = _parsed(arguments)
    outcomes = _tell(given)
    if given.json:
        return _print_json(outcomes)
    return _print_table(outcomes, given)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", default="0-24", help="17, or 0-300, or 3,17,40-50")
    parser.add_argument("--faults", default="many", choices=sorted(RATES))
    parser.add_argument("--skew", type=float, default=0.0, help="seconds that clocks differ by")
    parser.add_argument("--without", default="", help="outage,poison,… (see faults.Rates)")
    parser.add_argument("--active", type=float, default=Plan.active_s, help="seconds with faults")
    parser.add_argument("--quiet", type=float, default=Plan.quiet_s, help="seconds without")
    parser.add_argument("--within", type=float, default=1e9, help="seconds that it may take")
    parser.add_argument("--endpoints", action="store_true", help="with webhook endpoints")
    parser.add_argument("--waves", action="store_true", help="in waves, two orders a courier")
    parser.add_argument("--positions", action="store_true", help="some phones hold their own")
    parser.add_argument("--hands", action="store_true", help="with dispatchers and batch windows")
    parser.add_argument("--trace", action="store_true", help="show all that happens")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each seed")
    return parser.parse_args(arguments)


def seeds_of(text: str) -> list[int]:
    """Read a list of seeds: 3,17,40-42 -> 3 17 40 41 42"""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def _tell(given: argparse.Namespace) -> Iterator[Outcome]:
    seeds, began_s = seeds_of(given.seeds), time.monotonic()
    without = tuple(filter(None, given.without.split(",")))
    for seed in seeds:
        if time.monotonic() - began_s > given.within:
            return
        plan = Plan(
            seed,
            given.faults,
            given.skew,
            without,
            given.active,
            given.quiet,
            given.endpoints,
            given.waves,
            given.positions,
            given.hands,
        )
        yield tell(plan, verbose=given.trace)


def _print_json(outcomes: Iterator[Outcome]) -> int:
    for outcome in outcomes:
        history = outcome.history
        found = {
            "seed": outcome.plan.seed,
            "flow": outcome.flow,
            "digest": history.digest,
            "violations": [[one.check, one.what] for one in history.violations],
        }
        print(json.dumps(found), flush=True)
    return 0


def _print_table(outcomes: Iterator[Outcome], given: argparse.Namespace) -> int:
    violated: dict[str, list[int]] = defaultdict(list)
    faults: Counter[str] = Counter()
    took, events = [], 0
    for outcome in outcomes:
        history, seed = outcome.history, outcome.plan.seed
        for line in history.lines or ():
            print(line)
        for one in history.violations:
            print(f"seed {seed} ({outcome.flow}): {one.check}: {one.what}", flush=True)
            if seed not in violated[one.check]:
                violated[one.check].append(seed)
        faults.update(outcome.faults)
        took.append(outcome.took_s)
        events += len(history.facts)
        if sys.stderr.isatty():
            print(f"\r{len(took)} histories", end="", file=sys.stderr)
    print(
        f"{len(took)} histories in {sum(took):.1f} s, {events} events, {given.faults} faults, ",
        end="",
    )
    print(f"clocks up to {given.skew:g} s apart")
    print("  " + ", ".join(f"{name} {count}" for name, count in sorted(faults.items())))
    for check, seeds in sorted(violated.items()):
        shown = " ".join(map(str, seeds[:20])) + (" …" if len(seeds) > 20 else "")
        print(f"  {check:40} {len(seeds):4}  {shown}")
    return 1 if violated else 0
