"""CloudWatch's embedded metric format: a line of JSON in a function's log becomes metrics.

Written by hand, by "Specification: Embedded metric format": one root object with all dimensions and
values, at most 100 values of a metric and 100 metrics of a directive, 30 dimensions of a set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from chalicelib.domain.measures import COUNT, Metric, Sample

NAMESPACE, STAGE = "Waybill", "stage"
MAX_VALUES = 100
_Labels = tuple[tuple[str, str], ...]
_Values = dict[Metric, list[float]]


def format_lines(samples: Iterable[Sample], stage: str, now_ms: int) -> Iterator[str]:
    """Yield the lines that tell samples: few, as each is paid for by its length."""
    for labels, values in _group(samples):
        while values:
            part = {metric: of[:MAX_VALUES] for metric, of in values.items()}
            values = {m: of[MAX_VALUES:] for m, of in values.items() if of[MAX_VALUES:]}
            root = _make_root(labels, part, stage, now_ms)
            yield msgspec.json.encode(root).decode()


def _group(samples: Iterable[Sample]) -> list[tuple[dict[str, str], _Values]]:
    """Put samples together that can stand in one line: none says another value of a label."""
    by_labels: dict[_Labels, _Values] = {}
    for metric, value, labels in samples:
        values = by_labels.setdefault(tuple(sorted(labels.items())), {})
        values.setdefault(metric, []).append(value)
    lines: list[tuple[dict[str, str], _Values]] = []
    for key in sorted(by_labels, key=lambda key: (-len(key), key)):
        labels, values = dict(key), by_labels[key]
        for known, others in lines:
            if labels.items() <= known.items() and not values.keys() & others.keys():
                others.update(values)
                break
        else:
            lines.append((labels, values))
    return lines


def _make_root(
    labels: Mapping[str, str], values: Mapping[Metric, list[float]], stage: str, now_ms: int
) -> dict[str, Any]:
    by_sets: dict[tuple[tuple[str, ...], ...], list[dict[str, str]]] = {}
    for metric in values:
        said = {"Name": metric.name, "Unit": metric.unit}
        by_sets.setdefault(metric.dimensions, []).append(said)
    directives = [
        {
            "Namespace": NAMESPACE,
            "Dimensions": [[STAGE], *([STAGE, *one] for one in sets)],
            "Metrics": metrics,
        }
        for sets, metrics in by_sets.items()
    ]
    figures = {metric.name: _fold(metric, of) for metric, of in values.items()}
    meta = {"Timestamp": now_ms, "CloudWatchMetrics": directives}
    return {"_aws": meta, STAGE: stage, **labels, **figures}


def _fold(metric: Metric, values: list[float]) -> float | list[float]:
    """Return the values as they are written: counts as their sum."""
    if metric.unit == COUNT:
        return sum(values)
    return values[0] if len(values) == 1 else values
