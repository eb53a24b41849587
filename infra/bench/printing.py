"""Print a report as a table, and write reports down as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from infra.bench.report import BenchReport

_WIDTH = 140  # the widest table; a terminal may wrap it, but nothing is cut off
_TO_THE_LEFT = ("what", "server")


def print_report(report: BenchReport) -> None:
    """Print a table and its notes."""
    console = Console(width=max(Console().width, _WIDTH))
    columns = list(report.rows[0]) if report.rows else []
    table = Table(title=f"{report.title}; {_describe_machine()}")
    for column in columns:
        justify: Literal["left", "right"] = "left" if column in _TO_THE_LEFT else "right"
        table.add_column(column.replace("_", " "), justify=justify, no_wrap=True)
    for row in report.rows:
        table.add_row(*(_format_figure(row[column]) for column in columns))
    if columns:
        console.print(table)
    for note in report.notes:
        console.print(note, markup=False)


def _format_figure(value: object) -> str:
    """Format a figure as a table shows it: three digits or so."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return (
            f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
        )
    return f"{value:,}" if isinstance(value, int) else str(value)


def write_reports(reports: Mapping[str, BenchReport], path: Path) -> None:
    """Write reports by their names, with the machine that they were made on."""
    path.parent.mkdir(exist_ok=True)
    content: dict[str, Any] = {
        "machine": _describe_machine(),
        "measured": {name: report.rows for name, report in reports.items()},
        "notes": {name: report.notes for name, report in reports.items()},
    }
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _describe_machine() -> str:
    return f"Python {platform.python_version()}, {os.cpu_count()} cores"
