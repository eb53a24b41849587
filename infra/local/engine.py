"""ministack in a process of its own: DynamoDB, SQS and S3 on a local port, state on disk."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from infra.local.ports import is_port_free
from infra.local.server_process import ServerProcess, ServerProcessError

HERE = Path(__file__).resolve().parent
ENGINE_PYTHON = HERE.parents[1] / ".venv-engine" / "bin" / "python"
HEALTHY_WITHIN_S = 60.0
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
STOPPED_WITHIN_S = 10.0  # then it is killed, and what it has not saved is lost


class EngineError(Exception):
    """The engine can't be started or reached; the text says what to do."""


class Ministack:
    """One engine. Use as a context manager, or call start() and stop().

    An owned engine ends with this process, even if that is killed. One that is not owned runs on
    until stop() is called. `environment` adds to its settings, or replaces some.
    """

    def __init__(
        self,
        port: int,
        state_dir: Path,
        *,
        owned: bool = True,
        python: Path = ENGINE_PYTHON,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port
        self.endpoint = f"http://127.0.0.1:{port}"
        self.log_path = state_dir / "engine.log"
        self._state_dir = state_dir
        self._python = python
        self._more = dict(environment or {})
        self._process = ServerProcess(
            [str(python), str(HERE / "engine_boot.py")],
            self.log_path,
            self._make_environment(),
            owned=owned,
            stop_within_s=STOPPED_WITHIN_S,
        )

    def start(self) -> None:
        """Start the engine and wait until it answers. Raises EngineError."""
        if not self._python.exists():
            raise EngineError(
                "The engine is not installed: run `make setup`, or use ENGINE=moto for small data."
            )
        if not is_port_free(self.port):
            raise EngineError(
                f"Port {self.port} (ENGINE_PORT) is in use: set ENGINE_PORT to a free one, or "
                f"ENDPOINT={self.endpoint} to use the engine that runs there."
            )
        self._state_dir.mkdir(parents=True, exist_ok=True)
        try:
            self._process.start(lambda: is_healthy(self.endpoint), HEALTHY_WITHIN_S)
        except ServerProcessError as error:
            raise EngineError(f"ministack did not start; its log is {self.log_path}.") from error

    def stop(self) -> None:
        """Stop the engine and wait until it has saved its state. Does nothing when stopped."""
        self._process.stop()

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid

    def _make_environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._state_dir),
            "TMPDIR": str(self._state_dir),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            # Not GATEWAY_PORT: that would become part of queue URLs, by which it finds the queues
            # it saved, and another port next time would lose them.
            "EDGE_PORT": str(self.port),
            "SERVICES": "dynamodb,sqs,s3",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self._state_dir),
            # It checks the signature of the URLs by which files are read.
            **{name: os.environ.get(name, "local") for name in _CREDENTIALS},
            "S3_PERSIST": "1",  # objects, which are not of its state
            "S3_DATA_DIR": str(self._state_dir / "s3"),
            "LOG_LEVEL": "WARNING",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # It removes containers at boot: keep it away from the user's Docker.
            "DOCKER_HOST": "unix:///nonexistent",
            **self._more,
        }

    def __enter__(self) -> Ministack:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def is_healthy(endpoint: str) -> bool:
    """Say whether a LocalStack-compatible endpoint answers."""
    try:
        with urllib.request.urlopen(f"{endpoint}/_localstack/health", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True  # it speaks HTTP: LocalStack-compatible enough to try
    except (OSError, ValueError):
        return False
