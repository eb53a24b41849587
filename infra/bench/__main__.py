"""`python -m infra.bench`: how long frames take, beside what the engine takes by itself.

Starts a Waybill of its own. ROUNDS [200] may be set. Prints a table and writes dist/bench.json.
It judges nothing: what a machine can do is not the code's merit or fault.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from chalicelib.settings import BadSetting
from infra.bench.rounds import Bench, Samples
from infra.child import HOME, Child, ChildError
from infra.quantiles import quantile

RESULT = HOME / "dist" / "bench.json"
WITHIN_S = 45.0
_WARM_UP = 10


def main() -> int:
    """Measure; return the exit code."""
    try:
        rounds = rounds_from(os.environ)
        with Child(DELIVERY_OFFER_TTL_S="60") as child:
            bench = Bench(child.options, child.secret)
            asyncio.run(bench.run(rounds, _WARM_UP, time.monotonic() + WITHIN_S))
    except (BadSetting, ChildError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    found = figures(bench.samples)
    Console().print(_table(found))
    _write(found, RESULT)
    return 0


def rounds_from(env: Mapping[str, str]) -> int:
    """How many rounds to measure. Raises BadSetting."""
    given = env.get("ROUNDS") or "200"
    if given.isascii() and given.isdigit() and 1 <= int(given) <= 10_000:
        return int(given)
    raise BadSetting(f"ROUNDS takes a number from 1 to 10000, not {given!r}.")


def figures(samples: Samples) -> dict[str, dict[str, float]]:
    """p50 and p99 of each, and how many of the engine's round trips that is."""
    found: dict[str, dict[str, float]] = {}
    base = 0.0
    for what, ms in samples.ms.items():
        p50, p99 = quantile(ms, 0.5), quantile(ms, 0.99)
        base = base or p50
        ratio = p50 / base if base else 0.0
        found[what] = {"n": len(ms), "p50_ms": p50, "p99_ms": p99, "engine_round_trips": ratio}
    return found


def _table(found: dict[str, dict[str, float]]) -> Table:
    table = Table(title=f"Waybill bench, {_machine()}")
    table.add_column("what")
    for name in ("n", "p50 ms", "p99 ms", "x engine (p50)"):
        table.add_column(name, justify="right")
    for what, row in found.items():
        table.add_row(
            what,
            f"{row['n']:.0f}",
            f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}",
            f"{row['engine_round_trips']:.1f}",
        )
    return table


def _write(found: dict[str, dict[str, float]], path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    content: dict[str, Any] = {"machine": _machine(), "measured": found}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _machine() -> str:
    return f"Python {platform.python_version()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    sys.exit(main())
