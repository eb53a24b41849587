"""REST: what holds for every path and every answer, also where there is no route.

HEAD where GET is, OPTIONS everywhere, 405 with `Allow` for a method that a path has not, 404 for a
path that nobody has, CORS on all of it. API Gateway by itself would answer 403 to most of this, and
say to a client that sends `Authorization` that it is no signature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalice.app import Chalice, Request, Response

from chalicelib.edge.rest.cors import is_preflight, make_cors_headers, make_preflight_headers
from chalicelib.edge.rest.http_errors import MethodNotAllowed
from chalicelib.edge.rest.responses import (
    Reply,
    refuse_encoding,
    reword_chalice_error,
    run_view,
)
from chalicelib.edge.rest.routes import current_request
from chalicelib.edge.rest.tracking_page import SECRET_HEADERS, is_link_path, make_missing_page
from chalicelib.errors import NotFound

ALL_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")  # API Gateway's ANY
ANY_PATH = "/{proxy+}"  # captures each path that no route has, and each method that its route lacks
UNMATCHED_PATHS = frozenset({ANY_PATH})
RouteTable = Mapping[str, Mapping[str, Any]]
"""Chalice's routes: path to method to view."""


def add_fallback_routes(app: Chalice) -> None:
    """Add HEAD, OPTIONS and the answers to what no route matches; the app's routes must be all
    there."""

    def tell_options(**_: str) -> Response:
        request = current_request(app)
        return _answer_options(request, tuple(app.routes[request.path]))

    def refuse_unmatched(**_: str) -> Response:
        return run_view(_answer_unmatched, current_request(app), app.routes)

    # A list: adding routes changes what is walked.
    for n, (path, views) in enumerate(list(app.routes.items())):
        if get := views.get("GET"):
            app.route(path, methods=["HEAD"], name=f"head_{n}")(get.view_function)
        app.route(path, methods=["OPTIONS"], name=f"options_{n}", content_types=[])(tell_options)
    for n, path in enumerate(sorted(UNMATCHED_PATHS)):
        register = app.route(path, methods=list(ALL_METHODS), name=f"none_{n}", content_types=[])
        register(refuse_unmatched)


def apply_http_rules(
    request: Request, get_response: Callable[[Request], Response], origins: Sequence[str]
) -> Response:
    """Answer a request by `get_response`, with errors in our form, no body for HEAD, and headers
    that let pages of `origins` read it."""
    refusal = None if request.path in UNMATCHED_PATHS else refuse_encoding(request)
    response = refusal or reword_chalice_error(request, get_response(request))
    if request.method == "HEAD":
        response.body = ""
    if is_link_path(_get_path(request)):
        # The address is the secret, and stands above errors and JSON as well.
        response.headers.update(SECRET_HEADERS)
    response.headers.update(make_cors_headers(origins, request.headers.get("origin")))
    return response


def list_methods(routes: RouteTable, path: str) -> tuple[str, ...]:
    """Return the methods of a path, as `/{proxy+}` captures it; none where no route has it."""
    segments = path.removesuffix("/").split("/")
    # As API Gateway chooses: of two patterns that match, the one with fewer captures.
    patterns = sorted(routes.keys() - UNMATCHED_PATHS, key=lambda p: (p.count("{"), p))
    for pattern in patterns:
        parts = pattern.removeprefix("/").split("/")
        if len(parts) == len(segments) and all(map(_matches_segment, parts, segments)):
            return tuple(routes[pattern])
    return ()


def _matches_segment(part: str, segment: str) -> bool:
    return segment != "" if part.startswith("{") else part == segment


def _get_path(request: Request) -> str:
    """Get the path that a client has asked for, without its first slash; where a route has matched,
    that route's."""
    if request.path not in UNMATCHED_PATHS:
        return str(request.path).removeprefix("/")
    return next(iter((request.uri_params or {}).values()), "")


def _answer_unmatched(request: Request, routes: RouteTable) -> Reply:
    """Answer a preflight. Raises MethodNotAllowed where the path has other methods, NotFound."""
    path = _get_path(request)
    methods = list_methods(routes, path)
    if methods and request.method not in methods:
        raise MethodNotAllowed(request.method, methods)
    # A page can only read the 404 if its preflight was answered.
    if is_preflight(request.method, request.headers):
        return _answer_options(request, ALL_METHODS)
    if is_link_path(path):
        return make_missing_page(request.headers.get("accept-language"))
    raise NotFound("There is nothing at this path.")


def _answer_options(request: Request, methods: Sequence[str]) -> Response:
    headers: dict[str, str | list[str]] = {"Allow": ", ".join(methods)}
    if is_preflight(request.method, request.headers):
        asked_headers = request.headers.get("access-control-request-headers")
        headers.update(make_preflight_headers(methods, asked_headers))
    return Response("", headers=headers, status_code=204)
