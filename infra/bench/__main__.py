"""`python -m infra.bench [section …]`: measure all sections, or those that are named.

Prints tables and writes dist/bench.json. Each figure stands beside its floor or its peer, measured
in the same run: by itself it would tell of the machine. Notes say which goals are met.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence

from chalicelib.settings import BadSetting
from infra.bench import cost, drops, far, growth, latency, posting, storm, webhooks
from infra.bench.printing import print_report, write_reports
from infra.bench.report import BenchReport
from infra.harness.stack_process import HOME, StackProcessError

RESULT = HOME / "dist" / "bench.json"

SECTIONS: dict[str, Callable[[], BenchReport]] = {
    "latency": latency.measure,
    "far": far.measure,
    "posting": posting.measure,
    "webhooks": webhooks.measure,
    "drops": drops.measure,
    "storm": storm.measure,
    "cost": cost.measure,
    "growth": growth.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return the exit code."""
    reports: dict[str, BenchReport] = {}
    signal.signal(signal.SIGTERM, _interrupt)  # so that what was started is ended
    try:
        for name in _parse_sections(arguments):
            reports[name] = SECTIONS[name]()
            print_report(reports[name])
    except (BadSetting, StackProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    write_reports(reports, RESULT)
    return 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _parse_sections(arguments: Sequence[str] | None) -> list[str]:
    parser = argparse.ArgumentParser(prog="python -m infra.bench", description=__doc__)
    parser.add_argument("section", nargs="*", help=f"of {', '.join(SECTIONS)}; all by default")
    chosen: list[str] = parser.parse_args(arguments).section
    for name in chosen:
        if name not in SECTIONS:
            parser.error(f"there is no section {name!r}, only {', '.join(SECTIONS)}")
    return chosen or list(SECTIONS)


if __name__ == "__main__":
    sys.exit(main())
