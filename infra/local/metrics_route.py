"""`GET /api/metrics` of the local run, for a Prometheus on this machine. A stage has no such route.

It needs no token, so it answers this machine alone: the peer must be loopback; so must the name in
`Host`, or a page of somebody's domain that points here could read it; so must the `Origin` of a
page that asks; and so must all for whom it was forwarded: a tunnel's end is a peer on this machine.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from chalice.app import Chalice, Request, Response

from infra.local.exposition import CONTENT_TYPE, Exposition

PATH = "/metrics"
_REFUSAL = '{"error":"forbidden","message":"This is for this machine alone."}'


def add_metrics_route(app: Chalice, exposition: Exposition) -> None:
    """Add the route to an app that was loaded, before the gateway reads its routes."""

    def show_metrics() -> Response:
        request = app.current_request
        assert request is not None, "views run within a request"
        if not is_from_here(request):
            return Response(_REFUSAL, headers={"Content-Type": "application/json"}, status_code=403)
        return Response(
            exposition.format_text(),
            headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"},
        )

    def tell_options() -> Response:
        return Response("", headers={"Allow": "GET, HEAD, OPTIONS"}, status_code=204)

    views: tuple[tuple[str, Callable[[], Response]], ...] = (
        ("GET", show_metrics),
        ("HEAD", show_metrics),
        ("OPTIONS", tell_options),
    )
    for method, view in views:
        app.route(PATH, methods=[method], name=f"metrics_{method}", content_types=[])(view)


def is_from_here(request: Request) -> bool:
    """Say whether a request comes from this machine, and asks for it by one of its own names."""
    peer = str((request.context.get("identity") or {}).get("sourceIp", ""))
    origin = request.headers.get("origin")
    names = [request.headers.get("host", ""), *([urlsplit(origin).netloc] if origin else [])]
    # The gateway adds the peer to those that the request names, as API Gateway does.
    peers = [peer, *filter(None, request.headers.get("x-forwarded-for", "").split(","))]
    names += filter(None, [request.headers.get("x-forwarded-host")])
    is_near = all(_is_loopback(one.strip()) for one in peers)
    is_ours = all(_is_loopback(_read_host(name)) for name in names)
    return is_near and is_ours and "forwarded" not in request.headers


def _read_host(authority: str) -> str:
    """Read the host of an authority; "" where it is none."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
