"""How long frames take where every call to AWS takes as long as within one region.

The stories of `latency`, told to a Waybill of its own whose calls are delayed (delays.py). Says
how many calls come one after another, too: what the local engine's speed has no part in.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from infra.bench.critical_path import AwsCall, find_longest_chain
from infra.bench.delays import ASSUMED, POST, read_calls
from infra.bench.report import BenchReport, Row, judge_at_most
from infra.bench.rounds import ACCEPT, CHAT, ORDER, REPLY, Bench, Samples, Span
from infra.harness.quantiles import quantile
from infra.harness.stack_process import StackProcess

ROUNDS = 80
WITHIN_S = 30.0
_WARM_UP = 10
_CALLS = "calls one after another"
CALL_GOALS = {ORDER: 5, ACCEPT: 5, CHAT: 4}
"""Calls one after another, at most."""
MS_GOALS = {ORDER: 55.0}
"""Milliseconds at the median, at most."""


def measure(rounds: int = ROUNDS, warm_up: int = _WARM_UP) -> BenchReport:
    """Measure. Raises StackProcessError where Waybill does not start."""
    with tempfile.TemporaryDirectory(prefix="waybill-bench-") as folder:
        path = Path(folder) / "calls"
        with StackProcess(
            "infra.bench.far_stack", FAR_CALLS=str(path), DELIVERY_OFFER_TTL_S="60"
        ) as far:
            bench = Bench(far.options, far.secret)
            asyncio.run(bench.run(rounds, warm_up, time.monotonic() + WITHIN_S))
        calls = read_calls(path)
    return _make_report(bench.samples, calls)


def _make_report(samples: Samples, calls: Sequence[AwsCall]) -> BenchReport:
    report = BenchReport(f"Far: milliseconds from request to frame, delayed by {ASSUMED}")
    for what in (ORDER, ACCEPT, REPLY, CHAT):
        chains = [_names_on_path(calls, span) for span in samples.spans[what]]
        report.rows.append(_make_row(what, samples.ms_of(what), chains))
        if chains:
            [(names, times)] = Counter(chains).most_common(1)
            path = " → ".join(names)
            report.notes.append(f"{what}: {path} ({times} of {len(chains)} times).")
    for row in report.rows:
        if goal := CALL_GOALS.get(row["what"]):
            report.notes.append(judge_at_most(f"{row['what']}: {_CALLS}", row[_CALLS], goal))
        if goal_ms := MS_GOALS.get(row["what"]):
            report.notes.append(judge_at_most(f"{row['what']}: p50 in ms", row["p50_ms"], goal_ms))
    return report


def _names_on_path(calls: Sequence[AwsCall], span: Span) -> tuple[str, ...]:
    """Name the calls one after another that end with the post of the frame: the one that was over
    when the frame came."""
    posts = [call for call in calls if call.name == POST]
    last = min(posts, key=lambda post: abs(post.ended_at - span.ended_at))
    return tuple(call.name for call in find_longest_chain(calls, span.began_at, last))


def _make_row(what: str, ms: Sequence[float], chains: Sequence[Sequence[str]]) -> Row:
    return {
        "what": what,
        "n": len(ms),
        "p50_ms": quantile(ms, 0.5),
        "p99_ms": quantile(ms, 0.99),
        _CALLS: int(statistics.median(map(len, chains))) if chains else None,
    }
