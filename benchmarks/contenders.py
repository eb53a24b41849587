"""The servers that are measured beside each other: ours, a floor under it, and a peer.

The peer is serverless-offline, from npm, installed once into .local; it needs node.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.harness.measured_server import MeasuredServer, ServerUnavailable
from infra.harness.npm import find_node, install_recipe
from infra.harness.stack_process import HOME
from infra.local.ports import find_free_port

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
    try:
        node, npm = find_node()
        install_recipe(npm, _RECIPE, _INSTALLED)
    except ServerUnavailable as error:
        raise ServerUnavailable(f"serverless-offline: {error}") from error
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
