"""The gateway as a program: starting, telling what is wrong, and stopping."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.conftest import PATIENCE_S
from tests.e2e.gateway.rig import Recorded, an_app, serving

ROOT = Path(__file__).parents[3]
APP = """
import os, time
from chalice import Chalice
app = Chalice("small", configure_logs=False)
app.experimental_feature_flags.update(["WEBSOCKETS"])
ENDPOINT = os.environ["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"]
number = 5

@app.route("/endpoint")
def endpoint():
    return ENDPOINT

@app.on_ws_message()
def hang(event):
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "broken.py").write_text("import no_such_thing")
    return tmp_path


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "infra.gateway", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the program; yield it and its REST URL."""
    with start(folder, "app:app", "--port", "0", *arguments) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().split()[1].rstrip("/")
        finally:
            process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds processes to cores")
def test_it_stays_on_one_core_if_told_so(folder: Path) -> None:
    allowed = os.sched_getaffinity(0)
    with running(folder) as (free, _), running(folder, "--one-core") as (held, _):
        assert os.sched_getaffinity(free.pid) == allowed
        threads = [int(name) for name in os.listdir(f"/proc/{held.pid}/task")]
        assert [os.sched_getaffinity(thread) for thread in threads] == [
            {max(allowed)} for _ in threads
        ]
        assert os.sched_getscheduler(held.pid) == os.SCHED_BATCH


def test_the_app_of_the_current_folder_is_served_and_knows_the_endpoint(folder: Path) -> None:
    with running(folder, "--stage", "live") as (_, url):
        assert url.endswith("/live")
        host, _, port = url.removeprefix("http://").removesuffix("/live").partition(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as client:
            client.sendall(b"GET /live/endpoint HTTP/1.0\r\n\r\n")
            data = b"".join(iter(lambda: client.recv(65536), b""))
    assert data.endswith(url.encode())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly_though_a_handler_hangs(
    folder: Path, number: signal.Signals
) -> None:
    with running(folder) as (process, url), connect(url.replace("http", "ws")) as client:
        client.send("hang")
        started_s = time.monotonic()
        process.send_signal(number)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=PATIENCE_S)
        assert process.wait(PATIENCE_S) == 0
        assert time.monotonic() - started_s < PATIENCE_S / 2  # it hangs for 60 s
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("app", "MODULE:APP"),
        ("nowhere:app", "no module 'nowhere'"),
        ("app:nothing", "no attribute 'nothing'"),
        ("app:number", "not a Chalice app"),
    ],
)
def test_a_wrong_target_is_told_in_one_line(folder: Path, target: str, words: str) -> None:
    with start(folder, target, "--port", "0") as process:
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert words in errors
    assert errors.count("\n") == 1


def test_a_mistake_in_the_apps_own_imports_is_shown_as_it_is(folder: Path) -> None:
    with start(folder, "broken:app", "--port", "0") as process:
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "no_such_thing" in errors


def test_a_port_in_use_is_told_in_one_line(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with start(folder, "app:app", "--port", port) as process:
            _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert f"can't listen on 127.0.0.1:{port}" in errors
    assert errors.count("\n") == 1


def test_stopping_closes_sockets_and_runs_their_disconnect() -> None:
    seen = Recorded()
    app = an_app()

    @app.on_ws_disconnect()
    def on_disconnect(event: Any) -> None:
        seen.add(event)

    with serving(app) as rig, rig.connect() as client:
        rig.stop()
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=PATIENCE_S)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "Going away")
    assert seen.of("$disconnect")[0]["requestContext"]["disconnectStatusCode"] == 1001


def test_stopping_does_not_wait_for_a_disconnect_that_hangs() -> None:
    release = threading.Event()
    app = an_app()

    @app.on_ws_disconnect()
    def on_disconnect(event: Any) -> None:
        release.wait(PATIENCE_S)

    with serving(app, stop_timeout_s=0.1) as rig, rig.connect():
        started_s = time.monotonic()
        rig.stop()
        assert time.monotonic() - started_s < PATIENCE_S / 2
        release.set()


def test_a_port_is_free_again_after_the_stop() -> None:
    with serving(an_app()) as rig:
        port = rig.gateway.port
        rig.stop()
        socket.create_server(("127.0.0.1", port)).close()
