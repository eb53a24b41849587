"""One open WebSocket: frames in, text and close frames out, within API Gateway's limits."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from infra.gateway import frames
from infra.gateway.config import GatewayConfig
from infra.gateway.events import Peer
from infra.gateway.frames import Closing
from infra.gateway.limits import Lifetime

# The library tells of every connection at INFO; ours is the one log of that.
_frame_log = logging.getLogger("waybill.gateway.frames")
_frame_log.setLevel(logging.WARNING)


class SocketOwner(Protocol):
    """The owner of sockets, which is told what comes in by them."""

    def on_message(self, socket: Socket, text: str) -> None:
        """Take a whole text message."""

    def on_activity(self, socket: Socket) -> None:
        """Take note of something other than a message that counts as activity."""

    def on_end(self, socket: Socket, closing: Closing) -> None:
        """Take note that the connection is over; called once."""


class Socket:
    """A WebSocket connection after its handshake."""

    def __init__(
        self,
        transport: asyncio.Transport,
        peer: Peer,
        lifetime: Lifetime,
        config: GatewayConfig,
        owner: SocketOwner,
    ) -> None:
        self.peer = peer
        self.lifetime = lifetime
        self._transport = transport
        self._config = config
        self._owner = owner
        self.written = 0  # how often something was written to the client
        self._parts: list[bytes] = []
        self._has_ended = False
        # Only frames are read here, so the protocol starts after its handshake; no extension is
        # negotiated.
        self._protocol = ServerProtocol(
            state=OPEN,
            max_size=(config.message_limit_bytes, config.frame_limit_bytes),
            logger=_frame_log,
        )

    @property
    def is_open(self) -> bool:
        """True while text can be sent."""
        return not self._has_ended and self._protocol.state is OPEN

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the network."""
        protocol = self._protocol
        # After its end the protocol takes no more bytes, and raises for them.
        if protocol.reader.eof:
            return
        protocol.receive_data(data)
        for event in protocol.events_received():
            if not self._has_ended and isinstance(event, Frame):
                self._take_frame(event)
        self._process_close()

    def on_connection_lost(self) -> None:
        """Take note that the TCP connection is gone."""
        self._end_once(frames.LOST)

    def send_text(self, data: bytes) -> bool:
        """Send UTF-8 text in one frame; False if the client's send buffer is full."""
        # The transport buffers what a client does not read, without bound: refuse it before that.
        limit = self._config.send_buffer_bytes
        if self._transport.get_write_buffer_size() + len(data) > limit:
            return False
        if self._protocol.state is OPEN:
            self.written += 1
            self._transport.write(frames.text_frame_head(len(data)) + data)
        return True

    def close(self, closing: Closing) -> None:
        """Close from the gateway's side; `$disconnect` reads the same code and reason."""
        if self._has_ended:
            return
        self._protocol.send_close(closing.code, closing.reason)
        self._write_pending()
        self._end_once(closing)

    def cut_connection(self) -> None:
        """End the TCP connection without a word, as an edge does that waited too long."""
        self._transport.abort()
        self._end_once(frames.LOST)

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.CONT:
            self._parts.append(bytes(frame.data))
            if frame.fin:
                self._complete_message()
        elif frame.opcode is Opcode.BINARY:
            self._fail_protocol(frames.BINARY)
        elif frame.opcode is Opcode.PING and self._config.ping_counts:
            self._owner.on_activity(self)

    def _complete_message(self) -> None:
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = []
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._fail_protocol(frames.INVALID_TEXT)
            return
        self._owner.on_message(self, text)

    def _fail_protocol(self, closing: Closing) -> None:
        self._protocol.fail(closing.code, closing.reason)
        self._write_pending()
        self._end_once(closing)

    def _process_close(self) -> None:
        self._write_pending()
        closed = self._protocol.close_rcvd or self._protocol.close_sent
        if closed is None or self._has_ended:
            return
        if closed.code == frames.NO_STATUS.code:
            self._end_once(frames.NO_STATUS)
        else:
            self._end_once(Closing(closed.code, closed.reason))

    def _write_pending(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self.written += 1
                self._transport.write(data)
            elif self._protocol.close_rcvd is not None:
                self._transport.close()
            elif self._transport.can_write_eof():
                self._transport.write_eof()

    def _end_once(self, closing: Closing) -> None:
        if self._has_ended:
            return
        # A socket has several ends, which may come one after another (a close frame, the TCP
        # connection's end, a limit): `$disconnect` runs for the first of them only.
        self._has_ended = True
        self._parts = []
        if not self._transport.is_closing():
            # The client may never answer the close frame.
            loop = asyncio.get_running_loop()
            loop.call_later(self._config.close_timeout_s, self._transport.abort)
        self._owner.on_end(self, closing)
