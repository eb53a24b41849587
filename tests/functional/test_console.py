"""The dispatcher's room, as it is served: its page, its files, and what they may load."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from chalicelib.edge.rest.console import find_origins
from chalicelib.edge.rest.pages import PAGES_FOLDER
from chalicelib.settings import BadSetting, Settings
from tests.functional.world import World

FILES = sorted((PAGES_FOLDER / "console").iterdir())
SECRET = "-" * 32


def test_the_page_names_its_files_by_its_own_address(world: World) -> None:
    page = world.get("/console")
    assert (page.status, page.headers["cache-control"]) == (200, "no-cache")
    assert page.headers["content-type"].startswith("text/html")
    for name in re.findall(r'(?:src|href)="/api/console/([^"]+)"', page.text):
        assert world.get(f"/console/{name}").status == 200
    assert "{" not in page.text


def test_every_import_of_a_module_is_served(world: World) -> None:
    for file in (each for each in FILES if each.suffix == ".js"):
        answer = world.get(f"/console/{file.name}")
        assert answer.headers["content-type"].startswith("text/javascript"), file
        for name in re.findall(r'from "(?:\./)([^"]+)"', answer.text):
            assert world.get(f"/console/{name}").status == 200, (file, name)


def test_nothing_unsafe_is_allowed(world: World) -> None:
    for path in ("/console", "/console/app.js", "/console/maplibre-gl-worker-6.17.0.mjs"):
        policy = world.get(path).headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'; script-src 'self'; worker-src 'self';" in policy


@pytest.mark.parametrize(
    "name",
    [
        "nothing.js",
        "console.html",
        "LICENSE.txt",
        "..",
        "%2e%2e",
        "..%2f..%2fclient.js",
        "..%2Fconsole%2Fapp.js",
        "%2Fetc%2Fpasswd",
        "app.js%00",
        "APP.JS",
        "ä.js",
    ],
)
def test_no_other_file_is_served(world: World, name: str) -> None:
    answer = world.get(f"/console/{name}")
    assert (answer.status, answer.body["error"]) == (404, "not_found")


def test_a_file_that_a_browser_has_is_not_sent_again(world: World) -> None:
    first = world.get("/console/app.js")
    assert first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    again = world.call("GET", "/console/app.js", headers={"if-none-match": f'"old", W/{tag}'})
    assert (again.status, again.text, again.headers["etag"]) == (304, "", tag)
    other = world.call("GET", "/console/app.js", headers={"if-none-match": '"old"'})
    assert (other.status, other.text) == (200, first.text)
    large = world.get("/console/maplibre-gl-6.17.0.mjs")
    assert large.headers["cache-control"] == "public, max-age=31536000, immutable"


def styles() -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """What MAP_STYLE_URL may be: the setting, and the origins it opens."""
    yield "", (), ()
    yield "/maps/style.json", ("/maps/style.json",), ()
    url = "https://maps.example:8443/style.json?key=a"
    yield url, (url,), ("https://maps.example:8443",)
    both = f"{url} https://tiles.example"
    yield (
        both,
        (url, "https://tiles.example"),
        ("https://maps.example:8443", "https://tiles.example"),
    )


@pytest.mark.parametrize(("given", "read", "origins"), list(styles()))
def test_a_style_opens_its_origins_and_no_others(
    given: str, read: tuple[str, ...], origins: tuple[str, ...]
) -> None:
    settings = Settings.from_env({"JWT_SECRET": SECRET, "MAP_STYLE_URL": given})
    assert settings.map_style == read
    assert find_origins(settings.map_style) == origins


@pytest.mark.parametrize(
    "given",
    [
        "style.json",
        "javascript:alert(1)",
        "https://maps.example/a;script-src 'unsafe-eval'",
        "https://maps.example/'x'",
        'https://maps.example/"x"',
        "https://maps.example/style.json tiles.example",
        "https://maps.example/style.json *",
        "ftp://maps.example/style.json",
    ],
)
def test_no_style_can_change_the_policy(given: str) -> None:
    with pytest.raises(BadSetting) as stopped:
        Settings.from_env({"JWT_SECRET": SECRET, "MAP_STYLE_URL": given})
    assert str(stopped.value).startswith("MAP_STYLE_URL takes a style's URL")
