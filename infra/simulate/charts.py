"""Charts of a day, as one page of HTML with SVG in it: distributions, and the day by the hour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from infra.simulate.day import START, DayResult
from infra.simulate.figures import Measure, OrderRecord, list_measures, pick_quantile

_WIDTH, _HEIGHT = 560, 200
_LEFT, _BOTTOM, _TOP = 46, 24, 14
_BINS = 40
_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 1180px; padding: 0 1rem }
figure { display: inline-block; margin: 0 1rem 1.5rem 0 }
figcaption { font-weight: 600 }
table { border-collapse: collapse } td { padding: .1rem 1.5rem .1rem 0 }
td:last-child { text-align: right; font-variant-numeric: tabular-nums }
svg { background: #fafafa } svg text { font: 11px system-ui, sans-serif; fill: #444 }
.bar { fill: #4c78a8 } .bad { fill: #e45756 } .p50 { stroke: #222 } .p95 { stroke: #e45756 }
line, polyline { fill: none; stroke-width: 1.5 } .axis { stroke: #999; stroke-width: 1 }
"""


def write_page(result: DayResult, folder: Path, title: str) -> Path:
    """Write the page of a day into a folder that is there; return its path."""
    path = folder / "report.html"
    path.write_text(render_page(result, title), encoding="utf-8")
    return path


def render_page(result: DayResult, title: str) -> str:
    """Render the page of a day."""
    orders = list(result.records.by_id.values())
    charts = [_draw_distribution(measure) for measure in list_measures(result.records)]
    charts += [_draw_demand(orders), _draw_hourly_assigning(orders)]
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>\n"
        for name, value in result.list_figures().items()
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{escape(title)}</title>'
        f"\n<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n"
        + "\n".join(charts)
        + f"\n<h2>Figures</h2>\n<table>\n{rows}</table>\n</html>\n"
    )


def _draw_distribution(measure: Measure) -> str:
    """Draw how many orders took how long, with the median and the 95th percentile."""
    seconds = measure.values
    p50, p95 = pick_quantile(seconds, 0.5), pick_quantile(seconds, 0.95)
    most = max(pick_quantile(seconds, 0.99), 1.0)
    counts = [0] * _BINS
    for value in seconds:
        counts[min(_BINS - 1, int(value / most * _BINS))] += 1
    marks = "".join(
        f'<line class="{name}" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'
        for name, x in (("p50", _x(p50 / most)), ("p95", _x(p95 / most)))
    )
    name = measure.name.replace("_", " ")
    caption = f"{name}: p50 {_format_time(p50)}, p95 {_format_time(p95)}"
    labels = [(0.0, "0"), (0.5, _format_time(most / 2)), (1.0, _format_time(most))]
    return _frame(caption, _draw_bars(counts, max(counts), "bar") + marks, labels, max(counts))


def _draw_demand(orders: Sequence[OrderRecord]) -> str:
    """Draw the orders of each hour, and those of them that nobody took."""
    placed = _count_by_hour(orders, lambda order: True)
    unserved = _count_by_hour(orders, lambda order: order.unserved_at is not None)
    most = max(placed, default=1) or 1
    bars = _draw_bars(placed, most, "bar") + _draw_bars(unserved, most, "bad")
    return _frame("orders by the hour; unserved in red", bars, _label_hours(len(placed)), most)


def _draw_hourly_assigning(orders: Sequence[OrderRecord]) -> str:
    """Draw the median and the 95th percentile of the time to assign, by the hour of placing."""
    hours: list[list[float]] = [[] for _ in _count_by_hour(orders, lambda order: True)]
    for order in orders:
        if order.assigned_at:
            hours[_find_hour(order)].append((order.assigned_at - order.placed_at).total_seconds())
    lines = {
        name: [pick_quantile(hour, share) for hour in hours]
        for name, share in (("p50", 0.5), ("p95", 0.95))
    }
    most = max((value for line in lines.values() for value in line), default=1.0) or 1.0
    drawn = "".join(
        f'<polyline class="{name}" points="{_join_points(line, most)}"/>'
        for name, line in lines.items()
    )
    labels = _label_hours(len(hours))
    return _frame("time to assign by the hour: p50, p95 in red; seconds", drawn, labels, most)


def _frame(caption: str, drawn: str, labels: Sequence[tuple[float, str]], most: float) -> str:
    """Put axes and labels around what was drawn."""
    floor = _HEIGHT - _BOTTOM
    texts = "".join(
        f'<text x="{_x(share):.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(label)}</text>'
        for share, label in labels
    )
    return (
        f"<figure><figcaption>{escape(caption)}</figcaption>"
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{escape(caption)}">'
        f'<text x="{_LEFT - 6}" y="{_TOP + 8}" text-anchor="end">{most:g}</text>{drawn}'
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - 10}" y1="{floor}" y2="{floor}"/>'
        f"{texts}</svg></figure>"
    )


def _draw_bars(counts: Sequence[int], most: int, name: str) -> str:
    width = (_x(1.0) - _x(0.0)) / max(1, len(counts))
    return "".join(
        f'<rect class="{name}" x="{_x(0.0) + n * width + 0.5:.1f}" y="{_y(count / most):.1f}" '
        f'width="{max(0.5, width - 1):.1f}" height="{_y(0.0) - _y(count / most):.1f}"/>'
        for n, count in enumerate(counts)
        if count
    )


def _join_points(values: Sequence[float], most: float) -> str:
    count = max(1, len(values))
    return " ".join(
        f"{_x((n + 0.5) / count):.1f},{_y(value / most):.1f}" for n, value in enumerate(values)
    )


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - 10 - _LEFT)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)


def _find_hour(order: OrderRecord) -> int:
    return int((order.placed_at - START).total_seconds() // 3600)


def _count_by_hour(
    orders: Sequence[OrderRecord], counts: Callable[[OrderRecord], bool]
) -> list[int]:
    """Count the orders that count, by the hour of placing, from the first hour of the day."""
    hours = [0] * (1 + max(map(_find_hour, orders), default=0))
    for order in orders:
        hours[_find_hour(order)] += counts(order)
    return hours


def _label_hours(count: int) -> list[tuple[float, str]]:
    return [((n + 0.5) / count, f"{(START.hour + n) % 24}h") for n in range(count)][
        :: 1 + count // 24
    ]


def _format_time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
