"""P-03: posting to connections, against a server on loopback that answers as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.session import Session

from chalicelib.edge.aws.connections_api import ConnectionsApi
from chalicelib.errors import FrameTooLarge, Gone, PostFailed


class Api(ThreadingHTTPServer):
    """Answers with the statuses it is given, the last one over and over; 0 hangs up."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = [200]
        self.body = b""
        self.requests: list[tuple[str, str, bytes, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Api

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((self.command, self.path, body, headers))
        statuses = self.server.statuses
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        if not status:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(status)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_DELETE = do_POST

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def serving() -> Iterator[Api]:
    with Api() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def api(serving: Api) -> Api:
    serving.statuses, serving.requests, serving.body = [200], [], b""
    return serving


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def gateway(api: Api, slept: list[float]) -> ConnectionsApi:
    return ConnectionsApi(api.url, Session(), "us-east-1", sleep=slept.append)


def test_a_frame_is_one_signed_post(api: Api, gateway: ConnectionsApi) -> None:
    gateway.post_frame("a/b+c=", '{"text": "ü"}')
    ((method, path, body, headers),) = api.requests
    assert (method, path) == ("POST", "/api/@connections/a%2Fb%2Bc%3D")
    assert body == '{"text": "ü"}'.encode()
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 ")
    assert "/us-east-1/execute-api/aws4_request" in headers["authorization"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 0])
def test_what_may_pass_is_tried_again_after_growing_pauses(
    api: Api, gateway: ConnectionsApi, slept: list[float], status: int
) -> None:
    api.statuses = [status, status, 200]
    gateway.post_frame("c=", "x")
    assert len(api.requests) == 3
    first, second = slept
    assert 0.025 <= first <= 0.05
    assert 0.1 <= second <= 0.2


def test_pauses_have_jitter(api: Api, gateway: ConnectionsApi, slept: list[float]) -> None:
    for _ in range(5):
        api.statuses = [429, 200]
        gateway.post_frame("c=", "x")
    assert len(set(slept)) == 5


@pytest.mark.parametrize("status", [429, 503, 0])
def test_what_does_not_pass_fails_in_the_end(
    api: Api, gateway: ConnectionsApi, status: int
) -> None:
    api.statuses = [status]
    with pytest.raises(PostFailed):
        gateway.post_frame("c=", "x")
    assert len(api.requests) == 4


@pytest.mark.parametrize(
    ("status", "error"), [(410, Gone), (413, FrameTooLarge), (403, PostFailed), (302, PostFailed)]
)
def test_what_can_not_pass_is_not_tried_again(
    api: Api, gateway: ConnectionsApi, status: int, error: type[Exception]
) -> None:
    api.statuses = [status]
    with pytest.raises(error):
        gateway.post_frame("c=", "x")
    assert len(api.requests) == 1


def test_a_connection_is_gone_only_when_aws_says_so(api: Api, gateway: ConnectionsApi) -> None:
    for status, alive in ((200, True), (410, False), (403, True), (500, True), (0, True)):
        api.statuses = [status]
        assert gateway.is_connected("c=") is alive


def test_closing_one_that_is_gone_is_harmless(api: Api, gateway: ConnectionsApi) -> None:
    for status in (204, 410):
        api.statuses = [status]
        gateway.close_connection("c=")
    assert {request[0] for request in api.requests} == {"DELETE"}


@pytest.mark.parametrize("status", [0, 403, 429, 500, 503])
def test_one_that_may_still_be_open_is_not_closed(
    api: Api, gateway: ConnectionsApi, status: int
) -> None:
    """AWS answers 204, or 410 for one that is gone; anything else closes nothing."""
    api.statuses = [status] * 4
    with pytest.raises(PostFailed):
        gateway.close_connection("c=")


def test_a_server_that_is_not_there_fails_a_post(slept: list[float]) -> None:
    nobody = ConnectionsApi("http://127.0.0.1:9/api", Session(), "us-east-1", sleep=slept.append)
    with pytest.raises(PostFailed):
        nobody.post_frame("c=", "x")
    assert nobody.is_connected("c=")


def test_what_is_posted_to_many_at_once_fails_for_each_as_it_would_alone(
    api: Api, gateway: ConnectionsApi, slept: list[float]
) -> None:
    """A pause for all of those that may yet pass, not one for each."""
    api.statuses = [410, 413, 429, 400, 200]
    posts = [(f"c{n}", f"hello {n}") for n in range(5)]
    failures = gateway.post_frames(posts)
    assert sorted(type(failure).__name__ for failure in failures) == [
        "FrameTooLarge",
        "Gone",
        "NoneType",
        "NoneType",
        "PostFailed",
    ]
    assert len(slept) == 1
    assert {(path, body.decode()) for _, path, body, _ in api.requests} == {
        (f"/api/@connections/{id_}", frame) for id_, frame in posts
    }
    assert len(api.requests) == 6
    assert all("Signature=" in headers["authorization"] for *_, headers in api.requests)


def test_one_is_posted_to_as_many_are(api: Api, gateway: ConnectionsApi) -> None:
    assert [*gateway.post_frames([("c1", "hello")]), *gateway.post_frames([])] == [None]
    api.statuses = [410]
    [failure] = gateway.post_frames([("c1", "hello")])
    assert isinstance(failure, Gone)


def test_a_server_that_is_not_there_fails_each_of_many(slept: list[float]) -> None:
    nobody = ConnectionsApi("http://127.0.0.1:9/api", Session(), "us-east-1", sleep=slept.append)
    failures = nobody.post_frames([("c1", "hello"), ("c2", "hello")])
    assert [type(failure) for failure in failures] == [PostFailed, PostFailed]


LAST_ACTIVE = [
    (b'{"lastActiveAt": "2026-01-27T10:30:00.123Z"}', 1769509800.123),
    (b'{"connectedAt": "2026-01-27T10:30:00.123Z"}', None),
    (b'{"lastActiveAt": 7}', None),
    (b'{"lastActiveAt": "soon"}', None),
    (b"[]", None),
    (b"", None),
]


@pytest.mark.parametrize(("body", "at_s"), LAST_ACTIVE)
def test_when_a_connection_was_last_active(
    api: Api, gateway: ConnectionsApi, body: bytes, at_s: float | None
) -> None:
    api.body = body
    found = gateway.get_last_active("abc=")
    assert (found.timestamp() if found else None) == at_s


def test_a_connection_that_can_not_be_looked_at_may_be_there(
    api: Api, gateway: ConnectionsApi
) -> None:
    api.statuses[:] = [410]
    with pytest.raises(Gone):
        gateway.get_last_active("abc=")
    for status in (403, 429, 500, 0):
        api.statuses[:] = [status]
        assert gateway.get_last_active("abc=") is None
