"""HTTP/1.1 as hostile and as ordinary clients speak it."""

from __future__ import annotations

import http.client
import socket
import time
from typing import Any

import pytest
from chalice.app import Chalice

from tests.conftest import PATIENCE_S
from tests.e2e.gateway.rig import an_app, serving

GET = b"GET /api/ok HTTP/1.1\r\nHost: h\r\n\r\n"
LAST = GET.replace(b"Host: h", b"Host: h\r\nConnection: close")


def an_ok_app() -> Chalice:
    app = an_app()

    @app.route("/ok", methods=["GET", "POST"])
    def ok() -> Any:
        assert app.current_request is not None
        return {"bytes": len(app.current_request.raw_body)}

    return app


def test_a_connection_is_kept_for_further_requests() -> None:
    with serving(an_ok_app()) as rig:
        client = http.client.HTTPConnection("127.0.0.1", rig.gateway.port, timeout=PATIENCE_S)
        client.request("GET", "/api/ok")
        client.getresponse().read()
        kept = client.sock
        client.request("POST", "/api/ok", b"x" * 100_000)
        assert client.getresponse().read() == b'{"bytes":100000}'
        assert client.sock is kept
        client.close()


def test_keep_alive_requests_do_not_wait_for_delayed_acks() -> None:
    took_s = []
    with serving(an_ok_app()) as rig, rig.tcp() as client:
        for _ in range(100):
            started_s = time.monotonic()
            client.sendall(GET)
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
            took_s.append(time.monotonic() - started_s)
    # Nagle's algorithm would cost 40 ms each, but for at most 16, which Linux acknowledges at once;
    # a busy machine makes some of them as slow, and never all.
    assert sum(each < 0.03 for each in took_s) > 20


def test_pipelined_requests_are_answered_in_order() -> None:
    with serving(an_ok_app()) as rig:
        data = rig.raw(GET * 500 + LAST)
    assert data.count(b"HTTP/1.1 200 OK") == 501


def test_a_long_pipeline_answered_at_once_is_no_recursion() -> None:
    unsigned = b"GET /api/@connections/x HTTP/1.1\r\nHost: h\r\n\r\n"
    with serving(an_ok_app()) as rig:
        data = rig.raw(unsigned * 5000 + LAST)
    assert data.count(b"HTTP/1.1 403 ") == 5000


def test_a_chunked_body_is_read() -> None:
    head = b"POST /api/ok HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
    with serving(an_ok_app()) as rig:
        data = rig.raw(head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    assert data.endswith(b'{"bytes":5}')


def test_a_client_that_asks_first_is_told_to_continue() -> None:
    with serving(an_ok_app()) as rig, rig.tcp() as client:
        client.sendall(
            b"POST /api/ok HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"hello")
        assert client.recv(65536).endswith(b'{"bytes":5}')


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_10_mb_is_refused_with_its_answer_readable(chunked: bool) -> None:
    size = 10 * 1024 * 1024 + 1
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
    body = b"%x\r\n" % size + b"x" * size if chunked else b"x" * size
    with serving(an_ok_app()) as rig, rig.tcp() as client:
        client.sendall(b"POST /api/ok HTTP/1.1\r\nHost: h\r\n" + framing + b"\r\n\r\n" + body)
        assert client.recv(65536).startswith(b"HTTP/1.1 413 ")
        assert rig.http("GET", "/api/ok").status == 200


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /api/ok HTTP/1.1\r\n\r\n", b"400"),
        (b"POST /api/ok HTTP/1.1\r\nHost: h\r\nContent-Length: many\r\n\r\n", b"400"),
        (b"GET /api/ok HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 11_000 + b"\r\n\r\n", b"431"),
        (b"GET /" + b"y" * 11_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", b"414"),
        (b"GET /api/ok HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n", b"417"),
        (b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", b"403"),
        (b"OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", b"403"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"400"),
    ],
)
def test_what_cannot_be_served_gets_its_4xx(data: bytes, status: bytes) -> None:
    with serving(an_ok_app()) as rig:
        assert rig.raw(data).startswith(b"HTTP/1.1 " + status)
        assert rig.http("GET", "/api/ok").status == 200


def test_an_app_re_words_a_malformed_request() -> None:
    own = {"BAD_REQUEST": (400, '{"error":"bad_request"}')}
    with serving(an_ok_app(), gateway_responses=own) as rig:
        assert rig.raw(b"nonsense\r\n\r\n").endswith(b'{"error":"bad_request"}')


def test_an_http_1_0_client_is_served_and_let_go() -> None:
    with serving(an_ok_app()) as rig:
        assert rig.raw(b"GET /api/ok HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_an_offer_of_http_2_is_served_as_http_1() -> None:
    offer = b"GET /api/ok HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with serving(an_ok_app()) as rig:
        assert rig.raw(offer).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_has_said_all_still_gets_its_answer() -> None:
    with serving(an_ok_app()) as rig, rig.tcp() as client:
        client.sendall(GET)
        client.shutdown(socket.SHUT_WR)
        assert b"".join(iter(lambda: client.recv(65536), b"")).endswith(b'{"bytes":0}')


def test_a_client_that_leaves_halfway_harms_nobody() -> None:
    with serving(an_ok_app()) as rig:
        for cut in range(1, len(GET), 5):
            with rig.tcp() as client:
                client.sendall(GET[:cut])
        assert rig.http("GET", "/api/ok").status == 200


def test_a_connection_without_a_request_is_closed_in_time() -> None:
    with serving(an_ok_app(), keep_alive_s=0.05, sweep_interval_s=0.02) as rig:
        assert rig.raw(GET[:10]) == b""
