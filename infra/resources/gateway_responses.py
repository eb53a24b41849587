"""The gateway's own answers in the words of the REST API: `{"error": code, "message": text}`."""

from __future__ import annotations

import json

from chalicelib.edge.rest.cors import ANY_ORIGIN, make_cors_headers
from infra.gateway.responses import GatewayResponse

_AWS_SAYS = "$context.error.messageString"  # a JSON string already, quotes included

# These are told before anybody looks whose page it is, and say nothing that is anybody's. Kept on
# the way they would be told to the next one too.
HEADERS = {**make_cors_headers((ANY_ORIGIN,), None), "Cache-Control": "no-store"}


def _error_body(code: str, message: str = "") -> str:
    text = json.dumps(message) if message else _AWS_SAYS
    return f'{{"error": {json.dumps(code)}, "message": {text}}}'


_NOTHING_HERE = (404, _error_body("not_found", "There is nothing at this path."))

GATEWAY_RESPONSES: dict[str, tuple[int | None, str]] = {
    "MISSING_AUTHENTICATION_TOKEN": _NOTHING_HERE,
    # Said of whatever no route serves to those who send `Authorization`, with the header in it.
    "INVALID_SIGNATURE": _NOTHING_HERE,
    "BAD_REQUEST_BODY": (400, _error_body("invalid_input")),
    "BAD_REQUEST_PARAMETERS": (400, _error_body("invalid_input")),
    "UNSUPPORTED_MEDIA_TYPE": (
        415,
        _error_body("unsupported_media_type", "Send application/json."),
    ),
    "REQUEST_TOO_LARGE": (413, _error_body("payload_too_large", "The body is larger than 10 MB.")),
    "THROTTLED": (429, _error_body("rate_limited", "Too many requests; try again in a moment.")),
    "WAF_FILTERED": (403, _error_body("forbidden", "This request is not let in.")),
    "UNAUTHORIZED": (401, _error_body("unauthenticated")),
    "ACCESS_DENIED": (403, _error_body("forbidden")),
    "INTEGRATION_TIMEOUT": (
        504,
        _error_body("timeout", "That took too long; it may still happen."),
    ),
    # Never what AWS says: that may quote the request, and a token with it.
    "DEFAULT_4XX": (None, _error_body("invalid_input", "The gateway can't take this request.")),
    "DEFAULT_5XX": (None, _error_body("internal_error", "Something went wrong on our side.")),
}


def gateway_responses() -> dict[str, GatewayResponse]:
    """Return the answers with their headers."""
    return {
        name: GatewayResponse(status, body, HEADERS)
        for name, (status, body) in GATEWAY_RESPONSES.items()
    }
