"""Ways to fail: a crash at a call, and AWS not answering, or refusing for now."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError

WRITES = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems")
READS = ("GetItem", "Query", "BatchGetItem")


class Crash(BaseException):
    """The process ends here. No `except Exception` stops it."""


class CrashingProxy:
    """A store, queue or gateway behind which the process ends, `before` or `after` one call."""

    def __init__(self, part: Any) -> None:
        self._part = part
        self._crash_point: tuple[str, str] | None = None
        self.calls: list[str] = []

    def crash_at(self, when: str, call: str) -> None:
        """Crash once, `before` or `after` the next call of that name."""
        self._crash_point = (when, call)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        found = getattr(self._part, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            self._crash_if(("before", name))
            answer = found(*args, **kwargs)
            self._crash_if(("after", name))
            return answer

        return call

    def _crash_if(self, point: tuple[str, str]) -> None:
        if self._crash_point == point:
            self._crash_point = None
            raise Crash(*point)


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


class Weather:
    """The calls of some operations, in tables other than `but`, while it lasts; all their writes by
    way of one client.

    The answer to the one numbered `lose`, from 0, gets lost, and `meanwhile` happens before the SDK
    sends the same again. The one numbered `silence` is never answered, `done` or not. `seen` are
    the calls as (operation, table), `lost` those of them that were lost or silent.
    """

    def __init__(
        self,
        client: Any,
        operations: tuple[str, ...],
        but: tuple[str, ...] = (),
        lose: int = -1,
        silence: int = -1,
        done: bool = True,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._operations = operations
        self._but = but
        self._lose = lose
        self._silence = silence
        self._done = done
        self._meanwhile = meanwhile
        self._stack = ExitStack()
        self.seen: list[tuple[str, str]] = []
        self.lost: list[tuple[str, str]] = []

    def __enter__(self) -> Weather:
        for operation in self._operations:
            for event, handler in (("before-call", self._before), ("needs-retry", self._after)):
                name = f"{event}.dynamodb.{operation}"
                self._stack.enter_context(_hooked(self._client, name, handler))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _before(self, model: Any, params: Any, context: Any, **_: Any) -> None:
        table = _table_of(json.loads(params["body"]))
        if table in self._but:
            return
        context["nth"] = len(self.seen)
        self.seen.append((model.name, table))
        if context["nth"] == self._silence and not self._done:
            self._fall_silent()

    def _after(self, response: Any, request_dict: Any, attempts: int, **_: Any) -> float | None:
        nth = request_dict["context"].get("nth", -2)
        if response is None or attempts > 1:
            return None
        if nth == self._silence:
            self._fall_silent()
        if nth != self._lose:
            return None
        self.lost.append(self.seen[nth])
        self._meanwhile()
        return 0.0

    def _fall_silent(self) -> None:
        self.lost.append(self.seen[self._silence])
        raise ConnectionClosedError(endpoint_url="https://dynamodb")


def _table_of(body: dict[str, Any]) -> str:
    """The first table that a call names, without the deployment's prefix."""
    if "TransactItems" in body:
        (body,) = body["TransactItems"][0].values()
    named = body.get("TableName") or next(iter(body["RequestItems"]))
    return str(named).rpartition("-")[2]


@contextmanager
def claims_contended(client: Any, courier_id: str, times: int, code: str) -> Iterator[list[str]]:
    """Let the next transactions that claim a courier be cancelled for their row alone: no engine at
    hand does."""
    with _cancelling(client, {"courier_id": {"S": courier_id}}, times, code) as refused:
        yield refused


@contextmanager
def leases_contended(client: Any, mailbox: str, times: int) -> Iterator[list[str]]:
    """Let the next transactions that lease a mailbox be cancelled for its row alone, likewise."""
    key = {"person_id": {"S": mailbox}}
    with _cancelling(client, key, times, "TransactionConflict") as refused:
        yield refused


@contextmanager
def _cancelling(client: Any, key: Any, times: int, code: str) -> Iterator[list[str]]:
    """Let the next transactions that update the row of a key be cancelled for that; note whose."""
    refused: list[str] = []
    [(_, named)] = key.items()

    def refuse(params: Any, **_: Any) -> tuple[AWSResponse, Any] | None:
        items = json.loads(params["body"])["TransactItems"]
        hits = [item.get("Update", {}).get("Key") == key for item in items]
        if len(refused) >= times or not any(hits):
            return None
        refused.append(named["S"])
        reasons = [
            {"Code": code, "Message": "Not now."} if hit else {"Code": "None"} for hit in hits
        ]
        parsed = {
            "Error": {"Code": "TransactionCanceledException", "Message": "Cancelled."},
            "CancellationReasons": reasons,
            "ResponseMetadata": {},
        }
        return AWSResponse(params["url"], 400, {}, _Raw()), parsed

    with _hooked(client, "before-call.dynamodb.TransactWriteItems", refuse):
        yield refused


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


@contextmanager
def failing(client: Any, operation: str, status: int, code: str) -> Iterator[None]:
    """Let the calls of an operation fail, undone, as they do when the SDK has given them up."""

    def fail(params: Any, **_: Any) -> tuple[AWSResponse, Any]:
        metadata = {"HTTPStatusCode": status}
        parsed = {"Error": {"Code": code, "Message": "No."}, "ResponseMetadata": metadata}
        return AWSResponse(params["url"], status, {}, _Raw()), parsed

    with _hooked(client, f"before-call.dynamodb.{operation}", fail):
        yield


@contextmanager
def conflicts(client: Any, operation: str, times: int) -> Iterator[list[str]]:
    """Let the next calls of an operation be refused, as while a transaction has the item. (moto
    does them all the same: it is only the answer that is another.)"""
    refused: list[str] = []
    body = {"__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException"}

    def refuse(request: Any, **_: Any) -> AWSResponse | None:
        if len(refused) >= times:
            return None
        refused.append(operation)
        return AWSResponse(request.url, 400, {}, _Raw(json.dumps(body).encode()))

    with _hooked(client, f"before-send.dynamodb.{operation}", refuse):
        yield refused


@contextmanager
def _hooked(client: Any, event: str, handler: Callable[..., Any]) -> Iterator[None]:
    client.meta.events.register_first(event, handler)
    try:
        yield
    finally:
        client.meta.events.unregister(event, handler)
