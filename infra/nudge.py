"""Know when this process has sent itself a wakeup, so that the poller need not guess.

A long poll at ministack looks every 100 ms, one at moto blocks everybody, and polling faster burns
the CPU. But nearly all wakeups are sent from here. botocore's built-in handlers, where moto hooks
in too, reach every client made later; what others send is found by the slow poll.
"""

from __future__ import annotations

import heapq
import threading
import time
from typing import Any

from botocore import handlers

_DELAYS = "waybill_delays_s"  # carried through botocore's context of one call


class Nudges:
    """The times at which messages sent from here fall due."""

    def __init__(self) -> None:
        self._due: list[float] = []
        self._changed = threading.Condition()
        self._stopped = False

    def install(self) -> None:
        """Watch the SQS clients that are made from now on."""
        for operation in ("SendMessage", "SendMessageBatch"):
            handlers.BUILTIN_HANDLERS += [
                (f"before-parameter-build.sqs.{operation}", self._before),
                (f"after-call.sqs.{operation}", self._after),
            ]

    def add(self, delay_s: float) -> None:
        """Note that a message falls due after a delay."""
        with self._changed:
            heapq.heappush(self._due, time.monotonic() + delay_s)
            self._changed.notify()

    def wait(self) -> bool:
        """Wait until a message is due; False means stop."""
        with self._changed:
            while not self._stopped:
                now = time.monotonic()
                if self._due and self._due[0] <= now:
                    while self._due and self._due[0] <= now:
                        heapq.heappop(self._due)
                    return True
                self._changed.wait(self._due[0] - now if self._due else None)
        return False

    def stop(self) -> None:
        """Make wait() return False from now on."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _before(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        entries = params.get("Entries", [params])
        context[_DELAYS] = {int(entry.get("DelaySeconds", 0)) for entry in entries}

    def _after(self, context: dict[str, Any], **_: Any) -> None:
        for delay_s in context.get(_DELAYS, ()):
            self.add(delay_s)
