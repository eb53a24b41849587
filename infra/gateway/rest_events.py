"""Lambda proxy events of a REST API, key by key as AWS sends them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from infra.gateway.config import GatewayConfig
from infra.gateway.events import CANONICAL_NAMES, Event, request_time, trace_id
from infra.gateway.http_messages import HttpRequest
from infra.gateway.identifiers import new_id, new_uuid
from infra.gateway.routes import Match

ACCOUNT_ID = "123456789012"

# Known to API Gateway only where IAM, Cognito or an organisation identified the caller.
_UNKNOWN_CALLER: dict[str, str | None] = dict.fromkeys(
    (
        "cognitoIdentityPoolId",
        "accountId",
        "cognitoIdentityId",
        "caller",
        "principalOrgId",
        "accessKey",
        "cognitoAuthenticationType",
        "cognitoAuthenticationProvider",
        "userArn",
        "user",
    )
)


def rest_event(
    request: HttpRequest,
    route: Match,
    config: GatewayConfig,
    domain_name: str,
    now_s: float,
    body: str | None,
    is_base64: bool,
) -> Event:
    """Build the event of one REST request.

    Path parameters, `path` and `requestContext.path` stay percent-encoded as they were sent; query
    values are decoded. A repeated header or query name shows its last value, and all.
    """
    headers = _event_headers(request.headers, request.source_ip, now_s)
    query = request.query
    return {
        "resource": route.pattern,
        "path": request.path[len(config.stage) + 1 :] or "/",
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {k: v[-1] for k, v in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": route.parameters or None,
        "stageVariables": None,
        "requestContext": _request_context(request, route, config, domain_name, now_s),
        "body": body,
        "isBase64Encoded": is_base64,
    }


def _request_context(
    request: HttpRequest, route: Match, config: GatewayConfig, domain_name: str, now_s: float
) -> Event:
    return {
        "resourceId": _resource_id(route.pattern),
        "resourcePath": route.pattern,
        "httpMethod": request.method,
        "extendedRequestId": new_id(),
        "requestTime": request_time(now_s),
        "path": request.path,
        "accountId": ACCOUNT_ID,
        "protocol": f"HTTP/{request.version}",
        "stage": config.stage,
        "domainPrefix": domain_name.partition(".")[0],
        "requestTimeEpoch": int(now_s * 1000),
        "requestId": new_uuid(),
        "identity": {
            **_UNKNOWN_CALLER,
            "sourceIp": request.source_ip,
            "userAgent": request.find_header("user-agent"),
        },
        "domainName": domain_name,
        "apiId": config.api_id,
    }


def _resource_id(pattern: str) -> str:
    """Return an id in the shape of AWS's, always the same for a path."""
    return hashlib.sha256(pattern.encode()).hexdigest()[:6]


def _event_headers(
    sent: Iterable[tuple[str, str]], source_ip: str, now_s: float
) -> dict[str, list[str]]:
    """Return values by name: well-known names in AWS's case, others as the client sent them."""
    by_name: dict[str, list[str]] = {}
    spelled: dict[str, str] = {}
    for name, value in sent:
        lowered = name.lower()
        if lowered not in _NOT_PASSED_ON:
            name = spelled.setdefault(lowered, CANONICAL_NAMES.get(lowered, name))
            by_name.setdefault(name, []).append(value)
    by_name.setdefault("X-Amzn-Trace-Id", [trace_id(now_s)])
    forwarded = [*by_name.get("X-Forwarded-For", []), source_ip]
    by_name["X-Forwarded-For"] = [", ".join(forwarded)]
    by_name["X-Forwarded-Port"] = ["443"]
    by_name["X-Forwarded-Proto"] = ["https"]
    return dict(sorted(by_name.items(), key=lambda item: item[0].lower()))


# The load balancer's own: they describe one connection, not the request.
_NOT_PASSED_ON = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect"}
)
