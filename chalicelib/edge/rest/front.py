"""REST: the front door: what this is, for people and for programs, and whether it is up."""

from __future__ import annotations

from html import escape
from typing import Any

from chalice.app import Response

from chalicelib.edge.rest.accepting import wants_page
from chalicelib.edge.rest.calls import PublicCall
from chalicelib.edge.rest.pages import PAGES_FOLDER
from chalicelib.edge.rest.responses import Reply
from chalicelib.edge.rest.routes import PublicRoute

VERSION = "0.1.0"  # as in pyproject.toml, which is not deployed
ABOUT = (
    "A realtime dispatch backend: customers place orders, Waybill finds a courier, and everybody "
    "involved hears of it at once."
)
# Name, address, and what is there. The addresses are the same on every host.
_LINKS = (
    ("console", "/api/console", "orders and couriers as they move, for dispatchers"),
    ("documents", "/api/docs/", "what can be asked and heard"),
    ("openapi", "/api/docs/openapi.json", "REST, as OpenAPI 3.1"),
    ("asyncapi", "/api/docs/asyncapi.json", "the sockets, as AsyncAPI 3"),
    ("health", "/api/health", "whether it is up"),
)
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",  # what is shown depends on Accept
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'none'",
}


def show_front(call: PublicCall) -> Reply:
    """Say what this is, and where to go on: as a page for browsers, which ask for text/html, as
    JSON for all others."""
    if wants_page(call.read_header("accept")):
        return Response(_make_page(), headers=dict(_HEADERS))
    return describe_front()


def show_console_settings(call: PublicCall) -> Reply:
    """Say what the console has to know before somebody signs in: by which identity provider, if by
    one. Nothing of it is secret."""
    oidc = call.services.oidc
    if oidc is None:
        return {}
    given = {"audience": oidc.audience} if oidc.audience else {}
    known = {"issuer": oidc.issuer, "client_id": oidc.client_id, "scope": oidc.scope}
    return {"oidc": {**known, **given}}


def check_health(call: PublicCall) -> Reply:
    """Say that the application runs: a function started with its settings, and answers. No table,
    no queue and no identity provider is asked."""
    return {"status": "ok", "version": VERSION}


def describe_front() -> dict[str, Any]:
    """Describe the application, for programs."""
    links = {name: address for name, address, _ in _LINKS}
    return {"name": "Waybill", "version": VERSION, "description": ABOUT, "links": links}


def _make_page() -> str:
    links = "\n".join(
        f'    <li><a href="{address}"><b>{escape(name)}</b> {escape(words)}</a></li>'
        for name, address, words in _LINKS
    )
    page = (PAGES_FOLDER / "front.html").read_text()
    return page.format(version=escape(VERSION), about=escape(ABOUT), links=links)


ROUTES = (
    PublicRoute("GET", "/", show_front),
    PublicRoute("GET", "/health", check_health),
    PublicRoute("GET", "/console/settings.json", show_console_settings),
)
