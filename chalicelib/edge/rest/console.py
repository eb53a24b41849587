"""REST: the dispatcher's room: its page and the files that the page loads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from chalice.app import Response

from chalicelib.edge.rest.calls import PublicCall
from chalicelib.edge.rest.pages import PAGES_FOLDER, find_own_folder
from chalicelib.edge.rest.routes import PublicRoute
from chalicelib.errors import NotFound

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
}
_PAGE = "console.html"
_FOLDERS = ("console", "maplibre")
# What has its version in its name (maplibre-gl-6.17.0.mjs) never changes under that name.
_VERSIONED = re.compile(r".*-\d+\.\d+\.\d+\.[a-z]+")
_FOREVER = "public, max-age=31536000, immutable"
_SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def show_console(call: PublicCall) -> Response:
    """Serve the page."""
    oidc = call.services.oidc
    issuer = oidc.origins if oidc else ()
    return make_page(find_own_folder(call, "api/console"), call.services.map_style, issuer)


def serve_file(call: PublicCall, file: str) -> Response:
    """Serve a file of the page's. Raises NotFound."""
    return make_file(file, call.services.map_style, call.read_header("if-none-match") or "")


def make_page(folder: str, style: Sequence[str], issuer: Sequence[str] = ()) -> Response:
    """Make the page, told which folder its files are in and where its map's style is, and allowed
    to load from there. It may ask the origins of the `issuer` by which people sign in."""
    html = _read_file(_list_files()[_PAGE])[0].replace("{here}", folder)
    html = html.replace("{map_style}", escape(style[0] if style else ""))
    policy = make_policy(find_origins(style), issuer)
    headers = {"Content-Type": _TYPES[".html"], "Cache-Control": "no-cache", **_SAFE}
    return Response(html, headers={**headers, "Content-Security-Policy": policy})


def make_file(file: str, style: Sequence[str] = (), seen: str = "") -> Response:
    """Make the answer with a file, or that what the client has `seen` is still the same. Raises
    NotFound for every name that is none of theirs: no path is ever made of what was asked for."""
    path = _list_files().get(file)
    if path is None or file == _PAGE:
        raise NotFound("There is no such file.")
    text, tag = _read_file(path)
    kept = _FOREVER if _VERSIONED.fullmatch(file) else "no-cache"
    # Workers have a policy of their own: that of their file.
    policy = make_policy(find_origins(style))
    headers = {"Cache-Control": kept, "ETag": tag, **_SAFE, "Content-Security-Policy": policy}
    if tag in seen:
        return Response("", headers={**headers}, status_code=304)
    return Response(text, headers={"Content-Type": _TYPES[path.suffix], **headers})


def make_policy(origins: Sequence[str] = (), issuer: Sequence[str] = ()) -> str:
    """Make the content security policy of a page that loads from here, and talks to `origins` and
    those of an `issuer` too.

    Pictures of blob: and data: are what MapLibre makes of a style's own.
    """
    others = "".join(f" {origin}" for origin in origins)
    asked = "".join(f" {origin}" for origin in (*origins, *issuer))
    return (
        f"default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; "
        f"img-src 'self' data: blob:{others}; connect-src 'self' ws: wss:{asked}; "
        "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    )


def find_origins(style: Sequence[str]) -> tuple[str, ...]:
    """Find the origins of a map: that of its style, and those that were named beside it."""
    found = [f"{url.scheme}://{url.netloc}" for url in map(urlsplit, style) if url.netloc]
    return tuple(dict.fromkeys(found))


@lru_cache
def _list_files() -> Mapping[str, Path]:
    """List the files by their names."""
    paths = [path for folder in _FOLDERS for path in (PAGES_FOLDER / folder).iterdir()]
    return {path.name: path for path in paths if path.suffix in _TYPES}


@lru_cache
def _read_file(path: Path) -> tuple[str, str]:
    """Read a file: its text, and the tag that changes with it."""
    text = path.read_text()
    return text, f'"{sha256(text.encode()).hexdigest()[:16]}"'


ROUTES = (
    PublicRoute("GET", "/console", show_console),
    PublicRoute("GET", "/console/{file}", serve_file),
)
