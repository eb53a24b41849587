"""Metrics: lines of JSON on standard output, which CloudWatch reads out of a function's log."""

from __future__ import annotations

import json
import sys

NAMESPACE, LATENESS, QUEUE = "Waybill", "WakeupLateness", "Queue"


def emit_lateness(queue_name: str, late_s: float, now_s: float) -> None:
    """Say how many seconds late a wakeup was taken up, at an epoch time.

    In CloudWatch's embedded metric format, which must be all there is in its line: no logger
    writes it.
    """
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [[QUEUE]],
        "Metrics": [{"Name": LATENESS, "Unit": "Seconds"}],
    }
    line = {
        "_aws": {"Timestamp": int(now_s * 1000), "CloudWatchMetrics": [directive]},
        QUEUE: queue_name,
        LATENESS: round(late_s, 1),
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
