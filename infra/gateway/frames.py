"""Error frames that the gateway itself sends to a WebSocket client, and why it closes a socket."""

from __future__ import annotations

import struct
from dataclasses import dataclass

FORBIDDEN = "Forbidden"
INTERNAL_SERVER_ERROR = "Internal server error"
TIMED_OUT = "Endpoint request timed out"

_FIN_TEXT = 0x81
_HEAD_16, _HEAD_64 = struct.Struct("!BBH"), struct.Struct("!BBQ")


def error_frame(message: str, connection_id: str, request_id: str) -> str:
    """Return the text AWS sends for a failed message; only the first colon has a space after it."""
    return (
        f'{{"message": "{message}", "connectionId":"{connection_id}", "requestId":"{request_id}"}}'
    )


def text_frame_head(length: int) -> bytes:
    """Return what precedes so many bytes of text in one unmasked frame (RFC 6455, 5.2)."""
    if length < 126:
        return bytes((_FIN_TEXT, length))
    if length < 65536:
        return _HEAD_16.pack(_FIN_TEXT, 126, length)
    return _HEAD_64.pack(_FIN_TEXT, 127, length)


@dataclass(frozen=True)
class Closing:
    """How a connection ended: what `$disconnect` reads as status code and reason."""

    code: int
    reason: str


NO_STATUS = Closing(1005, "Client-side close frame status not set")
DELETED = Closing(1000, "Connection Closed Normally")
GOING_AWAY = Closing(1001, "Going away")
BINARY = Closing(1003, "Binary frames are not supported")
INVALID_TEXT = Closing(1007, "Text is not UTF-8")
# AWS's wording for a lost connection is not published.
LOST = Closing(1006, "Connection closed abnormally")
