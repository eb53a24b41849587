"""How often links are cut, and how long their devices are then away."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

Span = tuple[float, float]
"""(least, most) seconds; any time between is as likely."""


class Cuts(NamedTuple):
    """A link is cut every two seconds, as in AnyCable's test, and made again half a second later,
    on the average of both."""

    link_s: Span = (1.0, 3.0)
    away_s: Span = (0.0, 1.0)


def pick(random: Random, span: Span) -> float:
    """Pick some seconds of a span."""
    return random.uniform(*span)
