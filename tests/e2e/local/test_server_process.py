"""A server in a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from infra.local.server_process import ServerProcess, ServerProcessError
from tests.conftest import PATIENCE_S

# Says that it is ready by a file, then waits to be stopped.
SERVER = "import pathlib, sys, time; pathlib.Path('ready').touch(); print('hello'); time.sleep(60)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SERVER


def a_server(folder: Path, code: str, stop_within_s: float = 5.0) -> ServerProcess:
    command = [sys.executable, "-u", "-c", code]
    log = folder / "server.log"
    return ServerProcess(command, log, os.environ, folder=folder, stop_within_s=stop_within_s)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_is_awaited_and_ends_when_it_is_stopped(tmp_path: Path) -> None:
    server = a_server(tmp_path, SERVER)
    server.start((tmp_path / "ready").exists, within_s=PATIENCE_S)
    pid = server.pid
    assert pid is not None
    assert is_alive(pid)
    server.stop()
    assert not is_alive(pid)
    assert server.pid is None
    server.stop()


def test_a_server_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    server = a_server(tmp_path, DEAF, stop_within_s=0.1)
    server.start((tmp_path / "ready").exists, within_s=PATIENCE_S)
    pid = server.pid
    assert pid is not None
    server.stop()
    assert not is_alive(pid)


def test_a_server_that_ends_at_once_says_what_it_printed(tmp_path: Path) -> None:
    server = a_server(tmp_path, "raise SystemExit('no port')")
    with pytest.raises(ServerProcessError, match="no port"):
        server.start(lambda: False, within_s=PATIENCE_S)
    assert server.pid is None


def test_a_server_that_is_never_ready_is_given_up_and_stopped(tmp_path: Path) -> None:
    server = a_server(tmp_path, "import time; time.sleep(60)")
    with pytest.raises(ServerProcessError):
        server.start(lambda: False, within_s=0.1)
    assert server.pid is None


def test_a_server_may_be_started_again(tmp_path: Path) -> None:
    server = a_server(tmp_path, SERVER)
    for _ in range(2):
        server.start(lambda: "hello" in server.read_log(), within_s=PATIENCE_S)
        server.stop()
    assert server.read_log().strip() == "hello"
