"""REST: what holds for every path and every answer, also where there is nothing.

HEAD where GET is, OPTIONS everywhere, 405 with `Allow` for a method that a path has not, 404 for a
path that nobody has, CORS on all of it. API Gateway by itself would say 403 to most of this, and to
whoever sends `Authorization` that it is no signature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalice.app import Chalice, Request, Response

from chalicelib.edge.rest.base import (
    MethodNotAllowed,
    answering,
    refuse_encoding,
    reword,
)
from chalicelib.edge.rest.cors import is_preflight, permission, shared_with
from chalicelib.errors import NotFound

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")  # API Gateway's ANY
ANYTHING = "/{proxy+}"  # each path that no route has, and each method that its route has not
NOWHERE = frozenset({"/", ANYTHING})
Routes = Mapping[str, Mapping[str, Any]]


def complete(app: Chalice) -> None:
    """Add what every path has to an app whose routes are all there."""

    def tell_options(**_: str) -> Response:
        request = _current(app)
        return _options(request, tuple(app.routes[request.path]))

    @answering
    def find_nothing() -> Any:
        return _nothing_at(_current(app), app.routes)

    for n, (path, views) in enumerate(list(app.routes.items())):
        if get := views.get("GET"):
            app.route(path, methods=["HEAD"], name=f"head_{n}")(get.view_function)
        app.route(path, methods=["OPTIONS"], name=f"options_{n}", content_types=[])(tell_options)
    for n, path in enumerate(sorted(NOWHERE)):
        app.route(path, methods=list(METHODS), name=f"nothing_{n}", content_types=[])(find_nothing)


def respond(
    request: Request, get_response: Callable[[Request], Response], origins: Sequence[str]
) -> Response:
    """Answer any request: errors in our form, and for pages of `origins` to read."""
    refusal = None if request.path in NOWHERE else refuse_encoding(request)
    response = refusal or reword(request, get_response(request))
    if request.method == "HEAD":
        response.body = ""
    response.headers.update(shared_with(origins, request.headers.get("origin")))
    return response


def methods_at(routes: Routes, path: str) -> tuple[str, ...]:
    """Return the methods of a path, as `/{proxy+}` captures it; none where no route has it."""
    segments = path.removesuffix("/").split("/")
    fewest_captures_first = sorted(routes.keys() - NOWHERE, key=lambda p: (p.count("{"), p))
    for pattern in fewest_captures_first:
        parts = pattern.removeprefix("/").split("/")
        if len(parts) == len(segments) and all(map(_fits, parts, segments)):
            return tuple(routes[pattern])
    return ()


def _fits(part: str, segment: str) -> bool:
    return segment != "" if part.startswith("{") else part == segment


def _nothing_at(request: Request, routes: Routes) -> Any:
    path = next(iter((request.uri_params or {}).values()), "")
    methods = methods_at(routes, path)
    if methods and request.method not in methods:
        raise MethodNotAllowed(request.method, methods)
    # A page can only read the 404 if it was allowed to ask.
    if is_preflight(request.method, request.headers):
        return _options(request, METHODS)
    raise NotFound("There is nothing at this path.")


def _options(request: Request, methods: Sequence[str]) -> Response:
    headers: dict[str, str | list[str]] = {"Allow": ", ".join(methods)}
    if is_preflight(request.method, request.headers):
        asked = request.headers.get("access-control-request-headers")
        headers.update(permission(methods, asked))
    return Response("", headers=headers, status_code=204)


def _current(app: Chalice) -> Request:
    request = app.current_request
    assert request is not None, "views run within a request"
    return request
