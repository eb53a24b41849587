"""The commands of docs/deploy.md for a LocalStack-compatible engine, run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from infra.engine import Ministack
from tests.e2e.conftest import HOME

PAGE = (HOME / "docs" / "deploy.md").read_text()
(BLOCK,) = (
    block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "LOCALSTACK_HOST" in block
)


def documented(variable: str, engine: Ministack) -> str:
    """What the command of the block that begins with a variable prints, led to an engine."""
    (command,) = (c for c in re.split(r"\n(?=\w+=http|\w+=127)", BLOCK) if c.startswith(variable))
    ran = subprocess.run(
        ["bash", "-c", command.replace("127.0.0.1:4566", f"127.0.0.1:{engine.port}")],
        cwd=HOME,
        env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if ran.returncode:
        pytest.fail(ran.stderr)
    return ran.stdout


def test_tables_are_made_on_an_engine_and_localstacks_client_sees_them(
    lasting_engine: Ministack,
) -> None:
    assert "tables waybill-*" in documented("AWS_ENDPOINT_URL", lasting_engine)
    assert "waybill-orders" in documented("LOCALSTACK_HOST", lasting_engine)
