"""Waybill on a DynamoDB in memory, some seven times faster than moto, among processes that die."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.store.database import bind_tables
from infra.resources.aws_clients import REGION
from tests.fakes import Message
from tests.faults import WRITES, Crash
from tests.functional.conftest import PREFIX, Engine
from tests.functional.world import World
from tests.simulation.dynamo import Dynamo

BEFORE, AFTER, LOST = "before", "after", "lost"


class Memory:
    """A botocore client of a DynamoDB in memory. `choose_fault` says of each write whether it is
    the last of its process, BEFORE or AFTER, or gets LOST: no answer, and sent again by the SDK."""

    _request_signer = None  # pynamodb looks whether there are credentials

    def __init__(self) -> None:
        self._dynamo = Dynamo(PREFIX)
        self._lock = threading.Lock()
        self.choose_fault: Callable[[], str] = str

    def _make_api_call(self, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            fault = self.choose_fault() if operation in WRITES else ""
            if fault == BEFORE:
                raise Crash
            answer = self._dynamo.call(operation, asked)
            if fault == AFTER:
                raise Crash
            if fault == LOST and operation != "TransactWriteItems":  # they carry a token
                answer = self._dynamo.call(operation, asked)
            return answer


class MortalWorld(World):
    """A world in memory, where a wakeup whose handler dies comes again, as SQS sees to."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.memory = Memory()
        connection = bind_tables(PREFIX, REGION, None, self.memory)
        super().__init__(Engine("memory", None, connection, None, ""), settings)

    def _deliver(self, message: Message) -> None:
        try:
            super()._deliver(message)
        except Crash:
            self.queue.again(message)
