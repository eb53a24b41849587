"""CloudFront's part: one port for REST and the literal WebSocket paths, in front of the engine.

The paths are rewritten by the rules that the CloudFront function is generated from; its tests show
that both do the same. Everything after a request's head is passed on as it comes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, urlencode, urlsplit

from infra.conformance.deployment import DeployedStage
from infra.gateway.paths import rewrite_path
from infra.resources.gateway_responses import GATEWAY_RESPONSES
from infra.resources.stage import API_STAGE, REST_FOLDERS
from infra.template.edge import ROOT, list_rules

_HEAD_BYTES = 64 * 1024
_RULES = list_rules()


@dataclass(frozen=True)
class EdgeAnswer:
    """An answer of the CloudFront function itself."""

    status: int
    body: str
    location: str = ""

    def encode(self) -> bytes:
        """Return the bytes of the response."""
        head = f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\n"
        head += "Content-Type: application/json\r\nAccess-Control-Allow-Origin: *\r\n"
        head += f"Location: {self.location}\r\n" if self.location else ""
        head += f"Content-Length: {len(self.body)}\r\nConnection: close\r\n\r\n"
        return head.encode() + self.body.encode()


_NOT_FOUND = EdgeAnswer(404, GATEWAY_RESPONSES["MISSING_AUTHENTICATION_TOKEN"][1])


class Front:
    """A port of 127.0.0.1 that leads to a deployment."""

    def __init__(self, port: int, deployed: DeployedStage) -> None:
        self._port = port
        self._deployed = deployed
        self._engine = urlsplit(deployed.rest_url)

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Serve while the block runs."""
        server = await asyncio.start_server(
            self._handle_connection, "127.0.0.1", self._port, limit=_HEAD_BYTES
        )
        try:
            yield
        finally:
            server.close()

    async def _handle_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            forwarded = self.rewrite_head(head)
            if isinstance(forwarded, EdgeAnswer):
                writer.write(forwarded.encode())
                await writer.drain()
                return
            host, port = self._engine.hostname, self._engine.port
            engine_reader, engine_writer = await asyncio.open_connection(host, port)
            with contextlib.closing(engine_writer):
                engine_writer.write(forwarded)
                ways = (_copy_stream(reader, engine_writer), _copy_stream(engine_reader, writer))
                await _await_first(*map(asyncio.ensure_future, ways))

    def rewrite_head(self, head: bytes) -> bytes | EdgeAnswer:
        """Rewrite a request's head for the engine, which takes one request to a connection."""
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        upgrade = any(line.lower().startswith("upgrade:") for line in lines)
        led = self._rewrite_target(target, upgrade)
        if isinstance(led, EdgeAnswer):
            return led
        # What follows is copied as it comes, so a second request on the same connection would reach
        # the engine with its path as it was.
        if not upgrade:
            lines = [line for line in lines if not line.lower().startswith("connection:")]
            lines.insert(0, "Connection: close")
        return "\r\n".join([f"{method} {led} {version}", *lines]).encode("latin-1")

    def _rewrite_target(self, target: str, upgrade: bool) -> str | EdgeAnswer:
        path, _, query = target.partition("?")
        socket = rewrite_path(_RULES, path, parse_qs(query, keep_blank_values=True))
        if socket is not None and socket.refusal:
            return EdgeAnswer(*socket.refusal)
        if socket is not None and socket.otherwise and not upgrade:
            return EdgeAnswer(*socket.otherwise, socket.location)
        if socket is not None:
            base = urlsplit(self._deployed.websocket_url).path
            return f"{base}?{urlencode(socket.query, doseq=True)}"
        if path == ROOT:
            return self._engine.path + target
        if path.startswith(f"/{API_STAGE}/"):
            return self._engine.path + target[len(API_STAGE) + 1 :]
        if path.startswith(tuple(f"/{folder}/" for folder in REST_FOLDERS)):
            return self._engine.path + target
        return _NOT_FOUND


async def _copy_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()


async def _await_first(*ways: asyncio.Future[None]) -> None:
    """Wait for the engine's end or the client's; the other half has nothing left to say."""
    _, pending = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in pending:
        way.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
