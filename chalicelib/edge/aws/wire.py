"""HTTP/1.1 as a client: pooled connections, little work.

For the calls that Waybill makes thousands of times a second. http.client and urllib3 spend most of
their time on objects that nobody looks at.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import struct
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

CONNECT_TIMEOUT_S = 0.5
READ_TIMEOUT_S = 2.0
# Peers, and what is between, drop idle connections, some without a word: that would only show as a
# timeout, after which there is no time for another try.
MAX_IDLE_S = 20.0
# After a pause this long a look tells whether the peer has closed, or answered 408 to nothing.
TRUSTED_S = 1.0
# A connection that had ended says so at once. Later than this, the peer ended it over the request.
AGAIN_WITHIN_S = 0.25

_MAX_READ = 64 * 1024
_MAX_BODY = 64 * 1024 * 1024
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) (\d{3})[ \r]")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*\r\n", re.IGNORECASE)
# What makes the end of an answer, or the future of its connection, hard to tell.
_NOT_PLAIN = re.compile(rb"\r\n(?:transfer-encoding:|connection:[^\r]*close)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
_WITHOUT_BODY = (204, 304)


class NoAnswer(Exception):
    """Raised when the peer can't be reached, or does not answer in time or in HTTP."""


class Unreachable(NoAnswer):
    """Raised when there is no connection to be had, so that nothing was asked."""


class Answer(NamedTuple):
    """What came back: `head` is the status line and the header lines, each with its end. `body` is
    None where its end can't be told, or was not worth waiting for."""

    status: int
    head: bytes
    body: bytes | None


Headers = Iterable[tuple[str, str]]


def encoded(method: str, path: str, headers: Headers, body: bytes) -> bytes:
    """A request as it is sent; its headers are to include Host and the length."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("ascii") + body


def length_of(body: bytes) -> tuple[str, str]:
    """The header that tells how long a body is."""
    return "content-length", str(len(body))


class Wire:
    """Connections to the host of `url` (http or https), of which up to `keep` wait for reuse.

    Safe under threads. TLS is verified against the system's authorities, or as `tls` says. `whole`
    has every answer read to its end; otherwise only as far as serves the connection.
    """

    def __init__(
        self,
        url: str,
        keep: int = 50,
        tls: ssl.SSLContext | None = None,
        read_timeout_s: float = READ_TIMEOUT_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        whole: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url)
        self._name = parts.hostname or ""
        self._is_tls = parts.scheme == "https"
        self._tls = tls
        self._connect_timeout_s = connect_timeout_s
        self.read_timeout_s = read_timeout_s
        self._whole = whole
        self._clock = clock
        standard = 443 if self._is_tls else 80
        self._port = parts.port or standard
        self.host = f"[{self._name}]" if ":" in self._name else self._name
        if self._port != standard:
            self.host += f":{self._port}"
        self._keep = keep
        self._kept: deque[Connection] = deque()
        weakref.finalize(self, _close_all, self._kept)

    def send_wakeups(self, method: str, path: str, headers: Headers, body: bytes) -> int:
        """Send one request, `headers` with Host and without a length, and return the status of the
        answer. Raises NoAnswer.
        """
        return self.ask(encoded(method, path, [*headers, length_of(body)], body)).status

    def ask(self, message: bytes) -> Answer:
        """Send one request, as `encoded` makes it, and return the answer.

        What a kept connection turns out to have been too old for is sent again, once, on a new
        one. Raises NoAnswer.
        """
        try:
            kept, began = self.take(), self._clock()
            try:
                return self._exchange(kept or self.connect(), message)
            except _NothingReceived:
                if kept is None or self._clock() - began > AGAIN_WITHIN_S:
                    raise
                return self._exchange(self.connect(), message)
        except (OSError, ValueError) as error:
            raise NoAnswer(str(error)) from error

    def take(self) -> Connection | None:
        """The connection used last, if it can be trusted; if not, those older can't be either."""
        try:
            connection = self._kept.pop()
        except IndexError:
            return None
        idle_s = self._clock() - connection.used_at
        if idle_s < TRUSTED_S or (idle_s < MAX_IDLE_S and connection.is_quiet()):
            return connection
        connection.close()
        _close_all(self._kept)
        return None

    def connect(self) -> Connection:
        """Open a connection. Raises Unreachable, or what TLS has against it."""
        if not self._name:
            raise Unreachable("there is no endpoint")
        try:
            made = socket.create_connection((self._name, self._port), self._connect_timeout_s)
        except OSError as error:
            raise Unreachable(str(error)) from error
        try:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._is_tls:
                tls = self._tls or _system_tls()
                made = tls.wrap_socket(made, server_hostname=self._name)
            made.settimeout(None)
            _limit_waits(made, self.read_timeout_s)
        except BaseException:
            made.close()
            raise
        return Connection(made, self.read_timeout_s, self._whole)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next request, if it is worth it."""
        if connection.is_reusable and len(self._kept) < self._keep:
            connection.used_at = self._clock()
            self._kept.append(connection)
        else:
            connection.close()

    def _exchange(self, connection: Connection, message: bytes) -> Answer:
        try:
            connection.begin(message)
            answer = connection.finish()
        except BaseException:
            connection.close()
            raise
        self.give_back(connection)
        return answer


class _NothingReceived(ConnectionError):
    """The peer ended the connection before it answered anything."""


class Connection:
    """One TCP or TLS connection, used by one thread at a time."""

    def __init__(self, connection: socket.socket, timeout_s: float, whole: bool) -> None:
        self._socket = connection
        self._timeout_s = timeout_s
        self._whole = whole
        self._most = _MAX_BODY if whole else _MAX_READ
        self.is_reusable = False
        self.used_at = 0.0
        self._until = 0.0

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def fileno(self) -> int:
        """What tells a selector of it."""
        return self._socket.fileno()

    def is_quiet(self) -> bool:
        """Whether nothing has come since the last answer, not even the end."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def begin(self, message: bytes) -> None:
        """Send a request. Raises _NothingReceived, other OSErrors."""
        self.is_reusable = False
        self._until = time.monotonic() + self._timeout_s
        try:
            self._socket.sendall(message)
        except (BrokenPipeError, ConnectionResetError):
            return  # a refusal of a large body may have come before the end of the body was sent
        except (ConnectionError, ssl.SSLError) as error:
            raise _NothingReceived from error

    def finish(self) -> Answer:
        """Wait for the answer, as long after `begin` as one wait may take. Raises _NothingReceived,
        other OSErrors, or ValueError for what is not HTTP."""
        left_s = self._until - time.monotonic()
        try:
            if left_s < self._timeout_s / 2:  # sending took its time; asked only then, as it costs
                _limit_waits(self._socket, max(left_s, 0.01))
            data = self._socket.recv(_MAX_READ)
        except (ConnectionError, ssl.SSLError) as error:
            raise _NothingReceived from error
        if not data:
            raise _NothingReceived
        return self._read(data, self._until)

    def _read(self, data: bytes, until: float) -> Answer:
        while True:
            while (end := data.find(b"\r\n\r\n")) < 0:
                data += self._more(len(data), until)
            line = _STATUS_LINE.match(data)
            if line is None:
                raise ValueError("the answer is not HTTP/1.1")
            status = int(line[2])
            if status >= 200:
                break
            data = data[end + 4 :]  # 1xx: the answer proper follows
        head, body = data[: end + 2], None
        is_plain = line[1] == b"1" and not _NOT_PLAIN.search(head)
        if is_plain or self._whole:
            body = self._body(status, head, data[end + 4 :], until)
            self.is_reusable = is_plain and body is not None
        if self._whole and body is None:
            raise ConnectionError("the answer broke off")
        return Answer(status, head, body)

    def _body(self, status: int, head: bytes, data: bytes, until: float) -> bytes | None:
        """Read the body to its end. None if that can't be found: the status may count all the
        same, but nothing else can be asked over this connection."""
        given = _LENGTH.search(head)
        length = int(given[1]) if given and status not in _WITHOUT_BODY else 0
        try:
            if self._whole and _CHUNKED.search(head):
                return self._chunks(data, until)
            if given is None and status not in _WITHOUT_BODY:
                return None
            while len(data) < length:
                data += self._more(len(data), until)
        except (OSError, ValueError):
            return None
        return data if len(data) == length else None

    def _chunks(self, data: bytes, until: float) -> bytes:
        """Put a chunked body together; what may follow it is left: this was the last answer."""
        body = b""
        while True:
            while (end := data.find(b"\r\n")) < 0:
                data += self._more(len(data), until)
            start, size = end + 2, int(data[:end].partition(b";")[0], 16)
            if not size:
                return body
            while len(data) < start + size + 2:
                data += self._more(len(body) + len(data), until)
            body += data[start : start + size]
            data = data[start + size + 2 :]

    def _more(self, received: int, until: float) -> bytes:
        left_s = until - time.monotonic()
        if received > self._most or left_s <= 0:
            raise ValueError("the answer takes too long")
        _limit_waits(self._socket, left_s)
        data = self._socket.recv(_MAX_READ)
        _limit_waits(self._socket, self._timeout_s)
        if not data:
            raise ConnectionError("the answer broke off")
        return data


@lru_cache(1)
def _system_tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _limit_waits(connection: socket.socket, seconds: float) -> None:
    """Let the system end what takes longer: settimeout() would ask it twice for everything."""
    limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000) or 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def _close_all(connections: deque[Connection]) -> None:
    while connections:
        try:
            connections.pop().close()
        except IndexError:
            return
