"""The floor: a WebSocket echo in aiohttp that does nothing else. `python -m benchmarks.floor`."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from aiohttp import WSMsgType, web

from benchmarks.loop import run_loop

_everybody: set[Any] = set()


async def _echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    _everybody.add(socket)
    try:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                to = list(_everybody) if '"fan"' in message.data else [socket]
                for each in to:
                    await each.send_str(message.data)
    finally:
        _everybody.discard(socket)
    return socket


async def _serve() -> None:
    app = web.Application()
    app.router.add_get("/api", _echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(os.environ["PORT"]), backlog=1024).start()
    await asyncio.Event().wait()


def main() -> None:
    """Serve until it is ended."""
    run_loop(_serve())


if __name__ == "__main__":
    main()
