"""The servers that are measured beside each other: ours, a floor under it, and a peer.

The peer is serverless-offline, from npm, installed once into .local; it needs node.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.bench.report import cpu_of
from infra.harness.stack_process import HOME
from infra.local.ports import find_free_port
from infra.local.server_process import ServerProcess, ServerProcessError

START_WITHIN_S = 30.0
INSTALL_WITHIN_S = 240.0
STOP_WITHIN_S = 5.0

_TOO_NEW = (3, 14)  # for serverless-offline 13.10.1

_RECIPE = Path(__file__).parent / "offline"
_INSTALLED = HOME / ".local" / "bench" / "offline"


class Unavailable(Exception):
    """A contender that can't be measured here; the text says why."""


class Contender:
    """A server in a process of its own, serving WebSockets at `path`."""

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.path = path
        self.port = find_free_port()
        self._folder = TemporaryDirectory(prefix="waybill-bench-")
        self._server: ServerProcess | None = None

    def start(self, command: Sequence[str], env: Mapping[str, str], folder: Path = HOME) -> None:
        """Start the server; return once it accepts connections. Raises Unavailable."""
        log = Path(self._folder.name, "log")
        self._server = ServerProcess(
            command, log, {**os.environ, **env}, folder=folder, stop_within_s=STOP_WITHIN_S
        )
        try:
            self._server.start(lambda: _accepts(self.port), START_WITHIN_S)
        except ServerProcessError as error:
            last = str(error).strip().splitlines()[-1:] or ["it said nothing"]
            raise Unavailable(f"{self.name} did not start: {last[0]}") from error

    def cpu_s(self) -> float | None:
        """Return the CPU seconds used so far, with those of the processes that it runs."""
        if self._server is None or self._server.pid is None:
            return None
        used = [cpu_of(pid) for pid in (self._server.pid, *_children(self._server.pid))]
        return sum(each for each in used if each is not None) if used[0] is not None else None

    def stop(self) -> None:
        """Stop the server. Harmless if it was never started."""
        if self._server is not None:
            self._server.stop()
        self._folder.cleanup()


def floor() -> Contender:
    """An aiohttp echo, started. Raises Unavailable."""
    made = Contender("aiohttp", "/api")
    return _started(made, [sys.executable, "-m", "infra.bench.floor"], {"PORT": str(made.port)})


def gateway() -> Contender:
    """Our gateway with the echo app, started. Raises Unavailable."""
    made = Contender("gateway", "/api")
    command = [sys.executable, "-m", "infra.gateway", "infra.bench.echo:app", "--quiet"]
    options = ["--one-core", "--route-response", "--port", str(made.port)]
    return _started(made, [*command, *options], {})


def offline() -> Contender:
    """serverless-offline with the same handlers in its own process, started.

    Raises Unavailable.
    """
    node = shutil.which("node")
    npm = shutil.which("npm")
    if not node or not npm:
        raise Unavailable("serverless-offline: there is no node with npm")
    _install(npm)
    made = Contender("serverless-offline", "/")
    env = {
        "WEBSOCKET_PORT": str(made.port),
        "HTTP_PORT": str(find_free_port()),
        "LAMBDA_PORT": str(find_free_port()),
        "PYTHON_RUNTIME": python_of_offline() or "python3.9",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "SLS_TELEMETRY_DISABLED": "1",
        "SLS_NOTIFICATIONS_MODE": "off",
        "SLS_LOG_LEVEL": "error",
        "NODE_ENV": "production",
    }
    program = "node_modules/serverless/bin/serverless.js"
    return _started(made, [node, program, "offline"], env, _INSTALLED)


def python_of_offline() -> str | None:
    """The runtime that serverless-offline can run here; None where it knows none that is here."""
    own = f"python{sys.version_info.major}.{sys.version_info.minor}"
    known = sys.version_info < _TOO_NEW
    return own if known and shutil.which(own) else None


def _started(
    made: Contender, command: Sequence[str], env: Mapping[str, str], folder: Path = HOME
) -> Contender:
    try:
        made.start(command, env, folder)
    except BaseException:
        made.stop()
        raise
    return made


def _install(npm: str) -> None:
    """Bring the recipe, and what it needs unless that is there. Raises Unavailable."""
    wanted = (_RECIPE / "package.json").read_bytes()
    mark = _INSTALLED / "installed.json"
    is_there = mark.exists() and mark.read_bytes() == wanted
    shutil.copytree(_RECIPE, _INSTALLED, dirs_exist_ok=True)
    if is_there:
        return
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=_INSTALLED, capture_output=True, text=True, timeout=INSTALL_WITHIN_S
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"serverless-offline: npm took over {error.timeout:.0f} s") from error
    if done.returncode:
        said = (done.stderr.strip() or "nothing").splitlines()[0]
        raise Unavailable(f"serverless-offline: npm can't install it: {said}")
    mark.write_bytes(wanted)


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
