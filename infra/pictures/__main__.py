"""`python -m infra.pictures`: take the pictures of the console that the documentation shows."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.pictures.chromium import Page, browser, executable
from infra.pictures.png import shrink_png
from infra.pictures.room import Room
from infra.pictures.sample import make_city, make_story, utc_now

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures"
MAX_BYTES = 200_000
READY_WITHIN_S = 15.0
_DRAWN_S = 0.6  # a frame or two, and what fades in
_OPEN_ORDER = """[...document.querySelectorAll('#order-list [role=option]')]
  .find((row) => row.dataset.id === '%s').click()"""


def main() -> int:
    """Take all pictures; return the exit code."""
    program = executable()
    if program is None:
        print("pictures: there is no Chromium: apt-get install chromium", file=sys.stderr)
        return 1
    now = utc_now()
    orders, couriers = make_city(84, 110, now)
    room = Room(orders, couriers)
    shown = make_story(room.orders, room.history, room.messages, now)
    with room.open(), TemporaryDirectory() as folder, browser(program, Path(folder)) as page:
        for name, size, scheme, action in (
            ("console-light", (1360, 850), "light", _OPEN_ORDER % shown),
            ("console-dark", (1360, 850), "dark", _OPEN_ORDER % shown),
            (
                "console-figures",
                (1360, 850),
                "light",
                "document.querySelector('#figures-button').click()",
            ),
            (
                "console-phone",
                (360, 740),
                "dark",
                "document.querySelector('#views button').click()",
            ),
        ):
            page.resize(*size, mobile=size[0] < 500)
            page.prefer(prefers_color_scheme=scheme)
            _take(page, room, FOLDER / f"{name}.png", action)
    return 0


def _take(page: Page, room: Room, path: Path, action: str) -> None:
    """Take one picture, of the page as it is after an action."""
    page.open("about:blank")
    page.open(f"{room.url}/api/console#token={room.token()}")
    _await(lambda: bool(page.run("document.querySelector('#status')?.dataset.state === 'in'")))
    time.sleep(_DRAWN_S)
    page.run(action)
    time.sleep(_DRAWN_S)
    page.screenshot(path)
    path.write_bytes(shrink_png(path.read_bytes()))
    size = path.stat().st_size
    print(f"{path.name}  {size / 1000:.0f} KB")
    if size > MAX_BYTES:
        raise ValueError(f"{path.name} has {size:,} bytes; {MAX_BYTES:,} are allowed.")


def _await(what: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + READY_WITHIN_S
    while not what():
        if time.monotonic() > give_up_at:
            raise TimeoutError("The page shows no board.")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
