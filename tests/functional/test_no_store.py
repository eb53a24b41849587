"""Nothing that is said to one person may be kept by a proxy or a browser."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.people import Role
from tests.functional.world import World, routes

OURS = [route for route in routes() if not route[1].startswith(("/client", "/console", "/docs"))]


@pytest.mark.parametrize(("method", "path"), OURS)
def test_no_answer_of_a_route_may_be_kept(world: World, method: str, path: str) -> None:
    """To nobody, to somebody of each role, and to one whose request can't be read."""
    filled = "/".join("1" if part.startswith("{") else part for part in path.split("/"))
    people = [None, *(world.someone(role, "x") for role in Role if role is not Role.SYSTEM)]
    for person in people:
        bodies: tuple[Any, ...] = (None, {}, b"{")
        for body in bodies:
            answer = world.call(method, filled, body, person)
            assert answer.headers["cache-control"] == "no-store", answer


def test_chalices_own_refusals_may_not_be_kept_either(world: World) -> None:
    answer = world.call("POST", "/v1/orders", b"x", headers={"content-type": "text/plain"})
    assert (answer.status, answer.headers["cache-control"]) == (415, "no-store")


def test_what_is_read_may_not_be_kept(world: World) -> None:
    cara = world.customer()
    order = world.place(cara)
    for path in ("/v1/me", "/v1/customer/active-order", f"/v1/orders/{order['id']}"):
        answer = world.get(path, cara)
        assert (answer.status, answer.headers["cache-control"]) == (200, "no-store"), path


def test_static_files_are_asked_for_again(world: World) -> None:
    answer = world.get("/client/waybill.js")
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-cache")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("DELETE", "/v1/me", 405), ("HEAD", "/v1/me", 401)],
)
def test_what_is_said_where_nothing_is_may_not_be_kept(
    world: World, method: str, path: str, status: int
) -> None:
    answer = world.call(method, path)
    assert (answer.status, answer.headers["cache-control"]) == (status, "no-store")
