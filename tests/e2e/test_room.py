"""The dispatcher's room in a real browser, beside a server that says what a stage says."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.pictures.chromium import Page, browser, executable
from infra.pictures.png import read_pixels
from infra.pictures.room import Room
from infra.pictures.sample import Row, make_city, utc_now
from tests.conftest import PATIENCE_S
from tests.e2e.conftest import wait_for

AXE = "axe-core@4.14.1"
HEAP = 200_000_000  # bytes
EVIL = "<img src=x onerror='window.hacked = 1'><script>window.hacked = 1</script>"
# Moves the map for a second and counts the frames that it drew meanwhile.
FRAMES = """
new Promise((resolve) => {
  const canvas = document.querySelector("#map");
  const began = performance.now();
  let frames = 0;
  const step = () => {
    const passed = performance.now() - began;
    if (passed > 1500) return resolve(frames / (passed / 1000));
    frames += 1;
    canvas.dispatchEvent(new WheelEvent("wheel", {
      deltaY: Math.sin(passed / 90) * 30, clientX: 700, clientY: 400, cancelable: true }));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})
"""

# Notes each text of the first row, as it changes.
WATCH_ROW = """
window.seen = [];
new MutationObserver(() => seen.push(document.querySelector("#order-list .row").textContent))
  .observe(document.querySelector("#order-list"),
    { subtree: true, characterData: true, childList: true });
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A tab in a real browser, whose console is watched."""
    program = executable()
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with browser(program, tmp_path_factory.mktemp("chromium")) as tab:
        tab.watch_console()
        yield tab


@contextmanager
def a_room(
    page: Page, orders: int = 12, couriers: int = 20, maps: dict[str, bytes] | None = None
) -> Iterator[Room]:
    """A room with a made up city, at whose gate the page is. Nothing may go wrong in it."""
    page.resize(1280, 800, mobile=False)
    page.open("about:blank")
    page.complaints.clear()
    with Room(*make_city(orders, couriers, utc_now()), maps).open() as room:
        page.open(f"{room.url}/api/console")
        yield room
        page.open("about:blank")
        assert page.complaints == []


def sign_in(page: Page, room: Room, **claims: Any) -> None:
    """Paste a token, and wait for the board."""
    wait_for(lambda: page.run("!!document.querySelector('#token')"))
    page.run("document.querySelector('#token').focus()")
    page.write(room.token(**claims))
    page.press("Enter")
    wait_for(lambda: look(page, "#status", "dataset.state") == "in")


def look(page: Page, selector: str, what: str = "textContent") -> Any:
    return page.run(f"document.querySelector({json.dumps(selector)})?.{what}")


def click(page: Page, selector: str) -> None:
    page.run(f"document.querySelector({json.dumps(selector)}).click()")


def listed(page: Page, box: str = "#order-list") -> list[str]:
    """The ids of the rows in a list's view."""
    shown = f"[...document.querySelectorAll('{box} [role=option]:not([hidden])')]"
    return list(page.run(f"{shown}.map((row) => row.dataset.id)"))


def an_order(**changes: Any) -> Row:
    (orders, _) = make_city(1, 0, utc_now())
    return {**orders[0], "id": "7001", "state": "searching", "late": False, **changes}


def test_what_happens_is_shown_and_stays_text(page: Page) -> None:
    with a_room(page) as room:
        sign_in(page, room)
        wait_for(lambda: look(page, "#orders-tab-count") == "12")
        assert look(page, "#map", "dataset.orders") == "12"
        assert look(page, "#map", "dataset.couriers") == "20"
        evil = an_order(customer_id=EVIL, merchant_id=EVIL, pickup={"lat": 52.5, "lng": 13.4})
        evil["dropoff"] = {**evil["pickup"], "address": EVIL}
        room.history["7001"] = [{"at": evil["since"], "step": EVIL, "to": EVIL, "note": EVIL}]
        message = {"at": evil["since"], "from": {"role": "courier", "id": EVIL}, "text": EVIL}
        room.messages["7001"] = [message]
        room.tell(orders=[evil])
        wait_for(lambda: look(page, "#orders-tab-count") == "13")
        page.press("/")
        page.write("7001")
        wait_for(lambda: listed(page) == ["7001"])
        assert look(page, "#orders-tab-count") == "1 / 13"
        page.press("Escape")
        page.press("j")
        page.press("Enter")
        wait_for(lambda: EVIL in look(page, "#drawer-history"))
        wait_for(lambda: EVIL in look(page, "#drawer-messages"))
        assert EVIL in look(page, "#drawer-facts")
        assert page.run("document.activeElement.id") == "drawer-title"
        room.tell(removed=["7001"])
        wait_for(lambda: "has ended" in look(page, "#drawer-state"))
        page.press("Escape")
        assert look(page, "#drawer", "hidden")
        click(page, "#clear")
        wait_for(lambda: look(page, "#orders-tab-count") == "12")
        assert page.run("window.hacked === undefined")
        page.run("window.sorted = [...document.querySelectorAll('img, script:not([src])')].length")
        assert page.run("window.sorted") == 0


def test_a_courier_is_assigned_by_keys_as_far_as_the_server_confirms(page: Page) -> None:
    with a_room(page, couriers=6) as room:
        sign_in(page, room)
        room.tell(orders=[an_order()])
        page.press("/")
        page.write("7001")
        page.press("Escape")
        wait_for(lambda: listed(page) == ["7001"])
        page.press("j")
        page.press("a")
        assert "Assign order 7001" in look(page, "#ask")
        click(page, "#ask-go")
        assert look(page, "#ask-error") == "Choose a courier."
        page.run("document.querySelector('#ask-list input').click()")
        click(page, "#ask-go")
        assert "Choose a reason" in look(page, "#ask-error")
        assert room.asked == []
        room.refusal = (409, "courier_busy", "This courier has another order.")
        page.run("document.querySelector('#ask-reason').value = 'late'")
        click(page, "#ask-go")
        wait_for(lambda: look(page, "#ask-error") == "This courier has another order.")
        page.complaints.clear()  # a browser says itself that it was a 409
        assert room.orders["7001"]["state"] == "searching"
        wait_for(lambda: "no courier" in look(page, "#order-list"))

        page.run("document.querySelector('#ask-list input:not(:checked)').click()")
        page.run("document.querySelector('#ask-note').value = 'by phone'")
        page.run(WATCH_ROW)
        room.answers_after_s = 0.5
        click(page, "#ask-go")
        wait_for(lambda: "Order 7001 was assigned." in look(page, "#notes"))
        wait_for(lambda: "Assigned" in look(page, "#order-list"))
        path, body = room.asked[-1]
        assert path == "/api/v1/admin/orders/7001/assign"
        assert body == {"courier_id": body["courier_id"], "reason": "late", "note": "by phone"}
        seen = page.run("window.seen")
        assert any("asked: assign" in text for text in seen)
        assert not any("asked: assign" in text and "Assigned" in text for text in seen)


def test_a_courier_is_chosen_on_the_map_and_paused_from_the_list(page: Page) -> None:
    with a_room(page, orders=0, couriers=1) as room:
        sign_in(page, room)
        (courier,) = room.couriers.values()
        north = {"lat": courier["lat"] + 0.05, "lng": courier["lng"]}
        room.tell(orders=[an_order(**north, pickup=north, dropoff=north)])
        wait_for(lambda: listed(page) == ["7001"])
        click(page, "#fit")
        page.press("j")
        page.press("a")
        click(page, "#ask-map")
        assert "Choose a courier for order 7001" in look(page, "#choosing")
        at = page.run("""(() => {
          const box = document.querySelector('#map').getBoundingClientRect();
          return [box.x, box.y, box.width, box.height];
        })()""")
        find_and_click_courier(page, at)
        wait_for(lambda: page.run("document.querySelector('#ask').open"))
        assert look(page, "#ask-list input:checked", "value") == courier["id"]
        click(page, "#ask-cancel")
        page.press("u")
        page.press("j")
        page.press("p")
        page.run("document.querySelector('#ask-reason').value = 'break'")
        click(page, "#ask-go")
        wait_for(lambda: "Paused" in look(page, "#courier-list"))
        assert room.asked[-1] == (
            f"/api/v1/admin/couriers/{courier['id']}/pause",
            {"reason": "break"},
        )


def find_and_click_courier(page: Page, box: list[float]) -> None:
    """Click along the line on which a lone courier must be, until it is met."""
    left, top, width, height = box
    for step in range(60):
        if page.run("document.querySelector('#ask').open"):
            return
        page.click(left + width / 2, top + height - 20 - step * 12)


def test_a_lost_link_is_said_and_resumed_from_where_it_was(page: Page) -> None:
    with a_room(page) as room:
        sign_in(page, room)
        room.tell(orders=[an_order()])
        wait_for(lambda: look(page, "#orders-tab-count") == "13")
        room.is_down = True
        room.cut()
        wait_for(lambda: look(page, "#lost", "hidden") is False)
        assert "Link lost" in look(page, "#lost-words")
        assert look(page, "#status", "dataset.state") == "failed"
        assert page.run("document.title") == "Link lost · Waybill"
        assert look(page, "#orders-tab-count") == "13"
        room.tell(orders=[an_order(id="7002")], removed=["7001"])
        room.is_down = False
        click(page, "#retry-link")
        wait_for(lambda: look(page, "#status", "dataset.state") == "in")
        page.press("/")
        page.write("7002")
        wait_for(lambda: listed(page) == ["7002"])
        assert look(page, "#orders-tab-count") == "1 / 13"
        click(page, "#clear")
        wait_for(lambda: look(page, "#map", "dataset.couriers") == "20")
        assert room.greetings[0] == ""
        assert room.greetings[-1].startswith("e1.")
        # A browser says itself that nobody answered; and that who is there has no profile.
        said = ("WebSocket", "503", "/api/v1/me")
        page.complaints[:] = [c for c in page.complaints if not any(each in c for each in said)]


def test_a_merchant_is_shown_what_its_frames_carry_and_no_hands_on_couriers(page: Page) -> None:
    with a_room(page, orders=3, couriers=2) as room:
        sign_in(page, room, role="merchant", id_="noodle-bar")
        wait_for(lambda: look(page, "#orders-tab-count") == "3")
        page.press("u")
        page.press("j")
        page.press("Enter")
        assert look(page, "#drawer-actions", "children.length") == 0
        page.press("Escape")
        page.press("f")
        wait_for(lambda: "are shown to admins" in look(page, "#figures-note"))
        page.press("Escape")
        click(page, "#sign-out")
        wait_for(lambda: page.run("!!document.querySelector('#token')"))
        assert look(page, "#map", "dataset.orders") in ("0", "3")
        wait_for(lambda: listed(page) == [])


def test_somebody_with_no_part_in_it_stays_outside(page: Page) -> None:
    with a_room(page) as room:
        page.open("about:blank")  # from another page, as a link does: in it a hash loads nothing
        page.open(f"{room.url}/api/console#token={room.token('customer', 'cara')}")
        wait_for(lambda: "one of a customer" in (look(page, "#sign-in") or ""))
        assert room.greetings == []
        assert "#" not in page.run("location.href")


def test_five_thousand_orders_and_two_thousand_couriers(
    page: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    with a_room(page, orders=5000, couriers=2000) as room:
        sign_in(page, room)
        wait_for(lambda: look(page, "#map", "dataset.orders") == "5000")
        frames = page.run(FRAMES)
        room.tell(orders=[{**row, "late": True} for row in list(room.orders.values())[:500]])
        wait_for(lambda: look(page, "#map", "dataset.orders") == "5000")
        page.run("document.querySelector('#order-list').scrollTop = 100000")
        wait_for(lambda: len(listed(page)) in range(5, 40))
        heap = page.measure_heap()
        with capsys.disabled():
            told = f"{frames:.0f} frames/s, {heap / 1e6:.0f} MB of heap"
            sys.stdout.write(f"\n5,000 orders and 2,000 couriers: {told}\n")
        assert heap < HEAP


def a_map() -> dict[str, bytes]:
    """A style, and one tile of the whole world in a PMTiles archive: water."""
    style = {
        "version": 8,
        "sources": {"world": {"type": "vector", "url": "pmtiles:///maps/world.pmtiles"}},
        "layers": [
            {
                "id": "water",
                "type": "fill",
                "source": "world",
                "source-layer": "water",
                "paint": {"fill-color": "#0000ff"},
            }
        ],
    }
    return {"style.json": json.dumps(style).encode(), "world.pmtiles": pack_world()}


def pack_world() -> bytes:
    """Pack an archive (PMTiles, version 3) with the one tile 0/0/0, a square of layer `water`."""
    # A vector tile (version 2.1): layer 3 {name 1, features 2 {type 3: polygon, geometry 4},
    # extent 5: 16, version 15: 2}; move to -1, -1, lines to the three other corners, close.
    geometry = bytes((9, 1, 1, 26, 36, 0, 0, 36, 35, 0, 15))
    feature = bytes((24, 3, 34, len(geometry))) + geometry
    layer = b"\x0a\x05water" + bytes((18, len(feature))) + feature + bytes((40, 16, 120, 2))
    tile = bytes((26, len(layer))) + layer
    root = bytes((1, 0, 1, len(tile), 1))  # one entry: id, run, length, offset + 1
    about = json.dumps({"vector_layers": [{"id": "water", "fields": {}}]}).encode()
    places = (127, len(root), 127 + len(root), len(about), 0, 0, 127 + len(root) + len(about))
    whole = struct.pack("<11Q", *places, len(tile), 1, 1, 1)
    flags = bytes((1, 1, 1, 1, 0, 0))  # in order, nothing compressed, vector tiles, zoom 0 to 0
    bounds = struct.pack("<4i", -1800000000, -850000000, 1800000000, 850000000)
    header = b"PMTiles\x03" + whole + flags + bounds + bytes(9)
    return header + root + about + tile


def test_streets_are_drawn_below_by_a_style_and_nothing_is_missed_without_webgl(
    page: Page, tmp_path: Path
) -> None:
    with a_room(page, maps=a_map()) as room:
        sign_in(page, room)
        made = "!!document.querySelector('#map-credit .maplibregl-ctrl-attrib')"
        missing = "document.querySelector('#map-note').textContent"
        wait_for(lambda: page.run(made) or page.run(missing))
        if not page.run(made):
            pytest.skip(page.run(missing))
        page.screenshot(tmp_path / "streets.png")
        width, _, pixels = read_pixels((tmp_path / "streets.png").read_bytes())
        assert pixels[width * 60 + 900] == b"\x00\x00\xff"
        page.run(
            "HTMLCanvasElement.prototype.getContext = new Proxy(HTMLCanvasElement.prototype."
            "getContext, { apply: (f, t, a) => (a[0] === 'webgl2' ? null : f.apply(t, a)) })"
        )
        page.run("""import("/api/console/streets.js").then(({ addStreets }) =>
          addStreets(null, null, null, "/")).catch((error) => (window.why = error.message))""")
        assert page.run("window.why") == "there is no WebGL"
        assert look(page, "#map", "dataset.orders") == "12"


@pytest.fixture(scope="module")
def axe(request: pytest.FixtureRequest) -> str:
    """The script that judges pages, installed once and kept among pytest's own files."""
    if not shutil.which("npm"):
        pytest.skip("npm is needed to get axe-core")
    folder = Path(request.config.cache.mkdir("axe"))
    script = folder / "node_modules/axe-core/axe.min.js"
    if not script.exists():
        command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", AXE]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"npm could not install {AXE}: {done.stderr.strip()[-200:]}")
    return script.read_text()


JUDGE = """
axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .map(({ id, nodes }) => id + ": " + nodes.map((n) => n.html.slice(0, 120)).join(" | ")))
"""
STATES = (
    ("the list", "1"),
    (
        "a drawer",
        """[...document.querySelectorAll('#order-list [role=option]')]
      .find((row) => row.textContent.includes('no courier')).click()""",
    ),
    ("a question", "document.querySelector('#drawer-actions .main').click()"),
    (
        "the keys",
        """document.querySelector('#ask-cancel').click();
      document.querySelector('#help-button').click()""",
    ),
    (
        "the figures",
        """document.querySelector('#help-close').click();
      document.querySelector('#figures-button').click()""",
    ),
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_keeps_anybody_out(page: Page, axe: str, scheme: str) -> None:
    with a_room(page) as room:
        page.prefer(prefers_color_scheme=scheme)
        wait_for(lambda: page.run("!!document.querySelector('#token')"))
        page.run(axe)
        assert page.run(JUDGE) == [], "the gate"
        sign_in(page, room)
        room.tell(orders=[an_order(late=True)])
        wait_for(lambda: "7001" in listed(page))
        for name, action in STATES:
            page.run(action)
            assert page.run(JUDGE) == [], name
        page.resize(360, 740)
        page.press("Escape")
        room.tell(orders=[an_order(late=True, offers=2)])
        wait_for(lambda: look(page, "#now", "tabIndex") == 0)
        assert page.run(JUDGE) == [], "a telephone"


def test_a_telephone_shows_list_map_and_drawer_in_turn(page: Page) -> None:
    with a_room(page) as room:
        page.resize(360, 740)
        sign_in(page, room)
        wait_for(lambda: look(page, "#map", "clientWidth") == 360)
        click(page, "#views [data-view=list]")
        wait_for(lambda: len(listed(page)) > 3)
        click(page, "#order-list [role=option]")
        assert look(page, "#drawer", "clientWidth") == 360
        assert page.run("document.documentElement.scrollWidth") == 360


def test_the_page_is_what_it_is_served_as(page: Page) -> None:
    with (
        a_room(page) as room,
        urllib.request.urlopen(f"{room.url}/api/console", timeout=PATIENCE_S) as answer,
    ):
        assert "unsafe" not in answer.headers["content-security-policy"]
