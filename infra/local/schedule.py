"""EventBridge's schedule: a handler called once a minute, on its own thread."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from infra.gateway.invocation import LambdaContext

log = logging.getLogger("waybill.schedule")

EVERY_S = 60.0

Sweep = Callable[[dict[str, Any], LambdaContext], Any]


class SweepSchedule:
    """Calls `sweep` at once and then every `every_s`, or as soon after as the last call ended."""

    def __init__(
        self,
        sweep: Sweep,
        *,
        every_s: float = EVERY_S,
        function_name: str = "waybill-api-sweep",
        region: str = "us-east-1",
    ) -> None:
        self._sweep = sweep
        self._every_s = every_s
        self._function_name = function_name
        self._region = region
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._call_periodically, name="schedule", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, within_s: float = 0.1) -> None:
        """Call it no more. A sweep under way is left behind: it pauses between its passes."""
        self._stopping.set()
        self._thread.join(within_s)

    def _call_periodically(self) -> None:
        due_at = time.monotonic()
        while not self._stopping.wait(max(0.0, due_at - time.monotonic())):
            # From when it was due, so that the minutes do not drift; but after a machine's sleep
            # the ones that were missed are not made up for.
            due_at = max(due_at + self._every_s, time.monotonic())
            context = LambdaContext(self._function_name, timeout_s=self._every_s)
            try:
                self._sweep(make_scheduled_event(self._function_name, self._region), context)
            except Exception:  # the outermost edge of a handler, as in Lambda
                if not self._stopping.is_set():
                    log.exception("sweep raised")


def make_scheduled_event(rule: str, region: str) -> dict[str, Any]:
    """Return the event that a rule with a rate sends."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [f"arn:aws:events:{region}:000000000000:rule/{rule}"],
        "detail": {},
    }
