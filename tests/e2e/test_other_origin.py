"""A web application of another origin, in a real browser: it orders, listens, and reads errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from infra.pictures.chromium import Page, browser, executable
from tests.e2e.conftest import RunStack, Stack, wait_for
from tests.e2e.test_console import SHOP
from tests.e2e.test_feed import rest

ASK = """
(async (method, path, token, body) => {
  const headers = { "Authorization": "Bearer " + token, "Idempotency-Key": "k-1" };
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch("%s/api" + path, { method, headers, body: JSON.stringify(body) });
  return { status: answer.status, allow: answer.headers.get("Allow"), body: await answer.json() };
})
"""
LISTEN = """
new Promise((resolve, reject) => {
  window.socket = new WebSocket("%s/api/v1/ws/customer?token=%s");
  window.frames_ = [];
  socket.onmessage = (event) => frames_.push(JSON.parse(event.data));
  socket.onopen = () => resolve("open");
  socket.onerror = () => reject("refused");
})
"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page that is not ours."""
    folder: Path = tmp_path_factory.mktemp("elsewhere")
    (folder / "app.html").write_text("<!doctype html><title>An application</title>")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A tab in a real browser."""
    program = executable()
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with browser(program, tmp_path_factory.mktemp("chromium")) as tab:
        yield tab


def ask(page: Page, stack: Stack, call: str) -> Any:
    return page.run(ASK % stack.url + call)


def test_a_page_of_another_origin_orders_and_hears_of_it(
    stack: Stack, page: Page, elsewhere: str
) -> None:
    cara, dan = (f"{name}|{uuid4().hex[:8]}" for name in ("cara", "dan"))
    hers, his = stack.token("customer", cara), stack.token("courier", dan)
    rest(stack, "POST", "/v1/courier/availability", his, {"available": True, **SHOP})
    page.open(f"{elsewhere}/app.html")
    assert page.run("location.origin") == elsewhere != stack.url
    assert page.run(LISTEN % (stack.ws_url, hers)) == "open"
    order = (
        f'{{pickup_address: "1 Depot Road", pickup_lat: {SHOP["lat"]}, pickup_lng: {SHOP["lng"]}, '
        'dropoff_address: "2 Door Street", receiver_phone: "+911234567890"}'
    )
    placed = ask(page, stack, f'("POST", "/v1/orders", "{hers}", {order})')
    assert placed["status"] == 201
    order_id = placed["body"]["id"]
    admin = stack.token("admin", "ada")
    rest(stack, "POST", f"/v1/admin/orders/{order_id}/assign", admin, {"courier_id": dan})
    rest(stack, "POST", "/v1/courier/orders/accept", his, {"order_id": order_id})
    wait_for(lambda: "accepted" in [f["data"].get("status") for f in page.run("frames_")])
    own = ask(
        page, stack, f'("GET", "/websocket/events/user/{cara.replace("|", "%7C")}", "{hers}")'
    )
    assert own["status"] == 200
    page.run("socket.close()")


def test_a_page_of_another_origin_reads_errors(stack: Stack, page: Page, elsewhere: str) -> None:
    token = stack.token("customer", "cara")
    page.open(f"{elsewhere}/app.html")
    for call, status, code in (
        ('("GET", "/v1/me", "no token")', 401, "unauthenticated"),
        (f'("GET", "/v1/orders/1", "{token}")', 404, "not_found"),
        (f'("GET", "/v1/nothing", "{token}")', 404, "not_found"),
        (f'("POST", "/v1/orders", "{token}", {{}})', 400, "invalid_input"),
    ):
        answer = ask(page, stack, call)
        assert (answer["status"], answer["body"]["error"]) == (status, code)


def test_a_page_of_another_origin_loads_the_client(
    stack: Stack, page: Page, elsewhere: str
) -> None:
    page.open(f"{elsewhere}/app.html")
    found = page.run(f'import("{stack.url}/api/client/waybill.js").then((m) => Object.keys(m))')
    assert "WebSocketService" in found


def test_a_page_of_an_origin_that_is_not_named_reads_nothing(
    run_stack: RunStack, page: Page, elsewhere: str
) -> None:
    page.open(f"{elsewhere}/app.html")
    stack = run_stack(ENGINE="moto", CORS_ORIGINS="https://app.example.com")
    said = page.run(f'fetch("{stack.url}/api/health").then(() => "read", (e) => e.name)')
    assert said == "TypeError"
    stack.stop()
    stack = run_stack(ENGINE="moto", CORS_ORIGINS=f"https://app.example.com,{elsewhere}")
    said = page.run(f'fetch("{stack.url}/api/health").then((a) => a.json())')
    assert said["status"] == "ok"
