"""Contract `food` over Socket.IO, on the namespace /orders, for unmodified Socket.IO clients.

There is no Socket.IO server: each packet is one invocation, and what a server would remember of a
connection is its row. docs/decisions/0013 has the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from chalicelib.contracts import socketio
from chalicelib.contracts.base import Refused, Request
from chalicelib.contracts.food.socket import Food, error_text
from chalicelib.contracts.socketio import BadPacket, Kind, Packet
from chalicelib.domain.messaging.connections import Connection, Heartbeat
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.requests import Authenticate, Leave
from chalicelib.errors import Forbidden, InvalidInput, Unauthenticated, WaybillError

NAMESPACE = "/orders"
PING_TIMEOUT = timedelta(seconds=60)
MAX_PAYLOAD = 131_072  # AWS quota: 128 KB a message


class _ToConnect(Request, frozen=True):
    """A packet that is answered as a CONNECT is, on its `namespace`. A type and not a name: an
    event may have any name, "connect" too."""

    namespace: str = socketio.ROOT


class FoodOverSocketIO(Food):
    """A client opens the socket, is sent the open packet, asks to CONNECT with its token, and is
    in. `ping_interval` is how often it is pinged then."""

    in_band = True
    asks_first = True

    def __init__(self, ping_interval: timedelta) -> None:
        self._ping_interval = ping_interval
        self.heartbeat = Heartbeat(ping_interval, Kind.PING.value)

    def opening(self, query: Mapping[str, str]) -> None:
        """Only Engine.IO 4 is spoken: Socket.IO clients from version 3 on. Raises InvalidInput."""
        if query.get("EIO") != "4":
            raise InvalidInput("EIO must be 4.")

    def first_frames(self, connection: Connection, offered: Order | None) -> Sequence[str]:
        """The open packet."""
        data = {
            "sid": _sid(connection),
            "upgrades": [],
            "pingInterval": _ms(self._ping_interval),
            "pingTimeout": _ms(PING_TIMEOUT),
            "maxPayload": MAX_PAYLOAD,
        }
        return (socketio.encode(Packet(Kind.OPEN, data)),)

    def say(self, name: str, data: Mapping[str, Any]) -> str:
        """One message as an event packet."""
        return socketio.encode(Packet(Kind.EVENT, [name, data], NAMESPACE))

    def read(self, text: str, connection: Connection, now: datetime) -> Request:
        """What a packet asks; nothing, where it is Engine.IO's own or none of its packets."""
        try:
            packet = socketio.decode(text)
            if packet.kind is Kind.CONNECT_ERROR:
                raise BadPacket("Only a server refuses to connect.", packet.kind, packet.namespace)
        except BadPacket as bad:
            if not text.startswith("4"):
                return Request()
            raise Refused(_misread(bad, connection), bad) from None
        if packet.kind is Kind.CONNECT:
            return _connect(packet, connection)
        if packet.kind in (Kind.CLOSE, Kind.DISCONNECT):
            return Request("disconnect", Leave(), paced=False)
        if packet.kind is not Kind.EVENT:
            return Request()  # a pong, or an ack of what we never ask to be acknowledged
        if not connection.person_id or packet.namespace != NAMESPACE:
            error = Unauthenticated(f"Connect to {NAMESPACE} first.")
            raise Refused(_ToConnect(namespace=packet.namespace), error)
        data = packet.data[1] if len(packet.data) > 1 else None
        return self.asked(packet.data[0], data, connection, packet.id)

    def answer(self, request: Request, result: Any, connection: Connection) -> Sequence[str]:
        """The CONNECT packet; else what was asked for, and an ack where one is wanted."""
        if isinstance(request, _ToConnect):
            return (socketio.encode(Packet(Kind.CONNECT, {"sid": _sid(connection)}, NAMESPACE)),)
        return (*super().answer(request, result, connection), *_ack(request, {"ok": True}))

    def refusal(self, request: Request, error: WaybillError) -> Sequence[str]:
        """A CONNECT_ERROR packet for a CONNECT; else the event `error`, and an ack that says so."""
        data = {"message": error_text(error)}
        if isinstance(request, _ToConnect):
            return (socketio.encode(Packet(Kind.CONNECT_ERROR, data, request.namespace)),)
        return (*super().refusal(request, error), *_ack(request, {"error": error_text(error)}))


def _connect(packet: Packet, connection: Connection) -> Request:
    # Not paced: a client must connect before it may send events, and the pace counts those.
    asked = _ToConnect(namespace=packet.namespace, paced=False)
    if packet.namespace != NAMESPACE:
        raise Refused(asked, Forbidden("Invalid namespace"))  # as a Socket.IO server words it
    token = (packet.data or {}).get("token") or ""
    if not isinstance(token, str):
        raise Refused(asked, InvalidInput("token must be a text."))
    if connection.person_id:
        return asked  # it is connected: say so again
    return replace(asked, ask=Authenticate(token))


def _misread(bad: BadPacket, connection: Connection) -> Request:
    """What is refused with a broken packet: the ack that its event waits for is answered too."""
    if not connection.person_id:
        return _ToConnect(namespace=bad.namespace)
    wants_ack = bad.kind is Kind.EVENT and bad.namespace == NAMESPACE
    return Request(echo=bad.id if wants_ack else None)


def _ack(request: Request, data: Mapping[str, Any]) -> Sequence[str]:
    if not isinstance(request.echo, int):
        return ()
    return (socketio.encode(Packet(Kind.ACK, [data], NAMESPACE, request.echo)),)


def _sid(connection: Connection) -> str:
    return connection.id.rstrip("=")


def _ms(length: timedelta) -> int:
    return int(length.total_seconds() * 1000)
