"""Unmodified Socket.IO clients: npm's socket.io-client in one node process, led from here."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.documents.frames import SAID
from tests.conftest import PATIENCE_S
from tests.documents import check_frame
from tests.e2e.conftest import wait_for

PACKAGE = "socket.io-client@4"
INSTALL_WITHIN_S = 120
SCRIPT = Path(__file__).with_name("clients.cjs")
WEBSOCKET = {"transports": ["websocket"], "reconnectionDelay": 50, "reconnectionDelayMax": 100}

Happening = tuple[str, Any]


class Clients:
    """Stock clients by name. What happens to each is noted as (what, data), in order."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            ["node", str(folder / SCRIPT.name)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._heard: dict[str, list[Happening]] = defaultdict(list)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def open(self, name: str, url: str, **options: Any) -> None:
        """io(url, options), by WebSocket unless said otherwise."""
        self._tell(does="open", name=name, url=url, options={**WEBSOCKET, **options})

    def emit(self, name: str, event: str, data: Any = None, *, acked: bool = False) -> None:
        given = {} if data is None else {"data": data}
        self._tell(does="emit", name=name, event=event, acked=acked, **given)

    def do(self, what: str, name: str, **more: Any) -> None:
        """drop, close, or binary."""
        self._tell(does=what, name=name, **more)

    def heard(self, name: str, what: str) -> list[Any]:
        """The data of everything of that kind so far."""
        return [data for happened, data in list(self._heard[name]) if happened == what]

    def all_heard(self, name: str) -> list[str]:
        """What happened so far, by name."""
        return [what for what, _ in list(self._heard[name])]

    def next(self, name: str, what: str, after: int = 0, within_s: float = PATIENCE_S) -> Any:
        """Wait for the next of a kind after the first `after` of them; its data."""

        def arrived() -> list[Any]:
            return self.heard(name, what)[after:]

        try:
            data = wait_for(arrived, within_s)[0]
        except pytest.fail.Exception:
            pytest.fail(f"{name} never heard {what}; it heard {self._heard[name]}")
        if what in SAID["socketio"].list_frames():
            check_frame("socketio", f"42/orders,{json.dumps([what, data])}")
        return data

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _tell(self, **told: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            self._heard[told["name"]].append((told["what"], told.get("data")))


@pytest.fixture(scope="session")
def client_folder(request: pytest.FixtureRequest) -> Path:
    """Where npm's package lies, installed once and kept among pytest's own files."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are needed for the stock Socket.IO client")
    assert request.config.cache is not None
    folder = request.config.cache.mkdir("socketio-client")
    if not (folder / "node_modules" / "socket.io-client").is_dir():
        command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", PACKAGE]
        (folder / "package.json").write_text('{"private": true}')
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_WITHIN_S
        )
        if done.returncode:
            pytest.skip(f"npm could not install {PACKAGE}: {done.stderr.strip()[-200:]}")
    shutil.copy(SCRIPT, folder)
    return folder


@pytest.fixture
def make_clients(client_folder: Path) -> Iterator[Callable[[], Clients]]:
    """Start node processes with stock clients in them."""
    made: list[Clients] = []

    def make() -> Clients:
        made.append(Clients(client_folder))
        made[-1].next("", "ready")
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def clients(make_clients: Callable[[], Clients]) -> Clients:
    """One node process with stock clients in it."""
    return make_clients()
