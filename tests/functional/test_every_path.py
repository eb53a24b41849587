"""What holds for every path: HEAD, OPTIONS, 405, 404 and 415; and CORS, on every answer."""

from __future__ import annotations

from typing import Any

import pytest
from chalice.test import Client

from chalicelib.edge.rest.cors import EXPOSED_HEADERS
from tests.aws_events import METHODS
from tests.functional.conftest import Engine
from tests.functional.test_aws_events import filled
from tests.functional.test_bad_input import in_form
from tests.functional.world import Answer, World, routes

PAGE = "https://app.example.com"
OTHER = "http://localhost:3000"
PATHS = sorted({path for _, path in routes()})
NOWHERE = ["/nothing", "/v1/nothing", "/v1/orders/1/2/3", "/V1/orders", "//v1/orders", "/v1"]
CALLERS: list[dict[str, str]] = [{}, {"authorization": "Bearer x"}, {"authorization": "AWS4 x"}]


@pytest.fixture
def known(engine: Engine) -> World:
    """A world that two origins may call."""
    return World(engine, {"cors_origins": (PAGE, OTHER)})


def methods_of(path: str) -> set[str]:
    """What a path must say that it has."""
    own = {method for method, there in routes() if there == path}
    return own | {"OPTIONS"} | ({"HEAD"} if "GET" in own else set())


def listed(value: str) -> set[str]:
    return set(value.split(", "))


def preflight(world: World, path: str, origin: str = PAGE, method: str = "POST") -> Answer:
    headers = {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": "authorization,content-type,idempotency-key,sentry-trace",
    }
    return world.call("OPTIONS", path, headers=headers)


# Methods and paths


@pytest.mark.parametrize("headers", CALLERS)
def test_a_method_that_a_path_has_not_is_405_and_says_what_it_has(
    world: World, headers: dict[str, str]
) -> None:
    for path in PATHS:
        for method in set(METHODS) - methods_of(path):
            answer = world.call(method, filled(path, "1"), headers=headers)
            assert answer.status == 405, (method, path, answer)
            assert listed(answer.headers["allow"]) == methods_of(path)
            if method != "HEAD":
                in_form(answer)
                assert answer.body["error"] == "method_not_allowed"


@pytest.mark.parametrize("headers", CALLERS)
def test_a_path_that_nobody_has_is_404(world: World, headers: dict[str, str]) -> None:
    for path in NOWHERE:
        for method in METHODS:
            answer = world.call(method, path, headers=headers)
            assert answer.status == 404, (method, path, answer)
            assert "allow" not in answer.headers
            if method != "HEAD":
                in_form(answer)
                assert answer.body["error"] == "not_found"


def test_a_method_that_ended_at_the_catch_all_is_405_too(world: World) -> None:
    """Where API Gateway has no ANY beside a path's methods, `/{proxy+}` gets the request."""
    for path in set(PATHS) - {"/"}:  # it captures something, always
        for method in set(METHODS) - methods_of(path):
            event = a_caught(method, filled(path, "a%20b"))
            answer = world.hand(event)
            assert answer.status == 405, (method, path, answer)
            assert listed(answer.headers["allow"]) == methods_of(path)


def a_caught(method: str, path: str) -> dict[str, Any]:
    from tests.aws_events import rest_event

    return rest_event({"/{proxy+}": METHODS}, method, path)


def test_head_is_answered_as_get_without_a_body(world: World) -> None:
    admin = world.admin()
    for method, path in routes():
        if method == "GET":
            got = world.call("GET", filled(path, "4711"), by=admin)
            head = world.call("HEAD", filled(path, "4711"), by=admin)
            assert (head.status, head.text) == (got.status, ""), (path, head)
            assert head.headers == got.headers
    assert world.call("HEAD", "/health").status == 200


def test_options_says_what_there_is(world: World) -> None:
    for path in PATHS:
        answer = world.call("OPTIONS", filled(path, "1"))
        assert (answer.status, answer.text) == (204, "")
        assert listed(answer.headers["allow"]) == methods_of(path)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "x"])
def test_a_415_says_what_would_do(world: World, kind: str) -> None:
    answer = world.call("POST", "/v1/orders", b"{}", world.customer(), {"content-type": kind})
    assert answer.status == 415
    in_form(answer)
    assert "application/json" in answer.body["message"]
    assert kind in answer.body["message"]
    assert answer.headers["accept"] == "application/json"


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "GZIP"])
def test_a_compressed_body_is_415(world: World, coding: str) -> None:
    for method, path in routes():
        if method in ("POST", "PUT"):
            headers = {"content-encoding": coding}
            answer = world.call(method, filled(path, "1"), b"\x1f\x8b\x08{}", headers=headers)
            assert answer.status == 415, (path, answer)
            in_form(answer)
            assert coding in answer.body["message"]
            assert answer.headers["accept-encoding"] == "identity"


def test_a_body_that_is_as_it_is_may_say_so(world: World) -> None:
    headers = {"content-encoding": "identity"}
    answer = world.call("POST", "/v1/orders", {}, world.customer(), headers)
    assert answer.status == 400


def test_chalice_s_own_client_hears_the_same() -> None:
    from app import app

    client = Client(app).http
    assert client.request("PUT", "/v1/orders").headers["Allow"] == "POST, GET, HEAD, OPTIONS"
    assert client.request("PUT", "/v1/orders").status_code == 405
    assert client.request("HEAD", "/health").status_code == 200
    assert client.request("HEAD", "/health").body == b""
    assert client.request("OPTIONS", "/v1/orders").status_code == 204
    unknown = client.request("GET", "/nothing", headers={"authorization": "Bearer x"})
    assert (unknown.status_code, unknown.json_body["error"]) == (404, "not_found")


# CORS


def test_pages_of_any_origin_may_read_every_answer(world: World) -> None:
    for method, path in [*routes(), *[("GET", path) for path in NOWHERE], ("PATCH", "/v1/orders")]:
        answer = world.call(method, filled(path, "1"), None, None, {"origin": PAGE})
        assert answer.headers["access-control-allow-origin"] == "*", (method, path, answer)
        assert listed(answer.headers["access-control-expose-headers"]) == set(EXPOSED_HEADERS)
        assert "access-control-allow-credentials" not in answer.headers
    for headers in ({"content-type": "x"}, {"content-encoding": "gzip"}):
        answer = world.call("POST", "/v1/orders", b"x", headers=headers)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (415, "*")


def test_pages_may_ask_on_every_path(world: World) -> None:
    for path in PATHS:
        answer = preflight(world, filled(path, "a%20b"))
        assert answer.status == 204
        assert answer.headers["access-control-allow-origin"] == "*"
        assert listed(answer.headers["access-control-allow-methods"]) == methods_of(path)
        allowed = {name.lower() for name in listed(answer.headers["access-control-allow-headers"])}
        assert {"authorization", "content-type", "idempotency-key", "sentry-trace"} <= allowed
        assert int(answer.headers["access-control-max-age"]) >= 600


def test_pages_may_ask_where_nothing_is_to_read_that(world: World) -> None:
    for path in NOWHERE:
        assert preflight(world, path).status == 204
        answer = world.call("GET", path, headers={"origin": PAGE})
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (404, "*")


def test_what_a_page_asks_for_cannot_split_a_header(world: World) -> None:
    headers = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-good, bad name, x\r\nset-cookie: a=b, " + "y" * 200,
    }
    answer = world.call("OPTIONS", "/v1/orders", headers=headers)
    allowed = answer.headers["access-control-allow-headers"]
    assert "x-good" in allowed
    assert "\n" not in allowed
    assert "bad name" not in allowed
    assert "y" * 200 not in allowed


@pytest.mark.parametrize("origin", [PAGE, OTHER])
def test_of_several_origins_the_one_that_asks_is_named(known: World, origin: str) -> None:
    for path, status in (("/health", 200), ("/v1/me", 401), ("/nothing", 404)):
        answer = known.call("GET", path, headers={"Origin": origin})
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == origin
        assert answer.headers["vary"] == "Origin"
    assert preflight(known, "/v1/orders", origin).headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        f"{PAGE}.evil.example",
        "null",
        f"{PAGE}:8443",
        "http://app.example.com",
    ],
)
def test_pages_of_an_unknown_origin_may_read_nothing(known: World, origin: str) -> None:
    for answer in (
        known.call("GET", "/health", headers={"origin": origin}),
        known.call("GET", "/v1/me", headers={"origin": origin}),
        preflight(known, "/v1/orders", origin),
        known.get("/client/waybill.js"),
    ):
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    "path",
    [
        "/client/waybill.js",
        "/client/client.js",
        "/console/console.css",
        "/console",
        "/docs",
        "/docs/openapi.json",
    ],
)
def test_pages_may_load_our_files(world: World, path: str) -> None:
    answer = world.call("GET", path, headers={"origin": PAGE})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")
