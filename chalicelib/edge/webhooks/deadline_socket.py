"""A socket that has to be done by a deadline, and from which only so much is read.

A socket's own timeout begins anew at each piece that comes: who sends a byte a second could hold a
request for ever. And headers have no end of their own that would be near enough.
"""

from __future__ import annotations

import io
import socket
import time
from typing import Any

_BUFFER_BYTES = 1024  # small: what is read ahead of the headers' end is of the body


class TooLong(Exception):
    """Raised where an answer goes on beyond what is read of one."""


class DeadlineSocket(io.RawIOBase):
    """As much of a socket as http.client uses. `until` is a time of time.monotonic()."""

    def __init__(self, connection: socket.socket, until: float, max_bytes: int) -> None:
        self._socket = connection
        self._until = until
        self._left_bytes = max_bytes
        self._file: io.BufferedReader = io.BufferedReader(self, _BUFFER_BYTES)

    def sendall(self, data: bytes) -> None:
        """Send all of it. Raises OSError, TimeoutError among them."""
        view = memoryview(data)
        while view:
            self._socket.settimeout(compute_time_left(self._until))
            view = view[self._socket.send(view) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return what comes, as a file: always the same one, as each reads ahead."""
        return self._file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._left_bytes <= 0:
            raise TooLong
        self._socket.settimeout(compute_time_left(self._until))
        got = self._socket.recv_into(memoryview(buffer)[: self._left_bytes])
        self._left_bytes -= got
        return got

    def close(self) -> None:
        """Do nothing: whoever made the socket closes it. http.client would do it at the end of the
        headers, with the body unread."""


def compute_time_left(until: float) -> float:
    """Compute the seconds until a time of time.monotonic(). Raises TimeoutError where there are
    none."""
    left_s = until - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("the answer takes too long")
    return left_s
