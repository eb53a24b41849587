"""REST calls: what creates is sent again under the same key until it is answered."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections.abc import Awaitable, Callable
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ATTEMPTS = 8
ANSWER_WITHIN_S = 30.0


class WaybillError(Exception):
    """What a call was refused with: {error, message, details?}."""

    def __init__(self, status: int, code: str, message: str, details: Any = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = details

    @property
    def is_passing(self) -> bool:
        """Whether the same call may be answered otherwise later."""
        return self.status >= 500 or self.status == 429


def make_key() -> str:
    """Make an Idempotency-Key."""
    return uuid.uuid4().hex


def make_post(body: Any, key: str) -> tuple[str, bytes, dict[str, str]]:
    """Make method, body and headers of a call that creates."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return "POST", json.dumps(body).encode(), headers


async def call(
    url: str,
    get_token: Callable[[], Awaitable[str]],
    method: str,
    body: bytes | None,
    headers: dict[str, str],
    pause_s: Callable[[int], float],
    attempts: int = ATTEMPTS,
) -> Any:
    """Call until there is an answer that stands. Raises WaybillError, OSError.

    No answer, or one that says "later": asked again, as the key has what was done not be done
    again.
    """
    for attempt in range(1, attempts + 1):
        authorized = {**headers, "Authorization": f"Bearer {await get_token()}"}
        request = Request(url, data=body, headers=authorized, method=method)
        try:
            return await asyncio.to_thread(_ask, request)
        except WaybillError as error:
            if not error.is_passing or attempt == attempts:
                raise
        except (OSError, HTTPException, ValueError):
            if attempt == attempts:
                raise
        await asyncio.sleep(pause_s(attempt))
    raise AssertionError("unreachable")


def draw_pause(attempt: int, first_s: float, most_s: float) -> float:
    """Draw a pause with full jitter: thousands that were cut at once don't come back at once."""
    return random.uniform(0, min(most_s, first_s * 2 ** min(attempt, 32)))


def _ask(request: Request) -> Any:
    try:
        with urlopen(request, timeout=ANSWER_WITHIN_S) as answer:
            return json.loads(answer.read() or b"null")
    except HTTPError as refused:
        with refused:
            said = _read_refusal(refused.read())
        raise WaybillError(
            refused.code,
            str(said.get("error", "")),
            str(said.get("message", "")),
            said.get("details"),
        ) from None


def _read_refusal(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
