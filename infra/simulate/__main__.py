"""Run it: `make simulate SEED=1 ORDERS=10000`."""

from __future__ import annotations

import gc
import os
import sys
import time

from chalicelib.settings import BadSetting
from infra.simulate.city import make_city
from infra.simulate.day import run_day
from infra.simulate.options import read_options, read_settings


def main() -> int:
    """Run a day and print its figures, each on a line of its own."""
    try:
        options, settings = read_options(os.environ), read_settings(os.environ)
    except BadSetting as error:
        print(error, file=sys.stderr)
        return 2
    scenario = make_city(options)
    gc.freeze()
    began = time.perf_counter()
    result = run_day(scenario, options, settings, sys.stderr)
    print(f"took {time.perf_counter() - began:.1f} s", file=sys.stderr)
    for name, value in result.list_figures().items():
        print(f"{name}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
