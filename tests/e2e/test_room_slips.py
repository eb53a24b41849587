"""Where a dispatcher could slip in the room, in a real browser: the wrong courier, the wrong end of
a history, a way back that leads out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.pictures.chromium import Page, browser, executable
from tests.e2e.conftest import wait_for
from tests.e2e.test_room import a_room, an_order, click, listed, look, sign_in


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A tab in a real browser, whose console is watched."""
    program = executable()
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with browser(program, tmp_path_factory.mktemp("chromium")) as tab:
        tab.watch_console()
        yield tab


def texts(page: Page, selector: str) -> list[str]:
    """The texts of all elements that a selector finds."""
    found = f"[...document.querySelectorAll('{selector}')]"
    return list(page.run(f"{found}.map((each) => each.textContent)"))


def test_a_courier_chosen_for_one_order_is_not_chosen_for_the_next(page: Page) -> None:
    with a_room(page, orders=0, couriers=3) as room:
        sign_in(page, room)
        room.tell(orders=[an_order(), an_order(id="7002", offered_to="c2")])
        wait_for(lambda: listed(page) == ["7001", "7002"])
        page.press("j")
        page.press("a")
        click(page, "#ask-list input")
        click(page, "#ask-cancel")
        page.press("j")
        page.press("a")
        assert "7002" in look(page, "#ask-title")
        assert page.run("document.querySelector('#ask-list input:checked')") is None
        page.run("document.querySelector('#ask-search').focus()")
        page.write("off-duty-1")
        page.run("document.querySelector('#ask-reason').value = 'late'")
        assert "by this id" in look(page, "#ask-list")
        click(page, "#ask-list input")
        click(page, "#ask-go")
        wait_for(lambda: room.asked)
        assert room.asked[-1][1]["courier_id"] == "off-duty-1"


def test_a_courier_is_looked_for_on_the_map_whatever_the_list_is_searched_for(page: Page) -> None:
    with a_room(page, orders=1, couriers=3) as room:
        sign_in(page, room)
        room.tell(orders=[an_order()])
        wait_for(lambda: "7001" in listed(page))
        page.press("/")
        page.write("7001")
        page.press("Escape")
        wait_for(lambda: look(page, "#map", "dataset.couriers") == "0")
        page.press("j")
        page.press("a")
        click(page, "#ask-map")
        wait_for(lambda: look(page, "#map", "dataset.couriers") == "3")
        page.press("Escape")
        wait_for(lambda: look(page, "#map", "dataset.couriers") == "0")


def test_what_was_last_is_first_of_an_order_and_of_a_courier(page: Page) -> None:
    with a_room(page, orders=0, couriers=1) as room:
        (courier,) = room.couriers
        at = an_order()["since"]
        offer = {"courier_id": courier, "answer": "accepted"}
        who = {"role": "courier", "id": courier}
        steps = [
            {"at": at, "step": "place", "to": "searching"},
            {"at": at, "step": "offer", "to": "offered", "offer": offer},
            {"at": at, "step": "accept", "to": "accepted", "offer": offer, "actor": who},
        ]
        room.history["7001"] = steps
        room.history[courier] = [{"at": at, "step": step} for step in ("resume", "pause")]
        sign_in(page, room)
        room.tell(orders=[an_order()])
        wait_for(lambda: listed(page) == ["7001"])
        shown: dict[str, Any] = {}
        for key, box, count in (("o", "#order-list", 3), ("u", "#courier-list", 2)):
            page.press(key)
            wait_for(lambda box=box: listed(page, box))  # type: ignore[misc]
            page.press("j")
            page.press("Enter")
            wait_for(lambda count=count: len(texts(page, "#drawer-history b")) == count)  # type: ignore[misc]
            shown[key] = texts(page, "#drawer-history b")
            page.press("Escape")
        name = room.couriers[courier]["name"]
        offered = f"offer to \u2068{name}\u2069: accepted"
        assert shown == {"o": ["accept", offered, "place"], "u": ["resume", "pause"]}


def test_back_closes_what_is_open_and_stays(page: Page) -> None:
    with a_room(page) as room:
        sign_in(page, room)
        wait_for(lambda: len(listed(page)) > 2)
        page.run("document.querySelector('#order-list').focus()")
        page.press("ArrowDown")
        page.press("ArrowDown")
        second = look(page, "#order-list [aria-selected=true]", "dataset.id")
        assert second == listed(page)[1]
        page.press("Enter")
        wait_for(lambda: look(page, "#drawer-title") == second)
        page.press("f")
        page.run("history.back()")
        wait_for(lambda: look(page, "#drawer", "hidden") and look(page, "#figures", "hidden"))
        assert look(page, "#status", "dataset.state") == "in"
        click(page, "#order-list [role=option]")
        assert look(page, "#drawer", "hidden") is False


def test_whoever_has_the_role_by_a_group_is_let_in_and_let_out_when_it_ends(page: Page) -> None:
    with a_room(page, couriers=1) as room:
        sign_in(page, room, role="staff", groups=["berlin", "Admin"])
        assert look(page, "#who").endswith(", admin")
        page.press("u")
        wait_for(lambda: listed(page, "#courier-list"))
        page.press("j")
        page.press("p")
        page.run("document.querySelector('#ask-reason').value = 'break'")
        room.refusal = (401, "unauthenticated", "The token has expired.")
        click(page, "#ask-go")
        wait_for(lambda: "Sign in again" in (look(page, "#sign-in .failure") or ""))
        assert look(page, "#room", "hidden")
        assert listed(page, "#courier-list") == []
        page.complaints.clear()  # a browser says itself that it was a 401
        page.run("document.querySelector('#token').focus()")
        page.write(room.token(valid_s=-3600))
        page.press("Enter")
        wait_for(lambda: "has expired" in look(page, "#sign-in .failure"))
        assert look(page, "#sign-in", "hidden") is False


def middle(page: Page, selector: str) -> tuple[float, float]:
    """The middle of what a selector finds, in the window."""
    at = page.run(f"""(() => {{
      const box = document.querySelector({selector!r}).getBoundingClientRect();
      return [box.x + box.width / 2, box.y + box.height / 2];
    }})()""")
    return at[0], at[1]


def hold(page: Page, selector: str) -> None:
    """Press the mouse on something, and begin to drag it."""
    x, y = middle(page, selector)
    page.point(x, y)
    page.point(x, y, pressed=True)
    page.point(x + 20, y + 4)


def test_an_order_is_dragged_onto_a_courier_on_the_map_and_in_the_list(page: Page) -> None:
    with a_room(page, orders=0, couriers=2) as room:
        lone, busy = room.couriers.values()
        place = {"lat": lone["lat"], "lng": lone["lng"]}
        lone["name"] = busy["name"] = None
        room.tell(removed=[])
        sign_in(page, room)
        far = {"lat": lone["lat"] + 0.3, "lng": lone["lng"]}
        busy.update(far, order_id="7002")
        order = an_order(**place, pickup=place, dropoff=place)
        held = an_order(id="7002", state="in_transit", courier_id=busy["id"], **far, pickup=far)
        room.tell(orders=[order, {**held, "dropoff": far}], couriers=[busy])
        wait_for(lambda: listed(page) == ["7001", "7002"])
        page.run("document.querySelector('#fit').click()")
        hold(page, "#order-list [data-id='7001']")
        assert look(page, "#dragged") == "Order 7001: drop it on a courier"
        x, _ = middle(page, "#map")
        bottom = page.run("document.querySelector('#map').getBoundingClientRect().bottom")
        for up in range(20, 200, 10):  # the southern one, above the margin of what is fitted
            page.point(x, bottom - up)
            if f"to \u2068{lone['id']}" in look(page, "#dragged"):
                break
        page.point(x, bottom - up, pressed=False)
        wait_for(lambda: page.run("document.querySelector('#ask').open"))
        assert look(page, "#ask-list input:checked", "value") == lone["id"]
        assert page.run("document.activeElement.id") == "ask-reason"
        assert look(page, "#drawer", "hidden")
        click(page, "#ask-cancel")

        hold(page, "#order-list [data-id='7001']")
        page.point(*middle(page, "#couriers-tab"))
        wait_for(lambda: listed(page, "#courier-list"))
        page.point(*middle(page, f"#courier-list [data-id='{lone['id']}']"))
        page.press("Escape")
        assert look(page, "#dragged", "hidden")
        page.point(10, 10, pressed=False)
        assert page.run("document.querySelector('#ask').open") is False
        assert look(page, "#orders-tab", "ariaSelected") == "true"

        hold(page, "#order-list [data-id='7002']")
        assert look(page, "#dragged") == "Order 7002 can't be assigned now."
        page.point(10, 10, pressed=False)
        assert room.asked == []


def test_what_is_covered_is_out_of_reach_and_a_table_stays_open(page: Page) -> None:
    with a_room(page) as room:
        sign_in(page, room)
        wait_for(lambda: len(listed(page)) > 2)
        page.press("j")
        assert page.run("document.activeElement.id") == "order-list"
        first = listed(page)[0]
        page.press("f")
        wait_for(lambda: look(page, "#figures-charts", "children.length") == 8)
        page.press("j")
        page.press("Enter")
        assert page.run("['side', 'map-room'].every((id) => document.getElementById(id).inert)")
        assert look(page, "#drawer", "hidden")
        click(page, "#figures-charts summary")
        wait_for(lambda: look(page, "#figures-charts tbody", "children.length") == 168)
        page.run("document.querySelector('#figures-charts .scroll').scrollTop = 60")
        page.run("document.querySelector('#figures-charts .scroll').focus()")
        page.run("""document.querySelector('#figures-hours').value = '72';
          document.querySelector('#figures-hours').dispatchEvent(new Event('change'))""")
        wait_for(lambda: look(page, "#figures-charts tbody", "children.length") == 72)
        assert look(page, "#figures-charts .scroll", "scrollTop") == 60
        assert page.run("document.activeElement.className") == "scroll"
        page.press("Escape")
        assert page.run("document.activeElement.id") == "order-list"
        assert look(page, "#order-list [aria-selected=true]", "dataset.id") == first


def test_what_was_chosen_is_kept_for_the_same_person_and_for_no_other(page: Page) -> None:
    with a_room(page) as room:
        sign_in(page, room)
        click(page, "#kinds [data-kind=moving]")
        page.press("/")
        page.write("mill")
        for token, text, pressed in (
            (room.token(), "mill", "true"),  # as after the way to the identity provider
            (room.token(id_="bob"), "", "false"),
        ):
            page.open("about:blank")
            page.open(f"{room.url}/api/console#token={token}")
            wait_for(lambda: look(page, "#status", "dataset.state") == "in")
            assert look(page, "#search", "value") == text
            assert look(page, "#kinds [data-kind=moving]", "ariaPressed") == pressed
        click(page, "#kinds [data-kind=moving]")
        page.run("""document.querySelector('#rank').value = 'newest';
          document.querySelector('#rank').dispatchEvent(new Event('change'))""")
        click(page, "#sign-out")
        wait_for(lambda: page.run("!!document.querySelector('#token')"))
        assert page.run("sessionStorage.length") == 0
        assert look(page, "#rank", "value") == "urgent"


def test_a_merchant_with_a_long_name_pushes_nothing_out(page: Page) -> None:
    with a_room(page) as room:
        sign_in(page, room)
        wait_for(lambda: len(listed(page)) > 2)
        room.tell(orders=[an_order(merchant_id="a-shop-without-an-end-" * 9, id="x" * 80)])
        wait_for(lambda: look(page, "#orders-tab-count") == "13")
        for width, height in ((1280, 800), (360, 740), (640, 360)):
            page.resize(width, height, mobile=False)
            click(page, "#views [data-view=list]")
            assert page.run("document.documentElement.scrollWidth") <= width
            inside = """(() => {
              const [side, zone] = ['#side', '#zone'].map((each) =>
                document.querySelector(each).getBoundingClientRect());
              return innerWidth == 640 || zone.right <= side.right;
            })()"""
            assert page.run(inside), (width, height)
            assert look(page, "#order-list", "clientHeight") > 90
