"""Events as API Gateway's REST APIs send them to Lambda, key by key after published captures.

Written by itself, not by way of the local gateway: where the two differ, a test should fail.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

STAGE = "api"
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
# What API Gateway adds to each request.
_ADDED = {
    "Host": "wt6mne2s9k.execute-api.us-west-2.amazonaws.com",
    "X-Amzn-Trace-Id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
    "X-Forwarded-For": "205.255.255.176",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Proto": "https",
}
_BINARY_TYPES = ("application/octet-stream", "image/png")


class NoRoute(LookupError):
    """API Gateway itself refuses: 403 Missing Authentication Token."""


def rest_event(
    routes: Mapping[str, Iterable[str]],
    method: str,
    target: str,
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    body: bytes = b"",
) -> dict[str, Any]:
    """The event of a request, its target percent-encoded as a client sends it.

    `routes` are the paths of the API and their methods; a path has ANY beside them, as the
    template gives it. Raises NoRoute where there is nothing for it, not even `/{proxy+}`.
    """
    path, _, query = target.partition("?")
    resource, parameters = _resource(routes, path)
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    multi_headers = _grouped([*_ADDED.items(), *pairs])
    multi_query = _grouped(_query(query))
    user_agent = multi_headers.get("User-Agent", multi_headers.get("user-agent", [None]))[-1]
    text, is_base64 = _body(body, pairs)
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": _last(multi_headers),
        "multiValueHeaders": multi_headers,
        "queryStringParameters": _last(multi_query) or None,
        "multiValueQueryStringParameters": multi_query or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {
            "resourceId": "2gxmpl",
            "resourcePath": resource,
            "httpMethod": method,
            "extendedRequestId": "JJbxmplHYosFVYQ=",
            "requestTime": "10/Mar/2020:00:03:59 +0000",
            "path": f"/{STAGE}{path}",
            "accountId": "123456789012",
            "protocol": "HTTP/1.1",
            "stage": STAGE,
            "domainPrefix": "wt6mne2s9k",
            "requestTimeEpoch": 1583798639428,
            "requestId": "77375676-xmpl-4b79-853a-f982474efe18",
            "identity": {
                "cognitoIdentityPoolId": None,
                "accountId": None,
                "cognitoIdentityId": None,
                "caller": None,
                "sourceIp": "205.255.255.176",
                "principalOrgId": None,
                "accessKey": None,
                "cognitoAuthenticationType": None,
                "cognitoAuthenticationProvider": None,
                "userArn": None,
                "userAgent": user_agent,
                "user": None,
            },
            "domainName": _ADDED["Host"],
            "apiId": "wt6mne2s9k",
        },
        "body": text,
        "isBase64Encoded": is_base64,
    }


def _resource(routes: Mapping[str, Iterable[str]], path: str) -> tuple[str, dict[str, str]]:
    """The most specific resource of a path, and its parameters as they were sent."""
    segments = path.rstrip("/").split("/")[1:] if path != "/" else []
    for resource in _in_order(tuple(routes)):
        parts = resource.split("/")[1:] if resource != "/" else []
        if parts and parts[-1].endswith("+}") and len(segments) >= len(parts):
            return resource, {parts[-1][1:-2]: "/".join(segments[len(parts) - 1 :])}
        if len(parts) == len(segments) and all(
            there if part.startswith("{") else part == there
            for part, there in zip(parts, segments, strict=True)
        ):
            pairs = zip(parts, segments, strict=True)
            return resource, {part[1:-1]: there for part, there in pairs if part.startswith("{")}
    raise NoRoute(path)


@lru_cache(maxsize=8)
def _in_order(resources: tuple[str, ...]) -> list[str]:
    """The most specific first."""
    return sorted(resources, key=lambda r: ("+}" in r, r.count("{"), r))


def _query(query: str) -> list[tuple[str, str]]:
    pairs = [part.partition("=") for part in query.split("&") if part]
    return [(unquote_plus(name), unquote_plus(value)) for name, _, value in pairs]


def _body(body: bytes, headers: Iterable[tuple[str, str]]) -> tuple[str | None, bool]:
    if not body:
        return None, False
    kind = next((value for name, value in headers if name.lower() == "content-type"), "")
    if kind in _BINARY_TYPES:
        return base64.b64encode(body).decode(), True
    return body.decode(errors="replace"), False


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _last(grouped: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {name: values[-1] for name, values in grouped.items()}
