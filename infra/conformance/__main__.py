"""`python -m infra.conformance dist/here [pytest arguments]`: deploy a package and test it.

Without further arguments every story that the local stack is tested with is told to the deployment
too; what ministack can't do is in infra/conformance/gaps.py, and is skipped by that name.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.conformance.cloud import ROOT, run_cloud
from infra.conformance.deployment import HASTY, PATIENT, deploy_stage
from infra.conformance.front import Front
from infra.conformance.logs import find_complaints
from infra.deploy.errors import DeployError
from infra.local.engine import EngineError
from infra.local.ports import find_free_port

# What is left out is about the local gateway, the local run and the package themselves.
STORIES = (
    "tests/e2e",
    "--ignore=tests/e2e/gateway",
    "--ignore=tests/e2e/local",
    "--ignore=tests/e2e/test_package.py",
)
LOG_LINES = 60


def main() -> int:
    """Deploy and test; return pytest's exit code, or 1 if the deployment fails."""
    package, arguments = Path(sys.argv[1]), sys.argv[2:] or list(STORIES)
    os.environ.update(ROOT)
    # Whoever stops a run, as `timeout` does, leaves neither an engine nor its folder behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with run_cloud() as engine:
            return asyncio.run(_run_stories(engine.endpoint, package, arguments))
    except (DeployError, EngineError) as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1


async def _run_stories(engine: str, package: Path, arguments: list[str]) -> int:
    secret = secrets.token_urlsafe(48)
    stages: dict[str, dict[str, Any]] = {}
    async with contextlib.AsyncExitStack() as fronts:
        for stage, settings in {"local": PATIENT, "hasty": HASTY}.items():
            deployed = await asyncio.to_thread(
                deploy_stage, package, engine, secret, stage, settings
            )
            port = find_free_port()
            await fronts.enter_async_context(Front(port, deployed).serve())
            print(f"Stage {stage} at {engine}: REST and sockets at http://127.0.0.1:{port}")
            stages[stage] = {
                "port": port,
                "management_url": deployed.websocket_url,
                "table_prefix": deployed.table_prefix,
            }
        environment = {
            **os.environ,
            "WAYBILL_STAGES": json.dumps(stages),
            "WAYBILL_ENGINE": engine,
            "WAYBILL_JWT_SECRET": secret,
        }
        failed = await _run_pytest(arguments, environment)
    if failed:
        print("\n".join([*find_complaints(engine)][-LOG_LINES:]))
    return failed


async def _run_pytest(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Run pytest until it ends, or SIGTERM interrupts it; return its exit code."""
    command = (sys.executable, "-m", "pytest", "-n", "0", "-q", *arguments)
    tests = await asyncio.create_subprocess_exec(*command, env=environment)
    # Interrupted, it still tells what failed; terminated, it would not.
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, tests.send_signal, signal.SIGINT)
    return await tests.wait()


if __name__ == "__main__":
    sys.exit(main())
