"""The @connections API, as boto3 and plain HTTP clients see it."""

from __future__ import annotations

import re
import threading
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from chalice.app import Chalice
from websockets.exceptions import ConnectionClosed

from tests.conftest import PATIENCE_S
from tests.e2e.gateway.rig import SIGNATURE, Recorded, Rig, an_app, serving, until

SIGNED = {"Authorization": SIGNATURE}
NOBODY = "AAAAAAAAAAAAAAA="


def a_listening_app(seen: Recorded) -> Chalice:
    app = an_app()

    @app.on_ws_connect()
    def on_connect(event: Any) -> None:
        seen.add(event)

    @app.on_ws_disconnect()
    def on_disconnect(event: Any) -> None:
        seen.add(event)

    return app


def the_id(seen: Recorded, count: int = 1) -> str:
    return str(seen.wait("$connect", count)["requestContext"]["connectionId"])


def path_of(connection_id: str) -> str:
    return f"/api/@connections/{quote(connection_id, safe='')}"


def the_code(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    response: Any = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_boto3_posts_looks_and_deletes() -> None:
    seen = Recorded()
    with serving(a_listening_app(seen)) as rig, rig.connect() as client:
        boto, connection_id = rig.management(), the_id(seen)
        rig.clock.now_s += 5
        posted = boto.post_to_connection(ConnectionId=connection_id, Data="hé".encode())
        assert posted["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert client.recv(timeout=PATIENCE_S) == "hé"
        found = boto.get_connection(ConnectionId=connection_id)
        connected = datetime(2024, 11, 11, 11, 35, 24, tzinfo=timezone.utc)
        assert found["ConnectedAt"] == connected
        assert (found["LastActiveAt"] - connected).total_seconds() == 5
        assert found["Identity"]["SourceIp"] == "127.0.0.1"
        assert "websockets" in found["Identity"]["UserAgent"]
        deleted = boto.delete_connection(ConnectionId=connection_id)
        assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=PATIENCE_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000
        context = seen.wait("$disconnect")["requestContext"]
    assert context["disconnectStatusCode"] == 1000
    assert context["disconnectReason"] == "Connection Closed Normally"


@pytest.mark.parametrize("operation", ["post_to_connection", "get_connection", "delete_connection"])
def test_boto3_recognises_a_connection_that_is_gone(operation: str) -> None:
    with serving(an_app()) as rig:
        boto = rig.management()
        data = {"Data": b"x"} if operation == "post_to_connection" else {}
        with pytest.raises(boto.exceptions.GoneException):
            getattr(boto, operation)(ConnectionId=NOBODY, **data)


def test_a_closed_connection_is_gone() -> None:
    seen = Recorded()
    with serving(a_listening_app(seen)) as rig:
        rig.visit()
        until(lambda: rig.gateway.connections == 0, "the close")
        assert rig.http("POST", path_of(the_id(seen)), b"x", SIGNED).status == 410


def test_a_connection_is_gone_until_its_connect_handler_returned() -> None:
    answers: list[int] = []
    app = an_app()

    @app.on_ws_connect()
    def on_connect(event: Any) -> None:
        connection_id = event.to_dict()["requestContext"]["connectionId"]
        answers.append(rig.http("POST", path_of(connection_id), b"early", SIGNED).status)

    with serving(app) as rig:
        rig.visit()
    assert answers == [410]


def test_errors_carry_the_type_that_sdks_read() -> None:
    with serving(an_app()) as rig:
        answer = rig.http("POST", path_of(NOBODY), b"x", SIGNED)
    assert answer.headers["x-amzn-ErrorType"] == "GoneException"


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, "MissingAuthenticationTokenException"),
        ({"Authorization": "Bearer x"}, "IncompleteSignatureException"),
        (
            {"Authorization": SIGNATURE.replace("execute-api", "dynamodb")},
            "IncompleteSignatureException",
        ),
        (
            {"Authorization": SIGNATURE.partition(", Signature")[0]},
            "IncompleteSignatureException",
        ),
    ],
)
def test_an_unsigned_request_is_forbidden(headers: dict[str, str], error: str) -> None:
    with serving(an_app()) as rig:
        answer = rig.http("POST", path_of(NOBODY), b"x", headers)
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == (403, error)


def test_an_unknown_method_is_forbidden() -> None:
    with serving(an_app()) as rig:
        assert rig.http("PUT", path_of(NOBODY), b"x", SIGNED).status == 403


def test_another_stage_is_forbidden() -> None:
    with serving(an_app()) as rig:
        assert rig.http("POST", f"/prod/@connections/{NOBODY}", b"x", SIGNED).status == 403


def test_a_payload_of_128_kb_is_sent_and_a_larger_one_refused() -> None:
    seen = Recorded()
    with serving(a_listening_app(seen)) as rig, rig.connect() as client:
        boto, connection_id = rig.management(), the_id(seen)
        boto.post_to_connection(ConnectionId=connection_id, Data=b"x" * 131072)
        assert len(client.recv(timeout=PATIENCE_S)) == 131072
        with pytest.raises(boto.exceptions.PayloadTooLargeException):
            boto.post_to_connection(ConnectionId=connection_id, Data=b"x" * 131073)
        boto.post_to_connection(ConnectionId=connection_id, Data=b"after")
        assert client.recv(timeout=PATIENCE_S) == "after"


def test_data_that_is_not_text_is_refused() -> None:
    seen = Recorded()
    with serving(a_listening_app(seen)) as rig, rig.connect():
        answer = rig.http("POST", path_of(the_id(seen)), b"\xff", SIGNED)
        assert answer.status == 400


def test_a_client_that_does_not_read_is_limited_and_the_gateway_goes_on() -> None:
    seen = Recorded()
    with serving(a_listening_app(seen), send_buffer_bytes=100_000) as rig, rig.tcp() as slow:
        slow.sendall(
            b"GET /api HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        boto, connection_id = rig.management(), the_id(seen)
        until(lambda: rig.gateway.connections == 1, "the handshake")

        def flood() -> None:
            for _ in range(1000):
                boto.post_to_connection(ConnectionId=connection_id, Data=b"x" * 90_000)

        with pytest.raises(boto.exceptions.LimitExceededException):
            flood()
        with rig.connect() as other:
            boto.post_to_connection(ConnectionId=the_id(seen, 2), Data=b"fine")
            assert other.recv(timeout=PATIENCE_S) == "fine"


def test_the_id_may_come_encoded_or_plain() -> None:
    seen = Recorded()
    with serving(a_listening_app(seen)) as rig, rig.connect() as client:
        plain = the_id(seen)
        for path in (
            f"/api/@connections/{plain}",
            f"/api/%40connections/{quote(plain, safe='')}",
        ):
            assert rig.http("POST", path, b"x", SIGNED).status == 200
            assert client.recv(timeout=PATIENCE_S) == "x"


def test_a_post_is_answered_with_nothing() -> None:
    seen = Recorded()
    with serving(a_listening_app(seen)) as rig, rig.connect():
        answer = rig.http("POST", path_of(the_id(seen)), b"x", SIGNED)
    assert (answer.status, answer.body) == (200, b"")
    assert re.fullmatch(r"[\w-]{15}=", answer.headers["x-amzn-RequestId"])


def test_chalices_own_websocket_api_reaches_the_gateway() -> None:
    seen = Recorded()
    app = a_listening_app(seen)

    @app.on_ws_message()
    def on_message(event: Any) -> None:
        app.websocket_api.send(event.connection_id, event.body.upper())

    with serving(app) as rig:
        app.websocket_api.session = _Session(rig)
        with rig.connect() as client:
            client.send("hello")
            assert client.recv(timeout=PATIENCE_S) == "HELLO"


def test_a_handler_posts_while_every_other_worker_is_busy() -> None:
    release = threading.Event()
    seen = Recorded()
    app = a_listening_app(seen)

    @app.on_ws_message()
    def on_message(event: Any) -> None:
        if event.body == "wait":
            release.wait(PATIENCE_S)
        else:
            rig.http("POST", path_of(event.connection_id), b"posted", SIGNED)

    with serving(app, workers=2) as rig, rig.connect() as client:
        client.send("wait")
        client.send("post")
        assert client.recv(timeout=PATIENCE_S) == "posted"
        release.set()


class _Session:
    """What Chalice asks of a boto3 session."""

    region_name = "us-east-1"

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.endpoint_url = ""

    def client(self, service: str, endpoint_url: str) -> Any:
        assert (service, endpoint_url) == ("apigatewaymanagementapi", self._rig.gateway.endpoint)
        return self._rig.management()


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("id_", ["nope", "AAAAAAAAAAAAAAAA", NOBODY + "=", "AAAAAAAAAAAAAA!=", "="])
def test_what_can_be_no_connection_id_is_told(method: str, id_: str) -> None:
    with serving(an_app()) as rig:
        answer = rig.http(method, path_of(id_), b"x", SIGNED)
        assert rig.http(method, path_of(id_), b"x").status == 403
    assert (answer.status, answer.json()) == (400, {"message": "Invalid connectionId"})
    assert answer.headers["x-amzn-ErrorType"] == "BadRequestException"
