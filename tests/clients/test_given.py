"""What no connection could ever be made of is refused at once, and not tried again and again."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.clients.conftest import HOME, SERVED, WITHIN_S, run_in_node

NO_URLS = [
    *(
        "",
        "nonsense",
        "/x",
        "localhost:8000",
        "http://",
        "ftp://x",
        "http://x:99999",
        "http://[::1",
    ),
    "javascript:alert(1)",
]
URLS = [
    "http://x",
    "https://x:8443/",
    "ws://127.0.0.1:1",
    "wss://x/socket?a=b",
    "HTTP://X",
    "http://[::1]",
]
PYTHON = """
import asyncio, json, sys, waybill

async def main():
    urls, contracts, others = json.loads(sys.argv[1])
    for url in urls:
        for contract in contracts:
            try:
                waybill.connect(url, token="t", contract=contract)
            except ValueError:
                print("refused")
            else:
                print("taken")
    for other in others:
        try:
            waybill.connect("http://x", token="t", api=other)
        except ValueError:
            print("refused")

asyncio.run(main())
"""
NODE = """
const [client, given] = process.argv.slice(1);
const { Waybill } = await import(client);
const [urls, contracts, others] = JSON.parse(given);
const attempt = (options) => {
  try {
    new Waybill({ token: "t", ...options }).close();
    console.log("taken");
  } catch (error) {
    console.log("refused");
  }
};
for (const url of urls) for (const contract of contracts) attempt({ url, contract });
for (const api of others) attempt({ url: "http://x", api });
process.exit(0);
"""


def try_in_python(given: object) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(HOME / "clients" / "python" / "src")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PYTHON, json.dumps(given)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    assert not done.stderr, done.stderr
    return done.stdout.split()


def try_in_javascript(given: object) -> list[str]:
    done = run_in_node("--input-type=module", "-e", NODE, SERVED.as_uri(), json.dumps(given))
    assert not done.stderr, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("attempt", [try_in_python, try_in_javascript])
def test_what_can_be_no_connection_is_refused_at_once(attempt: object) -> None:
    assert callable(attempt)
    refused = attempt([NO_URLS, ["feed"], NO_URLS])
    assert refused == ["refused"] * 2 * len(NO_URLS)
    assert attempt([["http://x"], ["foods", "", "constructor"], []]) == ["refused"] * 3
    contracts = ["feed", "courier", "customer", "rides", "food", "drivers", "socketio", "ops"]
    assert attempt([URLS, contracts, []]) == ["taken"] * len(URLS) * len(contracts)
