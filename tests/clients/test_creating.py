"""What creates is sent again under its key until there is an answer that stands."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.clients.conftest import CLIENTS
from tests.conftest import PATIENCE_S

TOKEN = "e30.eyJzdWIiOiJhbmEifQ"
TIMES = {"heartbeat_s": 30, "timeout_s": 10, "delay_s": 0.02, "max_delay_s": 0.05}


class Server(ThreadingHTTPServer):
    """Of each path's requests it loses the first, and is too busy for two more."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None, str | None, bytes]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.headers.get("Upgrade"):
            self._answer(503, {"error": "unavailable", "message": "Later."})
        else:
            self._answer(200, {"path": self.path})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key, authorization = self.headers["Idempotency-Key"], self.headers["Authorization"]
        before = sum(path == self.path for path, *_ in self.server.asked)
        self.server.asked.append((self.path, key, authorization, body))
        if before == 0:
            self.close_connection = True  # without a word
        elif before < 3:
            self._answer([503, 429][before - 1], {"error": "unavailable", "message": "Later."})
        elif self.path == "/refused":
            self._answer(409, {"error": "external_id_taken", "message": "It is taken."})
        else:
            self._answer(201, {"id": "4711"})

    def _answer(self, status: int, said: dict[str, Any]) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join(PATIENCE_S)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_key_is_kept_until_there_is_an_answer(client: str, server: Server) -> None:
    url = f"ws://127.0.0.1:{server.server_port}/orders"
    options = {"url": url, "token": TOKEN, "contract": "food", "times": TIMES}
    (printed,) = CLIENTS[client]({**options, "creates": ["/created", "/refused"]})
    assert printed == [
        "created 4711",
        "refused 409 external_id_taken It is taken.",
        "read /read?a=b%7C&c=%C3%A4",
        "end",
    ]
    for path in ("/created", "/refused"):
        asked = [one for one in server.asked if one[0] == path]
        assert len(asked) == 4
        ((_, key, authorization, body),) = set(asked)
        assert key
        assert 16 <= len(key) <= 255
        assert authorization == f"Bearer {TOKEN}"
        assert json.loads(body) == {"notes": "für Ana"}
    assert len({key for _, key, *_ in server.asked}) == 2
