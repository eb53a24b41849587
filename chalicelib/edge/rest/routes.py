"""REST routes: which view answers a method of a path, and who may ask.

A view is a function of a call and of the path's parameters by name, decoded. It returns a reply or
raises a WaybillError. Each module of views ends in its table, `ROUTES`; app.py adds them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import unquote

from chalice.app import Chalice, Request, Response

from chalicelib.domain.people import Role
from chalicelib.edge.app_services import Services, ServicesFactory
from chalicelib.edge.rest.calls import Call, PublicCall, authorize, decode_path_text
from chalicelib.edge.rest.responses import Reply, run_view

JSON_TYPES = ("application/json",)
PATCH_TYPES = (*JSON_TYPES, "application/merge-patch+json")  # RFC 7396


class View(Protocol):
    """What answers a call of somebody with a token."""

    def __call__(self, call: Call, /, *args: Any, **parameters: Any) -> Reply: ...


class PublicView(Protocol):
    """What answers a call of anybody."""

    def __call__(self, call: PublicCall, /, *args: Any, **parameters: Any) -> Reply: ...


class Route:
    """A method of a path for people with a token of one of `roles`; no roles: with any token."""

    def __init__(self, method: str, path: str, view: View, *roles: Role) -> None:
        self.method, self.path = method, path
        self.view, self.roles = view, roles
        self.types = PATCH_TYPES if method == "PATCH" else JSON_TYPES

    @staticmethod
    def read_parameter(captured: str) -> str:
        """Decode what the path captured. Raises InvalidInput."""
        return decode_path_text(captured)

    def call_view(
        self, services: Services, request: Request, parameters: Mapping[str, str]
    ) -> Reply:
        """Authorize a request, before the view reads anything of it, and call the view."""
        actor = authorize(services, request, self.roles)
        return self.view(Call(services, request, actor), **parameters)


class PublicRoute:
    """A method of a path for everybody: no token is looked at."""

    def __init__(
        self, method: str, path: str, view: PublicView, types: Sequence[str] = JSON_TYPES
    ) -> None:
        self.method, self.path = method, path
        self.view, self.types = view, types

    def call_view(
        self, services: Services, request: Request, parameters: Mapping[str, str]
    ) -> Reply:
        """Call the view."""
        return self.view(PublicCall(services, request), **parameters)

    @staticmethod
    def read_parameter(captured: str) -> str:
        """Decode what the path captured. Raises InvalidInput."""
        return decode_path_text(captured)


class LinkRoute(PublicRoute):
    """A method of a path that holds a secret: one that can't be decoded is as wrong as any other,
    and is told no other thing."""

    @staticmethod
    def read_parameter(captured: str) -> str:
        """Decode what the path captured, whatever it is."""
        return unquote(captured, errors="replace")


def add_routes(
    app: Chalice, routes: Iterable[Route | PublicRoute], get_services: ServicesFactory
) -> None:
    """Register routes with an app. `get_services` is first called by a request, not here: a cold
    start that answers no request need not build the services."""
    for route in routes:
        _add_route(app, route, get_services)


def _add_route(app: Chalice, route: Route | PublicRoute, get_services: ServicesFactory) -> None:
    def call_view(captured: Mapping[str, str]) -> Reply:
        parameters = {name: route.read_parameter(text) for name, text in captured.items()}
        return route.call_view(get_services(), current_request(app), parameters)

    # Chalice passes what a path captured by name. It would copy a docstring into the template.
    @app.route(route.path, methods=[route.method], content_types=list(route.types))
    def handle(**captured: str) -> Response:
        return run_view(call_view, captured)


def current_request(app: Chalice) -> Request:
    """Return the request that an app is answering."""
    request = app.current_request
    assert request is not None, "views run within a request"
    return request
