"""How the contracts differ for a client: where they are, who says who is there, signs of life."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

Contract = Literal["feed", "courier", "customer", "rides", "food", "drivers", "socketio", "ops"]

PATHS: Mapping[str, str] = {
    "feed": "/api/websocket/ws",
    "courier": "/api/v1/ws/courier",
    "customer": "/api/v1/ws/customer",
    "rides": "/api/v1/ws/rides",
    "food": "/orders",
    "drivers": "/ws/driver/orders/",
    "socketio": "/socket.io",
    "ops": "/api/v1/ws/ops",
}
CUSTOMERS = {"customer", "rider", "user"}  # the words for one in a token
# Frames that keep the connection going, and say nothing to the application.
SILENT = {"heartbeat", "heartbeat_ack", "pong", "ping_response", "subscription_updated"}

PING_ID = "ping"
NAMESPACE = "/orders,"  # Socket.IO's
_PACKET = re.compile(r"(4?.)(?:/orders,)?\d*(.*)", re.DOTALL)


def check(contract: str, *urls: str) -> None:
    """Check what no connection could ever be made of: it is no use to try again and again. Raises
    ValueError."""
    if contract not in PATHS:
        raise ValueError(f"There is no contract {contract!r}.")
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
            raise ValueError(f"This is no URL of http, https, ws or wss: {url!r}")
        parts.port  # noqa: B018 raises where it is none


def make_url(url: str, contract: str, token: str, position: str | None) -> str:
    """Make the URL of a socket: of the contract's path, where the given one has none."""
    scheme, host, path, query, _ = urlsplit(url)
    if path in ("", "/"):
        path = PATHS[_choose_side(contract, token)]
    asked = parse_qsl(query, keep_blank_values=True)
    if contract == "socketio":
        asked += [("EIO", "4"), ("transport", "websocket")]
    elif position and contract != "feed":
        asked.append(("from", position))
    return urlunsplit((scheme.replace("http", "ws"), host, path, urlencode(asked), ""))


def make_api_url(url: str, path: str) -> str:
    """Make the URL of a REST call: the path at the same host. What it has of odd letters is
    encoded."""
    scheme, host, *_ = urlsplit(url)
    return f"{scheme.replace('ws', 'http')}://{host}/{quote(path.lstrip('/'), safe='/?&=%:,+')}"


def make_headers(contract: str, token: str) -> dict[str, str]:
    """Make the headers of a handshake: no token is in a URL, where proxies would log it."""
    if contract in ("feed", "socketio"):
        return {}
    return {"Authorization": f"Bearer {token}"}


def make_auth(token: str, user_id: str | int | None, position: str | None) -> dict[str, Any]:
    """Make the feed's first message."""
    claims = read_claims(token)
    if user_id is None:
        user_id = claims.get("sub") if claims.get("sub") is not None else claims.get("user_id")
    auth = {"type": "auth", "token": token, "user_id": user_id, "from": position}
    return {name: value for name, value in auth.items() if value is not None}


def make_ping(contract: str) -> dict[str, str]:
    """Make the message that the server answers whatever else it does."""
    if contract == "feed":
        return {"type": "heartbeat", "timestamp": datetime.now(timezone.utc).isoformat()}
    return {"type" if contract in ("drivers", "ops") else "event": "ping", "event_id": PING_ID}


def is_pong(contract: str, frame: Mapping[str, Any], is_asked: bool) -> bool:
    """Say whether an error answers a ping: contracts without a word for signs of life answer that
    they have none."""
    if frame.get("event") != "error":
        return False
    return frame.get("event_id") == PING_ID or (is_asked and contract in ("courier", "customer"))


def write_message(contract: str, message: Mapping[str, Any]) -> str:
    """Write a message as the text of a frame: JSON, or an event's packet of Socket.IO."""
    if contract != "socketio":
        return json.dumps(message)
    if message["event"] == "ping":
        return make_connect()  # who is connected is told so again
    return f"42{NAMESPACE}{json.dumps([message['event'], message.get('data')])}"


def make_connect(token: str | None = None, position: str | None = None) -> str:
    """Make Socket.IO's CONNECT packet."""
    auth = {"token": token, **({"from": position} if position else {})}
    return f"40{NAMESPACE}{json.dumps(auth) if token else ''}"


def read_frame(contract: str, text: str | bytes) -> Any:
    """Read the text of a frame. Of Socket.IO a packet that is no event has its digits as `packet`.
    Raises ValueError."""
    if contract != "socketio":
        return json.loads(text)
    match = _PACKET.match(str(text))
    if match is None or match[1] != "42":
        return {"packet": match[1], "why": match[2]} if match else None
    name, data, meta = (*json.loads(match[2]), None, None)[:3]
    return {"event": name, "data": data, **(meta or {})}


def read_claims(token: str) -> dict[str, Any]:
    """Read what a token says, unchecked; nothing where it can't be read: the server will say what
    is wrong with it."""
    try:
        part = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return found if isinstance(found, dict) else {}


def _choose_side(contract: str, token: str) -> str:
    """Choose between the two paths of contract `courier` by the role in the token."""
    if contract != "courier":
        return contract
    claims = read_claims(token)
    words = (claims.get(name) for name in ("role", "user_role", "user_type"))
    role = next((word for word in words if word is not None), "")
    return "customer" if str(role).lower() in CUSTOMERS else "courier"
