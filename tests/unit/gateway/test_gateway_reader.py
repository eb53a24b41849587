"""Bytes become requests, or one refusal after which nothing more is read."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.gateway.config import GatewayConfig
from infra.gateway.http_messages import HttpRequest
from infra.gateway.reader import Refusal, RequestReader

POST = b"POST /api/a?x=1&x=2 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /api/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nhel\r\n2\r\nlo\r\n0\r\nX-Trailer: forged\r\n\r\n"
)
UPGRADE = (
    b"GET /api HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Reading:
    """A reader and how often it asked for 100 Continue."""

    def __init__(self, config: GatewayConfig | None = None) -> None:
        self.continues = 0
        self.reader = RequestReader(config or GatewayConfig(), "203.0.113.7", self._count)

    def _count(self) -> None:
        self.continues += 1

    def feed(self, data: bytes, step: int = 0) -> list[HttpRequest | Refusal]:
        pieces = [data] if not step else [data[i : i + step] for i in range(0, len(data), step)]
        return [item for piece in pieces for item in self.reader.feed(piece)]


def the_request(data: bytes, step: int = 0) -> HttpRequest:
    [item] = Reading().feed(data, step)
    assert isinstance(item, HttpRequest)
    return item


def the_refusal(data: bytes, config: GatewayConfig | None = None, step: int = 0) -> Refusal:
    item = Reading(config).feed(data, step)[-1]
    assert isinstance(item, Refusal)
    return item


@given(st.integers(1, len(POST)))
def test_a_request_is_the_same_however_it_is_cut(step: int) -> None:
    request = the_request(POST, step)
    assert (request.method, request.path, request.body) == ("POST", "/api/a", b"hello")
    assert request.query == {"x": ["1", "2"]}
    assert request.find_header("content-length") == "5"
    assert request.source_ip == "203.0.113.7"
    assert request.keep_alive


@given(st.integers(1, len(CHUNKED)))
def test_a_chunked_body_is_joined_and_its_trailers_are_no_headers(step: int) -> None:
    request = the_request(CHUNKED, step)
    assert request.body == b"hello"
    assert request.find_header("x-trailer") is None


def test_pipelined_requests_come_in_order() -> None:
    items = Reading().feed(POST + CHUNKED + POST)
    assert [item.body for item in items if isinstance(item, HttpRequest)] == [b"hello"] * 3


def test_what_follows_an_upgrade_is_kept_apart() -> None:
    reading = Reading()
    [request] = reading.feed(UPGRADE + b"\x81\x80")
    assert isinstance(request, HttpRequest)
    assert request.is_upgrade
    assert (reading.reader.has_upgraded, reading.reader.remainder) == (True, b"\x81\x80")


def test_a_client_that_expects_it_is_told_to_continue_once() -> None:
    reading = Reading()
    head, _, body = POST.replace(b"Host: h", b"Host: h\r\nExpect: 100-continue").rpartition(b"h")
    assert reading.feed(head) == []
    assert reading.continues == 1
    assert len(reading.feed(b"h" + body)) == 1


def test_an_absolute_target_is_read_as_its_path() -> None:
    request = the_request(b"GET http://h/api/a?q=1 HTTP/1.1\r\nHost: h\r\n\r\n")
    assert request.target == "/api/a?q=1"


@pytest.mark.parametrize(
    "data",
    [
        b"not http at all\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_a_malformed_request_is_refused_once(data: bytes) -> None:
    reading = Reading()
    [refusal] = reading.feed(data)
    assert isinstance(refusal, Refusal)
    assert refusal.name == "BAD_REQUEST"
    assert reading.feed(POST) == []


def test_a_body_over_the_limit_is_refused_before_and_while_it_arrives() -> None:
    small = dataclasses.replace(GatewayConfig(), body_limit_bytes=4)
    assert the_refusal(POST, small).name == "REQUEST_TOO_LARGE"
    assert the_refusal(CHUNKED, small).name == "REQUEST_TOO_LARGE"


def test_a_refused_body_is_not_asked_for() -> None:
    reading = Reading(dataclasses.replace(GatewayConfig(), body_limit_bytes=4))
    reading.feed(POST.replace(b"Host: h", b"Host: h\r\nExpect: 100-continue"))
    assert reading.continues == 0


@pytest.mark.parametrize("step", [0, 1000])
def test_headers_over_the_limit_are_refused(step: int) -> None:
    data = b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 20_000
    assert the_refusal(data + b"\r\n\r\n", step=step).status == 431
    assert the_refusal(data, step=1000).status == 431


def test_a_target_over_the_limit_is_told_apart() -> None:
    data = b"GET /" + b"y" * 20_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n"
    assert the_refusal(data).status == 414


def test_an_unknown_expectation_is_refused() -> None:
    assert the_refusal(POST.replace(b"Host: h", b"Host: h\r\nExpect: tea")).status == 417


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    Reading().feed(data, 7)
    Reading().feed(b"GET / HTTP/1.1\r\nHost: h\r\n" + data, 7)
