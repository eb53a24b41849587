"""A gateway on a free port, in a thread of its own, and the stock clients that talk to it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
import uvloop
from botocore.config import Config
from chalice.app import Chalice
from websockets.sync.client import ClientConnection, connect

from infra.gateway import Gateway, GatewayConfig, GatewayResponse, PathRule
from tests.conftest import PATIENCE_S

# Both loops serve: the program prefers uvloop, a library user may have either.
USE_UVLOOP = os.environ.get("GATEWAY_LOOP") == "uvloop"
SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=AKID/20241111/us-east-1/execute-api/aws4_request, "
    f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
)


@dataclass
class Answer:
    """An HTTP response as a test reads it."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class HandClock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now_s = 1731324924.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Rig:
    """A running gateway and ways to reach it."""

    gateway: Gateway
    clock: HandClock
    loop: asyncio.AbstractEventLoop = field(repr=False)

    @contextlib.contextmanager
    def connect(self, path: str = "/api", **options: Any) -> Iterator[ClientConnection]:
        """Open a WebSocket with a stock client; raises InvalidStatus if refused."""
        with connect(f"ws://127.0.0.1:{self.gateway.port}{path}", **options) as client:
            yield client

    def visit(self, path: str = "/api") -> None:
        """Open a WebSocket and close it."""
        with self.connect(path):
            pass

    def http(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one HTTP request with the standard library's client."""
        client = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=PATIENCE_S)
        with contextlib.closing(client):
            client.request(method, path, body, dict(headers or {}))
            response = client.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())

    def raw(self, data: bytes) -> bytes:
        """Send bytes and read until the gateway ends the connection."""
        with self.tcp() as client:
            client.sendall(data)
            return b"".join(iter(lambda: client.recv(65536), b""))

    def tcp(self) -> socket.socket:
        """Open a plain TCP connection."""
        return socket.create_connection(("127.0.0.1", self.gateway.port), timeout=PATIENCE_S)

    def management(self) -> Any:
        """Return a boto3 client of the @connections API."""
        return session().client(
            "apigatewaymanagementapi",
            endpoint_url=self.gateway.endpoint,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE_S),
        )

    def sweep(self, after_s: float = 0.0) -> None:
        """Move the clock and let the gateway apply its time limits."""
        self.clock.now_s += after_s
        asyncio.run_coroutine_threadsafe(_call(self.gateway.sweep), self.loop).result(PATIENCE_S)

    def stop(self) -> None:
        """Stop the gateway."""
        asyncio.run_coroutine_threadsafe(self.gateway.stop(), self.loop).result(PATIENCE_S)


@contextlib.contextmanager
def serving(
    app: Chalice,
    *,
    paths: Sequence[PathRule] = (),
    gateway_responses: Mapping[str, GatewayResponse | tuple[int | None, str]] | None = None,
    **settings: Any,
) -> Iterator[Rig]:
    """Run a gateway for an app on a free port."""
    clock = HandClock()
    config = GatewayConfig(port=0, **settings)
    gateway = Gateway(app, config, paths=paths, clock=clock, gateway_responses=gateway_responses)
    loop = uvloop.new_event_loop() if USE_UVLOOP else asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    rig = Rig(gateway, clock, loop)
    try:
        asyncio.run_coroutine_threadsafe(gateway.start(), loop).result(PATIENCE_S)
        yield rig
    finally:
        rig.stop()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()


class Recorded:
    """Events that handlers were called with; safe under threads."""

    def __init__(self) -> None:
        self._events: list[dict[str, Any]] = []
        self._changed = threading.Condition()

    def add(self, event: Any) -> dict[str, Any]:
        """Keep a handler's event and return it as a dict."""
        found: dict[str, Any] = event.to_dict()
        with self._changed:
            self._events.append(found)
            self._changed.notify_all()
        return found

    def of(self, route: str) -> list[dict[str, Any]]:
        """Return the events of a route so far."""
        with self._changed:
            return [e for e in self._events if e["requestContext"]["routeKey"] == route]

    def wait(self, route: str, count: int = 1) -> dict[str, Any]:
        """Wait for the count-th event of a route and return it."""
        until(lambda: len(self.of(route)) >= count, f"{count} x {route}")
        return self.of(route)[count - 1]


def an_app() -> Chalice:
    """Return an empty Chalice app that may use WebSockets."""
    app = Chalice("small", configure_logs=False)
    app.experimental_feature_flags.update(["WEBSOCKETS"])
    return app


def a_socket_app() -> Chalice:
    """Return one that has a WebSocket API, with a handler that does nothing."""
    app = an_app()

    @app.on_ws_disconnect()
    def on_disconnect(event: Any) -> None:
        pass

    return app


def until(holds: Callable[[], bool], what: str) -> None:
    """Poll until something holds; fail after a bounded time."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"gave up waiting for {what}")
        time.sleep(0.005)


@functools.cache
def session() -> Any:
    """One boto3 session with made-up keys: it takes 100 ms to make."""
    return boto3.Session(
        aws_access_key_id="AKID", aws_secret_access_key="secret", region_name="us-east-1"
    )


async def _call(action: Callable[[], None]) -> None:
    action()
