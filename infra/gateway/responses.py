"""Responses the gateway makes itself, and how an app re-words them.

Modelled on AWS::ApiGateway::GatewayResponse.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.gateway.http_messages import HttpResponse, json_response
from infra.gateway.identifiers import new_uuid

Wording = tuple[int | None, str]


@dataclass(frozen=True)
class DefaultResponse:
    """AWS's own answer for one response type."""

    status: int
    message: str | None
    error_type: str
    key: str = "message"


DEFAULTS = {
    "MISSING_AUTHENTICATION_TOKEN": DefaultResponse(
        403, "Missing Authentication Token", "MissingAuthenticationTokenException"
    ),
    "INVALID_SIGNATURE": DefaultResponse(
        403,
        "Authorization header requires 'Credential' parameter. Authorization header requires "
        "'Signature' parameter. Authorization header requires 'SignedHeaders' parameter.",
        "IncompleteSignatureException",
    ),
    "UNAUTHORIZED": DefaultResponse(401, "Unauthorized", "UnauthorizedException"),
    "ACCESS_DENIED": DefaultResponse(
        403,
        "User is not authorized to access this resource",
        "AccessDeniedException",
        key="Message",
    ),
    "AUTHORIZER_FAILURE": DefaultResponse(500, None, "AuthorizerConfigurationException"),
    "BAD_REQUEST": DefaultResponse(400, "Bad Request", "BadRequestException"),
    "BAD_REQUEST_BODY": DefaultResponse(400, "Invalid request body", "BadRequestException"),
    "REQUEST_TOO_LARGE": DefaultResponse(
        413, "Request Entity Too Large", "RequestEntityTooLargeException"
    ),
    "THROTTLED": DefaultResponse(429, "Too Many Requests", "TooManyRequestsException"),
    "INTEGRATION_FAILURE": DefaultResponse(
        502, "Internal server error", "InternalServerErrorException"
    ),
    "INTEGRATION_TIMEOUT": DefaultResponse(
        504, "Endpoint request timed out", "InternalServerErrorException"
    ),
}

# AWS has these too; here nothing leads to them.
NEVER_SENT = frozenset(
    {
        "API_CONFIGURATION_ERROR",
        "AUTHORIZER_CONFIGURATION_ERROR",
        "BAD_REQUEST_PARAMETERS",
        "EXPIRED_TOKEN",
        "INVALID_API_KEY",
        "QUOTA_EXCEEDED",
        "RESOURCE_NOT_FOUND",
        "UNSUPPORTED_MEDIA_TYPE",
        "WAF_FILTERED",
    }
)

# A malformed request has no response type on AWS; here it can be re-worded like a bad body. Whether
# a route that is unknown to a signed request has one of its own is not settled.
FALLBACKS = {
    "BAD_REQUEST_BODY": "BAD_REQUEST",
    "INVALID_SIGNATURE": "MISSING_AUTHENTICATION_TOKEN",
}


@dataclass(frozen=True)
class GatewayResponse:
    """Another wording for a response type; `status` None keeps AWS's own."""

    status: int | None
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


class GatewayResponses:
    """The table of wordings: an app's own first, then its DEFAULT_4XX or DEFAULT_5XX, then AWS's.

    Bodies may use `$context.error.messageString`, `$context.error.message` and
    `$context.requestId`. Raises ValueError for a type that API Gateway does not have.
    """

    def __init__(self, own: Mapping[str, GatewayResponse | Wording] | None = None) -> None:
        known = {*DEFAULTS, *NEVER_SENT, "DEFAULT_4XX", "DEFAULT_5XX"}
        for name in own or {}:
            if name not in known:
                raise ValueError(
                    f"unknown gateway response {name!r}; known: {', '.join(sorted(known))}"
                )
        self._own = {
            name: GatewayResponse(*value) if isinstance(value, tuple) else value
            for name, value in (own or {}).items()
        }

    def make_response(
        self, name: str, *, message: str | None = None, status: int | None = None
    ) -> HttpResponse:
        """Return the response for a type; `message` and `status` replace AWS's for one case."""
        default = DEFAULTS[name]
        status = status or default.status
        message = default.message if message is None else message
        request_id = new_uuid()
        headers = [("x-amzn-RequestId", request_id), ("x-amzn-ErrorType", default.error_type)]
        own = self._find_own(name, status)
        if own is None:
            return json_response(status, json.dumps({default.key: message}), headers)
        body = (
            own.body.replace("$context.error.messageString", json.dumps(message))
            .replace("$context.error.message", message or "")
            .replace("$context.requestId", request_id)
        )
        return json_response(own.status or status, body, [*headers, *own.headers.items()])

    def _find_own(self, name: str, status: int) -> GatewayResponse | None:
        family = "DEFAULT_5XX" if status >= 500 else "DEFAULT_4XX"
        for key in (name, FALLBACKS.get(name, ""), family):
            if key in self._own:
                return self._own[key]
        return None
