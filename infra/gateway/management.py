"""The @connections API: post to, look at and close a connection over signed HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timezone
from functools import lru_cache
from urllib.parse import unquote

from infra.gateway.config import GatewayConfig
from infra.gateway.frames import DELETED
from infra.gateway.http_messages import HttpRequest, HttpResponse, json_response
from infra.gateway.identifiers import new_id
from infra.gateway.sessions import Sessions
from infra.gateway.socket import Socket

# The shape of a SigV4 header for execute-api. The signature itself is not verified: the gateway
# holds no secrets, and an emulator needs to catch an unsigned client, not a forger.
_SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=[^/,\s]+/\d{8}/[^/,\s]+/execute-api/aws4_request"
    r", *SignedHeaders=[^,\s]+, *Signature=[0-9a-f]{64}"
)

Wording = tuple[int, str, str]

# 11 bytes in URL-safe base64, as every connection id.
_CONNECTION_ID = re.compile(r"[A-Za-z0-9_-]{15}=")

GONE: Wording = (410, "GoneException", "Gone")
UNSIGNED: Wording = (403, "MissingAuthenticationTokenException", "Missing Authentication Token")
BADLY_SIGNED: Wording = (
    403,
    "IncompleteSignatureException",
    "Authorization header is not an AWS4-HMAC-SHA256 signature for execute-api",
)
FORBIDDEN: Wording = (403, "ForbiddenException", "Forbidden")
TOO_LARGE: Wording = (413, "PayloadTooLargeException", "Message too long")
BUFFER_FULL: Wording = (429, "LimitExceededException", "The client's send buffer is full")
NO_ID: Wording = (400, "BadRequestException", "Invalid connectionId")
NOT_TEXT: Wording = (400, "BadRequestException", "Data is not UTF-8 text")


class ManagementApi:
    """Answers `/{stage}/@connections/{id}`. Runs on the event loop only."""

    def __init__(
        self, config: GatewayConfig, sessions: Sessions, clock: Callable[[], float]
    ) -> None:
        self._config = config
        self._sessions = sessions
        self._clock = clock
        self._prefix = f"/{config.stage}/@connections/"
        self.label = self._prefix + "{id}"

    def parse_connection_id(self, path: str) -> str | None:
        """Return the connection id a raw path names, or None if it is another API's path."""
        if "connections/" not in path:
            return None
        decoded = _unquoted(path)
        return decoded[len(self._prefix) :] if decoded.startswith(self._prefix) else None

    def handle(self, request: HttpRequest, connection_id: str) -> HttpResponse:
        """Answer one request as API Gateway does, errors with a type that SDKs read."""
        # The signature comes first, as at AWS: an unsigned caller learns nothing about connections.
        authorization = request.find_header("authorization")
        if authorization is None:
            return _error_response(UNSIGNED)
        if _SIGNED.match(authorization) is None:
            return _error_response(BADLY_SIGNED)
        action = self._ACTIONS.get(request.method)
        if action is None:
            return _error_response(FORBIDDEN)
        if _CONNECTION_ID.fullmatch(connection_id) is None:
            return _error_response(NO_ID)
        if request.method == "POST" and len(request.body) > self._config.payload_limit_bytes:
            return _error_response(TOO_LARGE)
        socket = self._sessions.find_socket(connection_id)
        if socket is None:
            return _error_response(GONE)
        return action(self, request, socket)

    def _post_text(self, request: HttpRequest, socket: Socket) -> HttpResponse:
        if not request.body.isascii():
            try:
                request.body.decode()
            except UnicodeDecodeError:
                return _error_response(NOT_TEXT)
        if not socket.send_text(request.body):
            return _error_response(BUFFER_FULL)
        socket.lifetime.touch(self._clock())
        return HttpResponse(200, headers=(("x-amzn-RequestId", new_id()),))

    def _get_info(self, request: HttpRequest, socket: Socket) -> HttpResponse:
        found = {
            "connectedAt": _format_time(socket.lifetime.connected_at_s),
            "identity": {
                "sourceIp": socket.peer.source_ip,
                "userAgent": socket.peer.user_agent or "",
            },
            "lastActiveAt": _format_time(socket.lifetime.last_active_at_s),
        }
        return json_response(200, json.dumps(found), [("x-amzn-RequestId", new_id())])

    def _close_connection(self, request: HttpRequest, socket: Socket) -> HttpResponse:
        socket.close(DELETED)
        return HttpResponse(204, headers=(("x-amzn-RequestId", new_id()),))

    _ACTIONS = {"POST": _post_text, "GET": _get_info, "DELETE": _close_connection}


# Most posts go to connections that were posted to before.
_unquoted = lru_cache(4096)(unquote)


def _error_response(wording: Wording) -> HttpResponse:
    status, error_type, message = wording
    headers = [("x-amzn-RequestId", new_id()), ("x-amzn-ErrorType", error_type)]
    return json_response(status, json.dumps({"message": message}), headers)


def _format_time(time_s: float) -> str:
    moment = datetime.fromtimestamp(time_s, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
