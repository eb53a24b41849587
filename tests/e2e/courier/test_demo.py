"""`python -m infra.demo`, a short day."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.conftest import free_port
from tests.e2e.conftest import HOME, Stack

SMALL = {"COURIERS": "6", "CUSTOMERS": "3", "SECONDS": "2", "SPEED": "24", "DECLINE": "0.2"}


def run_demo(**environment: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        [sys.executable, "-m", "infra.demo"],
        cwd=HOME,
        env={**os.environ, **SMALL, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_day_in_the_city_leaves_no_order_open(hasty_stack: Stack) -> None:
    """It uses the stack that serves on PORT, and ends with 0 as all went well."""
    done = run_demo(**hasty_stack.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Using the Waybill at {hasty_stack.url}" in done.stdout
    assert "Every order came to an end, and no courier ever had two." in done.stdout


def test_a_demo_that_cannot_begin_says_why() -> None:
    """One line, and 1."""
    done = run_demo(ACCEPT="0.9", DECLINE="0.9", PORT=str(free_port()))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "demo: ACCEPT and DECLINE are shares of all offers: at most 1 together.\n"
    )
