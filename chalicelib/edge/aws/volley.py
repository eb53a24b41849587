"""Many requests over a wire's connections at once, from one thread.

Threads would take turns under the interpreter's lock at every system call, each turn at the cost
of a request.
"""

from __future__ import annotations

import selectors
from collections.abc import Iterable

from chalicelib.edge.aws.wire import Connection, NoAnswer, Wire


def volley(wire: Wire, messages: Iterable[bytes], at_once: int) -> list[int]:
    """Send requests, up to `at_once` at a time, each on a connection that no other is waiting on.

    Returns the status of each answer, in order; 0 where none came, be it that a kept connection
    had ended: ask again.
    """
    with selectors.DefaultSelector() as selector:
        sending = _Volley(wire, selector, at_once)
        try:
            for n, message in enumerate(messages):
                sending.send_wakeups(n, message)
            sending.finish()
        finally:
            sending.end()
    return sending.statuses


class _Volley:
    def __init__(self, wire: Wire, selector: selectors.BaseSelector, at_once: int) -> None:
        self._wire = wire
        self._selector = selector
        self._at_once = at_once
        self._busy: dict[Connection, int] = {}
        self._idle: list[Connection] = []
        self._is_down = False
        self.statuses: list[int] = []

    def send_wakeups(self, n: int, message: bytes) -> None:
        """Send the n-th request, once there is a connection for it."""
        self.statuses.append(0)
        connection = self._connection()
        if connection is None:
            return
        try:
            connection.begin(message)
        except OSError:
            self._drop(connection)
        else:
            self._busy[connection] = n

    def finish(self) -> None:
        """Wait for all answers."""
        while self._busy:
            self._collect(self._wire.read_timeout_s)

    def end(self) -> None:
        """Leave the connections to others."""
        for connection in self._busy:
            connection.close()
        for connection in self._idle:
            self._wire.give_back(connection)

    def _connection(self) -> Connection | None:
        """One that is free, else a new one; None where there is none to be had."""
        while len(self._busy) >= self._at_once or (self._is_down and self._busy):
            self._collect(self._wire.read_timeout_s)
            if self._idle:
                break
        if not self._idle and self._busy:
            self._collect(0)  # an answer that has come frees one, which is cheaper than a new one
        if self._idle:
            return self._idle.pop()
        return self._added()

    def _added(self) -> Connection | None:
        connection = self._wire.take()
        try:
            if connection is None and not self._is_down:
                connection = self._wire.connect()
        except (NoAnswer, OSError):
            self._is_down = True  # each further try would take as long
        if connection:
            self._selector.register(connection, selectors.EVENT_READ, connection)
        return connection

    def _collect(self, timeout_s: float) -> None:
        """Take the answers that have come; none within a time that is not 0 is none at all."""
        found = self._selector.select(timeout_s)
        for key, _ in found:
            connection: Connection = key.data
            n = self._busy.pop(connection, None)
            try:
                if n is not None:
                    self.statuses[n] = connection.finish().status
                    if connection.is_reusable:
                        self._idle.append(connection)
                        continue
            except (OSError, ValueError):
                pass
            self._drop(connection)
        if timeout_s and not found:
            for connection in list(self._busy):
                self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        self._busy.pop(connection, None)
        if connection in self._idle:
            self._idle.remove(connection)
        self._selector.unregister(connection)
        connection.close()
