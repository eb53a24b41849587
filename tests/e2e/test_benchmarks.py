"""The contest's parts work together; how fast anything is is not a test's business."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from benchmarks import contenders
from benchmarks.contest import LoadProcess
from infra.harness.measured_server import MeasuredServer, ServerUnavailable

SOCKETS = 3


@pytest.fixture
def load() -> Iterator[LoadProcess]:
    made = LoadProcess()
    yield made
    made.stop()


@pytest.mark.parametrize("start", [contenders.start_gateway, contenders.start_floor])
def test_a_server_under_load_answers_all_and_the_client_notes_it(
    start: Callable[[], MeasuredServer], load: LoadProcess
) -> None:
    with ExitStack() as stack:
        server = start()
        stack.callback(server.stop)
        load.send_command("group", server, host="127.0.0.1", port=server.port, path=server.path)
        load.send_command("open", server, sockets=SOCKETS)
        for action in ("connections", "returned"):
            text = json.dumps({"action": action})
            done = load.send_command("echo", server, text=text, seconds=0.05, sockets=SOCKETS)
            assert len(done["latencies"]) >= done["count"] >= SOCKETS
        done = load.send_command("fan", server, text='{"action": "fan"}')
        assert len(done["latencies"]) == SOCKETS
        load.send_command("close", server)
    assert load.errors == []


def test_errors_are_counted_by_what_they_say(load: LoadProcess) -> None:
    with ExitStack() as stack:
        server = contenders.start_gateway()
        stack.callback(server.stop)
        load.send_command("group", server, host="127.0.0.1", port=server.port, path=server.path)
        load.send_command("open", server, sockets=1)
        load.send_command(
            "echo", server, text="not what the handler reads", seconds=0.05, sockets=1
        )
    assert load.errors == ["gateway, echo: 1 × a frame that says 'Internal server error'"]


def test_a_server_that_does_not_start_says_why() -> None:
    with pytest.raises(ServerUnavailable, match=r"nothing did not start: .*No module named"):
        _start_nothing()


def test_without_node_there_is_no_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ServerUnavailable, match="there is no node"):
        contenders.start_offline()


def _start_nothing() -> None:
    nothing = MeasuredServer("nothing", "/")
    try:
        nothing.start(["python3", "-m", "no_such_module"], {})
    finally:
        nothing.stop()
