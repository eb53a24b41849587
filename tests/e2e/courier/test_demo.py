"""`python -m infra.demo`, a short day."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError

from tests.conftest import free_port
from tests.e2e.conftest import HOME, Stack, wait_for
from tests.e2e.test_feed import rest

SMALL = {"COURIERS": "6", "CUSTOMERS": "3", "SECONDS": "2", "SPEED": "24", "DECLINE": "0.2"}


def run_demo(**environment: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        [sys.executable, "-m", "infra.demo"],
        cwd=HOME,
        env={**os.environ, **SMALL, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_day_in_the_city_leaves_no_order_open(hasty_stack: Stack) -> None:
    """It uses the stack that serves on PORT, and ends with 0 as all went well."""
    done = run_demo(**hasty_stack.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Using the Waybill at {hasty_stack.url}" in done.stdout
    assert "Every order came to an end, and no courier ever had two." in done.stdout


def test_other_people_may_be_at_work_beside_it(hasty_stack: Stack, tmp_path: Path) -> None:
    """An order that is not the city's is left to others; one of the city's may be cancelled by a
    dispatcher. What is checked at the end is still true."""
    ana, ada = hasty_stack.token("customer", "ana"), hasty_stack.token("admin", "ada")
    output = tmp_path / "demo.txt"
    settings = {**SMALL, "SECONDS": "3", **hasty_stack.environment, "PORT": str(free_port())}
    with output.open("w") as written:
        demo = subprocess.Popen(
            [sys.executable, "-m", "infra.demo", "--url", hasty_stack.url],
            cwd=HOME,
            env={**os.environ, **settings, "SECRET": hasty_stack.environment["JWT_SECRET"]},
            stdout=written,
            stderr=subprocess.STDOUT,
        )

    def list_ours() -> list[str]:
        listed = rest(hasty_stack, "GET", "/v1/admin/orders?limit=100", ada)["orders"]
        return [one["id"] for one in listed if one["customer_id"].startswith("demo-")]

    known = set(list_ours())
    (first, *_) = wait_for(lambda: set(list_ours()) - known)
    foreign = rest(hasty_stack, "POST", "/v1/orders", ana, PARCEL)["id"]
    cancel(hasty_stack, first, ada)
    assert demo.wait(120) == 0, output.read_text()
    assert "Every order came to an end, and no courier ever had two." in output.read_text()
    cancel(hasty_stack, foreign, ana)


PARCEL = {
    "pickup_address": "Mill 1",
    "pickup_lat": 52.51,
    "pickup_lng": 13.38,
    "dropoff_address": "Lane 2",
    "receiver_phone": "+4930123456",
}


def cancel(stack: Stack, order_id: str, token: str) -> None:
    """Cancel an order, unless it is too late for that."""
    try:
        rest(stack, "POST", f"/v1/orders/{order_id}/cancel", token, {})
    except HTTPError as refused:
        refused.close()
        if refused.code != 409:
            raise


def test_tokens_of_another_secret_are_told_of(hasty_stack: Stack) -> None:
    """One line, instead of a hundred refusals."""
    done = run_demo(**{**hasty_stack.environment, "JWT_SECRET": "x" * 40})
    assert (done.returncode, done.stdout) == (1, "")
    assert "takes other tokens than are made here" in done.stderr


def test_a_demo_that_cannot_begin_says_why() -> None:
    """One line, and 1."""
    done = run_demo(ACCEPT="0.9", DECLINE="0.9", PORT=str(free_port()))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "demo: ACCEPT and DECLINE are shares of all offers: at most 1 together.\n"
    )
