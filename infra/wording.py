"""The gateway's own answers in the words of the REST API: `{"error": code, "message": text}`."""

from __future__ import annotations

import json

_AWS_SAYS = "$context.error.messageString"  # a JSON string already, quotes included


def _error(code: str, message: str = "") -> str:
    text = json.dumps(message) if message else _AWS_SAYS
    return f'{{"error": {json.dumps(code)}, "message": {text}}}'


GATEWAY_RESPONSES: dict[str, tuple[int | None, str]] = {
    "MISSING_AUTHENTICATION_TOKEN": (404, _error("not_found", "There is nothing at this path.")),
    "REQUEST_TOO_LARGE": (413, _error("payload_too_large", "The body is larger than 10 MB.")),
    "THROTTLED": (429, _error("rate_limited", "Too many requests; try again in a moment.")),
    "UNAUTHORIZED": (401, _error("unauthenticated")),
    "ACCESS_DENIED": (403, _error("forbidden")),
    "INTEGRATION_TIMEOUT": (504, _error("timeout", "That took too long; it may still happen.")),
    "DEFAULT_4XX": (None, _error("invalid_input")),
    "DEFAULT_5XX": (None, _error("internal_error", "Something went wrong on our side.")),
}
