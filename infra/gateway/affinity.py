"""Hold this process to one core, where its threads take turns at less cost."""

from __future__ import annotations

import contextlib
import os
import sys


def stay_on_one_core() -> None:
    """Hold this process, and those it will start, to one core; only Linux can.

    Handlers and the event loop take turns under the interpreter's lock anyway. From core to core
    each turn costs as much as the work done in it. Call it before there are threads: they inherit.
    """
    if sys.platform == "linux":
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        # A thread that is woken by another waits until that one waits: each does more in its turn.
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
