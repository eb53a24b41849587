"""REST: static files for browsers: spec 003's JavaScript client, a console that uses it, and what
the page of a tracking link loads."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from chalice.app import Response

from chalicelib.edge.rest.calls import PublicCall
from chalicelib.edge.rest.routes import PublicRoute, PublicView

PAGES_FOLDER = Path(__file__).parents[1] / "pages"
_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'",
}


def page_view(file: str, content_type: str) -> PublicView:
    """Make the view that serves one file."""

    def serve_page(call: PublicCall) -> Response:
        return Response(_read_page(file), headers={"Content-Type": content_type, **_HEADERS})

    return serve_page


@lru_cache
def _read_page(file: str) -> str:
    return (PAGES_FOLDER / file).read_text()


_SCRIPT, _STYLE, _HTML = (f"text/{type_}; charset=utf-8" for type_ in ("javascript", "css", "html"))

ROUTES = (
    PublicRoute("GET", "/client/waybill.js", page_view("waybill.js", _SCRIPT)),
    PublicRoute("GET", "/client/console.js", page_view("console.js", _SCRIPT)),
    PublicRoute("GET", "/client/console.css", page_view("console.css", _STYLE)),
    PublicRoute("GET", "/client/track.js", page_view("track.js", _SCRIPT)),
    PublicRoute("GET", "/client/track.css", page_view("track.css", _STYLE)),
    PublicRoute("GET", "/console", page_view("console.html", _HTML)),
)
