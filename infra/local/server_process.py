"""A server in a process of its own: started, awaited, stopped.

ministack, the local stack of the demo and the bench, and what the bench compares are such servers.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_LOOK_EVERY_S = 0.02


class ServerProcessError(Exception):
    """The server did not start; the text is the log so far."""


class ServerProcess:
    """One server, which writes to a log file. It may be started again once it is stopped.

    `owned`: the server is given `--owned` and a pipe as standard input that only this process
    holds. When this process ends, however it ends, so does the pipe, and the server with it
    (engine_boot.stop_with_owner). A server that is not owned runs on until stop() is called.
    """

    def __init__(
        self,
        command: Sequence[str],
        log_path: Path,
        env: Mapping[str, str],
        *,
        folder: Path | None = None,
        owned: bool = False,
        stop_within_s: float = 5.0,
    ) -> None:
        self._command = [*command, "--owned"] if owned else [*command]
        self._log_path = log_path
        self._env = dict(env)
        self._folder = folder
        self._owned = owned
        self._stop_within_s = stop_within_s
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id between start() and stop()."""
        return self._process.pid if self._process is not None else None

    def read_log(self) -> str:
        """Return everything that the server printed since it was started."""
        return self._log_path.read_text(errors="replace")

    def start(self, is_ready: Callable[[], bool], within_s: float) -> None:
        """Start the server and wait until it is ready. Raises ServerProcessError if it is not."""
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.PIPE if self._owned else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the owner, who then stops the server.
                start_new_session=True,
            )
        try:
            self._await_ready(self._process, is_ready, within_s)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server, by force if it takes too long. Does nothing when it is stopped."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(self._stop_within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def _await_ready(
        self, process: subprocess.Popen[bytes], is_ready: Callable[[], bool], within_s: float
    ) -> None:
        give_up_at = time.monotonic() + within_s
        while not is_ready():
            if process.poll() is not None or time.monotonic() > give_up_at:
                raise ServerProcessError(self.read_log())
            time.sleep(_LOOK_EVERY_S)
