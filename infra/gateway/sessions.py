"""The life of WebSocket connections: `$connect`, `$default`, `$disconnect` around open sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from infra.gateway.application import WebSocketHandlers
from infra.gateway.config import GatewayConfig
from infra.gateway.events import (
    Peer,
    Query,
    connect_event,
    disconnect_event,
    message_event,
)
from infra.gateway.frames import FORBIDDEN, GOING_AWAY, LOST, Closing, error_frame
from infra.gateway.http_messages import Headers
from infra.gateway.identifiers import NewId, new_id
from infra.gateway.invocation import Invoker, Outcome
from infra.gateway.lambda_result import ACCEPTED, Handshake, judge_connect, judge_default
from infra.gateway.limits import Lifetime
from infra.gateway.socket import Socket

log = logging.getLogger("waybill.gateway")

Clock = Callable[[], float]


class Sessions:
    """Every open connection by id. Runs on the event loop only."""

    def __init__(
        self,
        config: GatewayConfig,
        handlers: WebSocketHandlers,
        invoker: Invoker,
        clock: Clock,
        ids: NewId = new_id,
    ) -> None:
        self._config = config
        self._handlers = handlers
        self._invoker = invoker
        self._clock = clock
        self._ids = ids
        self._open: dict[str, Socket] = {}
        self._disconnecting: set[asyncio.Future[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def are_served(self) -> bool:
        """True if the app has a WebSocket handler: without one Chalice deploys no such API."""
        return bool(self._handlers)

    def find_socket(self, connection_id: str) -> Socket | None:
        """Return an open connection; None before `$connect` returned and after the close."""
        return self._open.get(connection_id)

    def run_connect(
        self, peer: Peer, headers: Headers, query: Query, on_decision: Callable[[Handshake], None]
    ) -> None:
        """Run `$connect`; pass the answer to `on_decision`, now if there is no such route."""
        if "$connect" not in self._handlers:
            on_decision(ACCEPTED)
            return
        event = connect_event(peer, self._ids(), self._clock(), headers, query)
        self._invoker.invoke(
            "$connect",
            partial(self._handlers.call_handler, "$connect", event),
            lambda outcome: on_decision(judge_connect(outcome)),
        )

    def open_socket(self, transport: asyncio.Transport, peer: Peer) -> Socket:
        """Register an accepted connection."""
        connected_at_s = peer.connected_at_ms / 1000
        lifetime = Lifetime(connected_at_s, connected_at_s)
        socket = Socket(transport, peer, lifetime, self._config, self)
        self._open[peer.connection_id] = socket
        return socket

    def disconnect_unopened(self, peer: Peer) -> None:
        """Run `$disconnect` for a client that left while its `$connect` was accepted.

        The app has stored the connection by then; without this it would keep it forever.
        """
        self._run_disconnect(peer, LOST)

    def on_message(self, socket: Socket, text: str) -> None:
        """Invoke `$default` with a message; each message is an invocation of its own."""
        now_s = self._clock()
        socket.lifetime.touch(now_s)
        request_id = self._ids()
        if "$default" not in self._handlers:
            self._send_error(socket, FORBIDDEN, request_id)
            return
        event = message_event(socket.peer, request_id, self._ids(), now_s, text)
        self._invoker.invoke(
            "$default",
            partial(self._handlers.call_handler, "$default", event),
            partial(self._on_outcome, socket, request_id),
        )

    def on_end(self, socket: Socket, closing: Closing) -> None:
        """Forget a connection and run `$disconnect`."""
        # Before `$disconnect` runs: a post to this connection is a 410 from now on, as at AWS.
        self._open.pop(socket.peer.connection_id, None)
        self._run_disconnect(socket.peer, closing)

    def on_activity(self, socket: Socket) -> None:
        """Count something other than a received message as activity."""
        socket.lifetime.touch(self._clock())

    def sweep(self) -> None:
        """Close the connections whose idle timeout or maximum duration has passed, and cut those
        that an edge in front would cut."""
        now_s, config = self._clock(), self._config
        for socket in list(self._open.values()):
            if socket.lifetime.is_over(now_s, config):
                socket.close(GOING_AWAY)
            elif socket.lifetime.note_silence(socket.written, now_s, config):
                socket.cut_connection()

    async def stop(self, timeout_s: float) -> None:
        """Close every connection and wait, for a bounded time, for the `$disconnect` handlers."""
        for socket in list(self._open.values()):
            socket.close(GOING_AWAY)
        if self._disconnecting:
            await asyncio.wait(self._disconnecting, timeout=timeout_s)

    def _on_outcome(self, socket: Socket, request_id: str, outcome: Outcome) -> None:
        answer = judge_default(outcome, route_response=self._config.route_response)
        if answer.error is not None:
            self._send_error(socket, answer.error, request_id)
        elif answer.body is not None and socket.is_open:
            self._send_text(socket, answer.body)

    def _send_error(self, socket: Socket, message: str, request_id: str) -> None:
        if socket.is_open:
            self._send_text(socket, error_frame(message, socket.peer.connection_id, request_id))

    def _send_text(self, socket: Socket, text: str) -> None:
        self.on_activity(socket)
        if not socket.send_text(text.encode("utf-8", "replace")):
            log.warning("a reply was dropped: the client's send buffer is full")

    def _run_disconnect(self, peer: Peer, closing: Closing) -> None:
        if "$disconnect" not in self._handlers:
            return
        event = disconnect_event(peer, self._ids(), self._clock(), closing)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._disconnecting.add(future)

        def finish(outcome: Outcome) -> None:
            # Best effort, as on AWS: a failure is in the log and nowhere else.
            self._disconnecting.discard(future)
            if not future.done():
                future.set_result(None)

        self._invoker.invoke(
            "$disconnect", partial(self._handlers.call_handler, "$disconnect", event), finish
        )
