"""An HTTP peer that does what a test tells it, connection by connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence

from tests.conftest import PATIENCE_S

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

Answer = Callable[[socket.socket], object]


def says(*pieces: bytes) -> Answer:
    """Send these bytes."""

    def act(client: socket.socket) -> None:
        for piece in pieces:
            client.sendall(piece)

    return act


def hangs_up(client: socket.socket) -> None:
    """Close the connection, the request unanswered."""
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)


def then_hangs_up(*pieces: bytes) -> Answer:
    """Send these bytes and close the connection."""

    def act(client: socket.socket) -> None:
        says(*pieces)(client)
        hangs_up(client)

    return act


class Peer:
    """Serves connection n by `script[n]`: one answer for each request, then silence.

    `requests` has the raw requests of each connection. Anything past the script is answered 200.
    """

    def __init__(self, *script: Sequence[Answer], tls: ssl.SSLContext | None = None) -> None:
        self._script: list[Sequence[Answer]] = list(script)
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._clients: list[socket.socket] = []
        self.ended: list[threading.Event] = []
        self.requests: list[list[bytes]] = []

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.authority}/api"

    def accept_forever(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                answers = self._script.pop(0) if self._script else [says(OK)] * 1000
                seen: list[bytes] = []
                ended = threading.Event()
                self.requests.append(seen)
                self.ended.append(ended)
                arguments = (client, answers, seen, ended)
                threading.Thread(target=self._serve, args=arguments, daemon=True).start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for client in self._clients:
            client.close()

    def _serve(
        self,
        client: socket.socket,
        answers: Sequence[Answer],
        seen: list[bytes],
        ended: threading.Event,
    ) -> None:
        with contextlib.suppress(OSError):
            if self._tls:
                client = self._tls.wrap_socket(client, server_side=True)
            self._clients.append(client)
            client.settimeout(PATIENCE_S)
            for answer in answers:
                request = _read(client)
                if not request:
                    break
                seen.append(request)
                answer(client)
        ended.set()


def _read(client: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += client.recv(65536)
    return head + b"\r\n\r\n" + body


@contextlib.contextmanager
def a_peer(*script: Sequence[Answer], tls: ssl.SSLContext | None = None) -> Iterator[Peer]:
    """A peer that listens until the end of the block."""
    peer = Peer(*script, tls=tls)
    thread = threading.Thread(target=peer.accept_forever, daemon=True)
    thread.start()
    try:
        yield peer
    finally:
        peer.stop()
        thread.join(PATIENCE_S)
