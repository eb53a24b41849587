"""P-03: posting to connections: what each answer of @connections means, what is tried again, and
how many are posted to at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.session import Session

from chalicelib.edge.aws import connections_api, http_pool
from chalicelib.edge.aws.connections_api import ConnectionsApi
from chalicelib.errors import FrameTooLarge, Gone, PostFailed
from chalicelib.services.messaging import leases
from tests.conftest import PATIENCE_S
from tests.unit.edge.scripted import OK, Answer, Peer, a_peer, hangs_up, says

ID = "BFaT_fALIAMCKug="
AT_ONCE = 64


class Api(ThreadingHTTPServer):
    """Answers with the statuses it is given, the last one over and over; 0 hangs up. A connection
    that is in `status_of` has a status of its own."""

    # All of them come at once, and who is not let in waits for a second, by TCP: longer than posts.
    request_queue_size = 2 * AT_ONCE

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = [200]
        self.status_of: dict[str, int] = {}
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
        status = self.server.status_of.get(self.path.rpartition("/")[2]) or self._next_status()
        if not status:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(status)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def _next_status(self) -> int:
        statuses = self.server.statuses
        return statuses.pop(0) if len(statuses) > 1 else statuses[0]

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
    serving.statuses, serving.status_of = [200], {}
    serving.requests, serving.body = [], b""
    return serving


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def gateway(api: Api, slept: list[float]) -> ConnectionsApi:
    return a_client(api.url, slept.append)


def a_client(url: str, sleep: Callable[[float], None] = lambda _: None) -> ConnectionsApi:
    session = Session()
    session.set_credentials("AKID", "secret")
    return ConnectionsApi(url, session, "us-east-1", sleep)


def client_of(peer: Peer) -> ConnectionsApi:
    return a_client(peer.url + "/")


def answers(status: int) -> Answer:
    return says(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\n{{}}".encode())


# One post


def test_a_frame_is_one_signed_post(api: Api, gateway: ConnectionsApi) -> None:
    gateway.post_frame("a/b+c=", '{"text": "ü"}')
    ((method, path, body, headers),) = api.requests
    assert (method, path) == ("POST", "/api/@connections/a%2Fb%2Bc%3D")
    assert body == '{"text": "ü"}'.encode()
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert "/us-east-1/execute-api/aws4_request" in headers["authorization"]
    assert headers["content-length"] == str(len(body))


def test_posts_one_after_another_go_over_one_connection() -> None:
    with a_peer() as peer:
        client = client_of(peer)
        for _ in range(3):
            client.post_frame(ID, "x")
        assert [len(seen) for seen in peer.requests] == [3]


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
    with pytest.raises(PostFailed, match=str(status or "nothing")):
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


def test_a_connection_that_had_ended_is_replaced_without_a_pause(slept: list[float]) -> None:
    with a_peer([says(OK), hangs_up]) as peer:
        client = a_client(peer.url, slept.append)
        client.post_frame(ID, "x")
        client.post_frame(ID, "x")
        assert len(peer.requests) == 2
    assert slept == []


def test_a_peer_that_keeps_hanging_up_has_answered_nothing() -> None:
    with a_peer(*[[hangs_up]] * 4) as peer:
        with pytest.raises(PostFailed, match="nothing"):
            client_of(peer).post_frame(ID, "x")
        assert len(peer.requests) == 4


def test_a_server_that_is_not_there_fails_a_post(slept: list[float]) -> None:
    nobody = a_client("http://127.0.0.1:9/api", slept.append)
    with pytest.raises(PostFailed):
        nobody.post_frame("c=", "x")
    assert nobody.is_connected("c=")


# Posts to many


def test_what_is_posted_to_many_at_once_fails_for_each_as_it_would_alone(
    api: Api, gateway: ConnectionsApi, slept: list[float]
) -> None:
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


def test_each_of_many_is_posted_once_and_its_failure_has_its_place(
    api: Api, gateway: ConnectionsApi
) -> None:
    posts = [(f"c{n}", f"frame {n}") for n in range(200)]
    api.status_of = {f"c{n}": 410 for n in range(0, 200, 3)}
    failures = gateway.post_frames(posts)
    assert [isinstance(failure, Gone) for failure in failures] == [n % 3 == 0 for n in range(200)]
    assert sorted(body.decode() for _, _, body, _ in api.requests) == sorted(f for _, f in posts)


def test_one_is_posted_to_as_many_are(api: Api, gateway: ConnectionsApi) -> None:
    assert [*gateway.post_frames([("c1", "hello")]), *gateway.post_frames([])] == [None]
    api.statuses = [410]
    [failure] = gateway.post_frames([("c1", "hello")])
    assert isinstance(failure, Gone)


def test_as_many_wait_for_their_answers_as_may_and_no_more() -> None:
    all_there = threading.Barrier(AT_ONCE)

    def together(client: Any) -> None:
        all_there.wait(PATIENCE_S)
        says(OK)(client)

    with a_peer(*[[together] * 3] * AT_ONCE) as peer:
        posts = [(f"c{n}", "x") for n in range(2 * AT_ONCE)]
        assert client_of(peer).post_frames(posts) == [None] * len(posts)
        assert len(peer.requests) == AT_ONCE


def test_connections_are_left_to_the_next_fan_out() -> None:
    with a_peer() as peer:
        client = client_of(peer)
        for _ in range(3):
            assert client.post_frames([(f"c{n}", "x") for n in range(20)]) == [None] * 20
        assert len(peer.requests) <= 20


def test_connections_that_end_take_no_post_with_them() -> None:
    with a_peer([says(OK), hangs_up], [hangs_up], [answers(503), hangs_up]) as peer:
        client = client_of(peer)
        for _ in range(2):
            assert client.post_frames([(f"c{n}", "x") for n in range(5)]) == [None] * 5


def test_a_server_that_is_not_there_fails_each_of_many(slept: list[float]) -> None:
    nobody = a_client("http://127.0.0.1:9/api", slept.append)
    failures = nobody.post_frames([("c1", "hello"), ("c2", "hello")])
    assert [type(failure) for failure in failures] == [PostFailed, PostFailed]


def test_a_post_takes_no_longer_than_the_holder_of_a_lease_counts_on() -> None:
    """By its limits, of the last try and of its parts: a busy machine's clock tells nothing."""
    connecting_s = 3 * http_pool.CONNECT_TIMEOUT_S  # with TLS
    try_s = connecting_s + http_pool.RESEND_WITHIN_S + http_pool.ANSWER_TIMEOUT_S
    assert connections_api._LAST_TRY_S + try_s < leases._POST_MARGIN.total_seconds()


def test_a_stalled_post_is_over_in_time_and_holds_up_no_other() -> None:
    over = threading.Event()
    with a_peer([lambda client: over.wait(PATIENCE_S)]) as peer:
        began = time.monotonic()
        failures = client_of(peer).post_frames([(f"c{n}", "x") for n in range(3)])
        assert time.monotonic() - began < PATIENCE_S / 2
        over.set()
    assert sorted(type(failure).__name__ for failure in failures) == [
        "NoneType",
        "NoneType",
        "PostFailed",
    ]


# Looking and closing


def test_a_connection_is_gone_only_when_aws_says_so(api: Api, gateway: ConnectionsApi) -> None:
    for status, alive in ((200, True), (410, False), (403, True), (500, True), (0, True)):
        api.statuses = [status]
        assert gateway.is_connected("c=") is alive
    assert {request[0] for request in api.requests} == {"GET"}


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


def test_each_frame_that_can_not_be_posted_is_reported(api: Api) -> None:
    session, failed = Session(), []
    session.set_credentials("AKID", "secret")
    gateway = ConnectionsApi(
        api.url, session, "us-east-1", lambda _: None, lambda: failed.append(1)
    )
    api.statuses, api.status_of = [200], {"a": 403, "b": 410, "c": 403}
    gateway.post_frames([("a", "x"), ("b", "x"), ("c", "x"), ("d", "x")])
    assert len(failed) == 2  # who is gone is no failure
