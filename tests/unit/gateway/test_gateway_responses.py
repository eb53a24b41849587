"""Responses the gateway words itself, routes it finds and headers it refuses to send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.gateway.http_messages import HeaderError, HttpResponse
from infra.gateway.responses import GatewayResponse, GatewayResponses
from infra.gateway.routes import Match, RouteTable


def test_without_own_wordings_the_gateway_speaks_as_aws() -> None:
    made = GatewayResponses().make_response("MISSING_AUTHENTICATION_TOKEN")
    assert (made.status, made.body) == (403, b'{"message": "Missing Authentication Token"}')
    assert dict(made.headers)["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"


def test_an_app_re_words_a_response() -> None:
    own = {"MISSING_AUTHENTICATION_TOKEN": (404, '{"error":"not_found"}')}
    made = GatewayResponses(own).make_response("MISSING_AUTHENTICATION_TOKEN")
    assert (made.status, made.body) == (404, b'{"error":"not_found"}')


def test_a_family_wording_keeps_the_status_it_is_not_given() -> None:
    table = GatewayResponses(
        {"DEFAULT_5XX": (None, '{"error":"server","message":$context.error.messageString}')}
    )
    made = table.make_response("INTEGRATION_TIMEOUT")
    assert made.status == 504
    assert made.body == b'{"error":"server","message":"Endpoint request timed out"}'
    assert table.make_response("BAD_REQUEST").body == b'{"message": "Bad Request"}'


def test_a_bad_body_falls_back_to_the_wording_of_a_bad_request() -> None:
    made = GatewayResponses({"BAD_REQUEST": (422, "{}")}).make_response("BAD_REQUEST_BODY")
    assert made.status == 422


def test_own_headers_are_added() -> None:
    own = GatewayResponse(403, "{}", {"Access-Control-Allow-Origin": "*"})
    made = GatewayResponses({"ACCESS_DENIED": own}).make_response("ACCESS_DENIED")
    assert dict(made.headers)["Access-Control-Allow-Origin"] == "*"


def test_an_unknown_response_type_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown gateway response 'NOT_FOUND'"):
        GatewayResponses({"NOT_FOUND": (404, "{}")})


def test_a_response_ends_its_head_before_its_body() -> None:
    data = HttpResponse(200, b"hi", (("X-A", "1"),)).serialize(keep_alive=True)
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nX-A: 1\r\n")
    assert b"Content-Length: 2" in head
    assert body == b"hi"


def test_a_head_response_has_the_length_and_no_body() -> None:
    data = HttpResponse(200, b"hi").serialize(keep_alive=True, head_only=True)
    assert b"Content-Length: 2" in data
    assert data.endswith(b"\r\n\r\n")


def test_an_app_cannot_frame_the_message_itself() -> None:
    response = HttpResponse(
        200, b"hi", (("Content-Length", "99"), ("Transfer-Encoding", "chunked"))
    )
    assert b"99" not in response.serialize(keep_alive=True)
    assert b"chunked" not in response.serialize(keep_alive=True)


@given(st.text(), st.text())
def test_a_header_never_breaks_out_of_its_line(name: str, value: str) -> None:
    try:
        data = HttpResponse(200, b"", ((name, value),)).serialize(keep_alive=True)
    except HeaderError:
        return
    assert data.count(b"\r\n\r\n") == 1
    assert data.endswith(b"\r\n\r\n")
    assert data.count(b"\r") == data.count(b"\n") <= 6


def the_match(patterns: list[str], path: str) -> tuple[str, dict[str, str]] | None:
    found = RouteTable({pattern: {"GET"} for pattern in patterns}).match("GET", path)
    return None if found is None else (found.pattern, found.parameters)


def test_a_literal_route_wins_over_a_capture() -> None:
    patterns = ["/orders/{id}", "/orders/open", "/{any}/open"]
    assert the_match(patterns, "/orders/open") == ("/orders/open", {})
    assert the_match(patterns, "/orders/7/") == ("/orders/{id}", {"id": "7"})


def test_captures_of_routes_tried_before_do_not_leak() -> None:
    assert the_match(["/{a}/x", "/{b}/y"], "/1/y") == ("/{b}/y", {"b": "1"})


@pytest.mark.parametrize("sent", ["auth0%7C5f7c", "a%20b%2Fc", "%40me", "100%25", "%FF", "a+b@c"])
def test_captures_stay_as_they_were_sent(sent: str) -> None:
    assert the_match(["/o/{id}"], f"/o/{sent}") == ("/o/{id}", {"id": sent})


def test_a_greedy_route_takes_what_no_other_has() -> None:
    patterns = ["/o/{id}", "/{proxy+}", "/o/{rest+}"]
    assert the_match(patterns, "/o/7") == ("/o/{id}", {"id": "7"})
    assert the_match(patterns, "/o/7/%7C/") == ("/o/{rest+}", {"rest": "7/%7C"})
    assert the_match(patterns, "/x") == ("/{proxy+}", {"proxy": "x"})
    assert the_match(patterns, "/") is None


def test_a_method_that_a_path_lacks_is_a_greedy_route_s() -> None:
    table = RouteTable({"/o/{id}": {"GET"}, "/o/open": {"POST"}, "/{proxy+}": {"GET", "PUT"}})
    found = {
        (method, path): match.pattern if (match := table.match(method, path)) else None
        for method, path in [("PUT", "/o/7"), ("GET", "/o/open"), ("DELETE", "/o/7")]
    }
    assert list(found.values()) == ["/{proxy+}", "/{proxy+}", None]


@pytest.mark.parametrize("path", ["/orders", "/orders//", "/orders/1/2", "//orders/1", "orders/1"])
def test_a_path_of_another_shape_matches_nothing(path: str) -> None:
    assert the_match(["/orders/{id}"], path) is None


def test_the_root_matches_with_and_without_its_slash() -> None:
    assert the_match(["/"], "/") == ("/", {})


def test_at_the_root_the_application_refuses_what_it_has_not() -> None:
    """`/{proxy+}` captures something; ANY, which its path has on AWS, leads to the application."""
    table = RouteTable({"/": {"GET"}, "/{proxy+}": {"GET", "PUT"}})
    assert table.match("PUT", "/") == Match("/", {})
    assert table.match("PATCH", "/") is None
    assert RouteTable({"/{proxy+}": {"PUT"}}).match("PUT", "/") is None
