"""A person with a token, a WebSocket and REST: what the demo and the bench are made of."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

_TIMEOUT_S = 30

Frame = dict[str, Any]
Answer = tuple[int, Any]
"""(HTTP status, JSON body)"""


class StackClient:
    """A courier or a customer, by spec 000 unless another path is given. One request at a time."""

    def __init__(self, url: str, token: str, role: str, id_: str, pool: ThreadPoolExecutor) -> None:
        self.id = id_
        self._url = url
        self._role = role
        self._token = token
        self._pool = pool
        self._asking = asyncio.Lock()
        place = urlsplit(url)
        is_plain = place.scheme == "http"
        connection = http.client.HTTPConnection if is_plain else http.client.HTTPSConnection
        self._http = connection(place.netloc, timeout=_TIMEOUT_S)
        self._socket: ClientConnection | None = None

    async def connect(self, path: str = "") -> None:
        """Open the WebSocket. Raises websockets' InvalidStatus where it is refused."""
        url = self._url.replace("http", "ws", 1)
        headers = {"Authorization": f"Bearer {self._token}"}
        self._socket = await connect(
            f"{url}/api/v1/ws/{path or self._role}", additional_headers=headers, proxy=None
        )

    async def close(self) -> None:
        """Hang up."""
        if self._socket:
            await self._socket.close()
        self._http.close()

    async def receive_frames(self) -> AsyncIterator[Frame]:
        """Yield the frames that arrive, until the socket is closed."""
        assert self._socket, "connect first"
        try:
            while True:
                yield json.loads(await self._socket.recv())
        except ConnectionClosed:
            return

    async def send(self, event: str, **data: Any) -> None:
        """Send a message. Harmless once the socket is closed."""
        assert self._socket, "connect first"
        try:
            await self._socket.send(json.dumps({"event": event, "data": data}))
        except ConnectionClosed:
            return

    async def get(self, path: str) -> Answer:
        """GET something below /api/v1."""
        return await self._request_in_thread("GET", path, None)

    async def post(self, path: str, **body: Any) -> Answer:
        """POST to something below /api/v1."""
        return await self._request_in_thread("POST", path, json.dumps(body))

    async def put(self, path: str, **body: Any) -> Answer:
        """PUT something below /api/v1."""
        return await self._request_in_thread("PUT", path, json.dumps(body))

    async def _request_in_thread(self, method: str, path: str, body: str | None) -> Answer:
        loop = asyncio.get_running_loop()
        async with self._asking:
            return await loop.run_in_executor(
                self._pool, self._request_blocking, method, path, body
            )

    def _request_blocking(self, method: str, path: str, body: str | None) -> Answer:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            self._http.request(method, f"/api/v1/{path}", body, headers)
            answer = self._http.getresponse()
            return answer.status, json.loads(answer.read())
        except OSError:
            self._http.close()  # else the next request waits for the answer to this one
            raise
