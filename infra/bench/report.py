"""A section's report: the rows of one table, and notes on goals and on what was left out."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass
class BenchReport:
    """One table: its rows have the same keys, the columns. None stands where there is no figure."""

    title: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def median_of_known(values: Sequence[float | None]) -> float | None:
    """Take the median of what could be measured; None where nothing could."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def ratio(part: float | None, whole: float | None) -> float | None:
    """Divide, where that has a meaning; else None."""
    return part / whole if part is not None and whole else None


def judge_at_least(what: str, figure: float | None, goal: float) -> str:
    """Say whether a figure is as large as it is to be."""
    return _word_verdict(what, figure, f"at least {goal:g}", figure is not None and figure >= goal)


def judge_at_most(what: str, figure: float | None, goal: float) -> str:
    """Say whether a figure is as small as it is to be."""
    return _word_verdict(what, figure, f"at most {goal:g}", figure is not None and figure <= goal)


def _word_verdict(what: str, figure: float | None, goal: str, is_met: bool) -> str:
    found = "no figure" if figure is None else f"{figure:.3g}"
    return f"Goal, {what}: {found}, {goal}: {'met' if is_met else 'missed'}."
