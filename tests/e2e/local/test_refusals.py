"""A start that can't work says in one line what to do, and leaves nothing behind."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from infra.local.ports import is_port_free
from tests.conftest import PATIENCE_S, free_port
from tests.e2e.conftest import HOME, RunStack

TINY = {"APP_MODULE": "tests.e2e.local.tiny_app"}


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        port = free_port()
        listener.bind(("127.0.0.1", port))
        listener.listen()
        yield port


def refusal(run_stack: RunStack, **environment: str) -> str:
    """Start; return the one line that it ends with."""
    stack = run_stack(ready=False, **{**TINY, **environment})
    assert stack.process.wait(PATIENCE_S) == 1
    lines = stack.log().splitlines()
    assert len(lines) == 1, stack.log()
    if stack.engine_port != int(environment.get("ENGINE_PORT", 0)):
        assert is_port_free(stack.engine_port)
    return lines[0]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ENGINE", "mysql", "waybill: ENGINE takes ministack or moto, not 'mysql'."),
        ("DISPATCH_RADIUS_M", "far", "waybill: DISPATCH_RADIUS_M takes a number from 1 to"),
        ("JWT_SECRET", "short", "waybill: JWT_SECRET must have at least 32 characters."),
        ("ENDPOINT", "4566", "waybill: ENDPOINT takes a URL like"),
        ("STATE_DIR", "/dev/null/state", "waybill: STATE_DIR /dev/null/state can't be used"),
        ("APP_MODULE", "no_such_app", "waybill: no module 'no_such_app'"),
        (
            "APP_MODULE",
            "infra.local.options",
            "waybill: module 'infra.local.options' has no attribute 'app'",
        ),
    ],
)
def test_a_bad_setting(run_stack: RunStack, name: str, value: str, says: str) -> None:
    assert refusal(run_stack, **{name: value}).startswith(says)


def test_a_port_in_use(run_stack: RunStack, taken_port: int) -> None:
    said = refusal(run_stack, PORT=str(taken_port))
    assert said.startswith(f"waybill: Port {taken_port} (PORT) is in use")
    assert "set PORT" in said


def test_an_engine_port_in_use(run_stack: RunStack, taken_port: int) -> None:
    said = refusal(run_stack, ENGINE_PORT=str(taken_port))
    assert said.startswith(f"waybill: Port {taken_port} (ENGINE_PORT) is in use")
    assert f"ENDPOINT=http://127.0.0.1:{taken_port}" in said


@pytest.mark.parametrize("named_by", ["ENDPOINT", "LOCALSTACK_HOST"])
def test_an_endpoint_that_does_not_answer(run_stack: RunStack, named_by: str) -> None:
    place = f"127.0.0.1:{free_port()}"
    said = refusal(run_stack, **{named_by: f"http://{place}" if named_by == "ENDPOINT" else place})
    assert said.startswith(f"waybill: Nothing answers at http://{place}")
    assert "unset ENDPOINT" in said


def test_an_argument_that_there_is_not() -> None:
    """It is no server that starts all the same."""
    command = [sys.executable, "-m", "infra.local", "--prot", "8001"]
    run = subprocess.run(command, cwd=HOME, capture_output=True, text=True, timeout=PATIENCE_S)
    assert run.returncode == 2
    assert run.stderr.endswith("error: unrecognized arguments: --prot 8001\n")
