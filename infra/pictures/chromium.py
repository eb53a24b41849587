"""A real headless Chromium, driven over its DevTools protocol: no driver, no library."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

LOADED_WITHIN_S = 30.0
PATIENCE_S = 60.0  # with the browser itself, of which a busy machine makes a slow one
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def executable() -> str | None:
    """Where the browser is, if there is one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One tab. `complaints` are errors in its console, refusals of its policy, and exceptions that
    nobody caught, since `watch_console` was called."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._is_held = False  # the mouse's button
        self.complaints: list[str] = []

    def open(self, url: str) -> None:
        """Go to a page and wait until it is loaded. What stands behind `#` it may take away."""
        self._call("Page.navigate", url=url)
        place, _, _ = url.partition("#")
        here = f"location.href.split('#')[0] == '{place}'"
        _wait_for(lambda: self.run(f"document.readyState == 'complete' && {here}"), LOADED_WITHIN_S)

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression; of a promise, what it resolves to."""
        answer = self._call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key and let it go, as a keyboard does."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        self._call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self._call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def write(self, text: str) -> None:
        """Write into what has the focus."""
        self._call("Input.insertText", text=text)

    def click(self, x: float, y: float) -> None:
        """Click somewhere, as a mouse does."""
        for type_ in ("mousePressed", "mouseReleased"):
            at = {"x": x, "y": y, "button": "left", "clickCount": 1}
            self._call("Input.dispatchMouseEvent", type=type_, **at)

    def point(self, x: float, y: float, *, pressed: bool | None = None) -> None:
        """Move a mouse, and press its button or let it go there: `pressed` is True or False."""
        types = {None: "mouseMoved", True: "mousePressed", False: "mouseReleased"}
        self._is_held = self._is_held if pressed is None else pressed
        button = "none" if pressed is None and not self._is_held else "left"
        at = {"x": x, "y": y, "button": button, "buttons": int(self._is_held)}
        self._call("Input.dispatchMouseEvent", type=types[pressed], clickCount=1, **at)

    def screenshot(self, path: Path) -> None:
        """Keep a picture of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def resize(self, width: int, height: int, *, mobile: bool = True) -> None:
        """Be a telephone of that many pixels, or another screen."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self._call("Emulation.setDeviceMetricsOverride", **size)

    def prefer(self, **features: str) -> None:
        """Prefer something, as `prefers_color_scheme="dark"`."""
        wanted = [{"name": k.replace("_", "-"), "value": value} for k, value in features.items()]
        self._call("Emulation.setEmulatedMedia", features=wanted)

    def watch_console(self) -> None:
        """Note from now on what goes wrong in pages."""
        for domain in ("Runtime", "Log"):
            self._call(f"{domain}.enable")

    def measure_heap(self) -> int:
        """Collect garbage, and measure what scripts hold, in bytes."""
        self._call("HeapProfiler.collectGarbage")
        return int(self._call("Runtime.getHeapUsage")["usedSize"])

    def allow_scripts(self, *, allowed: bool) -> None:
        """Let pages run scripts of theirs, or not."""
        self._call("Emulation.setScriptExecutionDisabled", value=not allowed)

    def allow_unsafe(self, *, allowed: bool) -> None:
        """Let the next pages run what their policy forbids: a tool's script, say, or not."""
        self._call("Page.setBypassCSP", enabled=allowed)

    def run_first(self, script: str) -> None:
        """Run a script in each page to come, before any of its own."""
        self._call("Page.enable")
        self._call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def _call(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:  # events of the browser's come in between
            answer = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            self.complaints.extend(_read_complaint(answer))


def _read_complaint(event: Any) -> Iterator[str]:
    """Read what a page's console says in red."""
    name, params = event.get("method"), event.get("params", {})
    if name == "Runtime.exceptionThrown":
        details = params["exceptionDetails"]
        yield str(details.get("exception", {}).get("description") or details["text"])
    elif name == "Runtime.consoleAPICalled" and params["type"] == "error":
        yield " ".join(str(each.get("value", each.get("description"))) for each in params["args"])
    elif name == "Log.entryAdded" and params["entry"]["level"] == "error":
        yield f"{params['entry']['text']} {params['entry'].get('url', '')}".strip()


def _wait_for(what: Callable[[], Any], within_s: float) -> Any:
    give_up_at = time.monotonic() + within_s
    while not (value := what()):
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"not within {within_s} s")
        time.sleep(0.02)
    return value


def _find_tab(port: int) -> dict[str, Any] | None:
    """Find the one tab of a browser that has just begun; None while it has none."""
    url = f"http://127.0.0.1:{port}/json/list"
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as listed:
        pages = [one for one in json.loads(listed.read()) if one["type"] == "page"]
    return pages[0] if pages else None


@contextmanager
def browser(program: str, folder: Path) -> Iterator[Page]:
    """A browser with one tab, ended afterwards."""
    process = subprocess.Popen(
        [
            program,
            "--headless=new",
            "--no-sandbox",  # containers run as root
            "--disable-gpu",
            "--enable-unsafe-swiftshader",  # WebGL by the processor
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--hide-scrollbars",
            "--window-size=1280,800",
            "--remote-debugging-port=0",
            f"--user-data-dir={folder}",
            "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port_file = folder / "DevToolsActivePort"
        _wait_for(lambda: port_file.exists() and port_file.read_text().count("\n"), PATIENCE_S)
        port = port_file.read_text().split("\n")[0]
        tab = _wait_for(lambda: _find_tab(int(port)), PATIENCE_S)
        address = tab["webSocketDebuggerUrl"]
        with connect(address, max_size=None, open_timeout=PATIENCE_S, ping_interval=None) as socket:
            yield Page(socket)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
