"""The page of a tracking link in a real browser, from the search to the delivery."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from infra.pictures.chromium import Page, browser, executable
from tests.conftest import PATIENCE_S
from tests.e2e.checked import urlopen
from tests.e2e.conftest import HOME, Stack, wait_for
from tests.e2e.test_feed import rest

PHONE = (360, 740)
SHOP, DOOR, ON_THE_WAY = (43.2965, 5.3698), (43.3105, 5.3698), (43.3030, 5.3710)
SHOP_OF_ANOTHER = (43.2905, 5.3698)
WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (v) => violations.push(v.violatedDirective));
"""
# At such an address no socket can be opened, and waiting takes a tenth of the time.
REFUSED = "#refused"
REFUSE = f"""
if (location.hash === "{REFUSED}") {{
  const wait = window.setTimeout;
  window.setTimeout = (call, ms) => wait(call, ms / 10);
  const ask = window.fetch;
  window.sockets = window.polls = 0;
  window.fetch = (...asked) => {{ polls += 1; return ask(...asked); }};
  window.WebSocket = class {{
    static OPEN = 1;
    static CLOSING = 2;
    readyState = 3;
    constructor() {{
      // The first poll is due after 1000 ms, and no try for a socket puts it off.
      if (++sockets === 1) wait(() => {{ window.isInTime = polls > 0; }}, 1500);
      wait(() => this.onclose(), 1);
    }}
  }};
}}
"""
POLLS = "performance.getEntriesByType('resource').filter((one) => one.name.includes('/t/')).length"
IS_CURRENT = """
fetch(location.pathname, { headers: { Accept: "application/json" } }).then((a) => a.json())
  .then((order) => String(order.version) === document.querySelector("main").dataset.version)
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A tab in a real browser, as small as a telephone."""
    program = executable()
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with browser(program, tmp_path_factory.mktemp("chromium")) as tab:
        tab.resize(*PHONE)
        yield tab


class Delivery:
    """One order with its courier, and a link of it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        name = uuid4().hex[:8]
        self.hers = stack.token("customer", f"cara-{name}")
        self.his = stack.token("courier", f"dan-{name}")
        self.courier_id = f"dan-{name}"
        profile = {"name": "Dan Delacroix", "phone": "+33612345678", "vehicle": "red bicycle"}
        rest(stack, "PUT", "/v1/me", self.his, profile)
        duty = {"available": True, "lat": SHOP[0], "lng": SHOP[1]}
        rest(stack, "POST", "/v1/courier/availability", self.his, duty)
        order = {
            "pickup_address": "1 Depot Road",
            "pickup_lat": SHOP[0],
            "pickup_lng": SHOP[1],
            "dropoff_address": "2 Door Street",
            "dropoff_lat": DOOR[0],
            "dropoff_lng": DOOR[1],
            "receiver_phone": "+33698765432",
            "proof": {"dropoff": ["pin"]},
        }
        placed = rest(stack, "POST", "/v1/orders", self.hers, order)
        self.id, self.pin = placed["id"], placed["proof"]["dropoff"]["pin"]
        self.url = rest(stack, "POST", f"/v1/orders/{self.id}/tracking", self.hers, {})["url"]
        admin = stack.token("admin", "ada")
        assigned = {"courier_id": self.courier_id}
        rest(stack, "POST", f"/v1/admin/orders/{self.id}/assign", admin, assigned)

    def step(self, verb: str, **more: Any) -> None:
        body = {"order_id": self.id, **more}
        rest(self.stack, "POST", f"/v1/courier/orders/{verb}", self.his, body)

    def move(self, at: tuple[float, float]) -> None:
        """Report a fix: one a second is taken."""
        body = {"lat": at[0], "lng": at[1]}

        def is_stored() -> bool:
            try:
                return bool(
                    rest(self.stack, "POST", "/v1/courier/location", self.his, body)["stored"]
                )
            except OSError:
                return False

        wait_for(is_stored, every_s=0.3)


def read(page: Page) -> str:
    return str(page.run("document.querySelector('main')?.innerText ?? ''"))


def await_words(page: Page, words: str) -> None:
    wait_for(lambda: words in read(page), every_s=0.1)


def courier_at(page: Page) -> Any:
    return page.run("document.querySelector('circle.courier')?.getAttribute('cy')")


def test_the_page_follows_an_order_live_to_its_end(stack: Stack, page: Page) -> None:
    delivery = Delivery(stack)
    page.run_first(WATCH)
    page.open(delivery.url)
    assert "looking for a courier" in read(page)
    assert page.run("document.querySelector('#news').textContent") == ""
    delivery.step("accept")
    await_words(page, "on the way to the pickup")
    said = page.run("document.querySelector('h1').textContent")
    assert page.run("document.querySelector('[role=status]').textContent") == said
    assert page.run("document.title") == said
    assert "Dan" in read(page)
    assert "red bicycle" in read(page)
    assert delivery.pin in read(page)
    assert page.run("document.querySelector('svg')") is None
    delivery.step("arrived")
    delivery.step("picked")
    delivery.move(ON_THE_WAY)
    wait_for(lambda: courier_at(page))
    wait_for(lambda: page.run(IS_CURRENT))  # the first fix is a change besides
    first = courier_at(page)
    page.run("window.mark = document.querySelector('main')")
    page.run("window.ask = fetch; window.fetch = () => Promise.reject(new Error('not asked'))")
    delivery.move(DOOR)
    wait_for(lambda: courier_at(page) != first)  # by the socket alone
    page.run("window.fetch = ask")
    assert page.run("mark === document.querySelector('main')")
    assert page.run("document.documentElement.scrollWidth") <= PHONE[0]
    page.screenshot(HOME / "dist" / "tracking.png")
    delivery.step("delivered", pin=delivery.pin)
    await_words(page, "Delivered.")
    shown = read(page)
    assert not [word for word in ("Dan", delivery.pin, "PIN") if word in shown]
    assert page.run("document.querySelector('svg')") is None
    page.run("document.querySelector('textarea').value = 'Thank you'")
    rest(stack, "POST", f"/v1/orders/{delivery.id}/tip", delivery.hers, {"amount": 3})
    wait_for(lambda: page.run(f"({IS_CURRENT}).then((is) => !is)"))
    assert page.run("document.querySelector('textarea').value") == "Thank you"
    page.run("document.querySelector('button').click()")
    await_words(page, "Thank you")
    assert page.run("location.href") == delivery.url
    assert page.run("violations") == []
    assert "Delacroix" not in page.run("document.documentElement.outerHTML")


def test_where_no_socket_opens_the_page_asks_until_the_end(stack: Stack, page: Page) -> None:
    delivery = Delivery(stack)
    delivery.step("accept")
    page.run_first(REFUSE)
    page.open(delivery.url + REFUSED)
    assert "About 5 min" in read(page)
    wait_for(lambda: page.run("window.isInTime !== undefined"))
    assert page.run("isInTime")
    delivery.move(SHOP_OF_ANOTHER)
    await_words(page, "About 7 min")  # the order is as it was
    assert page.run("sockets") > 1
    for verb in ("arrived", "picked"):
        delivery.step(verb)
    delivery.step("delivered", pin=delivery.pin)
    await_words(page, "Delivered.")
    polls = page.run(POLLS)
    wait_for(
        lambda: page.run("performance.now()") > 2500 + page.run("window.end ??= performance.now()")
    )
    assert page.run(POLLS) == polls


def test_without_scripts_the_page_says_as_much(stack: Stack, page: Page) -> None:
    delivery = Delivery(stack)
    for verb in ("accept", "arrived", "picked"):
        delivery.step(verb)
    delivery.move(ON_THE_WAY)
    page.allow_scripts(allowed=False)
    try:
        page.open(delivery.url)
        shown = read(page)
        for words in ("on the way to you", "Dan", "red bicycle", "min to go", delivery.pin):
            assert words in shown
        assert courier_at(page)
        assert page.run("document.documentElement.scrollWidth") <= PHONE[0]
        delivery.step("delivered", pin=delivery.pin)
        page.open(f"{stack.url}/api/health")
        page.open(delivery.url)
        assert "Delivered." in read(page)
    finally:
        page.allow_scripts(allowed=True)


def test_a_link_is_in_no_log_and_a_wrong_one_leads_nowhere(stack: Stack, page: Page) -> None:
    delivery = Delivery(stack)
    token = delivery.url.rpartition("/")[2]
    for url in (delivery.url, f"{stack.url}/api/t/{token}"):
        with urlopen(url, timeout=PATIENCE_S) as answer:
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
    path, by = f"/v1/orders/{delivery.id}/tracking", {"authorization": f"Bearer {delivery.hers}"}
    asked = urllib.request.Request(f"{stack.url}/api{path}", method="DELETE", headers=by)
    with urlopen(asked, timeout=PATIENCE_S) as ended:
        assert (ended.status, ended.read()) == (204, b"")
    bodies = set()
    for wrong in (token, "A" * 43, "%FF"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urlopen(f"{stack.url}/t/{wrong}", timeout=PATIENCE_S)
        assert refused.value.code == 404
        bodies.add(refused.value.read())
    assert len(bodies) == 1
    assert token not in stack.log()
