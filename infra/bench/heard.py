"""What devices heard of what they were to hear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from infra.bench.report import Row
from infra.harness.quantiles import quantile


class Heard(NamedTuple):
    """What devices of one kind heard of what they were to hear, summed up."""

    expected: int
    shares: Sequence[float]
    lost: int
    repeated: int
    inversions: int
    delays_ms: Sequence[float]


def sum_up(told: Sequence[str], devices: Sequence[Sequence[tuple[str, float]]]) -> Heard:
    """Sum up what devices heard, each (what, ms), of what they were to hear. Out of order is what
    came for the first time after something that was told later."""
    places = {what: n for n, what in enumerate(told)}
    shares, delays = [], []
    lost = repeated = inversions = 0
    for heard in devices:
        furthest, seen = -1, set()
        for what, ms in heard:
            place = places.get(what)
            if place is None:
                continue
            if what in seen:
                repeated += 1
                continue
            seen.add(what)
            delays.append(ms)
            inversions += place < furthest
            furthest = max(furthest, place)
        lost += len(places) - len(seen)
        shares.append(len(seen) / len(places) if places else 0.0)
    return Heard(len(places), shares, lost, repeated, inversions, delays)


def make_row(what: str, heard: Heard, links: int) -> Row:
    """Make the row of what devices heard over so many links."""
    return {
        "what": what,
        "events": heard.expected,
        "links": links,
        "heard_%": 100 * min(heard.shares),
        "lost": heard.lost,
        "repeated": heard.repeated,
        "out_of_order": heard.inversions,
        "p50_ms": quantile(heard.delays_ms, 0.5),
        "p99_ms": quantile(heard.delays_ms, 0.99),
    }
