"""How long frames take through all of Waybill, beside what the engine takes by itself.

Starts a Waybill of its own.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping

from chalicelib.settings import BadSetting
from infra.bench.report import BenchReport, Row, judge_at_most
from infra.bench.rounds import ACCEPT, CHAT, ORDER, Bench, Samples
from infra.harness.quantiles import quantile
from infra.harness.stack_process import StackProcess

WITHIN_S = 45.0
_WARM_UP = 10
GOALS = {ORDER: 9.0, ACCEPT: 8.0, CHAT: 6.0}
"""Engine round trips that a story is to take, at most."""
_RATIO = "× engine (p50)"


def measure() -> BenchReport:
    """Measure. Raises BadSetting, and StackProcessError where Waybill does not start."""
    rounds = read_rounds(os.environ)
    with StackProcess(DELIVERY_OFFER_TTL_S="60") as child:
        bench = Bench(child.options, child.secret)
        asyncio.run(bench.run(rounds, _WARM_UP, time.monotonic() + WITHIN_S))
    rows = _make_rows(bench.samples)
    return BenchReport("Latency: milliseconds from request to frame", rows, _judge_rows(rows))


def read_rounds(env: Mapping[str, str]) -> int:
    """Read how many rounds to measure. Raises BadSetting."""
    given = env.get("ROUNDS") or "200"
    if given.isascii() and given.isdigit() and 1 <= int(given) <= 10_000:
        return int(given)
    raise BadSetting(f"ROUNDS takes a number from 1 to 10000, not {given!r}.")


def _make_rows(samples: Samples) -> list[Row]:
    """Work out p50 and p99 of each story, and how many of the engine's round trips that is."""
    rows: list[Row] = []
    base = 0.0
    for what in samples.spans:
        ms = samples.ms_of(what)
        p50 = quantile(ms, 0.5)
        base = base or p50
        rows.append(
            {
                "what": what,
                "n": len(ms),
                "p50_ms": p50,
                "p99_ms": quantile(ms, 0.99),
                _RATIO: p50 / base if base else None,
            }
        )
    return rows


def _judge_rows(rows: list[Row]) -> list[str]:
    return [
        judge_at_most(f"{row['what']}: {_RATIO}", row[_RATIO], GOALS[row["what"]])
        for row in rows
        if row["what"] in GOALS
    ]
