"""A Socket.IO server and its devices, whose links are cut as ours are: npm's, in two processes.

The same server runs with connection state recovery and without. Both are told of an event whenever
`emit` is called.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from infra.bench.cuts import Cuts
from infra.harness.npm import find_node, install_recipe
from infra.harness.stack_process import HOME

_RECIPE = Path(__file__).parent / "socketio"
_INSTALLED = HOME / ".local" / "bench" / "socketio"
KINDS = ("Socket.IO, no recovery", "Socket.IO, recovery")


class PeerDevice(NamedTuple):
    """What a device of the peer heard: numbers of events, as they came, and after how long."""

    heard: Sequence[int]
    delays_ms: Sequence[float]
    links: int


class SocketioPeer:
    """The two processes. Use as a context manager. Raises ServerUnavailable without node."""

    def __init__(self, devices: int, cuts: Cuts) -> None:
        self._devices = devices
        self._cuts = cuts
        self.emitted = 0

    def __enter__(self) -> SocketioPeer:
        node, npm = find_node()
        install_recipe(npm, _RECIPE, _INSTALLED)
        self._server = _start([node, "server.js"])
        ports = _out(self._server).readline().strip()
        spans = [json.dumps(span) for span in (self._cuts.link_s, self._cuts.away_s)]
        self._clients = _start([node, "clients.js", ports, str(self._devices), *spans])
        assert _out(self._clients).readline() == "ready\n", "each device has a link"
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self._clients, self._server):
            process.kill()
            process.communicate()

    def emit(self) -> None:
        """Emit an event to all."""
        self.emitted += 1
        _write_line(self._server)

    def keep_links(self) -> None:
        """Cut no link from now on."""
        _write_line(self._clients)

    def collect(self) -> dict[str, list[PeerDevice]]:
        """End the devices, and return what they heard, by KINDS."""
        text, _ = self._clients.communicate()
        groups: list[list[dict[str, Any]]] = json.loads(text)
        return {
            kind: [PeerDevice(d["heard"], d["delays"], d["links"]) for d in group]
            for kind, group in zip(KINDS, groups, strict=True)
        }


def _start(command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=_INSTALLED,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _write_line(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None, "it is a pipe"
    process.stdin.write("\n")
    process.stdin.flush()


def _out(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None, "it is a pipe"
    return process.stdout
