"""The browser's side: spec 003's JavaScript client, and a console that uses it. Static files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from chalice.app import Blueprint, Response

PAGES = Path(__file__).parents[1] / "pages"
_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'",
}
# Path -> file and its type.
FILES = {
    "/client/waybill.js": ("waybill.js", "text/javascript; charset=utf-8"),
    "/client/console.js": ("console.js", "text/javascript; charset=utf-8"),
    "/client/console.css": ("console.css", "text/css; charset=utf-8"),
    "/console": ("console.html", "text/html; charset=utf-8"),
}


def routes() -> Blueprint:
    """The routes, to be registered with the app."""
    bp = Blueprint(__name__)
    for path, (file, type_) in FILES.items():
        _serve(bp, path, file, type_)
    return bp


def _serve(bp: Blueprint, path: str, file: str, type_: str) -> None:
    @bp.route(path, methods=["GET"], name=file.replace(".", "_"))
    def page() -> Response:
        return Response(_read(file), headers={"Content-Type": type_, **_HEADERS})


@lru_cache
def _read(file: str) -> str:
    return (PAGES / file).read_text()
