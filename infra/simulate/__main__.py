"""Run it: `make simulate SEED=1 ORDERS=10000`, or `python -m infra.simulate compare …`."""

from __future__ import annotations

import gc
import os
import sys
import time
from pathlib import Path

from chalicelib.settings import BadSetting
from infra.simulate.charts import write_page
from infra.simulate.compare import compare
from infra.simulate.day import make_scenario, run_day
from infra.simulate.mdrp import MalformedInstance
from infra.simulate.options import read_options, read_settings


def main(arguments: list[str]) -> int:
    """Run what is asked for. A mistake in it is said in one line."""
    try:
        if arguments[:1] == ["compare"]:
            print(compare(arguments[1:], os.environ))
        elif arguments:
            print("What is asked for is set: SEED=1 ORDERS=1000; or: compare A=…", file=sys.stderr)
            return 2
        else:
            simulate()
    except (BadSetting, MalformedInstance) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def simulate() -> None:
    """Run a day and print its figures, each on a line of its own. Raises BadSetting,
    MalformedInstance."""
    options, settings = read_options(os.environ), read_settings(os.environ)
    scenario = make_scenario(options)
    if options.out:
        _prepare_folder(options.out)
    gc.freeze()
    gc.set_threshold(50_000)  # nearly nothing here is in cycles
    began = time.perf_counter()
    result = run_day(scenario, options, settings, sys.stderr)
    print(f"took {time.perf_counter() - began:.1f} s", file=sys.stderr)
    for name, value in result.list_figures().items():
        print(f"{name}: {value}")
    if options.out:
        print(f"wrote {write_page(result, options.out, scenario.name)}", file=sys.stderr)


def _prepare_folder(folder: Path) -> None:
    """Make the folder of the charts: a wrong one is better found before a day than after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadSetting(f"OUT takes a folder, not {str(folder)!r}: {error.strerror}.") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
