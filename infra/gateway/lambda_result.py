"""Judge a WebSocket handler's result as API Gateway does: pure, one function per route kind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from infra.gateway.frames import INTERNAL_SERVER_ERROR, TIMED_OUT
from infra.gateway.invocation import Outcome


@dataclass(frozen=True)
class Handshake:
    """The answer to an upgrade: 101 with a subprotocol or none, or a refusal.

    `message` is set when the gateway itself refuses, None when the handler did.
    """

    status: int
    subprotocol: str | None = None
    message: str | None = None

    @property
    def is_accepted(self) -> bool:
        return self.status == 101


ACCEPTED = Handshake(101)
MALFORMED = Handshake(502, message=INTERNAL_SERVER_ERROR)
TOO_LATE = Handshake(504, message=TIMED_OUT)


def judge_connect(outcome: Outcome) -> Handshake:
    """Judge `$connect`: 2xx accepts, another status refuses with it, anything else is a 502."""
    if outcome.timed_out:
        return TOO_LATE
    status = _status_of(outcome)
    if status is None or status < 200:
        return MALFORMED
    if status >= 300:
        return Handshake(status)
    return Handshake(101, _subprotocol_of(outcome.value))


@dataclass(frozen=True)
class Reply:
    """The answer to a message: an error's wording, a body, or nothing."""

    error: str | None = None
    body: str | None = None


SILENCE = Reply()
FAILURE = Reply(error=INTERNAL_SERVER_ERROR)


def judge_default(outcome: Outcome, *, route_response: bool) -> Reply:
    """Judge `$default`: only a route response lets a body through, whatever its status."""
    if outcome.timed_out:
        return Reply(error=TIMED_OUT)
    status = _status_of(outcome)
    if status is None:
        return FAILURE
    if route_response:
        body = outcome.value.get("body")
        if body is None or isinstance(body, str):
            return Reply(body=body or None)
        return FAILURE
    return FAILURE if status >= 400 else SILENCE


def _status_of(outcome: Outcome) -> int | None:
    """Return a well-formed result's status code, or None."""
    result = outcome.value
    if outcome.failed or not isinstance(result, dict) or not _is_json(result):
        return None
    status = result.get("statusCode")
    # API Gateway takes "200" for 200, but neither true nor 200.0.
    if isinstance(status, str) and status.isascii() and status.isdigit():
        status = int(status)
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
        return None
    return status


def _is_json(result: dict[Any, Any]) -> bool:
    """Tell whether Lambda could return this: it serialises every result."""
    if all(type(name) is str and type(value) in (str, int) for name, value in result.items()):
        return True
    try:
        json.dumps(result)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _subprotocol_of(result: dict[str, Any]) -> str | None:
    for table in (result.get("multiValueHeaders"), result.get("headers")):
        if isinstance(table, dict):
            for name, value in table.items():
                if str(name).lower() == "sec-websocket-protocol":
                    value = value[-1] if isinstance(value, list) and value else value
                    return value if isinstance(value, str) else None
    return None
