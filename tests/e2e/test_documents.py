"""The API's documents as clients get them: served, shown by a real browser, parsed by npm's parser
of AsyncAPI."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.documents.__main__ import WRITTEN
from infra.pictures.chromium import browser, executable
from tests.conftest import PATIENCE_S
from tests.e2e.checked import urlopen
from tests.e2e.conftest import DEPLOYED, REMOTE, Stack, wait_for

PACKAGE = "@asyncapi/parser@3"
INSTALL_WITHIN_S = 180
PARSE = """
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";
const text = readFileSync(process.argv[2], "utf8");
const { document, diagnostics } = await new Parser().parse(text);
const bad = diagnostics.filter((one) => one.severity < 2).map((one) => `${one.path}: ${one.code}`);
const channels = document?.channels().all().map((one) => one.id()) ?? [];
console.log(JSON.stringify({ bad, channels }));
"""


FILTER = """
((wanted) => {
  const field = document.getElementById("filter");
  field.value = wanted;
  field.dispatchEvent(new Event("input"));
  return [...document.querySelectorAll("[data-text]")].filter((one) => !one.hidden).length;
})
"""


def read(stack: Stack, path: str) -> tuple[str, bytes]:
    """Somebody without a token reads a page: its type and its text."""
    with urlopen(f"{stack.url}/api/docs{path}", timeout=PATIENCE_S) as answer:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        return answer.headers["content-type"], answer.read()


def test_what_is_served_is_what_is_committed(stack: Stack) -> None:
    for name in ("openapi.json", "asyncapi.json"):
        type_, text = read(stack, f"/{name}")
        assert type_ == "application/json"
        assert json.loads(text) == json.loads((WRITTEN / name).read_text())


def test_a_browser_shows_them(stack: Stack, tmp_path: Path) -> None:
    """With a slash at the end of the address, and without."""
    program = executable()
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with browser(program, tmp_path) as page:
        for path in ("", "/"):
            page.open(f"{stack.url}/api/docs{path}")
            wait_for(lambda: page.run("document.querySelectorAll('section').length > 10"))
        shown = page.run("document.querySelectorAll('[data-text]').length")
        rest = json.loads((WRITTEN / "openapi.json").read_text())
        sockets = json.loads((WRITTEN / "asyncapi.json").read_text())
        channels = [one for one in sockets["channels"].values() if one["address"]]
        assert shown == (
            sum(len(one) for one in rest["paths"].values())
            + len(rest["webhooks"])
            + sum(len(one["messages"]) for one in channels)
        )
        # Opened, an operation has its body, and each answer; styles and scripts are its own.
        page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        wait_for(lambda: page.run("document.body.innerText.includes('receiver_phone')"))
        assert page.run("getComputedStyle(document.querySelector('header')).position") == "sticky"
        fetched = page.run("performance.getEntriesByType('resource').map((one) => one.name)")
        assert [name for name in fetched if not name.startswith(stack.url)] == []
        left = page.run(f"{FILTER.strip()}('order.assigned')")
        assert 0 < left < shown


@pytest.fixture(scope="session")
def asyncapi_folder(request: pytest.FixtureRequest) -> Path:
    """Where npm's package lies, installed once and kept among pytest's own files."""
    if DEPLOYED is not None or REMOTE:
        pytest.skip("is about no stage")
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are needed for AsyncAPI's parser")
    assert request.config.cache is not None
    folder = request.config.cache.mkdir("asyncapi-parser")
    if not (folder / "node_modules" / "@asyncapi" / "parser").is_dir():
        (folder / "package.json").write_text('{"private": true}')
        command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", PACKAGE]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_WITHIN_S
        )
        if done.returncode:
            pytest.skip(f"npm could not install {PACKAGE}: {done.stderr.strip()[-200:]}")
    return folder


def test_asyncapi_is_valid(asyncapi_folder: Path) -> None:
    script = asyncapi_folder / "parse.mjs"
    script.write_text(PARSE)
    document = WRITTEN / "asyncapi.json"
    command = ["node", script.name, str(document)]
    done = subprocess.run(
        command, cwd=asyncapi_folder, capture_output=True, text=True, timeout=60, check=True
    )
    parsed: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    assert parsed["bad"] == []
    assert set(parsed["channels"]) == set(json.loads(document.read_text())["channels"])
