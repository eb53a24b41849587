"""The tables of REST routes, read without a request."""

from __future__ import annotations

import inspect
import re

import pytest

from chalicelib.edge.rest import (
    courier,
    drivers,
    feed,
    front,
    me,
    money,
    orders,
    pages,
    restaurants,
    rides,
    webhooks,
)
from chalicelib.edge.rest.routes import PublicRoute, Route

MODULES = (courier, drivers, feed, front, me, money, orders, pages, restaurants, rides, webhooks)
ROUTES: list[Route | PublicRoute] = [route for module in MODULES for route in module.ROUTES]
# What asks for no token: a page, a probe, and a webhook that is signed instead.
PUBLIC = {
    "/",
    "/console/settings.json",
    "/health",
    "/v1/payments/{payment_id}/webhook",
    *(page.path for page in pages.ROUTES),
}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_view_takes_what_its_path_captures(route: Route | PublicRoute) -> None:
    captured = re.findall(r"{(\w+)}", route.path)
    call, *parameters = inspect.signature(route.view).parameters
    assert (call, parameters) == ("call", captured)


def test_nothing_else_is_open_to_everybody() -> None:
    assert {route.path for route in ROUTES if isinstance(route, PublicRoute)} == PUBLIC


def test_only_admins_may_use_what_is_said_to_be_theirs() -> None:
    for route in ROUTES:
        if "/admin/" in route.path:
            assert isinstance(route, Route)
            assert [role.value for role in route.roles] == ["admin"], route.path


def test_no_method_of_a_path_has_two_views() -> None:
    places = [(route.method, route.path) for route in ROUTES]
    assert len(set(places)) == len(places)
