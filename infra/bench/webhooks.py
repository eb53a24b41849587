"""How long a webhook takes from the commit of an order until its first attempt arrives.

By itself, and beside an endpoint whose receiver hangs. Starts a Waybill and a receiver of its own.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from contextlib import closing
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from infra.bench.latency import read_rounds
from infra.bench.report import BenchReport, Row, judge_at_most
from infra.bench.rounds import PARCEL
from infra.harness.quantiles import quantile
from infra.harness.stack_process import StackProcess
from infra.local.tokens import mint_token

GOAL_MS = 1000.0
HANGS_FOR_S = 20.0  # beyond the client's limit
_WITHIN_S = 30.0
_WARM_UP = 5
_PAUSE_S = 0.1  # ten orders a second: what is measured is no queue of ours
# Scheduled: nobody is searched for between the time that the event has and the commit.
_EVENT = "order.scheduled"
_ALONE, _BESIDE = f"{_EVENT}, one endpoint", f"{_EVENT}, beside an endpoint that hangs"


class _Receiver:
    """Notes when the first attempt to tell of each order arrives."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}  # by order: ms from its commit
        arrived = self.arrived

        class SinkHandler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                now = datetime.now(timezone.utc)
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if self.path == "/hangs":
                    time.sleep(HANGS_FOR_S)
                elif body["type"] == _EVENT:
                    committed_at = datetime.fromisoformat(body["timestamp"].replace("Z", "+00:00"))
                    took_ms = (now - committed_at).total_seconds() * 1000
                    arrived.setdefault(body["data"]["order"]["id"], took_ms)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Be silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), SinkHandler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> _Receiver:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()


def measure() -> BenchReport:
    """Measure. Raises BadSetting, and StackProcessError where Waybill does not start."""
    rounds = read_rounds(os.environ)
    with StackProcess() as child, _Receiver() as receiver:

        def ask(role: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
            return _ask(child.options.port, mint_token(child.secret, role, role), path, body)

        ask("admin", "webhooks", {"url": f"{receiver.url}/quick", "events": ["*"]})
        _place_orders(ask, receiver, _WARM_UP)
        rows = [_make_row(_ALONE, _place_orders(ask, receiver, rounds))]
        ask("admin", "webhooks", {"url": f"{receiver.url}/hangs", "events": ["*"]})
        rows.append(_make_row(_BESIDE, _place_orders(ask, receiver, rounds)))
    notes = [judge_at_most(f"{row['what']}: p95 ms", row["p95_ms"], GOAL_MS) for row in rows]
    return BenchReport(
        "Webhooks: milliseconds from an order's commit to the first attempt", rows, notes
    )


def _place_orders(ask: Any, receiver: _Receiver, rounds: int) -> list[float]:
    """Place orders for later; return how long each took to arrive, in ms. One that did not arrive
    within _WITHIN_S counts with that."""
    placed = []
    pickup_from = (datetime.now(timezone.utc) + timedelta(hours=2)).isoformat()
    for _ in range(rounds):
        time.sleep(_PAUSE_S)
        placed.append(str(ask("customer", "orders", {**PARCEL, "pickup_from": pickup_from})["id"]))
    give_up_at = time.monotonic() + _WITHIN_S
    while not receiver.arrived.keys() >= set(placed) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    return [receiver.arrived.get(order_id, 1000 * _WITHIN_S) for order_id in placed]


def _ask(port: int, token: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_WITHIN_S)) as client:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        client.request("POST", f"/api/v1/{path}", json.dumps(body).encode(), headers)
        response = client.getresponse()
        answer = response.read()
        assert response.status < 300, (path, response.status, answer)
        return dict(json.loads(answer or b"{}"))


def _make_row(what: str, ms: list[float]) -> Row:
    return {
        "what": what,
        "n": len(ms),
        "p50_ms": quantile(ms, 0.5),
        "p95_ms": quantile(ms, 0.95),
        "p99_ms": quantile(ms, 0.99),
    }
