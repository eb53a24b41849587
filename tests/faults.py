"""Ways to fail: a part that dies at a call, and AWS not answering, or refusing for now."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError

WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")
READS = ("GetItem", "Query", "BatchGetItem")


class Crash(BaseException):
    """The process ends here. No `except Exception` stops it."""


class Mortal:
    """Stands before a store, queue or gateway; dies `before` or `after` the call it is told of."""

    def __init__(self, part: Any) -> None:
        self._part = part
        self._doom: tuple[str, str] | None = None
        self.calls: list[str] = []

    def die(self, when: str, call: str) -> None:
        """Die once, `before` or `after` the next call of that name."""
        self._doom = (when, call)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        found = getattr(self._part, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            self._die_if(("before", name))
            answer = found(*args, **kwargs)
            self._die_if(("after", name))
            return answer

        return call

    def _die_if(self, doom: tuple[str, str]) -> None:
        if self._doom == doom:
            self._doom = None
            raise Crash(*doom)


@contextmanager
def answers_lost(client: Any, operation: str) -> Iterator[list[str]]:
    """Let the next answer to an operation get lost: the SDK sends the same request again."""
    lost: list[str] = []

    def again(response: Any, **_: Any) -> float | None:
        if lost or response is None:
            return None
        lost.append(operation)
        return 0.0

    with _hooked(client, f"needs-retry.dynamodb.{operation}", again):
        yield lost


@contextmanager
def nth_answer_lost(
    client: Any, nth: int, meanwhile: Callable[[], None] = lambda: None
) -> Iterator[list[str]]:
    """Let the answer to the `nth` write of all, from 0, get lost, and `meanwhile` happen before the
    SDK sends the same request again. Gives the operations that were answered or lost."""
    seen: list[str] = []

    def again(response: Any, operation: Any, **_: Any) -> float | None:
        if response is None:
            return None
        seen.append(operation.name)
        if len(seen) != nth + 1:
            return None
        meanwhile()
        return 0.0

    with _all_hooked(client, "needs-retry", WRITES, again):
        yield seen


@contextmanager
def unanswered(client: Any, nth: int, operations: tuple[str, ...], done: bool) -> Iterator[None]:
    """Let the `nth` call of some operations, from 0, be done or not, and never be answered."""
    left = [nth]

    def give_up(**_: Any) -> None:
        left[0] -= 1
        if left[0] == -1:
            raise ConnectionClosedError(endpoint_url="https://dynamodb")

    with _all_hooked(client, "needs-retry" if done else "before-send", operations, give_up):
        yield


@contextmanager
def claims_contended(client: Any, courier_id: str, times: int, code: str) -> Iterator[list[str]]:
    """Let the next transactions that claim a courier be cancelled for their row alone: no engine at
    hand does."""
    refused: list[str] = []

    def refuse(request: Any, **_: Any) -> AWSResponse | None:
        items = json.loads(request.body)["TransactItems"]
        keys = [item["Update"]["Key"] for item in items if "Update" in item]
        if len(refused) >= times or not keys or keys[0].get("courier_id") != {"S": courier_id}:
            return None
        refused.append(courier_id)
        reasons = [{"Code": "None"} for _ in items]
        reasons[1] = {"Code": code, "Message": "Not now."}
        body = {
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "Transaction cancelled.",
            "CancellationReasons": reasons,
        }
        return _answer(request, 400, body)

    with _hooked(client, "before-send.dynamodb.TransactWriteItems", refuse):
        yield refused


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _answer(request: Any, status: int, body: Any) -> AWSResponse:
    return AWSResponse(request.url, status, {}, _Raw(json.dumps(body).encode()))


@contextmanager
def failing(client: Any, operation: str, times: int, status: int, code: str) -> Iterator[list[str]]:
    """Let the next calls of an operation be answered by an error, and not be done."""
    refused: list[str] = []

    def refuse(request: Any, **_: Any) -> AWSResponse | None:
        if len(refused) >= times:
            return None
        refused.append(operation)
        return _answer(request, status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}"})

    with _hooked(client, f"before-send.dynamodb.{operation}", refuse):
        yield refused


@contextmanager
def conflicts(client: Any, operation: str, times: int) -> Iterator[list[str]]:
    """Let the next calls of an operation be refused, as while a transaction has the item."""
    with failing(client, operation, times, 400, "TransactionConflictException") as refused:
        yield refused


@contextmanager
def _all_hooked(
    client: Any, event: str, operations: tuple[str, ...], handler: Callable[..., Any]
) -> Iterator[None]:
    with ExitStack() as stack:
        for operation in operations:
            stack.enter_context(_hooked(client, f"{event}.dynamodb.{operation}", handler))
        yield


@contextmanager
def _hooked(client: Any, event: str, handler: Callable[..., Any]) -> Iterator[None]:
    client.meta.events.register_first(event, handler)
    try:
        yield
    finally:
        client.meta.events.unregister(event, handler)
