"""A line to the engine that can break at a chosen moment: an HTTP proxy, and no hook in Waybill.

The engine has done what it was asked; whoever asked is killed before it can know.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.conftest import PATIENCE_S

Trigger = Callable[[str, bytes], bool]
"""(operation, body) of a request -> whether this is the moment."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # all tables are made at once


class FaultLine:
    """Forwards to an engine. `arm` says what to do once the engine has answered which request."""

    def __init__(self, engine_port: int) -> None:
        self.engine_port = engine_port
        self.server = _Server(("127.0.0.1", 0), _handler(self))
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.broke = threading.Event()
        self._trigger: Trigger = lambda operation, body: False
        self._break: Callable[[], None] = lambda: None

    def arm(self, trigger: Trigger, strike: Callable[[], None]) -> None:
        """Call `strike` once, between the engine's answer and its asker."""
        self._break, self._trigger = strike, trigger

    def answered(self, operation: str, body: bytes) -> None:
        """Strike if this is the moment."""
        if not self.broke.is_set() and self._trigger(operation, body):
            self.broke.set()
            self._break()


def _handler(line: FaultLine) -> type[BaseHTTPRequestHandler]:
    class Forward(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            self._forward(b"")

        def do_POST(self) -> None:
            self._forward(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def _forward(self, body: bytes) -> None:
            engine = http.client.HTTPConnection("127.0.0.1", line.engine_port, timeout=PATIENCE_S)
            engine.request(self.command, self.path, body, dict(self.headers.items()))
            answer = engine.getresponse()
            content = answer.read()
            engine.close()
            line.answered(self.headers.get("X-Amz-Target", "").partition(".")[2], body)
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Forward


@contextmanager
def a_fault_line(engine_port: int) -> Iterator[FaultLine]:
    """A running line."""
    line = FaultLine(engine_port)
    thread = threading.Thread(target=line.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield line
    finally:
        line.server.shutdown()
        line.server.server_close()
        thread.join()
