"""What holds for every path, over the wire: as on AWS, so here."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.conftest import PATIENCE_S
from tests.documents import check_call
from tests.e2e.conftest import RunStack, Stack

PAGE = "https://app.example.com"
SHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    stack: Stack,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", stack.port, timeout=PATIENCE_S)
    ) as to:
        to.request(method, path, body, dict(headers or {}))
        answer = to.getresponse()
        found = Answer(answer.status, answer.headers, answer.read())
    if not path.startswith("/socket.io"):  # Engine.IO has words of its own for a refusal
        check_call(method, path, found.status, dict(found.headers.items()), found.body, None)
    return found


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}])
def test_unknown_is_404_and_another_method_405(stack: Stack, headers: dict[str, str]) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = ask(stack, method, "/api/v1/driver-orders", headers)
        assert (answer.status, answer.json()["error"]) == (405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}
        answer = ask(stack, method, "/api/v1/nothing/at%20all", headers)
        assert (answer.status, answer.json()["error"]) == (404, "not_found")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert ask(stack, "GET", "/elsewhere", headers).status == 404


def test_a_check_of_the_service_may_ask_for_the_head(stack: Stack) -> None:
    for path in ("/api/health", "/api/console", "/api/client/waybill.js"):
        answer = ask(stack, "HEAD", path)
        assert (answer.status, answer.body) == (200, b"")
    assert ask(stack, "HEAD", "/api/v1/driver-orders").status == 405


def test_a_preflight_is_answered_and_kept(stack: Stack) -> None:
    asked = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = ask(stack, "OPTIONS", "/api/v1/orders", asked)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert int(answer.headers["Access-Control-Max-Age"]) > 0
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]


def test_only_known_origins_may_read_where_some_are_named(run_stack: RunStack) -> None:
    stack = run_stack(ENGINE="moto", CORS_ORIGINS=f"{PAGE},http://localhost:3000")
    for origin, allowed in ((PAGE, PAGE), ("https://evil.example", None)):
        answer = ask(stack, "GET", "/api/health", {"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] == allowed
        assert answer.headers["Vary"] == "Origin"


def test_a_bad_list_of_origins_stops_the_start_with_one_line(run_stack: RunStack) -> None:
    stack = run_stack(ready=False, CORS_ORIGINS="app.example.com")
    assert stack.process.wait(PATIENCE_S) == 1
    assert stack.log().strip().count("\n") == 0
    assert stack.log().startswith("waybill: CORS_ORIGINS takes * or origins")


@pytest.mark.parametrize("id_", ["auth0|", "ana+work@example.com ", "100%", "%25", "a/b", "č ☕"])
def test_ids_of_every_odd_form_are_their_person_s(stack: Stack, id_: str) -> None:
    id_ = id_.strip() + uuid4().hex[:8]
    headers = {"Authorization": f"Bearer {stack.token('customer', id_)}"}
    path = "/api/websocket/events/user/"
    assert ask(stack, "GET", path + quote(id_, safe=""), headers).status == 200
    assert ask(stack, "GET", path + "%FF", headers).status == 400


def test_a_compressed_body_is_told_that_it_must_not_be(stack: Stack) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = ask(stack, "POST", "/api/v1/orders", headers, gzip.compress(b"{}"))
    assert (answer.status, answer.headers["Accept-Encoding"]) == (415, "identity")
    assert "gzip" in answer.json()["message"]


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.parametrize("version", ["3", "2"])
def test_older_clients_of_socket_io_hear_that_they_are(
    stack: Stack, version: str, transport: str
) -> None:
    path = f"/socket.io/?EIO={version}&transport={transport}&t=abc"
    answer = ask(stack, "GET", path, SHAKE if transport == "websocket" else {})
    assert answer.status == 400
    assert answer.json() == {"code": 5, "message": "Unsupported protocol version"}
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
