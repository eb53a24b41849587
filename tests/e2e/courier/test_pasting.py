"""What `make run` prints works when it is pasted into a shell."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import HOME, RunStack, wait_for
from tests.e2e.pasted import PASTED_WITHIN_S, define_await


@pytest.mark.skipif(not shutil.which("curl"), reason="the commands use curl")
def test_the_printed_commands_lead_to_an_accepted_order(
    run_stack: RunStack, tmp_path: Path
) -> None:
    """Two terminals' commands, one after the other; the sockets hear what they should."""
    stack = run_stack(DELIVERY_OFFER_TTL_S="60")  # the next commands take a while
    wait_for(lambda: "Ctrl-C ends it." in stack.log())
    lines = [line.strip() for line in stack.log().splitlines() if line.startswith("  ")]
    # A socket is closed by the end of its input: the courier's once it is open, the customer's once
    # all was heard.
    awaited = iter(("Connected", '"accepted"'))
    script = define_await(tmp_path / "heard") + "\n".join(
        f"await '{next(awaited)}' | {_here(line)} | tee -a \"$heard\""
        if "websockets" in line
        else _here(line)
        for line in lines
    )

    pasted = subprocess.run(
        ["bash", "-euc", script],
        cwd=HOME,
        env={**stack.environment, "PATH": stack.environment["PATH"]},
        capture_output=True,
        text=True,
        timeout=PASTED_WITHIN_S,
        check=False,
    )

    assert pasted.returncode == 0, pasted.stderr
    assert '{"available":true}' in pasted.stdout
    assert '"status":"assigned","customer_id":"ana","courier_id":"ben"' in pasted.stdout
    assert '"status":"accepted","customer_id":"ana","courier_id":"ben"' in pasted.stdout
    assert '"status":"accepted"}}' in pasted.stdout, "the customer's socket"


def _here(line: str) -> str:
    """The line with this interpreter: `make` would look whether all is installed."""
    line = line.replace(".venv/bin/python", sys.executable)
    line = line.replace("make -s token ROLE=", f"{sys.executable} -m infra.local.tokens --role ")
    return line.replace(" ID=", " --id ")
