"""Metrics: lines of JSON on standard output, which CloudWatch reads out of a function's log."""

from __future__ import annotations

import json
import sys

NAMESPACE, LATENESS, QUEUE = "Waybill", "WakeupLateness", "Queue"
FAILING = "EndpointFailing"


def emit_lateness(queue_name: str, late_s: float, now_s: float) -> None:
    """Say how many seconds late a wakeup was taken up, at an epoch time."""
    _emit_seconds(LATENESS, queue_name, late_s, now_s)


def emit_failing(queue_name: str, failing_s: float, now_s: float) -> None:
    """Say for how many seconds an endpoint of webhooks has failed, at an epoch time."""
    _emit_seconds(FAILING, queue_name, failing_s, now_s)


def _emit_seconds(metric: str, queue_name: str, seconds: float, now_s: float) -> None:
    """Write one value of a queue's metric.

    In CloudWatch's embedded metric format, which must be all there is in its line: no logger
    writes it.
    """
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [[QUEUE]],
        "Metrics": [{"Name": metric, "Unit": "Seconds"}],
    }
    line = {
        "_aws": {"Timestamp": int(now_s * 1000), "CloudWatchMetrics": [directive]},
        QUEUE: queue_name,
        metric: round(seconds, 1),
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
