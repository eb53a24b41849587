"""What the client of webhooks sends, and what it takes for an answer, over real sockets."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from chalicelib.domain.webhooks.delivery import Answer
from chalicelib.edge.tracing import Invocation, Trace, enter_invocation, read_trace
from chalicelib.edge.webhooks.client import WebhookClient
from tests.conftest import PATIENCE_S
from tests.unit.webhooks.peers import Behave, Peer, make_server_context, run_peer, send_bytes

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BODY = b'{"type":"order.placed"}'


def post(peer: Peer, path: str = "/hook?x=1", time_limit_s: float = 3.0) -> Answer:
    client = WebhookClient(to_loopback=True, time_limit_s=time_limit_s)
    return client.post(f"http://localhost:{peer.port}{path}", BODY, {"webhook-id": "7-1"})


def answer_to(behave: Behave, time_limit_s: float = 3.0) -> Answer:
    with run_peer(behave) as peer:
        return post(peer, time_limit_s=time_limit_s)


def test_a_request_is_the_body_and_our_headers_and_nothing_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with run_peer(send_bytes(OK)) as peer:
        answer = post(peer)
    assert (answer.status, answer.text, answer.error) == (200, "ok", None)
    assert peer.requests == [
        f"POST /hook?x=1 HTTP/1.1\r\nHost: localhost:{peer.port}\r\nContent-Length: {len(BODY)}\r\n"
        "Connection: close\r\nwebhook-id: 7-1\r\n\r\n".encode()
        + BODY
    ]


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with run_peer(send_bytes(OK)) as inside:
        location = f"http://127.0.0.1:{inside.port}/".encode()
        moved = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\n\r\n"
        answer = answer_to(send_bytes(moved))
        assert (answer.status, answer.is_accepted) == (302, False)
        assert inside.requests == []


def test_of_a_long_answer_the_beginning_is_kept_and_little_more_read() -> None:
    sent: list[int] = []

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            sent.append(connection.send(b"x" * 65536))

    answer = answer_to(flood)
    assert (answer.status, answer.text) == (200, "x" * 1024)
    assert sum(sent) < 20_000_000  # what fits into the two sockets' buffers


@pytest.mark.parametrize(
    "piece", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b""]
)
def test_who_drips_bytes_is_cut_off_when_the_time_is_up(piece: bytes) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(piece)
        while True:
            connection.sendall(b"x")
            time.sleep(0.02)

    began = time.monotonic()
    answer = answer_to(drip, time_limit_s=0.3)
    assert time.monotonic() - began < PATIENCE_S
    assert answer.error in ("timed_out", None)
    assert answer.error == "timed_out" or answer.status == 200  # nine bytes come in time


def test_who_says_nothing_is_waited_for_no_longer_than_the_limit() -> None:
    over = threading.Event()

    def say_nothing(connection: socket.socket) -> None:
        over.wait(PATIENCE_S)

    answer = answer_to(say_nothing, time_limit_s=0.2)
    over.set()
    assert (answer.status, answer.error) == (None, "timed_out")
    assert 150 <= answer.ms < 1000 * PATIENCE_S / 2


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 3000,
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 2000,
    ],
)
def test_what_is_no_http_is_no_answer(said: bytes) -> None:
    answer = answer_to(send_bytes(said))
    assert answer.status is None
    assert answer.error in ("bad_answer", "not_reachable")


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut", ""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx", ""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.0 202 Accepted\r\n\r\nlater", "later"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xff\xfe\x00", "��\x00"),
    ],
)
def test_a_status_counts_whatever_becomes_of_its_body(said: bytes, text: str) -> None:
    answer = answer_to(send_bytes(said))
    assert answer.is_accepted
    assert answer.text in (text, "cut", "x")


@pytest.mark.parametrize("interim", [b"100 Continue", b"102 Processing", b"103 Early Hints"])
def test_interim_answers_are_passed_over_and_switching_protocols_is_none(interim: bytes) -> None:
    said = b"HTTP/1.1 " + interim + b"\r\nLink: </style.css>\r\n\r\n"
    answer = answer_to(send_bytes(said, said, OK))
    assert (answer.status, answer.text) == (200, "ok")
    cut_off = answer_to(send_bytes(said))
    assert (cut_off.status, cut_off.error) == (None, "bad_answer")
    flood = answer_to(send_bytes(said * 2000))
    assert (flood.status, flood.error) == (None, "bad_answer")
    switched = answer_to(send_bytes(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"))
    assert switched.status == 101
    assert not switched.is_accepted


def test_an_ipv6_address_is_a_host_however_it_ends() -> None:
    with run_peer(send_bytes(OK)) as peer:
        client = WebhookClient(
            connect=lambda _, s: socket.create_connection(("127.0.0.1", peer.port), s),
            tls=cast(ssl.SSLContext, _Plain()),
        )
        for host in ("[2606:4700:4700::1111]", "[2606:4700:4700::abcd]", "[2606:4700::]"):
            assert client.post(f"https://{host}/", BODY, {}).status == 200
            assert f"\r\nHost: {host}\r\n".encode() in peer.requests.pop()


class _Plain:
    """A TLS context that leaves out TLS."""

    def wrap_socket(self, plain: socket.socket, server_hostname: str) -> socket.socket:
        return plain


def test_retry_after_is_told_as_it_came() -> None:
    answer = answer_to(send_bytes(b"HTTP/1.1 503 No\r\nRetry-After: 120\r\n\r\n"))
    assert (answer.status, answer.retry_after) == (503, "120")


def test_nobody_there_is_no_answer() -> None:
    with run_peer(send_bytes(OK)) as peer:
        pass
    assert post(peer).error == "not_reachable"


def _post_by_tls(tmp_path: Path, certificate_for: str) -> tuple[Answer, Peer]:
    """Post to https://shop.example/hook, which is an address that is led to a peer of ours."""
    server, trusting = make_server_context(tmp_path, certificate_for)
    with run_peer(send_bytes(OK), server) as peer:

        def connect(address: tuple[str, int], within_s: float) -> socket.socket:
            assert address == ("93.184.215.14", 443)
            return socket.create_connection(("127.0.0.1", peer.port), within_s)

        client = WebhookClient(
            resolve=lambda _: ["93.184.215.14"], connect=connect, tls=trusting, time_limit_s=3
        )
        return client.post("https://Shop.example/hook", BODY, {}), peer


def test_tls_asks_for_the_name_and_says_it_as_the_host(tmp_path: Path) -> None:
    answer, peer = _post_by_tls(tmp_path, "shop.example")
    assert (answer.status, answer.text) == (200, "ok")
    assert peer.names == ["shop.example"]
    assert b"\r\nHost: shop.example\r\n" in peer.requests[0]


def test_a_certificate_for_another_name_is_refused_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    answer, peer = _post_by_tls(tmp_path, "evil.example")
    assert (answer.status, answer.error) == (None, "tls_failed")
    assert peer.requests == []


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    server, _ = make_server_context(tmp_path, "shop.example")
    with run_peer(send_bytes(OK), server) as peer:
        client = WebhookClient(
            resolve=lambda _: ["93.184.215.14"],
            connect=lambda _, s: socket.create_connection(("127.0.0.1", peer.port), s),
            tls=ssl.create_default_context(),
            time_limit_s=3,
        )
        assert client.post("https://shop.example/", BODY, {}).error == "tls_failed"
        assert peer.requests == []


def test_names_that_hang_keep_no_other_from_being_resolved() -> None:
    """Twenty of them, an owner's, and with several attempts each."""
    may_end, asked = threading.Event(), list[str]()

    def resolve(host: str) -> list[str]:
        asked.append(host)
        if host != "shop.example":
            may_end.wait(PATIENCE_S)
        return ["127.0.0.1"]

    client = WebhookClient(resolve=resolve, time_limit_s=1)
    hanging = [f"https://hangs-{n}.example/" for n in range(20)] * 4
    try:
        with ThreadPoolExecutor(80) as pool:
            answers = list(pool.map(lambda url: client.post(url, BODY, {}), hanging))
        assert {answer.error for answer in answers} == {"not_resolved"}
        assert len(asked) == 20
        assert client.post("https://shop.example/", BODY, {}).error == "address_refused"
        assert client.post("https://shop.example/", BODY, {}).error == "address_refused"
        assert asked[20:] == ["shop.example"] * 2
    finally:
        may_end.set()


def test_a_resolver_that_hangs_is_waited_for_no_longer_than_the_limit() -> None:
    over = threading.Event()
    client = WebhookClient(resolve=lambda _: [str(over.wait(PATIENCE_S))], time_limit_s=0.1)
    answer = client.post("https://shop.example/", BODY, {})
    over.set()
    assert answer.error == "not_resolved"
    assert answer.ms < 1000 * PATIENCE_S / 2


def test_a_request_is_a_span_of_the_trace_that_is_under_way() -> None:
    trace = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", state="a=b")
    with run_peer(send_bytes(OK)) as peer, enter_invocation(Invocation(trace)):
        post(peer)
    (request,) = peer.requests
    headers = dict(
        line.split(": ", 1) for line in request.decode().split("\r\n")[1:] if ": " in line
    )
    sent = read_trace(headers["traceparent"], headers["tracestate"])
    assert sent is not None
    assert (sent.trace_id, sent.state) == (trace.trace_id, "a=b")
    assert sent.span_id != trace.span_id
