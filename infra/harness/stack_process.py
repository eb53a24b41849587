"""A Waybill of one's own: `python -m infra.local` on free ports, its data thrown away.

For the demo and the bench, which must neither disturb nor depend on what else is there.
"""

from __future__ import annotations

import os
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from infra.local.options import LocalOptions
from infra.local.ports import find_free_port
from infra.local.secret import read_checkout_secret
from infra.local.server_process import ServerProcess, ServerProcessError

HOME = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 30.0


class StackProcessError(Exception):
    """The stack did not start; the text holds what it printed."""


class StackProcess:
    """One running stack. Use as a context manager; it ends with this process, however that ends."""

    def __init__(self, module: str = "infra.local", **settings: str) -> None:
        self._module = module
        self._settings = settings

    def __enter__(self) -> StackProcess:
        with ExitStack() as stack:
            made = TemporaryDirectory(prefix="waybill-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(made))
            self.options = LocalOptions(find_free_port(), find_free_port(), state_dir=folder)
            self.secret = read_checkout_secret(folder)
            server = ServerProcess(
                [sys.executable, "-m", self._module],
                folder / "waybill.log",
                self._make_environment(),
                folder=HOME,
                owned=True,
                stop_within_s=STOPPED_WITHIN_S,
            )
            try:
                server.start(lambda: is_serving(self.options.url), READY_WITHIN_S)
            except ServerProcessError as error:
                raise StackProcessError(f"Waybill did not start:\n{error}") from error
            stack.callback(server.stop)
            self._server = server
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def read_rss_mb(self) -> float | None:
        """Read how much memory the stack's process holds, less its engine's; None where the system
        does not tell."""
        try:
            lines = Path(f"/proc/{self._server.pid}/status").read_text().splitlines()
        except OSError:
            return None
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))

    def _make_environment(self) -> dict[str, str]:
        environment = {
            **os.environ,
            **self._settings,
            "PORT": str(self.options.port),
            "ENGINE_PORT": str(self.options.engine_port),
            "STATE_DIR": str(self.options.state_dir),
            "JWT_SECRET": self.secret,
            "PYTHONUNBUFFERED": "1",
        }
        # What a shell is set up with must lead neither to another engine nor to another issuer.
        for name in ("ENDPOINT", "LOCALSTACK_HOST", "JWT_JWKS_URL", "JWT_ALGORITHMS"):
            environment.pop(name, None)
        return environment


def is_serving(url: str) -> bool:
    """Tell whether a Waybill serves at a URL."""
    try:
        with urllib.request.urlopen(f"{url}/api/health", timeout=5) as answer:
            return b'"status":"ok"' in answer.read()
    except (OSError, ValueError):
        return False
