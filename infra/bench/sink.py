"""Answers every HTTP request with an empty 200, at little cost. `python -m infra.bench.sink`."""

from __future__ import annotations

import asyncio
import os
from typing import cast

_OK = b"HTTP/1.1 200 OK\r\nx-amzn-RequestId: BFaT_fALIAMCKug=\r\nContent-Length: 0\r\n\r\n"
_LENGTH = b"content-length:"


class _Sink(asyncio.Protocol):
    transport: asyncio.Transport
    _rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            _, found, after = data[:end].lower().partition(_LENGTH)
            end += 4 + (int(after.partition(b"\r\n")[0]) if found else 0)
            if len(data) < end:
                break
            data = data[end:]
            self.transport.write(_OK)
        self._rest = data


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Sink, "127.0.0.1", int(os.environ["PORT"]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
