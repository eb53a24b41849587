"""REST: static files for browsers: spec 003's JavaScript client, what the page of a tracking link
loads, and the API's documents (infra/documents) with a page of them."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from chalice.app import Response

from chalicelib.edge.rest.calls import PublicCall
from chalicelib.edge.rest.routes import PublicRoute, PublicView

PAGES_FOLDER = Path(__file__).parents[1] / "pages"
_SCRIPT, _STYLE, _HTML = (f"text/{type_}; charset=utf-8" for type_ in ("javascript", "css", "html"))
_JSON = "application/json"
_PATH = re.compile(r"[A-Za-z0-9_./~-]+")
_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'",
}


def make_page_view(file: str, content_type: str) -> PublicView:
    """Make the view that serves one file."""

    def serve_page(call: PublicCall) -> Response:
        return Response(_read_page(file), headers={"Content-Type": content_type, **_HEADERS})

    return serve_page


def show_documents(call: PublicCall) -> Response:
    """Serve the page of the API's documents. It names what it loads by its own address, as that of
    a folder: a reference without a path would lead elsewhere where there is no slash at the end."""
    html = _read_page("docs/docs.html").replace("{here}", find_own_folder(call, "api/docs"))
    return Response(html, headers={"Content-Type": _HTML, **_HEADERS})


def find_own_folder(call: PublicCall, usual: str) -> str:
    """Find the address that was asked for, as that of a folder: with a slash at both ends."""
    asked = str(call.request.to_original_event()["requestContext"].get("path", "")).strip("/")
    return f"/{asked if _PATH.fullmatch(asked) else usual}/"


@lru_cache
def _read_page(file: str) -> str:
    return (PAGES_FOLDER / file).read_text()


ROUTES = (
    PublicRoute("GET", "/client/client.js", make_page_view("client.js", _SCRIPT)),
    PublicRoute("GET", "/client/waybill.js", make_page_view("waybill.js", _SCRIPT)),
    PublicRoute("GET", "/client/front.css", make_page_view("front.css", _STYLE)),
    PublicRoute("GET", "/client/track.js", make_page_view("track.js", _SCRIPT)),
    PublicRoute("GET", "/client/track.css", make_page_view("track.css", _STYLE)),
    PublicRoute("GET", "/docs", show_documents),
    PublicRoute("GET", "/docs/docs.js", make_page_view("docs/docs.js", _SCRIPT)),
    PublicRoute("GET", "/docs/docs.css", make_page_view("docs/docs.css", _STYLE)),
    PublicRoute("GET", "/docs/openapi.json", make_page_view("docs/openapi.json", _JSON)),
    PublicRoute("GET", "/docs/asyncapi.json", make_page_view("docs/asyncapi.json", _JSON)),
)
