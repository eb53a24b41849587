"""Lambda proxy events of a WebSocket API, key by key in the order AWS sends them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from infra.gateway.frames import Closing

Event = dict[str, Any]
Query = Mapping[str, Sequence[str]]

# The load balancer consumes these; they reach an authorizer's event only.
HOP_HEADERS = frozenset({"connection", "upgrade", "content-length", "keep-alive", "te", "trailer"})

# API Gateway writes well-known names in this case; others stay as the client sent them.
CANONICAL_NAMES = {
    name.lower(): name
    for name in (
        "Accept",
        "Accept-Encoding",
        "Accept-Language",
        "Authorization",
        "Cache-Control",
        "Cookie",
        "Host",
        "Origin",
        "Pragma",
        "Referer",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Version",
        "User-Agent",
        "X-Amzn-Trace-Id",
        "X-Forwarded-For",
        "X-Forwarded-Port",
        "X-Forwarded-Proto",
        "x-api-key",
    )
}


@dataclass(frozen=True)
class Peer:
    """What stays the same through one WebSocket connection."""

    connection_id: str
    connected_at_ms: int
    source_ip: str
    user_agent: str | None
    domain_name: str
    stage: str
    api_id: str

    @property
    def identity(self) -> dict[str, str]:
        """Return `requestContext.identity`; userAgent only if the client sent one."""
        if self.user_agent is None:
            return {"sourceIp": self.source_ip}
        return {"userAgent": self.user_agent, "sourceIp": self.source_ip}


def connect_event(
    peer: Peer,
    request_id: str,
    now_s: float,
    headers: Iterable[tuple[str, str]],
    query: Query,
) -> Event:
    """Build the `$connect` event; a repeated name shows its last value, and all."""
    multi_headers = _integration_headers(headers, peer, now_s)
    event: Event = {
        "headers": {name: values[-1] for name, values in multi_headers.items()},
        "multiValueHeaders": multi_headers,
    }
    if query:
        event["queryStringParameters"] = {name: values[-1] for name, values in query.items()}
        event["multiValueQueryStringParameters"] = {
            name: list(values) for name, values in query.items()
        }
    event["requestContext"] = {
        "routeKey": "$connect",
        "eventType": "CONNECT",
        **_request_fields(request_id, now_s),
        **_connection_fields(peer, request_id, now_s),
    }
    event["isBase64Encoded"] = False
    return event


def message_event(peer: Peer, request_id: str, message_id: str, now_s: float, body: str) -> Event:
    """Build the `$default` event of one text message: no headers and no query."""
    return {
        "requestContext": {
            "routeKey": "$default",
            "messageId": message_id,
            "eventType": "MESSAGE",
            **_request_fields(request_id, now_s),
            **_connection_fields(peer, request_id, now_s),
        },
        "body": body,
        "isBase64Encoded": False,
    }


def disconnect_event(peer: Peer, request_id: str, now_s: float, closing: Closing) -> Event:
    """Build the `$disconnect` event with the four headers AWS sends, three of them empty."""
    headers = {"Host": peer.domain_name, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
    return {
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "requestContext": {
            "routeKey": "$disconnect",
            "disconnectStatusCode": closing.code,
            "eventType": "DISCONNECT",
            **_request_fields(request_id, now_s),
            "disconnectReason": closing.reason,
            **_connection_fields(peer, request_id, now_s),
        },
        "isBase64Encoded": False,
    }


def request_time(now_s: float) -> str:
    """Return a time as requestContext words it, like `11/Nov/2024:11:35:24 +0000`."""
    return _format_second(int(now_s // 1))


@lru_cache(4)
def _format_second(second: int) -> str:
    return (
        time.strftime("%d/", t := time.gmtime(second))
        + _MONTHS[t.tm_mon - 1]
        + time.strftime("/%Y:%H:%M:%S +0000", t)
    )


# Month names must not follow the machine's locale.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def trace_id(now_s: float) -> str:
    """Return a fresh X-Amzn-Trace-Id value."""
    return f"Root=1-{int(now_s):08x}-{os.urandom(12).hex()}"


def _request_fields(request_id: str, now_s: float) -> dict[str, str]:
    return {
        "extendedRequestId": request_id,
        "requestTime": request_time(now_s),
        "messageDirection": "IN",
    }


def _connection_fields(peer: Peer, request_id: str, now_s: float) -> Event:
    return {
        "stage": peer.stage,
        "connectedAt": peer.connected_at_ms,
        "requestTimeEpoch": int(now_s * 1000),
        "identity": peer.identity,
        "requestId": request_id,
        "domainName": peer.domain_name,
        "connectionId": peer.connection_id,
        "apiId": peer.api_id,
    }


def _integration_headers(
    headers: Iterable[tuple[str, str]], peer: Peer, now_s: float
) -> dict[str, list[str]]:
    by_name: dict[str, list[str]] = {}
    for name, value in headers:
        lowered = name.lower()
        if lowered not in HOP_HEADERS:
            by_name.setdefault(CANONICAL_NAMES.get(lowered, name), []).append(value)
    by_name.setdefault("Host", [peer.domain_name])
    by_name.setdefault("X-Amzn-Trace-Id", [trace_id(now_s)])
    forwarded = [*by_name.get("X-Forwarded-For", []), peer.source_ip]
    by_name["X-Forwarded-For"] = [", ".join(forwarded)]
    by_name["X-Forwarded-Port"] = ["443"]
    by_name["X-Forwarded-Proto"] = ["https"]
    return dict(sorted(by_name.items(), key=lambda item: item[0].lower()))
