"""A server that says what a stage says to its console, of a city that is made up: the page and its
files as they are served, contract `ops`, and the calls that the page makes. For pictures, and for
tests of the page with more orders than a laptop's stage could take. It checks no token."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from aiohttp import WSCloseCode, web
from chalice.app import Response

from chalicelib.edge.rest.console import make_file, make_page
from chalicelib.edge.rest.pages import PAGES_FOLDER
from chalicelib.errors import NotFound
from infra.local.tokens import mint_token
from infra.pictures.sample import Row, count_figures, make_week, utc_now

_SECRET = "-" * 32
_PART_ROWS = 150  # rows of a part of a snapshot: some 100 KB
_SHOWN_AFTER_S = 0.3  # what a hand has done, on the board
_KEPT = 200  # deltas after which a client can resume
_Result = TypeVar("_Result")


class Room:
    """Orders and couriers by id, and who watches them. What a test changes it says by `tell`; what
    the page asked for is in `asked`. `maps` are files below /maps, a style.json among them."""

    def __init__(
        self,
        orders: Sequence[Row],
        couriers: Sequence[Row],
        maps: Mapping[str, bytes] | None = None,
    ) -> None:
        self.orders = {row["id"]: row for row in orders}
        self.couriers = {row["id"]: row for row in couriers}
        self.history: dict[str, list[Row]] = {}
        self.messages: dict[str, list[Row]] = {}
        self.asked: list[tuple[str, Row]] = []
        self.refusal: tuple[int, str, str] | None = None  # what the next hand is answered
        self.greetings: list[str] = []  # from where each connection began
        self.is_down = False  # no link is taken
        self.answers_after_s = 0.0  # hands, as from far away
        self.url = ""
        self._maps = maps or {}
        self._style = ("/maps/style.json",) if maps else ()
        self._loop = asyncio.new_event_loop()
        self._sockets: set[web.WebSocketResponse] = set()
        self._deltas: list[tuple[int, Row]] = []
        self._number = 1
        self._telling: list[asyncio.Task[None]] = []

    def token(self, role: str = "admin", id_: str = "ada", **claims: Any) -> str:
        """Make a token for the page to sign in with."""
        return mint_token(_SECRET, role, id_, **claims)

    def tell(
        self,
        orders: Iterable[Row] = (),
        couriers: Iterable[Row] = (),
        removed: Iterable[str] = (),
    ) -> None:
        """Change the city and tell who watches."""
        self._wait(self._tell(list(orders), list(couriers), list(removed)))

    def cut(self) -> None:
        """Cut every link."""
        self._wait(self._cut())

    def list_order_states(self) -> dict[str, str]:
        """List the states by order."""
        return {id_: row["state"] for id_, row in self.orders.items()}

    # Below, all runs in the server's thread.

    async def _tell(self, orders: list[Row], couriers: list[Row], removed: list[str]) -> None:
        self.orders.update((row["id"], row) for row in orders)
        self.couriers.update((row["id"], row) for row in couriers)
        for id_ in removed:
            self.orders.pop(id_, None)
        self._number += 1
        delta = {"orders": orders, "couriers": couriers, "removed": removed}
        self._deltas = [*self._deltas, (self._number, delta)][-_KEPT:]
        frame = json.dumps(
            self._frame("delta", **delta, removed_couriers=[], figures=self._count())
        )
        await asyncio.gather(*(socket.send_str(frame) for socket in list(self._sockets)))

    async def _cut(self) -> None:
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    def _frame(self, type_: str, **data: Any) -> Row:
        return {
            "type": type_,
            "pos": f"e1.{self._number}",
            "at": utc_now().isoformat(),
            "zone": "",
            **data,
        }

    def _count(self) -> Row:
        return count_figures(list(self.orders.values()), list(self.couriers.values()), utc_now())

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        if self.is_down:
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for frame in self._greet(request.query.get("from", "")):
            await socket.send_str(json.dumps(frame))
        self._sockets.add(socket)
        try:
            async for message in socket:
                if json.loads(message.data).get("type") == "ping":
                    await socket.send_str(json.dumps({"type": "pong"}))
        finally:
            self._sockets.discard(socket)
        return socket

    def _greet(self, position: str) -> Iterator[Row]:
        """Make the first frames: what was missed, or all there is."""
        self.greetings.append(position)
        if position.startswith("e1."):
            since = int(position[3:])
            yield self._frame("resumed", **{"from": position, "to": f"e1.{self._number}"})
            missed = [delta for number, delta in self._deltas if number > since]
            orders = {row["id"]: row for delta in missed for row in delta["orders"]}
            gone = [id_ for delta in missed for id_ in delta["removed"]]
            couriers = list(self.couriers.values())
            told = {"orders": list(orders.values()), "couriers": couriers, "removed": gone}
            yield self._frame("delta", **told, reset=["couriers"], figures=self._count())
            return
        rows = [*(("orders", r) for r in self.orders.values())]
        rows += [*(("couriers", r) for r in self.couriers.values())]
        parts = [rows[at : at + _PART_ROWS] for at in range(0, len(rows), _PART_ROWS)] or [[]]
        for number, part in enumerate(parts, 1):
            by_kind = {kind: [r for k, r in part if k == kind] for kind in ("orders", "couriers")}
            frame = self._frame("snapshot", **by_kind, part=number, parts=len(parts))
            yield {**frame, "figures": self._count()} if number == len(parts) else frame

    async def _hand(self, request: web.Request) -> web.StreamResponse:
        id_, hand = request.match_info["id"], request.match_info["hand"]
        body = await request.json()
        self.asked.append((request.path, body))
        await asyncio.sleep(self.answers_after_s)
        if self.refusal:
            status, code, message = self.refusal
            self.refusal = None
            return web.json_response({"error": code, "message": message}, status=status)
        kind = request.match_info["kind"]
        row = (self.orders if kind == "orders" else self.couriers)[id_]
        changed = _apply_hand(hand, row, body)
        self.history.setdefault(id_, []).append(
            {
                "at": utc_now().isoformat(),
                "actor": {"role": "admin", "id": "ada"},
                "from": row.get("state"),
                "to": changed.get("state", hand),
                "step": hand,
                "reason": body.get("reason"),
                "note": body.get("note"),
            }
        )
        self._telling.append(self._loop.create_task(self._tell_soon(kind, changed)))
        return web.json_response(changed)

    async def _tell_soon(self, kind: str, row: Row) -> None:
        await asyncio.sleep(_SHOWN_AFTER_S)
        orders, couriers = ([row], []) if kind == "orders" else ([], [row])
        await self._tell(orders, couriers, [])

    async def _stop_telling(self) -> None:
        for task in self._telling:
            task.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)

    async def _show_history(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"history": self.history.get(request.match_info["id"], [])})

    async def _show_messages(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"messages": self.messages.get(request.match_info["id"], [])})

    async def _show_figures(self, request: web.Request) -> web.StreamResponse:
        week = make_week(utc_now(), int(request.query.get("hours", "24")))
        now = {**self._count(), "sockets": len(self._sockets), "wakeup_lag_ms": 41}
        return web.json_response({"now": now, **week})

    async def _show_me(self, request: web.Request) -> web.StreamResponse:
        missing = {"error": "not_found", "message": "There is no profile of this person."}
        return web.json_response(missing, status=404)

    async def _serve_map(self, request: web.Request) -> web.StreamResponse:
        body, span = self._maps[request.match_info["file"]], request.http_range
        if span.start is None:
            return web.Response(body=body)
        part = body[span]
        told = f"bytes {span.start}-{span.start + len(part) - 1}/{len(body)}"
        return web.Response(body=part, status=206, headers={"Content-Range": told})

    async def _show_settings(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({})  # tokens are pasted

    async def _serve_page(self, request: web.Request) -> web.StreamResponse:
        return _convert(make_page("/api/console/", self._style))

    async def _serve_file(self, request: web.Request) -> web.StreamResponse:
        try:
            return _convert(make_file(request.match_info["file"], self._style))
        except NotFound:
            raise web.HTTPNotFound from None

    async def _serve_client(self, request: web.Request) -> web.StreamResponse:
        text = (PAGES_FOLDER / "client.js").read_text()
        return web.Response(text=text, content_type="text/javascript")

    def _make_application(self) -> web.Application:
        made = web.Application()
        made.add_routes(
            [
                web.get("/api/console", self._serve_page),
                web.get("/api/console/settings.json", self._show_settings),
                web.get("/api/console/{file}", self._serve_file),
                web.get("/api/client/client.js", self._serve_client),
                web.get("/api/v1/ws/ops", self._serve_socket),
                web.get("/maps/{file}", self._serve_map),
                web.get("/api/v1/me", self._show_me),
                web.get("/api/v1/orders/{id}/history", self._show_history),
                web.get("/api/v1/admin/couriers/{id}/history", self._show_history),
                web.get("/api/v1/admin/orders/{id}/messages", self._show_messages),
                web.get("/api/v1/admin/figures", self._show_figures),
                web.post("/api/v1/admin/{kind}/{id}/{hand}", self._hand),
            ]
        )
        return made

    async def _start(self) -> web.AppRunner:
        runner = web.AppRunner(self._make_application(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    def _wait(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    @contextmanager
    def open(self) -> Iterator[Room]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        runner = self._wait(self._start())
        try:
            yield self
        finally:
            self._wait(self._stop_telling())
            self._wait(self._cut())
            self._wait(runner.cleanup())
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(60)
            self._loop.close()


def _apply_hand(hand: str, row: Row, body: Row) -> Row:
    """Make the row after a hand."""
    now = utc_now().isoformat()
    if hand == "assign":
        return {**row, "state": "accepted", "courier_id": body["courier_id"], "since": now}
    if hand in ("release", "retry"):
        return {**row, "state": "searching", "courier_id": None, "courier_name": None, "since": now}
    if hand in ("pause", "resume"):
        return {**row, "paused": hand == "pause"}
    return {**row, "state": "cancelled" if hand == "cancel" else "failed", "since": now}


def _convert(response: Response) -> web.Response:
    """Make an answer of the application one of this server."""
    headers = {name: str(value) for name, value in response.headers.items()}
    return web.Response(body=response.body.encode(), headers=headers, status=response.status_code)
