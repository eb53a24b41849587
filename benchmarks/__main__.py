"""`python -m benchmarks`: measure the gateways beside each other; writes dist/benchmarks.json."""

from __future__ import annotations

import signal
import sys

from benchmarks import contest
from infra.bench.printing import print_report, write_reports
from infra.harness.stack_process import HOME

RESULT = HOME / "dist" / "benchmarks.json"


def main() -> int:
    """Measure; return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended
    try:
        report = contest.measure()
    except KeyboardInterrupt:
        return 1
    print_report(report)
    write_reports({"gateways": report}, RESULT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
