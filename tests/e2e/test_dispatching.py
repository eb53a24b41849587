"""A dispatcher at work, in a real browser, on Waybill itself."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from infra.pictures.chromium import Page, browser, executable
from tests.e2e.conftest import Stack, wait_for
from tests.e2e.test_console import SHOP, a_customer, place
from tests.e2e.test_feed import rest
from tests.e2e.test_room import click, look

pytest.importorskip("chalicelib.contracts.ops", reason="the board is not told here")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A tab in a real browser."""
    program = executable()
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with browser(program, tmp_path_factory.mktemp("chromium")) as tab:
        tab.watch_console()
        yield tab


def enter(page: Page, stack: Stack, token: str) -> None:
    """Sign in by the address, as the banner's link does, and wait for the board."""
    page.open("about:blank")
    page.complaints.clear()
    page.open(f"{stack.url}/api/console#token={token}")
    wait_for(lambda: look(page, "#status", "dataset.state") == "in")


def search(page: Page, text: str) -> None:
    page.run(
        "document.querySelector('#search').focus(); document.querySelector('#search').select()"
    )
    page.write(text)
    page.press("Escape")


def names(page: Page) -> list[str]:
    """The names of the rows in view."""
    rows = "[...document.querySelectorAll('#order-list .row:not([hidden]) .name')]"
    return list(page.run(f"{rows}.map((name) => name.textContent)"))


def test_an_order_is_watched_and_assigned_by_somebody_without_a_profile(
    stack: Stack, page: Page
) -> None:
    enter(page, stack, stack.token("admin", f"ada-{uuid4().hex[:8]}"))
    dan = f"dan-{uuid4().hex[:8]}"
    his = stack.token("courier", dan)
    rest(stack, "PUT", "/v1/me", his, {"name": "Dan", "phone": "+911234567890"})
    far = {"lat": SHOP["lat"] + 1.5, "lng": SHOP["lng"]}  # nobody looks so far
    rest(stack, "POST", "/v1/courier/availability", his, {"available": True, **far})
    _, hers = a_customer(stack)
    order_id = place(stack, hers)
    search(page, order_id)
    wait_for(lambda: order_id in names(page))
    page.press("j")
    page.press("a")
    page.run("document.querySelector('#ask-search').value = ''")
    wait_for(
        lambda: page.run(f"!!document.querySelector('#ask-list input[value={dan}]')") or again(page)
    )
    click(page, f"#ask-list input[value={dan}]")
    page.run("document.querySelector('#ask-reason').value = 'late'")
    page.run("document.querySelector('#ask-note').value = 'by phone'")
    click(page, "#ask-go")
    wait_for(lambda: "was assigned" in look(page, "#notes"))
    wait_for(lambda: "Offered" in look(page, "#order-list .row .state"))
    admin = stack.token("admin", "ada")
    history = rest(stack, "GET", f"/v1/orders/{order_id}/history", admin)["history"]
    assert ("late", "by phone") in [(e.get("reason"), e.get("note")) for e in history]
    page.press("Enter")
    wait_for(lambda: "by phone" in look(page, "#drawer-history"))
    wait_for(lambda: "No messages." in look(page, "#drawer-messages"))
    rest(stack, "POST", "/v1/courier/orders/accept", his, {"order_id": order_id})
    wait_for(lambda: "Assigned" in look(page, "#drawer-state"))
    page.press("Escape")
    page.press("f")
    wait_for(lambda: "Wakeup lag" in look(page, "#figures-now"))
    wait_for(lambda: look(page, "#figures-charts", "children.length") == 8)
    assert page.complaints == []


def again(page: Page) -> bool:
    """List the couriers anew: one who has just come is on the next frame."""
    page.run("document.querySelector('#ask-search').dispatchEvent(new Event('input'))")
    return False


def test_a_merchant_sees_nothing_of_others(stack: Stack, page: Page) -> None:
    _, hers = a_customer(stack)
    order_id = place(stack, hers)
    enter(page, stack, stack.token("admin", "ada"))
    search(page, order_id)
    wait_for(lambda: order_id in names(page))
    shop = f"shop-{uuid4().hex[:8]}"
    enter(page, stack, stack.token("merchant", shop))
    assert names(page) == []
    assert look(page, "#orders-tab-count") == look(page, "#couriers-tab-count") == "0"
    assert order_id not in page.run("document.body.textContent")
