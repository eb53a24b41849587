"""Run ministack in its own interpreter; import nothing of this project.

`--owned`: standard input is a pipe that only the owner holds. When the owner ends, however it ends,
the pipe does too, and the engine is told to save its state and stop.
"""

from __future__ import annotations

import os
import signal
import sys
import threading


def stop_with_owner() -> None:
    """Send this process SIGTERM when standard input ends."""
    threading.Thread(target=_await_owner_end, name="owner", daemon=True).start()


def _await_owner_end() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    if "--owned" in sys.argv:
        stop_with_owner()
    sys.argv = ["ministack"]
    sys.path.pop(0)  # this folder: its module names must not shadow anybody's
    from ministack.app import main  # type: ignore[import-not-found,unused-ignore]

    main()
