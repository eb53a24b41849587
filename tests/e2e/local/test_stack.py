"""The application itself, run as `make run` does, followed through the commands it prints."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

from tests.conftest import PATIENCE_S
from tests.e2e.checked import connect, urlopen
from tests.e2e.conftest import HOME, Stack


def paste(stack: Stack, path: str, role: str, token: str) -> Any:
    """Run the printed curl command for a path in a shell, as a reader would."""
    found = re.search(rf"^  (curl .*/api/v1/{path} .*)$", stack.log(), re.MULTILINE)
    assert found is not None
    ran = subprocess.run(
        ["bash", "-c", found[1]],
        cwd=HOME,
        env={**stack.environment, role: token},
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return json.loads(ran.stdout)


def test_it_is_healthy(stack: Stack) -> None:
    with urlopen(f"{stack.url}/api/health", timeout=PATIENCE_S) as response:
        assert json.load(response)["status"] == "ok"


def test_what_it_prints_can_be_pasted(stack: Stack) -> None:
    courier, customer = stack.token("courier", "pasted-c"), stack.token("customer", "pasted-u")
    assert paste(stack, "courier/availability", "COURIER", courier)["available"] is True
    with connect(f"{stack.ws_url}/api/v1/ws/courier?token={courier}") as socket:
        order = paste(stack, "orders", "CUSTOMER", customer)
        frame = json.loads(socket.recv(timeout=PATIENCE_S))
    assert frame["event"] == "order.assigned"
    assert frame["data"]["order_id"] == order["id"]
