"""A Waybill of one's own: `python -m infra.local` as a child, on free ports, its data thrown away.

For the demo and the bench, which must neither disturb nor depend on what else is there.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType

from infra.local.engine import is_port_free
from infra.local.options import LocalOptions
from infra.local.secret import read_checkout_secret

HOME = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 30.0
STOPPED_WITHIN_S = 10.0


class StackProcessError(Exception):
    """It did not start; the text holds what it said."""


class StackProcess:
    """One running stack. Use as a context manager; it ends with this process, however that ends."""

    def __init__(self, module: str = "infra.local", **settings: str) -> None:
        self._module = module
        self._settings = settings

    def __enter__(self) -> StackProcess:
        self._folder = tempfile.TemporaryDirectory(prefix="waybill-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        port, engine_port = find_free_port(), find_free_port()
        secret = read_checkout_secret(folder)
        environment = {
            **os.environ,
            **self._settings,
            "PORT": str(port),
            "ENGINE_PORT": str(engine_port),
            "STATE_DIR": str(folder),
            "JWT_SECRET": secret,
            "PYTHONUNBUFFERED": "1",
        }
        for name in ("ENDPOINT", "LOCALSTACK_HOST", "JWT_JWKS_URL", "JWT_ALGORITHMS"):
            environment.pop(name, None)
        self.options = LocalOptions(port=port, engine_port=engine_port, state_dir=folder)
        self.secret = secret
        self._log = folder / "waybill.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self._module, "--owned"],
                cwd=HOME,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the owner, who then stops it
            )
        try:
            self._await_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def read_log(self) -> str:
        """Everything that it printed so far."""
        return self._log.read_text()

    def _await_ready(self) -> None:
        give_up_at = time.monotonic() + READY_WITHIN_S
        while not is_serving(self.options.url):
            if self.process.poll() is not None or time.monotonic() > give_up_at:
                raise StackProcessError(f"Waybill did not start:\n{self.read_log()}")
            time.sleep(0.05)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        self._folder.cleanup()


def is_serving(url: str) -> bool:
    """Whether a Waybill serves there."""
    try:
        with urllib.request.urlopen(f"{url}/api/health", timeout=2) as answer:
            return b'"status":"ok"' in answer.read()
    except (OSError, ValueError):
        return False


def find_free_port() -> int:
    """A port that nobody listens on, outside the range that outgoing connections take from."""
    for port in random.SystemRandom().sample(range(15_000, 30_000), 100):
        if is_port_free(port):
            return port
    raise StackProcessError("There is no free port among a hundred.")
