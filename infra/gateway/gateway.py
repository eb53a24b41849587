"""The gateway put together: one port, one app, started and stopped on an asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from chalice.app import Chalice

from infra.gateway.application import WebSocketHandlers, format_authority, make_thread_safe
from infra.gateway.config import GatewayConfig
from infra.gateway.http_connection import HttpConnection
from infra.gateway.invocation import Invoker
from infra.gateway.management import ManagementApi
from infra.gateway.paths import PathRule
from infra.gateway.responses import GatewayResponse, GatewayResponses, Wording
from infra.gateway.rest import RestApi
from infra.gateway.router import Router
from infra.gateway.sessions import Sessions
from infra.gateway.workers import WorkerPool

log = logging.getLogger("waybill.gateway")

BACKLOG = 1024
DRAIN_STEPS = 30


class PortError(Exception):
    """Raised when the address can't be listened on; the text says what to do."""


def bind(config: GatewayConfig) -> socket.socket:
    """Return a socket bound to the configured address, so its port is known before the app loads.

    Raises PortError.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((config.host, config.port))
        # Linux lets two sockets bind with SO_REUSEADDR until one of them listens.
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise PortError(
            f"can't listen on {format_authority(config.host, config.port)} ({error.strerror}); "
            "stop what uses it or choose another --port"
        ) from error
    bound.setblocking(False)
    return bound


class Gateway:
    """API Gateway for one Chalice app.

    `await start()`, use `port`, `await stop()`; all on one loop, once. Call `export_endpoint`
    before the app is imported if its handlers post to connections. `clock` returns seconds since
    the epoch; idle and duration limits follow it, integration timeouts follow the loop.
    `bound` is a socket from `bind()`, if the port had to be known first.

    Raises ValueError for unusable settings, PortError from `start`.
    """

    def __init__(
        self,
        app: Chalice,
        config: GatewayConfig | None = None,
        *,
        paths: Sequence[PathRule] = (),
        clock: Callable[[], float] = time.time,
        gateway_responses: Mapping[str, GatewayResponse | Wording] | None = None,
        bound: socket.socket | None = None,
    ) -> None:
        self.config = config or GatewayConfig()
        self._app = app
        self._paths = tuple(paths)
        self._clock = clock
        self._responses = GatewayResponses(gateway_responses)
        self._bound = bound
        self._open_connections: set[HttpConnection] = set()
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port listened on; the real one after `start`, also when configured as 0."""
        if self._bound is None:
            return self.config.port
        return int(self._bound.getsockname()[1])

    @property
    def endpoint(self) -> str:
        """The @connections endpoint, which is also the base URL of the REST API."""
        return f"http://{self._domain_name}/{self.config.stage}"

    @property
    def websocket_url(self) -> str:
        """The URL of the WebSocket API."""
        return f"ws://{self._domain_name}/{self.config.stage}"

    @property
    def connections(self) -> int:
        """The number of open WebSocket connections."""
        return len(self._sessions)

    async def start(self) -> None:
        """Begin to serve. Returns when connections are accepted; raises PortError."""
        loop = asyncio.get_running_loop()
        if self._bound is None:
            self._bound = bind(self.config)
        # Before a worker runs the app: not even the first two requests may share its state.
        make_thread_safe(self._app)
        self._pool = WorkerPool(self.config.workers, self.config.max_workers, self.config.max_queue)
        router = self._make_router(loop)
        self._server = await loop.create_server(
            lambda: HttpConnection(
                loop, self.config, self._responses, router, self._open_connections
            ),
            sock=self._bound,
            backlog=BACKLOG,
        )
        self._sweeper = loop.create_task(self._sweep_forever())
        log.info("serving %s on %s", self._app.app_name, self.endpoint)

    async def stop(self) -> None:
        """Close sockets with 1001, run `$disconnect` for a bounded time, then end.

        Takes at most `stop_timeout_s`, hanging handlers or not; their threads are daemons.
        """
        if self._server is None or self._sweeper is None:
            return
        # No new connection first: a socket that opened while the others close would be left open.
        self._server.close()
        self._sweeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._sweeper
        await self._sessions.stop(self.config.stop_timeout_s)
        await self._await_closes()
        for connection in list(self._open_connections):
            connection.transport.abort()
        self._pool.stop()
        self._server = None

    def sweep(self) -> None:
        """Apply time limits now; happens by itself every `sweep_interval_s`."""
        self._sessions.sweep()
        self._pool.relieve()
        for connection in list(self._open_connections):
            connection.close_if_idle()

    async def _await_closes(self) -> None:
        """Let clients read their close frame: an abort could take it from them."""
        for _ in range(DRAIN_STEPS):
            if not any(connection.is_websocket for connection in self._open_connections):
                return
            await asyncio.sleep(0.01)

    @property
    def _domain_name(self) -> str:
        return format_authority(self.config.host, self.port)

    def _make_router(self, loop: asyncio.AbstractEventLoop) -> Router:
        config, clock, domain_name = self.config, self._clock, self._domain_name
        invoker = Invoker(self._pool, loop, config.integration_timeout_s)
        handlers = WebSocketHandlers(self._app, config, domain_name)
        self._sessions = Sessions(config, handlers, invoker, clock)
        return Router(
            config,
            self._sessions,
            ManagementApi(config, self._sessions, clock),
            RestApi(self._app, config, self._responses, clock, domain_name),
            self._responses,
            invoker,
            self._paths,
            clock,
            domain_name,
        )

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(self.config.sweep_interval_s)
            self.sweep()
