"""Two ways in, one application: chalice.test.Client beside the running gateway (P-11)."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from infra.conformance.cloud import ROOT
from tests.conftest import PATIENCE_S
from tests.e2e.conftest import HOME, Stack
from tests.e2e.courier.town import Someone, Town, assigned, offer, status

Request = tuple[str, str, Someone, Any]


def by_client(stack: Stack, requests: list[Request]) -> list[tuple[int, Any]]:
    """Answers of the same app in another process, on the same engine: another Lambda."""
    asked = [(method, path, who.token, body) for method, path, who, body in requests]
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.courier.by_client"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
        cwd=HOME,
        env={
            **stack.environment,
            **ROOT,
            "TABLE_PREFIX": stack.table_prefix,
            "QUEUE_NAME": f"{stack.table_prefix}-wakeups",
            "AWS_ENDPOINT_URL": stack.engine_endpoint,
            "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": stack.management_url,
        },
    )
    answers = done.stdout.splitlines()[-1]  # before them are the lines of its metrics
    return [(status_, body) for status_, body in json.loads(answers)]


def test_what_one_process_is_asked_reaches_the_sockets_of_another(stack: Stack, town: Town) -> None:
    """P-11: answers and frames are the same, whichever door a request takes."""
    ben, ana = town.on_duty(), town.customer()
    (of_ben,), (of_ana,) = ben.open_admitted(), ana.open_admitted()

    ((created, order), (outsider, refusal)) = by_client(
        stack,
        [
            ("POST", "orders", ana, town.parcel()),
            ("POST", "orders", ben, town.parcel()),
        ],
    )
    assert (created, order["status"]) == (201, "assigned")
    same = ben.post("orders", town.parcel())
    assert (outsider, refusal) == (same.status, same.json)
    assert of_ben.next() == offer(town, order)
    assert of_ana.next() == assigned(town, order)

    asked = {"order_id": order["id"]}
    answers = by_client(
        stack,
        [
            ("POST", "courier/orders/accept", ben, asked),
            ("POST", "courier/orders/delivered", ben, asked),
            ("GET", "customer/active-order", ana, None),
            ("GET", "courier/activeOrder", ben, None),
        ],
    )
    assert [code for code, _ in answers] == [200, 409, 200, 200]
    assert of_ana.next() == status(order["id"], "accepted")
    assert answers[1][1] == ben.step("delivered", order["id"]).json
    assert answers[2][1] == ana.get("customer/active-order").json
    assert answers[3][1] == ben.get("courier/active-order").json
