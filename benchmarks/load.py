"""A WebSocket load client in a process of its own: `python -m benchmarks.load`.

Reads commands, answers each; one JSON object a line. It does little enough to outrun every server
that is measured here (each answer says how busy it was): no library, masks of zeros, and frames
that were put together before the clock started.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from typing import Any, cast

from benchmarks.loop import run_loop

AT_ONCE = 50
DRAIN_S = 10.0
ROUND_MOST_S = 3.0

_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
_TEXT, _CLOSE, _PING = 1, 8, 9


class LoadSocket(asyncio.Protocol):
    """One WebSocket: sends its message, and sends it again whenever it comes back."""

    transport: asyncio.Transport

    def __init__(self, group: Group) -> None:
        self._group = group
        self._rest = b""
        self._is_open = False
        self._asked_at = 0.0
        self.expected = b""
        self.is_leaving = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._group.handshake)

    def connection_lost(self, error: Exception | None) -> None:
        self.closed.set()
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed during the handshake"))
        elif self.expected:
            self._group.note_error("closed while an answer was due")
            self.expected = b""

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data, self._rest = self._rest + data, b""
        if not self._is_open:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._rest = head
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                line = head.partition(b"\r\n")[0].decode("latin-1")
                self.opened.set_exception(ConnectionError(line))
                return
            self._is_open = True
            self.opened.set_result(None)
        while len(data) >= 2:
            length, start = data[1], 2
            if length > 125:
                length, start = int.from_bytes(data[2:4], "big"), 4
            if len(data) < start + length:
                break
            self._frame(data[0] & 15, data[start : start + length])
            data = data[start + length :]
        self._rest = data

    def expect(self, payload: bytes) -> None:
        """Await this text."""
        self.expected = payload
        self._asked_at = time.perf_counter()

    def ask(self, payload: bytes, frame: bytes) -> None:
        """Send a message and await the same text."""
        self.expect(payload)
        self.transport.write(frame)

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == _TEXT and payload == self.expected:
            self.expected = b""
            self._group.note_answer(self, time.perf_counter() - self._asked_at)
        elif opcode != _PING and not self.is_leaving:
            self._group.note_error(_describe_frame(opcode, payload))
            self.expected = b""


class Group:
    """The sockets to one server."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self._where = (host, port)
        self.handshake = (
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {_KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        self.clients: list[LoadSocket] = []
        self._seconds: list[float] = []
        self._errors: dict[str, int] = {}
        self._again: tuple[bytes, bytes] | None = None

    def note_error(self, what: str) -> None:
        self._errors[what] = self._errors.get(what, 0) + 1

    def note_answer(self, client: LoadSocket, seconds: float) -> None:
        self._seconds.append(seconds)
        if self._again:
            client.ask(*self._again)

    async def open(self, sockets: int) -> dict[str, Any]:
        """Open so many, up to AT_ONCE at a time."""
        turns = asyncio.Semaphore(AT_ONCE)
        began_at = time.perf_counter()
        await asyncio.gather(*(self._open(turns) for _ in range(sockets)))
        return {"seconds": time.perf_counter() - began_at, **self._outcome()}

    async def echo(self, text: str, seconds: float, sockets: int) -> dict[str, Any]:
        """Have each of so many sockets send its message over and over, for so long.

        Longer where few answers come in that time: a rate takes two from each.
        """
        payload, frame = text.encode(), _make_frame(text.encode())
        busy_s, began_at = _cpu_s(), time.perf_counter()
        self._again = (payload, frame)
        asked = self.clients[:sockets]
        for client in asked:
            client.ask(payload, frame)
        await asyncio.sleep(seconds)
        while len(self._seconds) < 2 * sockets and time.perf_counter() < began_at + ROUND_MOST_S:
            await asyncio.sleep(0.02)
        self._again = None
        took_s, busy_s = time.perf_counter() - began_at, _cpu_s() - busy_s
        count = len(self._seconds)
        await self._answers(asked)
        return {"count": count, "seconds": took_s, "busy": busy_s / took_s, **self._outcome()}

    async def fan(self, text: str) -> dict[str, Any]:
        """Send one message that the server sends to all; time it until the last has it."""
        payload = text.encode()
        for client in self.clients:
            client.expect(payload)
        began_at = time.perf_counter()
        self.clients[0].transport.write(_make_frame(payload))
        await self._answers(self.clients)
        return {"seconds": time.perf_counter() - began_at, **self._outcome()}

    async def close(self) -> dict[str, Any]:
        """Close all of them, politely, and wait until the server has let go."""
        for client in self.clients:
            client.is_leaving = True
            client.transport.write(bytes([0x80 | _CLOSE, 0x80, 0, 0, 0, 0]))
        waiting = [asyncio.create_task(client.closed.wait()) for client in self.clients]
        if waiting:
            await asyncio.wait(waiting, timeout=DRAIN_S)
        for client in self.clients:
            client.transport.abort()
        self.clients = []
        return {}

    async def _open(self, turns: asyncio.Semaphore) -> None:
        async with turns:
            loop = asyncio.get_running_loop()
            try:
                _, client = await loop.create_connection(lambda: LoadSocket(self), *self._where)
                await asyncio.wait_for(client.opened, DRAIN_S)
            except (OSError, asyncio.TimeoutError) as error:
                self.note_error(f"connecting: {type(error).__name__} {error}")
            else:
                self.clients.append(client)

    async def _answers(self, clients: list[LoadSocket]) -> None:
        give_up_at = time.perf_counter() + DRAIN_S
        while any(client.expected for client in clients):
            if time.perf_counter() > give_up_at:
                for client in clients:
                    if client.expected:
                        self.note_error("no answer")
                        client.expected = b""
                return
            await asyncio.sleep(0.001)

    def _outcome(self) -> dict[str, Any]:
        seconds, errors = self._seconds, self._errors
        self._seconds, self._errors = [], {}
        return {"latencies": seconds, "errors": errors}


def _make_frame(payload: bytes) -> bytes:
    """Make a masked text frame; the mask is zeros, which changes nothing."""
    length = len(payload)
    size = bytes([0x80 | length]) if length < 126 else b"\xfe" + length.to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + payload


def _describe_frame(opcode: int, payload: bytes) -> str:
    """Say what an unexpected frame says, without the ids that would make each error another."""
    try:
        return f"a frame that says {json.loads(payload)['message']!r}"
    except (ValueError, KeyError, TypeError):
        return f"a frame with opcode {opcode}"


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _serve_commands() -> None:
    groups: dict[str, Group] = {}
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        what, name = command.pop("do"), command.pop("group")
        if what == "group":
            groups[name] = Group(**command)
            answer: dict[str, Any] = {}
        else:
            answer = await getattr(groups[name], what)(**command)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Serve commands until the end of the input."""
    run_loop(_serve_commands())


if __name__ == "__main__":
    main()
