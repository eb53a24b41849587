"""Which cores this process runs on."""

from __future__ import annotations

import os
import sys


def stay_on_one_core() -> None:
    """Hold this process, and those it will start, to one core; only Linux can.

    Handlers and the event loop take turns under the interpreter's lock anyway. From core to core
    each turn costs as much as the work done in it.
    """
    if sys.platform == "linux":
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
