"""A server on a port of this machine, whose CPU time is measured."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.harness.stack_process import HOME
from infra.local.ports import find_free_port
from infra.local.server_process import ServerProcess, ServerProcessError

START_WITHIN_S = 60.0


class ServerUnavailable(Exception):
    """Raised for a server that can't be run here; the text says why."""


class MeasuredServer:
    """One server, which is to listen on `port`, and serves at `path`."""

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.path = path
        self.port = find_free_port()
        self._folder = TemporaryDirectory(prefix="waybill-bench-")
        self._process: ServerProcess | None = None

    def start(self, command: Sequence[str], env: Mapping[str, str], folder: Path = HOME) -> None:
        """Start the server; return once it accepts connections. Raises ServerUnavailable."""
        log = Path(self._folder.name, "log")
        self._process = ServerProcess(command, log, {**os.environ, **env}, folder=folder)
        try:
            self._process.start(lambda: _accepts(self.port), START_WITHIN_S)
        except ServerProcessError as error:
            last = str(error).strip().splitlines()[-1:] or ["it said nothing"]
            raise ServerUnavailable(f"{self.name} did not start: {last[0]}") from error

    def cpu_s(self) -> float | None:
        """Return the CPU seconds used so far, with those of the processes that it runs."""
        if self._process is None or self._process.pid is None:
            return None
        used = [_cpu_s_of(pid) for pid in (self._process.pid, *_children(self._process.pid))]
        return sum(each for each in used if each is not None) if used[0] is not None else None

    def stop(self) -> None:
        """Stop the server. Harmless if it was never started."""
        if self._process is not None:
            self._process.stop()
        self._folder.cleanup()


def _children(pid: int) -> list[int]:
    try:
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _cpu_s_of(pid: int) -> float | None:
    """Read the CPU seconds a process has used; None where the system does not tell.

    Linux has a clock for every process, counting nanoseconds; its id is made as glibc's
    clock_getcpuclockid() makes it.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return None
