"""`python -m infra.bench [section …]`: measure all sections, or those that are named.

Prints tables and writes dist/bench.json. Each figure stands beside its floor or its peer, measured
in the same run: by itself it would tell of the machine. Notes say which goals are met.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from chalicelib.settings import BadSetting
from infra.bench import cost, far, gateway, growth, latency, posting
from infra.bench.report import Report
from infra.harness.stack_process import HOME, StackProcessError

RESULT = HOME / "dist" / "bench.json"
_WIDTH = 140  # the widest table; a terminal may wrap it, but nothing is cut off

SECTIONS: dict[str, Callable[[], Report]] = {
    "latency": latency.measure,
    "far": far.measure,
    "posting": posting.measure,
    "gateway": gateway.measure,
    "cost": cost.measure,
    "growth": growth.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return the exit code."""
    reports: dict[str, Report] = {}
    signal.signal(signal.SIGTERM, _interrupt)  # so that what was started is ended
    try:
        for name in _chosen(arguments):
            reports[name] = SECTIONS[name]()
            _print(reports[name])
    except (BadSetting, StackProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    _write(reports, RESULT)
    return 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _chosen(arguments: Sequence[str] | None) -> list[str]:
    parser = argparse.ArgumentParser(prog="python -m infra.bench", description=__doc__)
    parser.add_argument("section", nargs="*", help=f"of {', '.join(SECTIONS)}; all by default")
    chosen: list[str] = parser.parse_args(arguments).section
    for name in chosen:
        if name not in SECTIONS:
            parser.error(f"there is no section {name!r}, only {', '.join(SECTIONS)}")
    return chosen or list(SECTIONS)


def _print(report: Report) -> None:
    console = Console(width=max(Console().width, _WIDTH))
    columns = list(report.rows[0]) if report.rows else []
    table = Table(title=f"{report.title}; {_machine()}")
    for column in columns:
        justify: Literal["left", "right"] = "left" if column in ("what", "server") else "right"
        table.add_column(column.replace("_", " "), justify=justify, no_wrap=True)
    for row in report.rows:
        table.add_row(*(_shown(row[column]) for column in columns))
    if columns:
        console.print(table)
    for note in report.notes:
        console.print(note, markup=False)


def _shown(value: object) -> str:
    """A figure as a table shows it: three digits or so."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return (
            f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
        )
    return f"{value:,}" if isinstance(value, int) else str(value)


def _write(reports: Mapping[str, Report], path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    content: dict[str, Any] = {
        "machine": _machine(),
        "measured": {name: report.rows for name, report in reports.items()},
        "notes": {name: report.notes for name, report in reports.items()},
    }
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _machine() -> str:
    return f"Python {platform.python_version()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    sys.exit(main())
