"""Both clients as programs, which print what they hear."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HOME = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
SERVED = HOME / "chalicelib" / "edge" / "pages" / "client.js"
WITHIN_S = 180.0

Options = dict[str, Any]


def listen_in_python(*options: Options) -> list[list[str]]:
    """What connections of the Python client hear, each a list of lines."""
    environment = {**os.environ, "PYTHONPATH": str(HOME / "clients" / "python" / "src")}
    command = [sys.executable, "-W", "error", str(HERE / "listen.py"), json.dumps(options)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=WITHIN_S
    )
    return _read_lines(done, len(options))


def listen_in_javascript(*options: Options) -> list[list[str]]:
    """The same of the TypeScript client's, in Node, with its own WebSocket."""
    script = [str(HERE / "listen.mjs"), SERVED.as_uri(), json.dumps(options)]
    return _read_lines(run_in_node(*script), len(options))


def run_in_node(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Node, with a WebSocket of its own."""
    if not shutil.which("node"):
        pytest.skip("there is no node")
    asked = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    is_old = int(asked.stdout.strip("v\n").split(".")[0]) < 22
    flags = ["--no-warnings", *(["--experimental-websocket"] if is_old else [])]
    command = ["node", *flags, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S)


def _read_lines(done: subprocess.CompletedProcess[str], count: int) -> list[list[str]]:
    """Read what each of several connections printed."""
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr, done.stderr
    printed: list[list[str]] = [[] for _ in range(count)]
    for line in done.stdout.splitlines():
        number, _, words = line.partition(" ")
        printed[int(number)].append(words)
    return printed


CLIENTS: dict[str, Callable[..., list[list[str]]]] = {
    "python": listen_in_python,
    "typescript": listen_in_javascript,
}
