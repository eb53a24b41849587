"""What a device waited for, before it heard something: its links, and where the time went."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass
class Link:
    """A link of a device, all in seconds of one clock: when it was tried, when it opened, when its
    position was answered, and when it ended. What has not come is infinite."""

    tried_at: float
    opened_at: float = math.inf
    resumed_at: float = math.inf
    ended_at: float = math.inf


class Waits(NamedTuple):
    """What passed until something was heard, in seconds: without a link, while links opened, until
    their positions were answered, and then; and how many links there were meanwhile."""

    away: float
    opening: float
    resuming: float
    listening: float
    links: float


def explain_wait(links: Iterable[Link], began_at: float, heard_at: float) -> Waits:
    """Share the time from a call to its frame out among what the device did meanwhile."""

    def overlap(from_: float, until: float) -> float:
        return max(0.0, min(until, heard_at) - max(from_, began_at))

    opening = resuming = listening = 0.0
    count = 0
    for link in links:
        opened_at = min(link.opened_at, link.ended_at)
        resumed_at = min(link.resumed_at, link.ended_at)
        opening += overlap(link.tried_at, opened_at)
        resuming += overlap(opened_at, resumed_at)
        listening += overlap(resumed_at, link.ended_at)
        count += overlap(link.tried_at, link.ended_at) > 0
    away = heard_at - began_at - opening - resuming - listening
    return Waits(away, opening, resuming, listening, count)


def average_waits(waits: Sequence[Waits]) -> Waits:
    """Take the mean of each; of none, zeros."""
    count = len(waits) or 1
    sums = [sum(column) / count for column in zip(*waits, strict=True)]
    return Waits(*sums) if sums else Waits(0.0, 0.0, 0.0, 0.0, 0.0)
