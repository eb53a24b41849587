"""Clients of AWS that are as slow as within one region, and a record of every call.

A delay comes before each call of the clients that are given, by botocore's own events and by ports
put around ours. Nothing else in the process waits: the poller and the gateway are the engine's
neighbours still.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from chalicelib.domain.messaging.wakeups import Wakeup
from chalicelib.services.ports import FrameSender, WakeupSender
from infra.bench.critical_path import AwsCall

POST, SEND = "post", "SendMessageBatch"
DELAYS_MS = {
    **dict.fromkeys(("GetItem", "PutItem", "UpdateItem", "DeleteItem"), 4),
    **dict.fromkeys(("Query", "BatchGetItem", "BatchWriteItem"), 6),
    "TransactWriteItems": 9,
    SEND: 8,
    POST: 12,
}
"""Assumed, in milliseconds; what the local engine takes itself comes on top."""
ASSUMED = "4 ms an item call, 6 ms a query or batch, 9 ms a transaction, 8 ms a send, 12 ms a post"


class CallLog:
    """A file with a line for each call. Safe under threads."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)  # for the process's life; a line is one write
        self._lock = threading.Lock()

    def add(self, call: AwsCall) -> None:
        """Write a line."""
        with self._lock:
            self._file.write(f"{call.name} {call.began_at!r} {call.ended_at!r}\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_calls(path: Path) -> list[AwsCall]:
    """Read what a CallLog has written."""
    parts = (line.split() for line in path.read_text().splitlines())
    return [AwsCall(name, float(began), float(ended)) for name, began, ended in parts]


class SlowDatabase:
    """Delays the calls of a botocore DynamoDB client, and logs them."""

    def __init__(self, client: Any, log: CallLog) -> None:
        self._log = log
        self._began = threading.local()
        client.meta.events.register("before-send.dynamodb.*", self._wait)
        client.meta.events.register("response-received.dynamodb.*", self._note)

    def _wait(self, event_name: str, **_: Any) -> None:
        operation = event_name.rpartition(".")[2]
        self._began.call = operation, time.perf_counter()
        time.sleep(DELAYS_MS[operation] / 1000)

    def _note(self, **_: Any) -> None:
        operation, began_at = self._began.call
        self._log.add(AwsCall(operation, began_at, time.perf_counter()))


class SlowQueue:
    """Implement services.ports.WakeupSender: delay each send of another queue, and log it."""

    def __init__(self, queue: WakeupSender, log: CallLog) -> None:
        self._queue = queue
        self._log = log

    def send_wakeups(self, wakeups: Iterable[tuple[Wakeup, timedelta]]) -> None:
        """Send wakeups, after the delay."""
        with _delay(SEND, self._log):
            self._queue.send_wakeups(wakeups)


class SlowGateway:
    """Implement services.ports.FrameSender: delay each request of another gateway, and log it."""

    def __init__(self, gateway: FrameSender, log: CallLog) -> None:
        self._gateway = gateway
        self._log = log

    def post_frame(self, connection_id: str, frame: str) -> None:
        """Post, after the delay."""
        with _delay(POST, self._log):
            self._gateway.post_frame(connection_id, frame)

    def post_frames(self, posts: Sequence[tuple[str, str]]) -> Sequence[Exception | None]:
        """Post to many, after the delay of one: they go side by side."""
        with _delay(POST, self._log):
            return self._gateway.post_frames(posts)

    def is_connected(self, connection_id: str) -> bool:
        """Look, after the delay."""
        with _delay(POST, self._log):
            return self._gateway.is_connected(connection_id)

    def get_last_active(self, connection_id: str) -> datetime | None:
        """Look, after the delay."""
        with _delay(POST, self._log):
            return self._gateway.get_last_active(connection_id)

    def close_connection(self, connection_id: str) -> None:
        """Close, after the delay."""
        with _delay(POST, self._log):
            self._gateway.close_connection(connection_id)


@contextmanager
def _delay(name: str, log: CallLog) -> Iterator[None]:
    began_at = time.perf_counter()
    time.sleep(DELAYS_MS[name] / 1000)
    try:
        yield
    finally:
        log.add(AwsCall(name, began_at, time.perf_counter()))
