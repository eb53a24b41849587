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
WITHIN_S = 40.0

Listen = Callable[..., list[str]]


def listen_in_python(**options: Any) -> list[str]:
    """What the Python client hears, a line each."""
    environment = {**os.environ, "PYTHONPATH": str(HOME / "clients" / "python" / "src")}
    command = [sys.executable, "-W", "error", str(HERE / "listen.py"), json.dumps(options)]
    return _run(command, environment)


def listen_in_javascript(**options: Any) -> list[str]:
    """What the TypeScript client hears, a line each: in Node, with its own WebSocket."""
    if not shutil.which("node"):
        pytest.skip("there is no node")
    options = {**options, "client": SERVED.as_uri()}
    asked = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    is_old = int(asked.stdout.strip("v\n").split(".")[0]) < 22
    flags = ["--no-warnings", *(["--experimental-websocket"] if is_old else [])]
    return _run(["node", *flags, str(HERE / "listen.mjs"), json.dumps(options)], dict(os.environ))


def _run(command: list[str], environment: dict[str, str]) -> list[str]:
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=WITHIN_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr, done.stderr
    return [line.rstrip() for line in done.stdout.splitlines()]


CLIENTS: dict[str, Listen] = {
    "python": listen_in_python,
    "typescript": listen_in_javascript,
}
