"""`python -m infra.conformance dist/here [pytest arguments]`: deploy a package and test it.

Without further arguments every story that the local stack is tested with is told to the deployment
too; what ministack can't do is in infra/conformance/gaps.py, and is skipped by that name.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.conformance.deployment import deploy
from infra.conformance.front import Front
from infra.conformance.logs import complaints
from infra.deploy.errors import DeployError
from infra.engine import EngineError, Ministack
from infra.gateway import GatewayConfig, bind

# What is left out is about the local gateway, the local run and the package themselves.
STORIES = (
    "tests/e2e",
    "--ignore=tests/e2e/gateway",
    "--ignore=tests/e2e/local",
    "--ignore=tests/e2e/test_package.py",
)
# Root, to ministack; the functions get credentials of their roles, and only what these may do.
ROOT = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
ENGINE = {
    **ROOT,
    "SERVICES": "",
    "PERSIST_STATE": "0",
    "AUTH": "true",
    # A thread waits for each function that runs, and others must serve what that asks for.
    "MINISTACK_WORKER_THREADS": "512",
}

LOG_LINES = 60


def main() -> int:
    """Deploy and test; return pytest's exit code, or 1 if the deployment fails."""
    package, arguments = Path(sys.argv[1]), sys.argv[2:] or list(STORIES)
    os.environ.update(ROOT)
    try:
        with engine() as running:
            return asyncio.run(_told(running, package, arguments))
    except (DeployError, EngineError) as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 1


@contextlib.contextmanager
def engine() -> Iterator[Ministack]:
    """An engine that runs functions, with the rights of their roles."""
    with (
        TemporaryDirectory(prefix="waybill-conformance-") as folder,
        Ministack(free_port(), Path(folder), environment=ENGINE) as engine,
    ):
        yield engine


async def _told(engine: Ministack, package: Path, arguments: list[str]) -> int:
    secret = secrets.token_urlsafe(48)
    deployed = await asyncio.to_thread(deploy, package, engine.endpoint, secret)
    port = free_port()
    async with Front(port, deployed).serving():
        print(f"Deployed to {engine.endpoint}; REST and sockets at http://127.0.0.1:{port}")
        tests = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "pytest", "-n", "0", "-q", *arguments),
            env={
                **os.environ,
                "WAYBILL_PORT": str(port),
                "WAYBILL_ENGINE": engine.endpoint,
                "WAYBILL_MANAGEMENT": deployed.websocket_url,
                "WAYBILL_TABLE_PREFIX": deployed.table_prefix,
                "WAYBILL_JWT_SECRET": secret,
            },
        )
        failed = await tests.wait()
    if failed:
        print("\n".join([*complaints(engine.endpoint)][-LOG_LINES:]))
    return failed


def free_port() -> int:
    """A port that nobody listens on."""
    with contextlib.closing(bind(GatewayConfig(port=0))) as bound:
        return int(bound.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
