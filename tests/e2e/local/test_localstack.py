"""The commands of docs/deploy.md for a LocalStack-compatible engine, run as they stand there."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from infra.local.engine import Ministack
from infra.local.tokens import mint_token
from infra.resources.aws_clients import make_client
from tests.conftest import PATIENCE_S, SECRET, free_port
from tests.e2e.checked import urlopen
from tests.e2e.conftest import HOME, wait_for
from tests.e2e.courier.town import read_sample

PAGE = (HOME / "docs" / "deploy.md").read_text()
(BLOCK,) = (
    block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "LOCALSTACK_HOST" in block
)


def documented(variable: str, engine: Ministack) -> str:
    """The command of the block that begins with a variable, led to an engine."""
    (command,) = (c for c in re.split(r"\n(?=\w+=http|\w+=127)", BLOCK) if c.startswith(variable))
    return command.replace("127.0.0.1:4566", f"127.0.0.1:{engine.port}")


def printed(variable: str, engine: Ministack) -> str:
    """What that command prints."""
    ran = subprocess.run(
        ["bash", "-c", documented(variable, engine)],
        cwd=HOME,
        env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if ran.returncode:
        pytest.fail(ran.stderr)
    return ran.stdout


def test_tables_are_made_on_an_engine_and_localstacks_client_sees_them(
    lasting_engine: Ministack,
) -> None:
    assert "tables waybill-*" in printed("AWS_ENDPOINT_URL", lasting_engine)
    assert "waybill-orders" in printed("LOCALSTACK_HOST", lasting_engine)


def test_the_gateway_here_serves_an_order_from_an_engine_elsewhere(
    lasting_engine: Ministack, tmp_path: Path
) -> None:
    port = free_port()
    # What `setup` would look for is installed: the tests run with it.
    command = documented("ENDPOINT", lasting_engine).replace("make run", "exec make -o setup run")
    environment = {"PORT": str(port), "STATE_DIR": str(tmp_path), "JWT_SECRET": SECRET}
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(
            ["bash", "-c", command],
            cwd=HOME,
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for(lambda: "Waybill is ready" in (tmp_path / "log").read_text())
        placed = post(f"http://127.0.0.1:{port}/api/v1/orders", read_sample("create_order"))
        kept = make_client("dynamodb", lasting_engine.endpoint).get_item(
            TableName="waybill-orders", Key={"order_id": {"N": placed["id"]}}
        )
        assert "Item" in kept
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait(PATIENCE_S)


def post(url: str, body: Any) -> Any:
    """POST as a customer; the answer."""
    headers = {
        "authorization": f"Bearer {mint_token(SECRET, 'customer', 'ana')}",
        "content-type": "application/json",
    }
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urlopen(request, timeout=PATIENCE_S) as answer:
        return json.load(answer)
