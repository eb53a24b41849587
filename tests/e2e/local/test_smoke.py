"""`make smoke`, against a local run: the stories, by somebody who only knows the host."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.deploy.smoke import STORIES, url_of
from tests.conftest import SECRET
from tests.e2e.conftest import HOME, Stack

DELIVERY = "tests/e2e/courier/test_delivery.py"
ONE = ("--tell", f"{DELIVERY}::test_a_delivery_from_the_order_to_the_door")
# Without sockets, each of which is waited for where nobody can look into the tables.
QUICK = ("--tell", f"{DELIVERY}::test_both_spellings_of_active_order_answer_the_same_bytes")


def smoke(stack: Stack, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra.deploy.smoke", stack.url, *arguments],
        cwd=HOME,
        env={**os.environ, "SECRET": SECRET, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_stage_that_works_is_told_to(stack: Stack) -> None:
    done = smoke(stack, *ONE)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_a_stage_that_does_not_know_the_secret_fails(stack: Stack) -> None:
    done = smoke(stack, *QUICK, SECRET="-" * 40)
    assert done.returncode == 1
    assert "1 failed" in done.stdout


def test_tokens_may_come_from_an_issuer(stack: Stack, tmp_path: Path) -> None:
    script = tmp_path / "issuer.py"
    script.write_text(
        "import json, os, sys\nfrom infra.local.tokens import mint_token\n"
        f"claims = json.loads(os.environ['CLAIMS'])\n"
        f"print(mint_token({SECRET!r}, sys.argv[1], sys.argv[2], **claims))\n"
    )
    command = f"{sys.executable} {script} {{role}} {{id}}"
    done = smoke(stack, *QUICK, "--tokens", command, SECRET="", PYTHONPATH=str(HOME))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("d1.cloudfront.net", "https://d1.cloudfront.net"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
    ],
)
def test_a_host_is_reached_by_https_unless_it_says_otherwise(host: str, url: str) -> None:
    assert url_of(host) == url


def test_every_story_that_is_told_is_there() -> None:
    for story in STORIES:
        assert (HOME / story).exists(), story
