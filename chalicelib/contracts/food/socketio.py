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
from chalicelib.contracts.base import RequestError, SocketMessage
from chalicelib.contracts.food.socket import MESSAGES, PING, WRITERS, FoodContract, word_error
from chalicelib.contracts.socketio import BadPacket, Packet, PacketKind
from chalicelib.domain.messaging.connections import Connection, Heartbeat
from chalicelib.domain.messaging.positions import read_position
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.requests import Authenticate, Disconnect
from chalicelib.errors import Forbidden, InvalidInput, Unauthenticated, WaybillError

NAMESPACE = "/orders"
PING_TIMEOUT = timedelta(seconds=60)
MAX_PAYLOAD = 131_072  # AWS quota: 128 KB a message


class _ConnectMessage(SocketMessage, frozen=True):
    """A packet that is answered as a CONNECT is, on its `namespace`. A type and not a name: an
    event may have any name, "connect" too."""

    namespace: str = socketio.ROOT_NAMESPACE


class FoodSocketIOContract(FoodContract):
    """A client opens the socket, is sent the open packet, asks to CONNECT with its token, and is
    in. `ping_interval` is how often it is pinged then."""

    paths = ("/socket.io",)
    authenticates_by_message = True
    requires_auth_message = True
    keepalive_frame = None  # Engine.IO's ping is a sign of life already

    def __init__(self, ping_interval: timedelta) -> None:
        # `ping` is the plain form's: Engine.IO has pings of its own.
        messages = {name: each for name, each in MESSAGES.items() if name != PING}
        super().__init__(messages, WRITERS)
        self._ping_interval = ping_interval
        self.heartbeat = Heartbeat(ping_interval, PacketKind.PING.value)

    def check_handshake(self, query: Mapping[str, str]) -> None:
        """Check that Engine.IO 4 is spoken: Socket.IO clients from version 3 on. Raises
        InvalidInput."""
        if query.get("EIO") != "4":
            raise InvalidInput("EIO must be 4.")

    def render_first_frames(
        self, connection: Connection, offered: Sequence[Order]
    ) -> Sequence[str]:
        """Make the open packet."""
        data = {
            "sid": _make_session_id(connection),
            "upgrades": [],
            "pingInterval": _to_ms(self._ping_interval),
            "pingTimeout": _to_ms(PING_TIMEOUT),
            "maxPayload": MAX_PAYLOAD,
        }
        return (socketio.encode_packet(Packet(PacketKind.OPEN, data)),)

    def encode_event(self, name: str, data: Mapping[str, Any]) -> str:
        """Encode one message as an event packet."""
        return socketio.encode_packet(Packet(PacketKind.EVENT, [name, data], NAMESPACE))

    def add_position(self, frame: str, position: str) -> str:
        """Add {pos} as the second argument of an event."""
        return f'{frame[:-1]},{{"pos":"{position}"}}]'

    def read_message(self, text: str, connection: Connection, now: datetime) -> SocketMessage:
        """Read what a packet asks: nothing, where it is Engine.IO's own or none of its packets.
        Raises RequestError."""
        try:
            packet = socketio.decode_packet(text)
            if packet.kind is PacketKind.CONNECT_ERROR:
                raise BadPacket("Only a server refuses to connect.", packet.kind, packet.namespace)
        except BadPacket as bad:
            if not text.startswith("4"):
                return SocketMessage()
            raise RequestError(_read_broken_packet(bad, connection), bad) from None
        if packet.kind is PacketKind.CONNECT:
            return _read_connect(packet, connection)
        if packet.kind in (PacketKind.CLOSE, PacketKind.DISCONNECT):
            return SocketMessage("disconnect", Disconnect(), is_rate_limited=False)
        if packet.kind is not PacketKind.EVENT:
            return SocketMessage()  # a pong, or an ack of what we never ask to be acknowledged
        if not connection.person_id or packet.namespace != NAMESPACE:
            error = Unauthenticated(f"Connect to {NAMESPACE} first.")
            raise RequestError(_ConnectMessage(namespace=packet.namespace), error)
        data = packet.data[1] if len(packet.data) > 1 else None
        return self.read_event(packet.data[0], data, connection, now, packet.id)

    def render_answer(
        self, message: SocketMessage, result: Any, connection: Connection
    ) -> Sequence[str]:
        """Make the CONNECT packet; else what was asked for, and an ack where one is wanted."""
        if isinstance(message, _ConnectMessage):
            return (
                socketio.encode_packet(
                    Packet(PacketKind.CONNECT, {"sid": _make_session_id(connection)}, NAMESPACE)
                ),
            )
        if message.name not in self.messages:
            return ()  # a pong, an ack or a farewell: the protocol's own, which nobody answers
        return (
            *super().render_answer(message, result, connection),
            *_make_ack_frames(message, {"ok": True}),
        )

    def render_error(self, message: SocketMessage, error: WaybillError) -> Sequence[str]:
        """Make a CONNECT_ERROR packet for a CONNECT; else the event `error`, and an ack that says
        so."""
        data = {"message": word_error(error)}
        if isinstance(message, _ConnectMessage):
            return (
                socketio.encode_packet(Packet(PacketKind.CONNECT_ERROR, data, message.namespace)),
            )
        return (
            *super().render_error(message, error),
            *_make_ack_frames(message, {"error": word_error(error)}),
        )


def _read_connect(packet: Packet, connection: Connection) -> SocketMessage:
    # Not paced: a client must connect before it may send events, and the pace counts those.
    asked = _ConnectMessage(namespace=packet.namespace, is_rate_limited=False)
    if packet.namespace != NAMESPACE:
        raise RequestError(asked, Forbidden("Invalid namespace"))  # as a Socket.IO server words it
    token = (packet.data or {}).get("token") or ""
    if not isinstance(token, str):
        raise RequestError(asked, InvalidInput("token must be a text."))
    if connection.person_id:
        return asked  # it is connected: say so again
    try:
        position = read_position((packet.data or {}).get("from"))
    except InvalidInput as error:
        raise RequestError(asked, error) from None
    return replace(asked, request=Authenticate(token, position=position))


def _read_broken_packet(bad: BadPacket, connection: Connection) -> SocketMessage:
    """Read what a broken packet was, to be refused: an event may wait for its ack."""
    if not connection.person_id:
        return _ConnectMessage(namespace=bad.namespace)
    wants_ack = bad.kind is PacketKind.EVENT and bad.namespace == NAMESPACE
    return SocketMessage(echo=bad.id if wants_ack else None)


def _make_ack_frames(message: SocketMessage, data: Mapping[str, Any]) -> Sequence[str]:
    if not isinstance(message.echo, int):
        return ()
    return (socketio.encode_packet(Packet(PacketKind.ACK, [data], NAMESPACE, message.echo)),)


def _make_session_id(connection: Connection) -> str:
    return connection.id.rstrip("=")


def _to_ms(length: timedelta) -> int:
    return int(length.total_seconds() * 1000)
