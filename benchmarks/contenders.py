"""The servers that are measured beside each other: ours, a floor under it, and a peer.

The peer is serverless-offline, from npm, installed once into .local; it needs node.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.harness.measured_server import MeasuredServer, ServerUnavailable
from infra.harness.stack_process import HOME
from infra.local.ports import find_free_port

INSTALL_WITHIN_S = 240.0

_TOO_NEW = (3, 14)  # for serverless-offline 13.10.1

_RECIPE = Path(__file__).parent / "offline"
_INSTALLED = HOME / ".local" / "bench" / "offline"


def start_floor() -> MeasuredServer:
    """Start an aiohttp echo. Raises Unavailable."""
    made = MeasuredServer("aiohttp", "/api")
    return _start(made, [sys.executable, "-m", "benchmarks.floor"], {"PORT": str(made.port)})


def start_gateway() -> MeasuredServer:
    """Start our gateway with the echo app. Raises Unavailable."""
    made = MeasuredServer("gateway", "/api")
    command = [sys.executable, "-m", "infra.gateway", "benchmarks.echo:app", "--quiet"]
    options = ["--one-core", "--route-response", "--port", str(made.port)]
    return _start(made, [*command, *options], {})


def start_offline() -> MeasuredServer:
    """Start serverless-offline with the same handlers in its own process. Raises Unavailable."""
    node = shutil.which("node")
    npm = shutil.which("npm")
    if not node or not npm:
        raise ServerUnavailable("serverless-offline: there is no node with npm")
    _install(npm)
    made = MeasuredServer("serverless-offline", "/")
    env = {
        "WEBSOCKET_PORT": str(made.port),
        "HTTP_PORT": str(find_free_port()),
        "LAMBDA_PORT": str(find_free_port()),
        "PYTHON_RUNTIME": find_offline_python() or "python3.9",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "SLS_TELEMETRY_DISABLED": "1",
        "SLS_NOTIFICATIONS_MODE": "off",
        "SLS_LOG_LEVEL": "error",
        "NODE_ENV": "production",
    }
    program = "node_modules/serverless/bin/serverless.js"
    return _start(made, [node, program, "offline"], env, _INSTALLED)


def find_offline_python() -> str | None:
    """Find the runtime that serverless-offline can run here; None where it knows none of them."""
    own = f"python{sys.version_info.major}.{sys.version_info.minor}"
    known = sys.version_info < _TOO_NEW
    return own if known and shutil.which(own) else None


def _start(
    made: MeasuredServer, command: Sequence[str], env: Mapping[str, str], folder: Path = HOME
) -> MeasuredServer:
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
        raise ServerUnavailable(
            f"serverless-offline: npm took over {error.timeout:.0f} s"
        ) from error
    if done.returncode:
        said = (done.stderr.strip() or "nothing").splitlines()[0]
        raise ServerUnavailable(f"serverless-offline: npm can't install it: {said}")
    mark.write_bytes(wanted)
