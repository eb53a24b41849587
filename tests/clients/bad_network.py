"""A server on a bad network: what it does at each connection is a script.

It keeps a log of events and tells them by position, as Waybill does, in any contract's envelope.
Asked by REST for the events after a position, it only says whether that is one.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.conftest import PATIENCE_S, free_port

End = Literal["cut", "half_open", "rotate", "expire", "stay"]


class Scene(msgspec.Struct, frozen=True):
    """What one connection comes to: refused, or left waiting, or told events and then ended.

    `tells` is how many events it is told, after the `repeats` before its position; with `halves`
    the last frame of the last one does not come. `ends` is how the connection is lost then. With
    `loses` the log is a new one, which begins anew.
    """

    refuses: int = 0
    ignores: bool = False
    tells: int = 0
    repeats: int = 0
    delay_s: float = 0.0
    loses: bool = False
    halves: bool = False
    ends: End = "stay"


class Seen(msgspec.Struct, frozen=True):
    """One attempt to connect, as the server saw it."""

    path: str
    position: str | None
    token: str


class Log:
    """The events that there are, each with its position: `epoch.number`."""

    def __init__(self, contract: str, count: int) -> None:
        self.epoch = "a"
        self.count = count
        self._contract = contract

    def position_of(self, number: int) -> str:
        return f"{self.epoch}.{number:04}"

    def find(self, position: str | None) -> int | None:
        """How many events come before; None where that can't be known."""
        if position == "now":
            return 0
        epoch, _, number = (position or "").partition("~")[0].partition(".")
        return int(number) if epoch == self.epoch else None

    def frames(self, number: int) -> list[dict[str, Any]]:
        """The frames of an event: two of the second, where the contract has such."""
        return ENVELOPES[self._contract](number, self.position_of(number))

    def control(self, type_: str, **data: Any) -> dict[str, Any]:
        if self._contract in ("feed", "drivers"):
            return {"type": type_, **data}
        return {"event": type_, "data": data}


def _feed(number: int, pos: str) -> list[dict[str, Any]]:
    id_ = f"evt_{number}"  # it names the place, and not the log: a new one has the same again
    event = {"event_type": "order_created", "event_level": "high", "event_id": id_}
    rest = {"timestamp": "", "user_id": "ana", "source": "order_service"}
    return [{**event, **rest, "data": {"number": number}, "pos": pos}]


def _courier(number: int, pos: str) -> list[dict[str, Any]]:
    return [{"event": "order.status", "data": {"number": number}, "pos": pos}]


def _rides(number: int, pos: str) -> list[dict[str, Any]]:
    return [{"event": "ride_status_update", "data": {"number": number}, "pos": pos}]


def _food(number: int, pos: str) -> list[dict[str, Any]]:
    names = ("order-accepted", "order-updated") if number == 2 else ("order-updated",)
    return [{"event": name, "data": {"number": number}, "pos": pos} for name in names]


def _drivers(number: int, pos: str) -> list[dict[str, Any]]:
    return [{"type": "new_order", "order": {"id": number}, "pos": pos}]


ENVELOPES: dict[str, Callable[[int, str], list[dict[str, Any]]]] = {
    "feed": _feed,
    "courier": _courier,
    "rides": _rides,
    "food": _food,
    "drivers": _drivers,
    "socketio": _food,
}


class BadNetwork:
    """The server: it plays one scene after another; after the last, each attempt is the last."""

    def __init__(self, contract: str, script: Sequence[Scene], count: int, logs: int = 1) -> None:
        self.port = free_port()
        self._logs = logs
        self.seen: list[Seen] = []
        self._contract = contract
        self._script = list(script)
        self._log = Log(contract, count)
        self._told = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, started: threading.Event) -> None:
        """Serve until it is cancelled, as everything else in the loop is."""
        async with serve(
            self._talk,
            "127.0.0.1",
            self.port,
            process_request=self._admit,
            ping_interval=None,
            close_timeout=0.1,
        ):
            started.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    async def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        path, query = urlsplit(request.path).path, parse_qs(urlsplit(request.path).query)
        header = request.headers.get("Authorization", "").removeprefix("Bearer ")
        token = query.get("token", [header])[0]
        if path == "/api/v1/me/events":
            return _answer_offset(socket, query["offset"][0])
        scene = self._script[min(len(self.seen), len(self._script) - 1)]
        socket.attempt = len(self.seen)  # type: ignore[attr-defined]
        self.seen.append(Seen(path, query.get("from", [None])[0], token))
        if scene.ignores:
            await asyncio.sleep(60)
        if scene.refuses:
            return socket.respond(HTTPStatus(scene.refuses), "")
        if _is_malformed(self.seen[-1].position):
            return socket.respond(HTTPStatus.BAD_REQUEST, "")
        socket.scene = scene  # type: ignore[attr-defined]
        return None

    async def _talk(self, socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            await self._play(socket, socket.scene, socket.attempt)  # type: ignore[attr-defined]

    async def _play(self, socket: ServerConnection, scene: Scene, attempt: int) -> None:
        position = self.seen[attempt].position
        if self._contract in ("feed", "socketio"):
            talk = self._authenticate if self._contract == "feed" else self._connect
            auth = await talk(socket)
            position = auth.get("from")
            self.seen[attempt] = Seen(self.seen[attempt].path, position, auth["token"])
            if _is_malformed(position):
                return
        if scene.loses:
            self._log.epoch = "b"
        told = await self._greet(socket, position)
        last = min(told + scene.tells, self._log.count)
        for number in range(max(1, told + 1 - scene.repeats), last + 1):
            await asyncio.sleep(scene.delay_s)
            frames = self._log.frames(number)
            for frame in frames if self._logs > 1 else ():
                frame["pos"] += f"~z.{attempt}"  # what is said of others is of the connection
            for frame in frames[: -1 if scene.halves and number == last else None]:
                await self._say(socket, frame)
        self._told = max(self._told, last)
        await self._end(socket, scene.ends)

    async def _authenticate(self, socket: ServerConnection) -> dict[str, Any]:
        """The feed's first message, and its answer."""
        auth: dict[str, Any] = json.loads(await socket.recv())
        if _is_malformed(auth.get("from")):
            await self._say(socket, {"type": "error", "message": "", "code": "invalid_input"})
            return auth
        await self._say(socket, {"type": "authenticated", "user_id": auth["user_id"]})
        await self._say(socket, {"type": "subscription_updated", "subscribed_events": []})
        return auth

    async def _connect(self, socket: ServerConnection) -> dict[str, Any]:
        """Socket.IO's first packets."""
        await socket.send('0{"sid":"","upgrades":[],"pingInterval":25000,"pingTimeout":20000}')
        auth: dict[str, Any] = json.loads(str(await socket.recv()).removeprefix("40/orders,"))
        if _is_malformed(auth.get("from")):
            await socket.send('44/orders,{"message":"from must be a position, or now."}')
            await asyncio.sleep(60)
        await socket.send("2")
        assert await socket.recv() == "3"
        await socket.send('40/orders,{"sid":""}')
        return auth

    async def _greet(self, socket: ServerConnection, position: str | None) -> int:
        """Say where it begins, to who asks; how many events come before that."""
        if position is None:
            return self._told  # the server's own place
        told = self._log.find(position)
        if told is None:
            oldest = self._log.position_of(0)
            await self._say(socket, self._log.control("gap", **{"from": position}, oldest=oldest))
            return 0
        end = self._log.position_of(self._log.count)
        start = self._log.position_of(told)
        await self._say(socket, self._log.control("resumed", **{"from": start}, to=end))
        return told

    async def _end(self, socket: ServerConnection, how: End) -> None:
        if how == "cut":
            await (await socket.ping())  # all has been read: a reset takes what was not with it
            await asyncio.sleep(0.05)
            socket.transport.abort()
        elif how == "half_open":
            socket.transport.pause_reading()  # nothing that the client does is noticed any more
            await asyncio.sleep(60)
        elif how == "rotate":
            await socket.close(1001, "Going away")
        elif how == "expire":
            await self._say(socket, self._log.control("error", message="Token expired."))
            await socket.close(1008)
        async for text in socket:
            if text == "40/orders,":
                await socket.send('40/orders,{"sid":""}')
                continue
            message = json.loads(str(text).removeprefix("42/orders,"))
            if isinstance(message, list):
                message = {"event": message[0], "data": message[1]}
            await self._answer(socket, message)

    async def _answer(self, socket: ServerConnection, message: dict[str, Any]) -> None:
        name = message.get("event", message.get("type"))
        if name == "heartbeat":
            await self._say(socket, {"type": "heartbeat_ack"})
        elif name == "ping" and self._contract in ("courier", "rides"):  # they have no such word
            error = self._log.control("error", message="This event is unknown.")
            echo = {"event_id": message["event_id"]} if self._contract == "rides" else {}
            await self._say(socket, {**error, **echo})
        elif name == "ping":
            await self._say(socket, self._log.control("pong"))
        elif name == "said":  # what a client sends comes back as an event
            await self._say(socket, self._log.control("echo", said=message.get("data")))

    async def _say(self, socket: ServerConnection, frame: dict[str, Any]) -> None:
        if self._contract == "socketio":
            meta = [{"pos": frame["pos"]}] if "pos" in frame else []
            packet = json.dumps([frame["event"], frame["data"], *meta])
            await socket.send(f"42/orders,{packet}")
        else:
            await socket.send(json.dumps(frame))


def _is_malformed(position: str | None) -> bool:
    return position is not None and position != "now" and "." not in position


def _answer_offset(socket: ServerConnection, position: str) -> Response:
    """Whether it is a position, as `GET /api/v1/me/events` says it."""
    if not _is_malformed(position):
        return socket.respond(HTTPStatus.OK, "[]")
    return socket.respond(HTTPStatus.BAD_REQUEST, '{"error": "invalid_input", "message": ""}')


@contextmanager
def bad_network(
    contract: str, script: Sequence[Scene], count: int, logs: int = 1
) -> Iterator[BadNetwork]:
    """Serve in a thread. Of several `logs` something happens in one only."""
    network = BadNetwork(contract, script, count, logs)
    loop = asyncio.new_event_loop()
    started = threading.Event()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(network.serve(started),), daemon=True
    )
    thread.start()
    assert started.wait(PATIENCE_S)
    try:
        yield network
    finally:
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        thread.join(PATIENCE_S)
        if not thread.is_alive():
            loop.close()
