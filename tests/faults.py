"""Ways to fail: a part that dies at a call, and AWS not answering, or refusing for now."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSResponse


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
def conflicts(client: Any, operation: str, times: int) -> Iterator[list[str]]:
    """Let the next calls of an operation be refused, as while a transaction has the item."""
    refused: list[str] = []
    body = {"__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException"}

    class Raw(BytesIO):
        def stream(self, **_: Any) -> Iterator[bytes]:
            yield self.read()

    def refuse(request: Any, **_: Any) -> AWSResponse | None:
        if len(refused) >= times:
            return None
        refused.append(operation)
        return AWSResponse(request.url, 400, {}, Raw(json.dumps(body).encode()))

    with _hooked(client, f"before-send.dynamodb.{operation}", refuse):
        yield refused


@contextmanager
def _hooked(client: Any, event: str, handler: Callable[..., Any]) -> Iterator[None]:
    client.meta.events.register_first(event, handler)
    try:
        yield
    finally:
        client.meta.events.unregister(event, handler)
