"""A server in a process of its own, that a bench starts, watches and ends."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.harness.stack_process import HOME, find_free_port

START_WITHIN_S = 30.0
STOP_WITHIN_S = 5.0


class ServerUnavailable(Exception):
    """Raised for a server that can't be run here; the text says why."""


class ServerProcess:
    """One server, which is to listen on `port`, and serves at `path`."""

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.path = path
        self.port = find_free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()

    def start(self, command: Sequence[str], env: Mapping[str, str], folder: Path = HOME) -> None:
        """Start it; return once it accepts connections. Raises Unavailable."""
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the bench, which then stops it
        )
        give_up_at = time.monotonic() + START_WITHIN_S
        while not _accepts(self.port):
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                raise ServerUnavailable(f"{self.name} did not start: {self._last_words()}")
            time.sleep(0.05)

    def cpu_s(self) -> float | None:
        """Add up the CPU seconds used so far, with the processes that it runs."""
        if self._process is None:
            return None
        used = [_cpu_s_of(pid) for pid in (self._process.pid, *_children(self._process.pid))]
        return sum(each for each in used if each is not None) if used[0] is not None else None

    def stop(self) -> None:
        """End it. Harmless if it was never started."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


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
