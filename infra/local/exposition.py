"""The local run's metrics in Prometheus' text format, version 0.0.4.

The same samples that are printed for CloudWatch, added up since this process began. Names and units
are Prometheus' own: `waybill_first_offer_time_seconds`, seconds, counters that end in `_total`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from threading import Lock

from chalicelib.domain.measures import COUNT, METRICS, MILLISECONDS, Metric, Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
_Labels = tuple[tuple[str, str], ...]


class _Histogram:
    """How many values are in each bucket, and their sum."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count a value in the bucket whose bound it does not exceed."""
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.sum_s += seconds


class Exposition:
    """Adds up samples. Safe under threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counters: dict[Metric, dict[_Labels, float]] = {}
        self._histograms: dict[Metric, dict[_Labels, _Histogram]] = {}

    def add_sample(self, sample: Sample) -> None:
        """Add one sample."""
        metric, value, labels = sample
        key = tuple((name, labels[name]) for name in metric.labels)
        with self._lock:
            if metric.unit == COUNT:
                counters = self._counters.setdefault(metric, {})
                counters[key] = counters.get(key, 0.0) + value
            else:
                seconds = value / 1000 if metric.unit == MILLISECONDS else value
                histograms = self._histograms.setdefault(metric, {})
                histograms.setdefault(key, _Histogram()).add(seconds)

    def format_text(self) -> str:
        """Return all of it. A metric without a sample so far is told by its HELP and TYPE."""
        with self._lock:
            return "".join(line + "\n" for metric in METRICS for line in self._format(metric))

    def _format(self, metric: Metric) -> Iterator[str]:
        name = format_name(metric)
        kind = "counter" if metric.unit == COUNT else "histogram"
        yield f"# HELP {name} {_escape_help(metric.meaning)}"
        yield f"# TYPE {name} {kind}"
        for labels, value in sorted(self._counters.get(metric, {}).items()):
            yield f"{name}{_format_labels(dict(labels))} {value:.16g}"
        histograms = self._histograms.get(metric, {})
        for labels in sorted(histograms):
            yield from _format_histogram(name, dict(labels), histograms[labels])
        if kind == "counter" and not metric.labels and metric not in self._counters:
            yield f"{name} 0"


def format_name(metric: Metric) -> str:
    """Return a metric's name as Prometheus has it."""
    words = _CAPITAL.sub("_", metric.name).lower()
    return f"waybill_{words}_{'total' if metric.unit == COUNT else 'seconds'}"


def _format_histogram(name: str, labels: Mapping[str, str], found: _Histogram) -> Iterator[str]:
    so_far = 0
    bounds = [*(f"{bound:g}" for bound in BUCKETS_S), "+Inf"]
    for bound, count in zip(bounds, found.counts, strict=True):
        so_far += count
        yield f"{name}_bucket{_format_labels({**labels, 'le': bound})} {so_far}"
    yield f"{name}_sum{_format_labels(labels)} {found.sum_s:.6f}"
    yield f"{name}_count{_format_labels(labels)} {so_far}"


def _format_labels(labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{name}="{_escape_label(value)}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _escape_label(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _escape_help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
