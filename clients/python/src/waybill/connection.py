"""A connection that outlives its sockets."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import WebSocketException
from websockets.protocol import OPEN

from waybill import rest
from waybill.contracts import (
    SILENT,
    Contract,
    check,
    is_pong,
    make_api_url,
    make_auth,
    make_connect,
    make_headers,
    make_ping,
    make_url,
    read_frame,
    write_message,
)
from waybill.events import Event, Gap
from waybill.frames import FEED_EVENTS
from waybill.heard import Heard
from waybill.liveness import Liveness

State = Literal["connecting", "open", "waiting", "closed"]
T = TypeVar("T")

WAITING = 1000  # events that the application has not asked for yet
MAX_FRAME = 1 << 20
_log = logging.getLogger("waybill")


def connect(
    url: str,
    *,
    token: str | Callable[[], str | Awaitable[str]],
    contract: Contract = "feed",
    position: str | Callable[[], str | Awaitable[str | None] | None] | None = None,
    on_position: Callable[[str], Any] | None = None,
    on_gap: Callable[[Gap], Any] | None = None,
    on_state: Callable[[State, BaseException | None], Any] | None = None,
    events: Iterable[str] = FEED_EVENTS,
    user_id: str | int | None = None,
    api: str | None = None,
    heartbeat_s: float = 30.0,
    timeout_s: float = 10.0,
    delay_s: float = 1.0,
    max_delay_s: float = 30.0,
) -> Connection:
    """Make a connection to Waybill; it is opened by `async with`, `await` or `async for`, and then
    opened again and again until it is closed.

    `url` is a host's, as `https://host`, or that of a socket. `token` is one, or what gets one: it
    is asked at each connection and each call. `position` is after which event to begin: what
    `on_position` was given, "now", or what gets it; without it the server keeps one place for all
    devices of a person. `on_position` is told the position of each event that was handled, which
    it is once the next one is asked for. `on_gap` is told what is missing, in its place among the
    events. `on_state` is told what the connection does, and with "waiting" why. Callbacks may be
    coroutine functions, but for `on_state`. `events` are the feed's types to subscribe to. Raises
    ValueError where `url`, `api` or `contract` can be none.
    """
    return Connection(
        url,
        token=token,
        contract=contract,
        position=position,
        on_position=on_position,
        on_gap=on_gap,
        on_state=on_state,
        events=events,
        user_id=user_id,
        api=api,
        heartbeat_s=heartbeat_s,
        timeout_s=timeout_s,
        delay_s=delay_s,
        max_delay_s=max_delay_s,
    )


class Connection(AsyncIterator[Event]):
    """An iterator of events, which ends when it is closed. `connect` makes one."""

    def __init__(
        self,
        url: str,
        *,
        token: str | Callable[[], str | Awaitable[str]],
        contract: Contract,
        position: str | Callable[[], str | Awaitable[str | None] | None] | None,
        on_position: Callable[[str], Any] | None,
        on_gap: Callable[[Gap], Any] | None,
        on_state: Callable[[State, BaseException | None], Any] | None,
        events: Iterable[str],
        user_id: str | int | None,
        api: str | None,
        heartbeat_s: float,
        timeout_s: float,
        delay_s: float,
        max_delay_s: float,
    ) -> None:
        self._url, self._api = url, url if api is None else api
        check(contract, self._url, self._api)
        self._token, self._contract = token, contract
        self._given_position = position
        self._on_position, self._on_gap, self._on_state = on_position, on_gap, on_state
        self._events, self._user_id = tuple(events), user_id
        self._heartbeat_s, self._timeout_s = heartbeat_s, timeout_s
        self._delay_s, self._max_delay_s = delay_s, max_delay_s
        self._heard = Heard()
        self._handled: str | None = None
        self._current: str | None = None  # of the event that the application has now
        self._attempts = 0  # since something was heard
        self._queue: asyncio.Queue[Event | Gap | str | None] = asyncio.Queue(WAITING)
        self._woken = asyncio.Event()
        self._is_open = asyncio.Event()
        self._is_closed = False
        self._socket: ClientConnection | None = None
        self._liveness: Liveness | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def position(self) -> str | None:
        """The position of the last event that was handled."""
        return self._handled

    async def send(self, message: dict[str, Any]) -> None:
        """Send a message of the contract's, once there is a connection. Raises ConnectionError
        where it is closed."""
        self._start()
        text = write_message(self._contract, message)
        while True:
            await self._is_open.wait()
            if self._is_closed:
                raise ConnectionError("closed")
            if self._socket is not None and self._socket.state is OPEN:
                # Once, whatever becomes of it: what was sent is not known to have come.
                with suppress(WebSocketException):
                    await self._socket.send(text)
                return
            self._is_open.clear()

    async def create(self, path: str, body: Any, key: str | None = None) -> Any:
        """Create an order, a payment…: POST under one key, again and again until it is answered.

        Returns the answer. Raises WaybillError, OSError.
        """
        return await self._call(path, *rest.make_post(body, key or rest.make_key()))

    async def get(self, path: str) -> Any:
        """Read something by REST. Raises WaybillError, OSError."""
        return await self._call(path, "GET", None, {})

    def wake(self) -> None:
        """Connect now where a pause is being made, else ask for a sign of life: the network is
        another one, or the machine has slept."""
        self._woken.set()

    async def close(self) -> None:
        """End it: the iterator ends, too."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        while self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(None)
        self._is_open.set()  # who waits to send is told
        self._say("closed")

    def __await__(self) -> Generator[Any, None, Connection]:
        self._start()
        return self._self().__await__()

    async def __aenter__(self) -> Connection:
        self._start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:  # who leaves the loop in peace has handled its last event
                await self._settle()
        finally:
            await self.close()

    def __aiter__(self) -> Connection:
        self._start()
        return self

    async def __anext__(self) -> Event:
        self._start()
        await self._settle()
        while (found := await self._queue.get()) is not None:
            if isinstance(found, Event):
                self._current = found.pos
                return found
            if isinstance(found, str):
                self._current = found
                await self._settle()
            elif self._on_gap is not None:
                await _result(self._on_gap(found))
        self._queue.put_nowait(None)  # for who asks again
        raise StopAsyncIteration

    async def _self(self) -> Connection:
        return self

    async def _settle(self) -> None:
        position, self._current = self._current, None
        if position is not None and position != self._handled:
            self._handled = position
            if self._on_position is not None:
                await _result(self._on_position(position))

    def _start(self) -> None:
        if self._task is None and not self._is_closed:
            self._task = asyncio.get_running_loop().create_task(self._stay())

    async def _stay(self) -> None:
        """Open one socket after another, for ever. It never gives up."""
        while True:
            error: BaseException | None = None
            self._woken.clear()
            self._say("connecting")
            try:
                await self._live()
            except Exception as caught:  # noqa: BLE001
                error = caught
                _log.info("The connection is lost: %s", type(caught).__name__)
                if not self._is_open.is_set():
                    await self._doubt_position()
            self._is_open.clear()
            self._say("waiting", error)
            pause_s = rest.draw_pause(self._attempts, self._delay_s, self._max_delay_s)
            self._attempts += 1
            if await _happens(self._woken, pause_s):
                self._attempts = 0

    async def _live(self) -> None:
        """Open a socket and hear what it says until it ends."""
        token = await self._get_token()
        if self._heard.start is None:
            given = self._given_position
            self._heard.take(await _result(given() if callable(given) else given))
        start = self._heard.start
        opening = open_socket(
            make_url(self._url, self._contract, token, start),
            additional_headers=make_headers(self._contract, token),
            open_timeout=self._timeout_s,
            close_timeout=1.0,
            ping_interval=None,  # what proxies on the way answer says nothing of the server
            max_size=MAX_FRAME,
            compression=None,
        )
        self._liveness = Liveness(self._heartbeat_s, self._timeout_s, time.time())
        socket = self._socket = await opening
        watching = asyncio.create_task(self._watch(socket, self._liveness))
        try:
            if self._contract == "feed":
                await socket.send(json.dumps(make_auth(token, self._user_id, start)))
            elif self._contract != "socketio":
                self._opened()
            async for text in socket:
                await self._hear(text, make_connect(token, start))
        finally:
            self._socket = None
            watching.cancel()
            socket.transport.abort()  # a half-open one would wait for the other side's farewell

    def _opened(self) -> None:
        if self._liveness is not None:
            self._liveness.hear()
        self._is_open.set()
        self._say("open")

    async def _watch(self, socket: ClientConnection, liveness: Liveness) -> None:
        """Ask for signs of life, and end a socket that shows none."""
        while True:
            looked = liveness.look(time.time())
            if self._woken.is_set():
                self._woken.clear()
                looked = "due" if looked == "fine" and not liveness.is_asked else looked
            if looked == "dead" and not self._queue.full():  # full: it is us who don't listen
                socket.transport.abort()
                return
            if looked == "due" and self._is_open.is_set():
                liveness.ask(time.time())
                ping = write_message(self._contract, make_ping(self._contract))
                with suppress(WebSocketException, TimeoutError, asyncio.TimeoutError):
                    await asyncio.wait_for(socket.send(ping), self._timeout_s)
            await _happens(self._woken, min(self._heartbeat_s, self._timeout_s) / 2)

    async def _hear(self, text: str | bytes, connect_packet: str) -> None:
        is_asked = self._liveness is not None and self._liveness.is_asked
        if self._liveness is not None:
            self._liveness.hear()
        try:
            frame = read_frame(self._contract, text)
        except ValueError:
            return
        if not isinstance(frame, dict):
            return
        if self._contract == "socketio" and "packet" in frame:
            await self._answer_packet(frame["packet"], frame["why"], connect_packet)
            return
        event = Event(frame)
        if event.type != "error":
            self._attempts = 0
        self._heard.note_frame(event.pos)
        if event.type == "authenticated":
            await self._subscribe()
        elif event.type == "resumed":
            for begun in self._heard.begin(str(event.data["from"])):
                await self._queue.put(begun)
        elif event.type == "gap":
            gap = Gap(str(event.data["from"]), str(event.data["oldest"]))
            if self._heard.is_new_gap(gap):
                await self._queue.put(gap)
        elif event.type in SILENT or is_pong(self._contract, event, is_asked):
            pass
        elif not self._heard.is_repeated(event, text):
            await self._hand_on(event)

    async def _answer_packet(self, packet: str, why: str, connect_packet: str) -> None:
        """Answer one of Socket.IO's own packets. Raises ConnectionError where it is a refusal, or a
        farewell."""
        if self._socket is None or self._liveness is None:
            return
        if packet == "0":
            self._liveness.ask(time.time())
            await self._socket.send(connect_packet)
        elif packet == "2":
            await self._socket.send("3")
        elif packet == "40" and not self._is_open.is_set():
            self._opened()
        elif packet in ("1", "41", "44"):
            raise ConnectionError(why)

    async def _subscribe(self) -> None:
        if self._socket is not None and self._events:
            subscription = {"type": "subscribe", "events": list(self._events)}
            await self._socket.send(json.dumps(subscription))
        self._opened()

    async def _hand_on(self, event: Event) -> None:
        await self._queue.put(event)
        if self._liveness is not None:
            self._liveness.hear()  # nothing was listened to while the queue was full
        self._heard.note_event(event.pos)

    async def _doubt_position(self) -> None:
        """Ask whether the position that was given is one, where nothing else said so: contracts
        refuse in ways of their own, and REST in one."""
        position = self._heard.doubted
        if position is None:
            return
        url = make_api_url(self._api, f"/api/v1/me/events?offset={quote(position, safe='')}")
        try:
            asking = rest.call(url, self._get_token, "GET", None, {}, self._draw_pause, attempts=1)
            await asyncio.wait_for(asking, self._timeout_s)
        except rest.WaybillError as refused:
            if refused.status == 400:
                self._heard.give_up()
        except Exception as error:  # noqa: BLE001 the next attempt to connect asks again
            _log.info("The position is not known to be one: %s", type(error).__name__)

    async def _get_token(self) -> str:
        return await _result(self._token() if callable(self._token) else self._token)

    async def _call(
        self, path: str, method: str, body: bytes | None, headers: dict[str, str]
    ) -> Any:
        url = make_api_url(self._api, path)
        return await rest.call(url, self._get_token, method, body, headers, self._draw_pause)

    def _draw_pause(self, attempt: int) -> float:
        return rest.draw_pause(attempt, self._delay_s, self._max_delay_s)

    def _say(self, state: State, error: BaseException | None = None) -> None:
        if self._on_state is None:
            return
        try:
            self._on_state(state, error)
        except Exception:  # noqa: BLE001 a callback that fails must not end the connection
            _log.exception("on_state failed")


async def _result(given: T | Awaitable[T]) -> T:
    """Wait for what a callback returned, if it has to be waited for."""
    return await given if inspect.isawaitable(given) else given


async def _happens(event: asyncio.Event, within_s: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), within_s)
    except (TimeoutError, asyncio.TimeoutError):
        return False
    return True
