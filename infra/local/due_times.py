"""Know when a wakeup sent by this process falls due, so that the poller need not guess.

A long poll at ministack looks every 100 ms, one at moto blocks everybody, and polling faster burns
the CPU. But nearly all wakeups are sent from here: a queue that is given to the application notes
their delays. What others send, and what comes again, is found by the slow poll.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Iterable
from datetime import timedelta

from chalicelib.domain.messaging.wakeups import Wakeup
from chalicelib.domain.webhooks.delivery import SendDue
from chalicelib.edge.aws.queue import compute_delay_s
from chalicelib.services.ports import WakeupSender, WebhookQueue


class DueTimes:
    """The times at which messages sent from here fall due. Safe under threads."""

    def __init__(self) -> None:
        self._due: list[float] = []
        self._changed = threading.Condition()
        self._stopped = False

    def add_delay(self, delay_s: float) -> None:
        """Note that a message falls due after a delay in seconds."""
        with self._changed:
            heapq.heappush(self._due, time.monotonic() + delay_s)
            self._changed.notify()

    def wait_for_due(self) -> bool:
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
        """Make wait_for_due() return False from now on."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


class NotingQueue:
    """Implement services.ports.WakeupSender: send by another queue, then note what falls due when.

    Noted only once it is sent: a poller that came before it would find nothing, and not come again.
    """

    def __init__(self, queue: WakeupSender, due_times: DueTimes) -> None:
        self._queue = queue
        self._due_times = due_times

    def send_wakeups(self, wakeups: Iterable[tuple[Wakeup, timedelta]]) -> None:
        """Send wakeups, each to arrive after its delay. Raises Unavailable."""
        sent = list(wakeups)
        self._queue.send_wakeups(sent)
        for delay_s in {compute_delay_s(delay) for _, delay in sent}:
            self._due_times.add_delay(delay_s)


class NotingWebhookQueue:
    """Implement services.ports.WebhookQueue, likewise."""

    def __init__(self, queue: WebhookQueue, due_times: DueTimes) -> None:
        self._queue = queue
        self._due_times = due_times

    def send_sends(self, sends: Iterable[tuple[SendDue, timedelta]]) -> None:
        """Send each message to arrive after its delay. Raises Unavailable."""
        sent = list(sends)
        self._queue.send_sends(sent)
        for delay_s in {compute_delay_s(delay) for _, delay in sent}:
            self._due_times.add_delay(delay_s)
