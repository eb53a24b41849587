"""Spec 003's JavaScript client, in a real browser, as the console's page can load it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from infra.pictures.chromium import Page, browser, executable
from tests.conftest import PATIENCE_S
from tests.e2e.checked import urlopen
from tests.e2e.conftest import Stack, wait_for
from tests.e2e.test_feed import rest

SHOP = {"lat": 48.8566, "lng": 2.3522}
CONNECT = """
(async () => {
  const { WebSocketService } = await import("/api/client/waybill.js");
  const ws = new WebSocketService(null, "%s", "%s", { reconnectDelay: 50 });
  window.ws = ws;
  window.heard = [];
  window.said = [];
  ws.on("*", (event) => heard.push([event.type, event.level, event.event_id]));
  for (const name of ["connected", "disconnected"]) ws.on(name, () => said.push(name));
  ws.subscribe(["order_created"]);
  const before = ws.getStatus();
  await ws.connect();
  return before;
})()
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A tab in a real browser."""
    program = executable()
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with browser(program, tmp_path_factory.mktemp("chromium")) as tab:
        yield tab


def a_customer(stack: Stack) -> tuple[str, str]:
    """Somebody new with a profile: id and token."""
    id_ = f"cara-{uuid4().hex[:8]}"
    token = stack.token("customer", id_)
    rest(stack, "PUT", "/v1/me", token, {"name": "Cara", "phone": "+911234567890"})
    return id_, token


def place(stack: Stack, token: str) -> str:
    """An order from the shop to a door some kilometres away; its id."""
    order = {
        "pickup_address": "1 Depot Road",
        "pickup_lat": SHOP["lat"],
        "pickup_lng": SHOP["lng"],
        "dropoff_address": "2 Door Street",
        "dropoff_lat": 48.8738,
        "dropoff_lng": 2.2950,
        "receiver_phone": "+911234567890",
    }
    return str(rest(stack, "POST", "/v1/orders", token, order)["id"])


def heard(page: Page) -> list[Any]:
    return list(page.run("window.heard"))


def test_the_client_connects_subscribes_hears_and_survives_a_lost_connection(
    stack: Stack, page: Page
) -> None:
    """S3-02 to S3-09 as spec 003's own example uses them."""
    id_, token = a_customer(stack)
    page.open(f"{stack.url}/api/console")
    before = page.run(CONNECT % (token, id_))
    assert before == {
        "isConnected": False,
        "subscriptions": ["order_created"],
        "queuedMessages": 1,
        "reconnectAttempts": 0,
    }
    place(stack, token)
    wait_for(lambda: heard(page))
    ((type_, level, first),) = heard(page)
    assert (type_, level) == ("order_created", "high")
    status = page.run("ws.getStatus()")
    assert (status["isConnected"], status["queuedMessages"]) == (True, 0)

    page.run(
        "WebSocket.prototype.send = new Proxy(WebSocket.prototype.send, "
        "{ apply: (f, s, a) => (window.raw = s, f.apply(s, a)) })"
    )
    lost = stack.listening(id_)
    page.run("ws.subscribe(['delivery_accepted']); raw.close()")
    wait_for(lambda: "disconnected" in page.run("said"))
    wait_for(lambda: not lost & stack.listening(id_))  # it has been noticed
    place(stack, token)
    wait_for(lambda: len(heard(page)) == 2)
    assert heard(page)[1][2] != first
    assert page.run("said") == ["connected", "disconnected", "connected"]
    assert page.run("ws.getStatus().subscriptions") == ["order_created", "delivery_accepted"]

    page.run("ws.unsubscribe(['delivery_accepted']); ws.disconnect()")
    wait_for(lambda: not page.run("ws.getStatus().isConnected"))
    assert page.run("ws.getStatus().subscriptions") == ["order_created"]


def test_the_client_hands_an_event_on_once_and_a_bad_token_back(stack: Stack, page: Page) -> None:
    """Best practice 4 of spec 003, and S3-03."""
    page.open(f"{stack.url}/api/console")
    told = page.run("""
    (async () => {
      const { WebSocketService } = await import("/api/client/waybill.js");
      const real = window.WebSocket;
      const made = [];
      window.WebSocket = class {
        static OPEN = 1;
        constructor() { made.push(this); }
        send() {}
        close() {}
      };
      const ws = new WebSocketService("ws://nowhere", "t", "u");
      const connected = ws.connect();
      const say = (frame) => made[0].onmessage({ data: JSON.stringify(frame) });
      say({ type: "authenticated" });
      await connected;
      const heard = [];
      ws.on("order_created", (e) => heard.push(e.event_id));
      for (const id of ["a", "b", "a", "b", "c"])
        say({ event_type: "order_created", event_level: "high", event_id: id, data: {} });
      window.WebSocket = real;
      return heard;
    })()
    """)
    assert told == ["a", "b", "c"]
    refused = page.run("""
    import("/api/client/waybill.js").then(({ WebSocketService }) =>
      new WebSocketService(null, "no.token.this", "x").connect().catch((e) => e.code))
    """)
    assert refused == "unauthenticated"


def test_pages_are_served_as_what_they_are(stack: Stack) -> None:
    for path, type_ in (("console", "text/html"), ("client/waybill.js", "text/javascript")):
        with urlopen(f"{stack.url}/api/{path}", timeout=PATIENCE_S) as answer:
            assert answer.headers["content-type"].startswith(type_)
            assert answer.headers["x-content-type-options"] == "nosniff"
