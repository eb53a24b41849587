"""botocore over a wire: what a client asks and gets is the same, whatever carries it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    SSLError,
)
from botocore.httpsession import URLLib3Session
from botocore.session import Session

from chalicelib.edge.aws.transport import Transport, lighten
from tests.unit.edge.scripted import Answer, a_peer, hangs_up, says, then_hangs_up
from tests.unit.edge.test_wire import a_certificate

KEY = {"id": {"S": "x"}}
FOUND = b'{"Item":{"id":{"S":"x"},"doc":{"B":"AAEC"}}}'
ITEM = {"id": {"S": "x"}, "doc": {"B": b"\x00\x01\x02"}}
HEAD = b"HTTP/1.1 200 OK\r\nx-amzn-RequestId: r1\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(FOUND)
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (20, FOUND[:20])
REST = b"%X;what=ever\r\n%s\r\n0\r\n\r\n" % (len(FOUND) - 20, FOUND[20:])
LOST = b'{"__type":"x#ConditionalCheckFailedException","message":"no"}'
REFUSAL = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(LOST), LOST)


def client(url: str, **more: Any) -> Any:
    """A light DynamoDB client that tries once."""
    settings = Config(
        retries={"total_max_attempts": 1}, connect_timeout=0.5, read_timeout=0.2, proxies={}
    )
    session = Session()
    session.set_credentials("key", "secret")
    made = session.create_client("dynamodb", "us-east-1", endpoint_url=url, config=settings, **more)
    lighten(made)
    return made


def item(made: Any) -> Any:
    """What a GetItem finds."""
    return made.get_item(TableName="t", Key=KEY)["Item"]


@pytest.mark.parametrize(
    "answer",
    [
        says(WHOLE + FOUND),
        says(WHOLE, FOUND[:5], FOUND[5:]),
        says(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(FOUND), FOUND),
        says(CHUNKED + REST),
        says(CHUNKED, REST[:3], REST[3:]),
    ],
)
def test_an_answer_is_read_to_its_end_however_it_is_framed(answer: Answer) -> None:
    with a_peer([answer, says(WHOLE + FOUND)], [says(WHOLE + FOUND)]) as peer:
        made = client(peer.url)
        assert item(made) == item(made) == ITEM


def test_a_request_is_what_botocore_would_send() -> None:
    with a_peer([says(WHOLE + FOUND)]) as peer:
        assert item(client(f"http://{peer.authority}")) == ITEM
        head, _, body = peer.requests[0][0].partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in lines)}
        assert first == "POST / HTTP/1.1"
        assert headers["host"] == peer.authority
        assert headers["x-amz-target"] == "DynamoDB_20120810.GetItem"
        assert "SignedHeaders=content-type;host;x-amz-date;x-amz-target" in headers["authorization"]
        assert int(headers["content-length"]) == len(body)
        assert len(lines) == len(headers)


def test_a_refusal_is_the_error_that_botocore_makes_of_it() -> None:
    with a_peer([says(REFUSAL)]) as peer, pytest.raises(ClientError) as refused:
        item(client(peer.url))
    assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"


@pytest.mark.parametrize(
    "answer",
    [hangs_up, then_hangs_up(WHOLE + FOUND[:9]), then_hangs_up(CHUNKED), lambda client: None],
)
def test_half_an_answer_is_none(answer: Callable[..., object]) -> None:
    with a_peer([answer]) as peer, pytest.raises(ConnectionClosedError):
        item(client(peer.url))


def test_nobody_there_is_what_botocore_calls_it() -> None:
    with a_peer() as peer:
        url = peer.url
    with pytest.raises(EndpointConnectionError):
        item(client(url))


def test_a_peer_is_verified_as_botocore_would(tmp_path: Path) -> None:
    served = a_certificate(tmp_path)
    with a_peer([says(WHOLE + FOUND)], [says(WHOLE + FOUND)], tls=served) as peer:
        with pytest.raises(SSLError):
            item(client(f"https://{peer.authority}"))
        assert item(client(f"https://{peer.authority}", verify=str(tmp_path / "cert.pem"))) == ITEM


def test_a_client_that_goes_through_a_proxy_or_verifies_nobody_stays_as_it_is() -> None:
    settings = Config(proxies={"http": "http://127.0.0.1:1"})
    session = Session()
    session.set_credentials("key", "secret")
    proxied = session.create_client("dynamodb", "us-east-1", config=settings)
    lighten(proxied)
    assert isinstance(proxied._endpoint.http_session, URLLib3Session)
    blind = client("https://127.0.0.1:1", verify=False)
    assert isinstance(blind._endpoint.http_session, URLLib3Session)
    light = client("https://127.0.0.1:1")
    before = light._endpoint.http_session
    lighten(light)
    assert light._endpoint.http_session is before
    assert isinstance(before, Transport)
