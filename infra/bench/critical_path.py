"""Tell from when calls began and ended which of them a frame had to wait for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class AwsCall(NamedTuple):
    """One call to AWS: what was called, and when, in seconds of one clock."""

    name: str
    began_at: float
    ended_at: float


def find_longest_chain(calls: Iterable[AwsCall], began_at: float, last: AwsCall) -> list[AwsCall]:
    """Return the most calls that came one after another from a time to a last call, in order.

    Calls that overlap count once. Among chains of as many calls, the one that took longest is
    returned.
    """
    within = [
        call for call in calls if began_at <= call.began_at and call.ended_at <= last.began_at
    ]
    best: list[tuple[int, float, list[AwsCall]]] = []
    for call in [*sorted(within, key=lambda call: call.began_at), last]:
        before = [chain for chain in best if chain[2][-1].ended_at <= call.began_at]
        count, took_s, chain = max(before, key=lambda chain: chain[:2], default=(0, 0.0, []))
        best.append((count + 1, took_s + call.ended_at - call.began_at, [*chain, call]))
    return best[-1][2]
