"""The opening handshake of RFC 6455, read from a request and answered in bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib

from infra.gateway.http_messages import HttpRequest, HttpResponse, json_response

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

BAD_METHOD = json_response(405, '{"message":"Method Not Allowed"}', [("Allow", "GET")])
BAD_HANDSHAKE = json_response(400, '{"message":"Bad Request"}')
BAD_VERSION = json_response(
    426, '{"message":"Upgrade Required"}', [("Sec-WebSocket-Version", "13")]
)
UPGRADE_REQUIRED = json_response(426, '{"message":"Upgrade Required"}', [("Upgrade", "websocket")])


def wants_websocket(request: HttpRequest) -> bool:
    """Tell whether a request asks to become a WebSocket (and not, say, HTTP/2)."""
    if not request.is_upgrade:
        return False
    protocols = (request.find_header("upgrade") or "").lower().split(",")
    return "websocket" in (p.strip() for p in protocols)


def find_fault(request: HttpRequest) -> HttpResponse | None:
    """Return the refusal for a handshake RFC 6455 does not allow, or None if it is sound."""
    if request.method != "GET":
        return BAD_METHOD
    if request.version != "1.1" or request.body:
        return BAD_HANDSHAKE
    if request.find_header("sec-websocket-version") != "13":
        return BAD_VERSION
    return None if _is_key(request.find_header("sec-websocket-key")) else BAD_HANDSHAKE


def format_handshake(request: HttpRequest, subprotocol: str | None) -> bytes:
    """Return the 101 for a sound handshake; no extension is negotiated."""
    digest = hashlib.sha1(f"{request.find_header('sec-websocket-key')}{_GUID}".encode()).digest()
    headers = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", base64.b64encode(digest).decode("ascii")),
    ]
    if subprotocol is not None:
        headers.append(("Sec-WebSocket-Protocol", subprotocol))
    lines = [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(["HTTP/1.1 101 Switching Protocols", *lines]) + "\r\n\r\n").encode()


def _is_key(key: str | None) -> bool:
    try:
        return len(base64.b64decode(key or "", validate=True)) == 16
    except (binascii.Error, ValueError):
        return False
