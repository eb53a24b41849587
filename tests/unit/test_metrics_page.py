"""docs/metrics.md has a row for each metric, in the words of the code."""

from __future__ import annotations

from pathlib import Path

from chalicelib.domain.measures import MAX_ZONES, METRICS, Metric, Zones
from chalicelib.edge.recorder import FLUSH_EVERY
from infra.local.exposition import format_name
from tests.builders import DEPOT, north_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text()


def row(metric: Metric) -> str:
    """The row of a metric."""
    sets = [("stage", *names) for names in ((), *metric.dimensions)]
    dimensions = "; ".join(", ".join(f"`{name}`" for name in names) for names in sets)
    if metric.is_local:
        dimensions = "not printed"
    return (
        f"| `{metric.name}` | {metric.unit} | {dimensions} | `{format_name(metric)}` | "
        f"{metric.meaning} |"
    )


def test_each_metric_has_its_row() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert rows == [row(metric) for metric in METRICS]
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_the_page_says_when_what_waits_is_printed() -> None:
    assert f"every {FLUSH_EVERY.total_seconds():g} s" in PAGE
    assert f"At most {MAX_ZONES} zones" in PAGE


def test_no_more_zones_than_that_are_named() -> None:
    zones = Zones(5)
    names = [zones.name_zone(north_of(DEPOT, 50_000 * n)) for n in range(40)]
    assert len(set(names)) == 20, "`other` is one of them"
    assert zones.name_zone(None) == "other"
    assert zones.name_zone(DEPOT) == names[0]  # who is named stays so


def test_named_zones_are_the_only_ones() -> None:
    known = Zones(5).name_zone(DEPOT)
    zones = Zones(5, [known])
    assert zones.name_zone(DEPOT) == known
    assert zones.name_zone(north_of(DEPOT, 100_000)) == "other"
