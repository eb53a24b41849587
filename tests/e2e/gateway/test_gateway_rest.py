"""REST requests through Chalice, over real sockets."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from chalice.app import AuthResponse, BadRequestError, Chalice, CORSConfig, Response
from websockets.exceptions import InvalidStatus

from infra.gateway import GatewayResponse, PathRule
from tests.aws_events import rest_event
from tests.conftest import PATIENCE_S
from tests.e2e.gateway.rig import an_app, serving

CORS = CORSConfig(allow_origin="https://example.com", max_age=600)


def a_rest_app() -> Chalice:
    app = an_app()

    @app.authorizer()
    def guard(request: Any) -> Any:
        if request.token == "raise":
            raise RuntimeError
        routes: list[Any] = ["*"] if request.token in CONTEXTS else []
        context = CONTEXTS.get(request.token, {})
        return AuthResponse(routes=routes, principal_id="someone", context=context)

    @app.authorizer(header="X-Key")
    def by_key(request: Any) -> Any:
        return AuthResponse(routes=["*"], principal_id=request.token)

    @app.route("/")
    def root() -> Any:
        return {"root": True}

    @app.route("/hello/{name}", methods=["GET", "HEAD", "POST"])
    def hello(name: str) -> Any:
        request = app.current_request
        assert request is not None
        return {"name": name, "query": dict(request.query_params or {}), "body": request.json_body}

    @app.route("/event", methods=["GET", "POST"])
    def event() -> Any:
        request = app.current_request
        assert request is not None
        return request.to_original_event()

    @app.route("/guarded", authorizer=guard)
    def guarded() -> Any:
        assert app.current_request is not None
        return app.current_request.context["authorizer"]

    @app.route("/keyed", authorizer=by_key)
    def keyed() -> Any:
        return guarded()

    @app.route("/shared", cors=CORS)
    def shared() -> Any:
        return {}

    @app.route("/bytes", methods=["POST"], content_types=["application/octet-stream"])
    def echo_bytes() -> Response:
        assert app.current_request is not None
        kind: Any = {"Content-Type": "application/octet-stream"}
        return Response(app.current_request.raw_body[::-1], kind)

    @app.route("/made/{what}")
    def made(what: str) -> Any:
        return MADE[what]()

    return app


CONTEXTS: dict[str, dict[str, Any]] = {
    "let me in": {"role": "rider"},
    "all kinds": {"int": 5, "float": 1.5, "yes": True, "no": False, "null": None, "text": "5"},
    "a list": {"roles": ["rider"]},
    "an object": {"role": {"name": "rider"}},
}


def raise_it(error: Exception) -> Any:
    raise error


MADE: dict[str, Callable[[], Any]] = {
    "bad": lambda: raise_it(BadRequestError("no")),
    "crash": lambda: raise_it(RuntimeError()),
    "unserialisable": lambda: {"x": object()},
    "teapot": lambda: Response("", status_code=418, headers={"X-Many": ["1", "2"]}),
    "split": lambda: Response("", headers={"X-Split": "a\rSet-Cookie: b=c"}),
    "empty": lambda: Response("", status_code=204),
    "text": lambda: Response("plain", headers={"Content-Type": "text/plain"}),
}


def test_a_route_is_found_under_the_stage() -> None:
    with serving(a_rest_app()) as rig:
        answer = rig.http("GET", "/api/hello/a%20b?x=1&y=")
        assert answer.json() == {"name": "a%20b", "query": {"x": "1", "y": ""}, "body": None}
        assert answer.headers["Content-Type"] == "application/json"
        assert rig.http("GET", "/api/").json() == {"root": True}
        assert rig.http("GET", "/api").json() == {"root": True}


def test_the_event_has_what_handlers_need() -> None:
    with serving(a_rest_app()) as rig:
        sent = {"X-One": "1", "Content-Type": "application/json", "User-Agent": "test/1"}
        event = rig.http("POST", "/api/event?a=1&a=2", b'{"a":1}', sent).json()
    assert event["resource"] == event["path"] == "/event"
    assert event["headers"]["X-One"] == "1"
    assert event["multiValueHeaders"]["X-One"] == ["1"]
    assert event["queryStringParameters"] == {"a": "2"}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
    assert event["pathParameters"] is None
    assert (event["body"], event["isBase64Encoded"]) == ('{"a":1}', False)
    context = event["requestContext"]
    identity = {name: value for name, value in context["identity"].items() if value is not None}
    assert identity == {"sourceIp": "127.0.0.1", "userAgent": "test/1"}
    assert (context["stage"], context["path"]) == ("api", "/api/event")
    assert (context["httpMethod"], context["resourcePath"]) == ("POST", "/event")
    assert event["headers"]["X-Forwarded-For"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/nothing"),
        ("DELETE", "/api/hello/x"),
        ("HEAD", "/api/event"),
        ("OPTIONS", "/api/event"),
        ("GET", "/elsewhere"),
        ("GET", "/apix/hello/x"),
        ("GET", "/api//event"),
        ("GET", "//api/event"),
    ],
)
def test_an_unknown_route_is_missing_a_token_as_on_aws(method: str, path: str) -> None:
    with serving(a_rest_app()) as rig:
        answer = rig.http(method, path)
    assert answer.status == 403
    if method != "HEAD":
        assert answer.json() == {"message": "Missing Authentication Token"}


def test_an_app_re_words_an_unknown_route() -> None:
    own = {"MISSING_AUTHENTICATION_TOKEN": (404, '{"error":"not_found"}')}
    with serving(a_rest_app(), gateway_responses=own) as rig:
        answer = rig.http("GET", "/api/nothing", headers={"Authorization": "Bearer x"})
    assert (answer.status, answer.json()) == (404, {"error": "not_found"})


def test_a_websocket_path_asks_a_plain_request_to_upgrade() -> None:
    rules = [PathRule("/ws/{token}")]
    with serving(an_app(), paths=rules) as rig:
        for path in ("/api", "/ws/secret"):
            answer = rig.http("GET", path)
            assert (answer.status, answer.headers["Upgrade"]) == (426, "websocket")


def test_an_authorizer_decides() -> None:
    with serving(a_rest_app()) as rig:
        allowed = rig.http("GET", "/api/guarded", headers={"Authorization": "let me in"})
        assert allowed.json() == {
            "role": "rider",
            "principalId": "someone",
            "integrationLatency": 0,
        }
        denied = rig.http("GET", "/api/guarded", headers={"Authorization": "no"})
        assert (denied.status, list(denied.json())) == (403, ["Message"])
        missing = rig.http("GET", "/api/guarded")
        assert (missing.status, missing.json()) == (401, {"message": "Unauthorized"})
        failed = rig.http("GET", "/api/guarded", headers={"Authorization": "raise"})
        assert failed.status == 500


def test_what_an_authorizer_says_arrives_as_texts() -> None:
    with serving(a_rest_app()) as rig:
        told = rig.http("GET", "/api/guarded", headers={"Authorization": "all kinds"}).json()
    assert told == {
        "int": "5",
        "float": "1.5",
        "yes": "true",
        "no": "false",
        "null": None,
        "text": "5",
        "principalId": "someone",
        "integrationLatency": 0,
    }


@pytest.mark.parametrize("token", ["a list", "an object"])
def test_an_authorizer_that_says_more_than_texts_is_misconfigured(token: str) -> None:
    with serving(a_rest_app()) as rig:
        answer = rig.http("GET", "/api/guarded", headers={"Authorization": token})
    assert answer.status == 500
    assert answer.headers["x-amzn-ErrorType"] == "AuthorizerConfigurationException"


@pytest.mark.parametrize("sent", [{}, {"Authorization": ""}, {"Authorization": "  "}])
def test_an_authorizer_is_not_asked_about_nobody(sent: dict[str, str]) -> None:
    app, asked = an_app(), []

    @app.authorizer()
    def guard(request: Any) -> Any:
        asked.append(request.token)
        return AuthResponse(routes=["*"], principal_id="someone")

    @app.route("/guarded", authorizer=guard)
    def guarded() -> Any:
        return {}

    with serving(app) as rig:
        answer = rig.http("GET", "/api/guarded", headers=sent)
        assert (answer.status, answer.json()) == (401, {"message": "Unauthorized"})
        assert asked == []
        assert rig.http("GET", "/api/guarded", headers={"authorization": "x"}).status == 200
    assert asked == ["x"]


def test_an_authorizer_reads_the_header_it_names() -> None:
    with serving(a_rest_app()) as rig:
        assert rig.http("GET", "/api/keyed", headers={"Authorization": "me"}).status == 401
        answer = rig.http("GET", "/api/keyed", headers={"x-key": "me"})
    assert answer.json()["principalId"] == "me"


def test_the_context_of_a_request_is_whole() -> None:
    with serving(a_rest_app()) as rig:
        answer = rig.http("GET", "/api/event")
        context = answer.json()["requestContext"]
        again = rig.http("GET", "/api/event").json()["requestContext"]
    model = rest_event({"/event": ["GET"]}, "GET", "/event")["requestContext"]
    assert context.keys() == model.keys()
    assert context["identity"].keys() == model["identity"].keys()
    assert set(context["identity"].values()) == {None, "127.0.0.1"}
    assert UUID(context["requestId"]).version == 4
    assert len(context["extendedRequestId"]) == 16
    assert answer.headers["x-amzn-RequestId"] == context["requestId"]
    assert context["requestId"] != again["requestId"]
    assert context["resourceId"] == again["resourceId"]


@pytest.mark.parametrize(
    "sent", ["auth0%7C5f7c", "a%20b", "%40me", "a+b@c.d", "%2F", "%252F", "%FF", "caf%C3%A9", "~"]
)
def test_path_parameters_arrive_as_they_were_sent(sent: str) -> None:
    with serving(a_rest_app()) as rig:
        assert rig.http("GET", f"/api/hello/{sent}").json()["name"] == sent


@pytest.mark.parametrize(
    ("query", "single", "multiple"),
    [
        ("a+b=c+d", {"a b": "c d"}, {"a b": ["c d"]}),
        ("a=%2B%20%7C", {"a": "+ |"}, {"a": ["+ |"]}),
        ("a=1&b&a=2&c=", {"a": "2", "b": "", "c": ""}, {"a": ["1", "2"], "b": [""], "c": [""]}),
        ("", None, None),
    ],
)
def test_queries_arrive_decoded(query: str, single: object, multiple: object) -> None:
    with serving(a_rest_app()) as rig:
        event = rig.http("GET", f"/api/event?{query}").json()
    assert event["queryStringParameters"] == single
    assert event["multiValueQueryStringParameters"] == multiple


def test_header_names_arrive_as_they_were_sent_but_for_the_well_known() -> None:
    with serving(a_rest_app()) as rig:
        data = rig.raw(
            b"GET /api/event HTTP/1.1\r\nhost: h\r\nuser-agent: t\r\nx-MIXED: 1\r\n"
            b"X-mixed: 2\r\nConnection: close\r\n\r\n"
        )
    event = json.loads(data.partition(b"\r\n\r\n")[2])
    assert event["headers"]["x-MIXED"] == "2"
    assert event["multiValueHeaders"]["x-MIXED"] == ["1", "2"]
    assert (event["headers"]["Host"], event["headers"]["User-Agent"]) == ("h", "t")
    assert "Connection" not in event["headers"]
    assert event["headers"].keys() == event["multiValueHeaders"].keys()


def test_a_compressed_body_reaches_the_app_garbled() -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    with serving(a_rest_app()) as rig:
        event = rig.http("POST", "/api/event", b"\x1f\x8b\x08{", headers).json()
    assert (event["body"], event["isBase64Encoded"]) == ("\x1f\ufffd\x08{", False)


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "OPTIONS"])
def test_a_greedy_route_serves_what_no_other_does(method: str) -> None:
    app = a_rest_app()

    @app.route("/{proxy+}", methods=["GET", "PUT", "HEAD", "OPTIONS"])
    def rest() -> Any:
        request = app.current_request
        assert request is not None
        return Response("", headers={"X-Proxy": (request.uri_params or {})["proxy"]})

    served = ["nothing/at/%7Call"] if method == "GET" else ["nothing/at/%7Call", "guarded"]
    with serving(app) as rig:
        for path in served:
            answer = rig.http(method, f"/api/{path}", headers={"Authorization": "Bearer x"})
            assert (answer.status, answer.headers["X-Proxy"]) == (200, path)
        assert rig.http(method, "/elsewhere").status == 403


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/nothing"), ("DELETE", "/api/hello/x")])
def test_an_unknown_route_takes_authorization_for_a_signature(method: str, path: str) -> None:
    with serving(a_rest_app()) as rig:
        answer = rig.http(method, path, headers={"Authorization": "Bearer s3cret"})
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (
        403,
        "IncompleteSignatureException",
    )
    assert b"s3cret" not in answer.body


def test_a_preflight_is_answered_by_the_gateway() -> None:
    with serving(a_rest_app()) as rig:
        answer = rig.http("OPTIONS", "/api/shared", headers={"Origin": "https://example.com"})
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "https://example.com"
        assert answer.headers["Access-Control-Allow-Methods"] == "GET,OPTIONS"
        assert answer.headers["Access-Control-Max-Age"] == "600"
        got = rig.http("GET", "/api/shared")
        assert got.headers["Access-Control-Allow-Origin"] == "https://example.com"


def test_own_headers_go_with_a_gateway_response() -> None:
    own = {"DEFAULT_4XX": GatewayResponse(None, "{}", {"Access-Control-Allow-Origin": "*"})}
    with serving(a_rest_app(), gateway_responses=own) as rig:
        answer = rig.http("GET", "/api/guarded")
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (401, "*")


def test_bytes_go_in_and_out() -> None:
    kind = "application/octet-stream"
    with serving(a_rest_app()) as rig:
        answer = rig.http(
            "POST", "/api/bytes", b"\x00\xff\x01", {"Content-Type": kind, "Accept": kind}
        )
    assert (answer.headers["Content-Type"], answer.body) == (kind, b"\x01\xff\x00")


def test_text_that_is_not_utf8_is_a_bad_request() -> None:
    with serving(a_rest_app()) as rig:
        answer = rig.http("POST", "/api/event", b"\xff", {"Content-Type": "application/json"})
    assert (answer.status, answer.json()) == (400, {"message": "Invalid request body"})


@pytest.mark.parametrize(
    ("what", "status"),
    [("bad", 400), ("crash", 500), ("unserialisable", 502), ("split", 502), ("empty", 204)],
)
def test_what_a_view_makes_is_what_the_client_gets(what: str, status: int) -> None:
    with serving(a_rest_app()) as rig:
        answer = rig.http("GET", f"/api/made/{what}")
    assert answer.status == status
    assert "Set-Cookie" not in answer.headers
    if status == 502:
        assert answer.json() == {"message": "Internal server error"}


def test_headers_with_many_values_are_all_sent() -> None:
    with serving(a_rest_app()) as rig:
        data = rig.raw(b"GET /api/made/teapot HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert data.startswith(b"HTTP/1.1 418 ")
    assert b"X-Many: 1\r\nX-Many: 2\r\n" in data


def test_a_head_request_gets_the_head_only() -> None:
    with serving(a_rest_app()) as rig:
        data = rig.raw(b"HEAD /api/hello/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert data.startswith(b"HTTP/1.1 200 ")
    assert data.endswith(b"\r\n\r\n")
    assert b"Content-Length: 0" not in data


def test_a_handler_that_hangs_is_a_gateway_timeout() -> None:
    release = threading.Event()
    app = an_app()

    @app.route("/hang")
    def hang() -> Any:
        release.wait(PATIENCE_S)
        return {}

    with serving(app, integration_timeout_s=0.05) as rig:
        answer = rig.http("GET", "/api/hang")
        release.set()
    assert (answer.status, answer.json()) == (504, {"message": "Endpoint request timed out"})


def test_requests_under_threads_read_their_own() -> None:
    app = an_app()

    @app.route("/mine")
    def mine() -> Any:
        request = app.current_request
        barrier.wait(PATIENCE_S)
        assert request is not None
        assert request.query_params is not None
        assert app.current_request is request
        return {"mine": request.query_params["n"], "id": app.lambda_context.aws_request_id}

    barrier = threading.Barrier(8)
    with serving(app, workers=8) as rig, ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            answers = list(pool.map(lambda n: rig.http("GET", f"/api/mine?n={n}").json(), range(8)))
            assert [answer["mine"] for answer in answers] == [str(n) for n in range(8)]
            assert len({answer["id"] for answer in answers}) == 8


def test_the_log_has_no_query_no_token_and_no_line_break(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "waybill.gateway")
    rules, app = [PathRule("/ws/{token}")], a_rest_app()

    @app.on_ws_message()
    def on_message(event: Any) -> None:
        pass

    with serving(app, paths=rules) as rig:
        rig.http("GET", "/nothing/s3cret")
        rig.http("GET", "/api/hello/x?token=s3cret", headers={"Authorization": "Bearer s3cret"})
        rig.http("GET", "/ws/s3cret")
        rig.visit("/ws/s3cret?token=s3cret")
        rig.raw(
            b"GET /ws/a/s3cret HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\n\r\n"
        )
        rig.raw(b"GET /api/\xe9%0aforged HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    lines = [r.getMessage() for r in caplog.records if r.name == "waybill.gateway.access"]
    assert "s3cret" not in caplog.text
    assert any(line.startswith("GET /api/hello/x 200 ") for line in lines)
    assert any(line.startswith("GET /ws/{token} 101 ") for line in lines)
    assert all("\n" not in line and line.isascii() for line in lines)


TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4IiwiZXhwIjoxOTAwMDAwMDAwfQ.c2lnbmF0dXJlLW9mLXg"
ENCODED = "".join(f"%{ord(character):02x}" for character in TOKEN)


@pytest.mark.parametrize("token", [TOKEN, ENCODED, TOKEN.replace(".", "%2E"), f"Bearer%20{TOKEN}"])
def test_no_form_of_url_brings_a_token_into_the_log(
    caplog: pytest.LogCaptureFixture, token: str
) -> None:
    """Whoever errs about a path errs with the token in it."""
    caplog.set_level(logging.INFO, "waybill.gateway")
    paths = [
        *(f"/ws/driver/orders/{token}", f"/ws/driver/orders/x/{token}", f"/nothing/{token}"),
        *(f"/ws/driver/orders/{token}//", f"//{token}", f"/{token}", f"/api/{token}"),
        *(f"/api/hello/{token}", f"/api/hello/{token}/x", f"/api/hello/x/{token}?x={token}"),
        *(f"/ws?token={token}", f"/ws/driver/orders/%2f{token}", f"/apis/{token};x=1"),
        *(f"/@connections/{token}", f"/api/@connections/{token}", f"/ws/driver/orders/;{token}"),
    ]
    with serving(a_rest_app(), paths=[PathRule("/ws/driver/orders/{token}")]) as rig:
        for path in paths:
            for method in ("GET", "POST", "OPTIONS"):
                rig.http(method, path, headers={"Authorization": f"Bearer {token}"})
            with contextlib.suppress(InvalidStatus):
                rig.visit(path)
        rig.raw(f"GET {token} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        rig.raw(f"{token[:20]} / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
    assert len([r for r in caplog.records if r.name == "waybill.gateway.access"]) > len(paths)
    for part in (*token.split("."), token[:20], token.lower()[:20]):
        assert part not in caplog.text.replace("%20", " "), part


def test_json_that_is_not_json_is_the_apps_to_answer() -> None:
    with serving(a_rest_app()) as rig:
        answer = rig.http("POST", "/api/hello/x", b"{", {"Content-Type": "application/json"})
    assert answer.status == 400
    assert json.loads(answer.body)["Code"] == "BadRequestError"
