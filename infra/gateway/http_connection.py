"""One TCP connection: HTTP/1.1 requests in turn, until one of them becomes a WebSocket."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from infra.gateway.config import GatewayConfig
from infra.gateway.http_messages import HeaderError, HttpRequest, HttpResponse
from infra.gateway.reader import Refusal, RequestReader
from infra.gateway.responses import GatewayResponses
from infra.gateway.socket import Socket

access_log = logging.getLogger("waybill.gateway.access")
log = logging.getLogger("waybill.gateway")

# Pipelined requests and early WebSocket bytes are held up to here, then reading stops.
MAX_WAITING_REQUESTS = 16
MAX_EARLY_BYTES = 256 * 1024


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MAX_LOGGED_SEGMENT = 48  # a UUID fits; no JWT does, however it is encoded


def without_tokens(path: str) -> str:
    """Hide each part of a path that is long enough for a token, wherever somebody put one."""
    parts = path.split("/")
    return "/".join(part if len(part) <= MAX_LOGGED_SEGMENT else "(hidden)" for part in parts)


class RequestHandler(Protocol):
    """A taker of requests: the router."""

    def handle(self, request: HttpRequest, exchange: Exchange) -> None:
        """Answer, now or later, through the exchange."""


class Exchange:
    """The answer to one request: a response, or a WebSocket. Only the first one counts."""

    def __init__(self, connection: HttpConnection, request: HttpRequest) -> None:
        self._connection = connection
        self._request = request
        self._started_s = connection.loop.time()
        self._is_open = True

    @property
    def is_abandoned(self) -> bool:
        """True when the client is gone, so that nothing can be answered."""
        return self._connection.transport.is_closing()

    def respond(self, response: HttpResponse) -> None:
        """Send the response."""
        if self._is_open:
            self._is_open = False
            self._log_access(response.status)
            self._connection.respond(self._request, response)

    def upgrade(self, head: bytes, open_socket: Callable[[asyncio.Transport], Socket]) -> None:
        """Send a 101 and let the socket read what follows."""
        if self._is_open:
            self._is_open = False
            self._log_access(101)
            self._connection.become_websocket(head, open_socket)

    def _log_access(self, status: int) -> None:
        # Never the query and no header: both carry tokens.
        if access_log.isEnabledFor(logging.INFO):
            request = self._request
            label = request.label or without_tokens(request.path)
            ms = (self._connection.loop.time() - self._started_s) * 1000
            safe = label.encode("ascii", "backslashreplace").decode()
            method = request.method if request.method in METHODS else "(unknown method)"
            access_log.info("%s %s %d %.1f ms", method, safe, status, ms)


class HttpConnection(asyncio.Protocol):
    """The asyncio protocol of one TCP connection.

    Requests are answered in the order in which they came: a pipelined one waits until the one
    before it has its response.
    """

    transport: asyncio.Transport

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        config: GatewayConfig,
        responses: GatewayResponses,
        handler: RequestHandler,
        open_connections: set[HttpConnection],
    ) -> None:
        self.loop = loop
        self._config = config
        self._responses = responses
        self._handler = handler
        self._open_connections = open_connections
        self._waiting: deque[HttpRequest | Refusal] = deque()
        self._is_busy = False
        self._is_draining = False
        self._is_upgrading = False
        self._is_ending = False
        self._is_paused = False
        self._has_eof = False
        self._early = b""
        self._socket: Socket | None = None
        self._last_used_s = loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        source_ip = peer[0] if isinstance(peer, tuple) else ""
        self._reader = RequestReader(self._config, source_ip, self._send_continue)
        self._open_connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._socket is not None:
            self._socket.receive_data(data)
        elif self._is_upgrading:
            self._hold_early(data)
        elif not self._is_ending:
            self._read_requests(data)

    def eof_received(self) -> bool:
        # A client may close its sending side and still wait for the answer to its request.
        self._has_eof = self._is_busy and self._socket is None and not self._is_upgrading
        return self._has_eof

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_ending = True
        self._open_connections.discard(self)
        self._waiting.clear()
        if self._socket is not None:
            self._socket.on_connection_lost()

    @property
    def is_websocket(self) -> bool:
        """True once the connection has become a WebSocket."""
        return self._socket is not None

    def close_if_idle(self) -> None:
        """Close an HTTP connection that has waited too long for a request or its rest."""
        idle_s = self.loop.time() - self._last_used_s
        if self._socket is None and not self._is_busy and idle_s >= self._config.keep_alive_s:
            self.transport.close()

    def respond(self, request: HttpRequest, response: HttpResponse) -> None:
        """Write a response and go on with the next request."""
        keep_alive = request.keep_alive and not (request.is_upgrade or self._has_eof)
        self._write_response(response, keep_alive=keep_alive, head_only=request.method == "HEAD")
        self._is_busy = False
        if not self._is_draining:
            self._answer_waiting()

    def become_websocket(
        self, head: bytes, open_socket: Callable[[asyncio.Transport], Socket]
    ) -> None:
        """Become a WebSocket."""
        self.transport.write(head)
        self._socket = open_socket(self.transport)
        # A client may send frames before it has the 101. They were held, and come before others.
        early, self._early = self._early, b""
        self._resume_reading()
        if early:
            self._socket.receive_data(early)

    def _read_requests(self, data: bytes) -> None:
        self._last_used_s = self.loop.time()
        # More requests may come while one is being answered (pipelining): they wait in order.
        self._waiting.extend(self._reader.feed(data))
        if self._reader.has_upgraded:
            self._is_upgrading = True
            self._hold_early(self._reader.remainder)
        if not self._is_busy:
            self._answer_waiting()
        elif len(self._waiting) > MAX_WAITING_REQUESTS:
            self._pause_reading()

    def _hold_early(self, data: bytes) -> None:
        self._early += data
        if len(self._early) > MAX_EARLY_BYTES:
            self._pause_reading()

    def _answer_waiting(self) -> None:
        # A request answered at once comes back through respond(): a loop, so that a long pipeline
        # does not become a deep recursion.
        self._is_draining = True
        while self._waiting and not (self._is_busy or self._is_ending):
            item = self._waiting.popleft()
            if isinstance(item, Refusal):
                # What follows an unreadable request can't be told from its rest.
                self._write_refusal(item)
                break
            self._is_busy = True
            self._handler.handle(item, Exchange(self, item))
        self._is_draining = False
        self._resume_reading()

    def _pause_reading(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._is_paused and not (self._waiting or self._early or self._has_eof):
            self._is_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def _write_refusal(self, refusal: Refusal) -> None:
        response = self._responses.make_response(
            refusal.name, message=refusal.message, status=refusal.status
        )
        access_log.info("unreadable request %d", response.status)
        self._write_response(response, keep_alive=False, head_only=False)

    def _write_response(self, response: HttpResponse, *, keep_alive: bool, head_only: bool) -> None:
        if self.transport.is_closing():
            return
        try:
            data = response.serialize(keep_alive=keep_alive, head_only=head_only)
        except HeaderError:
            # An app's own header could split the message and make a second response of its rest.
            log.exception("a response was replaced")
            failure = self._responses.make_response("INTEGRATION_FAILURE")
            data = failure.serialize(keep_alive=keep_alive, head_only=head_only)
        self.transport.write(data)
        self._last_used_s = self.loop.time()
        if not keep_alive:
            self._linger()

    def _linger(self) -> None:
        """End the connection without a reset that could take the response from the client.

        Closing with unread bytes makes TCP reset; so stop sending, and close a little later.
        """
        self._is_ending = True
        self._is_upgrading = False
        self._early = b""
        self._waiting.clear()
        if self._has_eof:
            self.transport.close()
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(self._config.close_timeout_s, self.transport.abort)

    def _send_continue(self) -> None:
        self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
