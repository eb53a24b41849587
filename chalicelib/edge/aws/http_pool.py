"""A small pool of HTTP connections to one host, for requests that must be over in time.

http.client knows the protocol. Three things are added to it: connections wait for the next request,
one that has ended meanwhile is replaced, and an answer has one deadline, however small its pieces.
"""

from __future__ import annotations

import io
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

CONNECT_TIMEOUT_S = 0.5
ANSWER_TIMEOUT_S = 2.0
# Peers, and what is between, drop idle connections, some without a word: that would only show as a
# timeout, after which there is no time for another try.
MAX_IDLE_S = 20.0
# A connection that had ended says so at once. Later than this, the peer ended it over the request.
RESEND_WITHIN_S = 0.25
_MAX_BODY_BYTES = 64 * 1024

Request = tuple[str, str, bytes, Mapping[str, str]]  # method, path, body, headers with Host


class NoAnswer(Exception):
    """Raised when the peer can't be reached, or does not answer in time or in HTTP."""


class HttpPool:
    """Connections to the host of `url` (http or https), of which up to `keep` wait for reuse.

    Safe under threads. TLS is verified against the system's authorities, or as `tls` says.
    """

    def __init__(
        self,
        url: str,
        keep: int = 50,
        tls: ssl.SSLContext | None = None,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url)
        is_tls = parts.scheme == "https"
        self.host = parts.netloc.removesuffix(":443" if is_tls else ":80")
        # Made here, as many threads at once would each take 20 ms to make one.
        self._tls = (tls or ssl.create_default_context()) if is_tls else None
        self._answer_timeout_s = answer_timeout_s
        self._clock = clock
        self._keep = keep
        self._kept: deque[tuple[float, HTTPConnection]] = deque()  # since when; last used, last

    def __del__(self) -> None:
        for _, connection in self._kept:
            connection.close()

    def exchange(self, request: Request) -> tuple[int, bytes]:
        """Send a request; return the status and the body of the answer. Raises NoAnswer.

        The body is empty where its end can't be told, or did not come in time. What a kept
        connection was too old for is sent again, once, on a new one; the peer may have had it, too:
        a request must be harmless to repeat.
        """
        try:
            kept, began = self._take_kept(), self._clock()
            try:
                return self._exchange_over(kept or self._make_connection(), request)
            except (ConnectionError, ssl.SSLError):
                if kept is None or self._clock() - began > RESEND_WITHIN_S:
                    raise
                return self._exchange_over(self._make_connection(), request)
        except (OSError, HTTPException, ValueError) as error:
            raise NoAnswer(str(error)) from error

    def _take_kept(self) -> HTTPConnection | None:
        """Take the connection used last that can be trusted; close those that can't be."""
        with suppress(IndexError):  # there is none left
            while True:
                since, connection = self._kept.pop()
                if self._clock() - since < MAX_IDLE_S and _is_quiet(connection.sock):
                    return connection
                connection.close()
        return None

    def _make_connection(self) -> HTTPConnection:
        if not self.host:
            raise NoAnswer("there is no endpoint")
        made = HTTPConnection(self.host, timeout=CONNECT_TIMEOUT_S)
        if self._tls:
            made = HTTPSConnection(self.host, timeout=CONNECT_TIMEOUT_S, context=self._tls)
        # A socket's timeout by itself would begin anew at each piece of an answer.
        made.response_class = lambda at, **given: HTTPResponse(_Incoming(at), **given)  # type: ignore
        return made

    def _exchange_over(self, connection: HTTPConnection, request: Request) -> tuple[int, bytes]:
        is_reusable = False
        try:
            if connection.sock is None:
                connection.connect()
            until = time.monotonic() + self._answer_timeout_s
            connection.sock.settimeout(self._answer_timeout_s)
            # A refusal of a large body may have come before all of it was sent.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(*request)
            connection.sock.settimeout(max(until - time.monotonic(), 0.01))
            response, body = connection.getresponse(), b""
            with suppress(OSError, HTTPException):  # without its body the status counts, too
                if not response.will_close:
                    body = response.read(_MAX_BODY_BYTES)
                    is_reusable = response.isclosed()
            return response.status, body
        finally:
            if is_reusable and len(self._kept) < self._keep:
                self._kept.append((self._clock(), connection))
            else:
                connection.close()


class _Incoming(io.RawIOBase):
    """What comes over a socket until a deadline: its timeout, from when this is made."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._until = time.monotonic() + (connection.gettimeout() or 0)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the answer takes too long")
        self._socket.settimeout(left_s)
        return self._socket.recv_into(buffer)


def _is_quiet(connection: socket.socket) -> bool:
    """Look whether nothing has come since the last answer: no end, no 408 that nobody asked for."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return not poll.poll(0)
