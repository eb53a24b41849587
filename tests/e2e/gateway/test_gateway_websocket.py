"""WebSocket connections over real sockets with a stock client."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import Any

import pytest
from chalice.app import Chalice, Response
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.typing import Subprotocol

from infra.gateway import Demand, PathRule
from tests.conftest import PATIENCE_S
from tests.e2e.gateway.rig import Recorded, Rig, a_socket_app, an_app, serving, until


def an_echo_app(seen: Recorded, **connect_result: Any) -> Chalice:
    """An app that records every event; a message `raise` raises, others return themselves."""
    app = an_app()

    @app.on_ws_connect()
    def on_connect(event: Any) -> Any:
        seen.add(event)
        return connect_result or None

    @app.on_ws_message()
    def on_message(event: Any) -> Any:
        seen.add(event)
        if event.body == "raise":
            raise RuntimeError("asked to")
        if event.body.isdigit():
            return {"statusCode": int(event.body)}
        return {"statusCode": 200, "body": event.body}

    @app.on_ws_disconnect()
    def on_disconnect(event: Any) -> None:
        seen.add(event)

    return app


def the_close(client: ClientConnection) -> tuple[int, str]:
    """Read until the gateway closes; return code and reason."""
    with pytest.raises(ConnectionClosed) as closed:
        for _ in iter(lambda: client.recv(timeout=PATIENCE_S), None):
            pass
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def the_refusal(rig: Rig, path: str = "/api", **options: Any) -> tuple[int, bytes]:
    with pytest.raises(InvalidStatus) as refused, rig.connect(path, **options):
        pass
    return refused.value.response.status_code, bytes(refused.value.response.body)


def test_a_message_reaches_the_default_handler_as_aws_words_it() -> None:
    seen = Recorded()
    with serving(an_echo_app(seen)) as rig, rig.connect("/api?a=1&a=2") as client:
        client.send("hello")
        message = seen.wait("$default")
        connect = seen.of("$connect")[0]
    assert connect["queryStringParameters"] == {"a": "2"}
    assert connect["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
    assert "permessage-deflate" in connect["headers"]["Sec-WebSocket-Extensions"]
    assert connect["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"
    assert connect["requestContext"]["domainName"].startswith("127.0.0.1:")
    assert list(message) == ["requestContext", "body", "isBase64Encoded"]
    assert message["body"] == "hello"
    same = ("connectionId", "connectedAt", "domainName", "stage", "apiId", "identity")
    for name in same:
        assert message["requestContext"][name] == connect["requestContext"][name]


def test_no_extension_is_negotiated() -> None:
    with serving(an_echo_app(Recorded())) as rig, rig.connect() as client:
        assert client.protocol.extensions == []


def test_a_trailing_slash_connects_and_another_path_is_forbidden() -> None:
    with serving(an_echo_app(Recorded())) as rig:
        rig.visit("/api/")
        assert the_refusal(rig, "/api/hello") == (403, b'{"message":"Forbidden"}')
        assert the_refusal(rig, "/")[0] == 403


def test_a_path_rule_leads_to_the_stage_with_its_query() -> None:
    seen = Recorded()
    rules = [PathRule("/ws/driver/orders/{token}", {"contract": "drivers"})]
    with serving(an_echo_app(seen), paths=rules) as rig:
        rig.visit("/ws/driver/orders/t0ken?contract=mine&v=1")
    assert seen.of("$connect")[0]["queryStringParameters"] == {
        "v": "1",
        "contract": "drivers",
        "token": "t0ken",
    }


def test_a_refused_connect_fails_the_handshake_with_its_status() -> None:
    app = an_app()

    @app.on_ws_connect()
    def on_connect(event: Any) -> Response:
        return Response(body="secret", status_code=401, headers={"X-Mine": "dropped"})

    with serving(app) as rig:
        assert the_refusal(rig) == (401, b"")


def test_a_connect_that_raises_is_a_bad_gateway() -> None:
    app = an_app()

    @app.on_ws_connect()
    def on_connect(event: Any) -> None:
        raise RuntimeError

    with serving(app) as rig:
        status, body = the_refusal(rig)
    assert status == 502
    assert json.loads(body)["message"] == "Internal server error"


def test_a_connect_that_takes_too_long_is_a_gateway_timeout() -> None:
    release = threading.Event()
    app = an_app()

    @app.on_ws_connect()
    def on_connect(event: Any) -> None:
        release.wait(PATIENCE_S)

    with serving(app, integration_timeout_s=0.05) as rig:
        assert the_refusal(rig)[0] == 504
        release.set()


def test_without_a_connect_route_the_connection_is_accepted() -> None:
    with serving(a_socket_app()) as rig:
        rig.visit()


def test_the_handshake_waits_for_the_connect_handler() -> None:
    release = threading.Event()
    app = an_app()

    @app.on_ws_connect()
    def on_connect(event: Any) -> None:
        release.wait(PATIENCE_S)

    with serving(app) as rig, rig.tcp() as client:
        client.sendall(a_handshake())
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        release.set()
        client.settimeout(PATIENCE_S)
        assert client.recv(65536).startswith(b"HTTP/1.1 101 ")


def test_a_subprotocol_is_selected_only_by_the_handler() -> None:
    offered = [Subprotocol("v1"), Subprotocol("v2")]
    chosen = {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "v2"}}
    with (
        serving(an_echo_app(Recorded(), **chosen)) as rig,
        rig.connect(subprotocols=offered) as client,
    ):
        assert client.subprotocol == "v2"
    with serving(an_echo_app(Recorded())) as rig, rig.connect(subprotocols=offered) as client:
        assert client.subprotocol is None


def test_a_subprotocol_that_would_split_the_response_is_a_bad_gateway() -> None:
    evil = {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "v1\r\nSet-Cookie: a=b"}}
    with serving(an_echo_app(Recorded(), **evil)) as rig:
        assert the_refusal(rig)[0] == 502


@pytest.mark.parametrize("body", ["raise", "400", "500"])
def test_a_failed_message_is_answered_and_the_socket_stays_open(body: str) -> None:
    seen = Recorded()
    with serving(an_echo_app(seen)) as rig, rig.connect() as client:
        client.send(body)
        context = seen.wait("$default")["requestContext"]
        assert client.recv(timeout=PATIENCE_S) == (
            '{"message": "Internal server error", '
            f'"connectionId":"{context["connectionId"]}", "requestId":"{context["requestId"]}"}}'
        )
        client.send("still here")
        assert seen.wait("$default", 2)["body"] == "still here"


def test_without_a_default_handler_a_message_is_forbidden() -> None:
    with serving(a_socket_app()) as rig, rig.connect() as client:
        client.send("anyone?")
        frame = client.recv(timeout=PATIENCE_S)
        assert json.loads(frame)["message"] == "Forbidden"


def test_a_hung_handler_times_out_and_others_still_run() -> None:
    release = threading.Event()
    app = an_app()

    @app.on_ws_message()
    def on_message(event: Any) -> Any:
        if event.body == "hang":
            release.wait(PATIENCE_S)
        return {"statusCode": 200, "body": event.body}

    limits: dict[str, Any] = {"integration_timeout_s": 1.0, "workers": 1, "max_workers": 4}
    with serving(app, route_response=True, **limits) as rig, rig.connect() as client:
        client.send("hang")
        frame = client.recv(timeout=PATIENCE_S)
        assert json.loads(frame)["message"] == "Endpoint request timed out"
        client.send("run")
        assert client.recv(timeout=PATIENCE_S) == "run"
        release.set()


def test_a_returned_body_is_sent_only_with_a_route_response() -> None:
    seen = Recorded()
    with serving(an_echo_app(seen)) as rig, rig.connect() as client:
        client.send("hello")
        seen.wait("$default")
        client.send("400")
        assert "Internal server error" in str(client.recv(timeout=PATIENCE_S))
    with serving(an_echo_app(seen), route_response=True) as rig, rig.connect() as client:
        client.send("hello")
        assert client.recv(timeout=PATIENCE_S) == "hello"


def test_messages_of_one_connection_run_at_the_same_time() -> None:
    together = threading.Barrier(3)
    app = an_app()

    @app.on_ws_message()
    def on_message(event: Any) -> None:
        together.wait(PATIENCE_S)

    with serving(app) as rig, rig.connect() as client:
        client.send("one")
        client.send("two")
        together.wait(PATIENCE_S)


def test_middleware_runs_around_every_event() -> None:
    seen = Recorded()
    app = an_echo_app(seen)
    called: list[str] = []

    @app.middleware("websocket")
    def note(event: Any, get_response: Any) -> Any:
        called.append(event.to_dict()["requestContext"]["routeKey"])
        return get_response(event)

    with serving(app) as rig:
        with rig.connect() as client:
            client.send("x")
            seen.wait("$default")
        seen.wait("$disconnect")
    assert called == ["$connect", "$default", "$disconnect"]


@pytest.mark.parametrize("size", [128 * 1024, 32 * 1024 + 1, 1])
def test_a_fragmented_message_is_joined(size: int) -> None:
    text = "é" * (size // 2) + "x" * (size % 2)
    seen = Recorded()
    with serving(an_echo_app(seen)) as rig, rig.connect() as client:
        client.send(in_fragments(text))
        assert seen.wait("$default")["body"] == text


def test_a_message_over_128_kb_is_closed_as_too_big() -> None:
    seen = Recorded()
    with serving(an_echo_app(seen)) as rig, rig.connect() as client:
        with contextlib.suppress(
            ConnectionClosed
        ):  # before the last fragment is sent, if the gateway is quick
            client.send(in_fragments("x" * (128 * 1024 + 1)))
        assert the_close(client)[0] == 1009
        assert seen.wait("$disconnect")["requestContext"]["disconnectStatusCode"] == 1009
    assert seen.of("$default") == []


def test_a_frame_over_32_kb_is_closed_as_too_big() -> None:
    with serving(an_echo_app(Recorded())) as rig, rig.connect() as client:
        client.send("x" * (32 * 1024))
        client.send("x" * (32 * 1024 + 1))
        assert the_close(client)[0] == 1009


def test_a_binary_frame_is_closed_as_unsupported() -> None:
    seen = Recorded()
    with serving(an_echo_app(seen)) as rig, rig.connect() as client:
        client.send(b"\x00\x01")
        assert the_close(client)[0] == 1003
        assert seen.wait("$disconnect")["requestContext"]["disconnectStatusCode"] == 1003
    assert seen.of("$default") == []


def test_text_that_is_not_utf8_is_closed_as_invalid() -> None:
    with serving(an_echo_app(Recorded())) as rig, rig.connect() as client:
        client.send(b"\xff\xfe", text=True)
        assert the_close(client)[0] == 1007


def test_a_character_cut_by_a_fragment_is_whole_again() -> None:
    seen = Recorded()
    with serving(an_echo_app(seen)) as rig, rig.connect() as client:
        client.send(iter([b"\xc3", b"\xa9"]), text=True)
        assert seen.wait("$default")["body"] == "é"


def test_a_ping_is_answered() -> None:
    with serving(an_echo_app(Recorded())) as rig, rig.connect() as client:
        assert client.ping().wait(PATIENCE_S)


def test_ten_quiet_minutes_close_a_connection_as_going_away() -> None:
    seen = Recorded()
    with serving(an_echo_app(seen)) as rig, rig.connect() as client:
        rig.sweep(after_s=599)
        assert seen.of("$disconnect") == []
        rig.sweep(after_s=1)
        assert the_close(client) == (1001, "Going away")
        context = seen.wait("$disconnect")["requestContext"]
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (1001, "Going away")


def test_a_message_keeps_a_connection_alive_and_a_ping_does_not() -> None:
    seen = Recorded()
    with serving(an_echo_app(seen)) as rig, rig.connect() as client:
        rig.sweep(after_s=400)
        client.send("hello")
        seen.wait("$default")
        rig.sweep(after_s=400)
        assert client.ping().wait(PATIENCE_S)
        assert seen.of("$disconnect") == []
        rig.sweep(after_s=200)
        assert the_close(client)[0] == 1001


def test_a_ping_can_be_made_to_count() -> None:
    seen = Recorded()
    with serving(an_echo_app(seen), ping_counts=True) as rig, rig.connect() as client:
        rig.sweep(after_s=400)
        assert client.ping().wait(PATIENCE_S)
        rig.sweep(after_s=400)
        assert seen.of("$disconnect") == []


def test_an_edge_cuts_a_connection_that_only_its_client_talks_on() -> None:
    seen = Recorded()
    with serving(an_echo_app(seen), edge_idle_s=600.0) as rig, rig.connect() as client:
        for n in range(3):  # a message a few minutes: API Gateway would keep it
            client.send("quiet")
            seen.wait("$default", n + 1)
            rig.sweep(after_s=250 if n else 0)
        assert seen.of("$disconnect") == []
        rig.sweep(after_s=100)
        with pytest.raises(ConnectionClosed) as cut:
            client.recv(timeout=PATIENCE_S)
        assert cut.value.rcvd is None  # no close frame: the client sees 1006
        context = seen.wait("$disconnect")["requestContext"]
    assert context["disconnectStatusCode"] == 1006


def test_a_post_or_a_pong_keeps_a_connection_open_at_the_edge() -> None:
    seen = Recorded()
    app = an_echo_app(seen)
    with serving(app, edge_idle_s=600.0, idle_timeout_s=1e9) as rig, rig.connect() as client:
        rig.sweep(after_s=590)
        id_ = seen.wait("$connect")["requestContext"]["connectionId"]
        rig.management().post_to_connection(ConnectionId=id_, Data=b"beat")
        assert client.recv(PATIENCE_S) == "beat"
        rig.sweep()
        rig.sweep(after_s=590)
        assert client.ping().wait(PATIENCE_S)
        rig.sweep()
        rig.sweep(after_s=590)
        assert seen.of("$disconnect") == []


def test_two_hours_end_an_active_connection() -> None:
    with serving(an_echo_app(Recorded()), idle_timeout_s=1e9) as rig, rig.connect() as client:
        rig.sweep(after_s=7200)
        assert the_close(client) == (1001, "Going away")


def test_a_close_without_a_code_is_told_as_not_set() -> None:
    seen = Recorded()
    with serving(an_echo_app(seen)) as rig, rig.tcp() as client:
        shake_hands(client)
        client.sendall(b"\x88\x80\x00\x00\x00\x00")
        context = seen.wait("$disconnect")["requestContext"]
        assert client.recv(100) == b"\x88\x00"
        assert client.recv(100) == b""
    assert context["disconnectStatusCode"] == 1005
    assert context["disconnectReason"] == "Client-side close frame status not set"


def test_a_close_with_a_code_is_told_with_it_once() -> None:
    seen = Recorded()
    with serving(an_echo_app(seen)) as rig:
        with rig.connect() as client:
            client.close(4001, "done")
        context = seen.wait("$disconnect")["requestContext"]
        until(lambda: rig.gateway.connections == 0, "the connection to go")
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (4001, "done")
    assert len(seen.of("$disconnect")) == 1


@pytest.mark.parametrize("reset", [False, True])
def test_a_lost_connection_is_told_as_1006(reset: bool) -> None:
    seen = Recorded()
    with serving(an_echo_app(seen)) as rig:
        client = rig.tcp()
        shake_hands(client)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        client.close()
        assert seen.wait("$disconnect")["requestContext"]["disconnectStatusCode"] == 1006
        until(lambda: rig.gateway.connections == 0, "the connection to go")


def test_a_message_and_a_close_in_one_packet_both_count() -> None:
    seen = Recorded()
    with serving(an_echo_app(seen)) as rig, rig.tcp() as client:
        shake_hands(client)
        client.sendall(b"\x81\x82\x00\x00\x00\x00hi" + b"\x88\x80\x00\x00\x00\x00")
        assert seen.wait("$default")["body"] == "hi"
        seen.wait("$disconnect")


def test_an_error_for_a_client_that_closed_in_the_same_packet_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serving(a_socket_app()) as rig, rig.tcp() as client:
        shake_hands(client)
        client.sendall(b"\x81\x82\x00\x00\x00\x00hi" + b"\x88\x80\x00\x00\x00\x00")
        assert b"".join(iter(lambda: client.recv(100), b"")) == b"\x88\x00"
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_frames_sent_before_the_handshake_is_answered_are_kept() -> None:
    seen = Recorded()
    with serving(an_echo_app(seen)) as rig, rig.tcp() as client:
        client.sendall(a_handshake() + b"\x81\x82\x00\x00\x00\x00hi")
        assert seen.wait("$default")["body"] == "hi"


@pytest.mark.parametrize("accepts", [True, False])
def test_a_client_that_leaves_during_connect_leaks_nothing(accepts: bool) -> None:
    seen, entered, release = Recorded(), threading.Event(), threading.Event()
    app = an_app()

    @app.on_ws_connect()
    def on_connect(event: Any) -> Any:
        entered.set()
        release.wait(PATIENCE_S)
        return {"statusCode": 200 if accepts else 403}

    @app.on_ws_disconnect()
    def on_disconnect(event: Any) -> None:
        seen.add(event)

    with serving(app) as rig:
        client = rig.tcp()
        client.sendall(a_handshake())
        assert entered.wait(PATIENCE_S)
        client.close()
        release.set()
        if accepts:
            assert seen.wait("$disconnect")["requestContext"]["disconnectStatusCode"] == 1006
        until(lambda: rig.gateway.connections == 0, "nothing to be left")
    assert len(seen.of("$disconnect")) == (1 if accepts else 0)


def test_a_failing_disconnect_handler_harms_nobody() -> None:
    app = an_app()
    called = threading.Event()

    @app.on_ws_disconnect()
    def on_disconnect(event: Any) -> None:
        called.set()
        raise RuntimeError

    with serving(app) as rig:
        rig.visit()
        assert called.wait(PATIENCE_S)
        rig.visit()


def test_too_many_new_connections_are_throttled_when_asked() -> None:
    with serving(a_socket_app(), connect_rate=2) as rig:
        rig.visit()
        rig.visit()
        assert the_refusal(rig)[0] == 429
        rig.sweep(after_s=1)
        rig.visit()


def test_a_url_over_4096_characters_is_refused() -> None:
    with serving(a_socket_app()) as rig:
        rig.visit("/api?q=" + "x" * 4080)
        assert the_refusal(rig, "/api?q=" + "x" * 4096)[0] == 414


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ((b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 8"), b"426"),
        ((b"dGhlIHNhbXBsZSBub25jZQ==", b"short"), b"400"),
        ((b"GET", b"POST"), b"405"),
    ],
)
def test_an_unsound_handshake_is_refused(change: tuple[bytes, bytes], status: bytes) -> None:
    with serving(a_socket_app()) as rig:
        answer = rig.raw(a_handshake().replace(*change))
        assert answer.startswith(b"HTTP/1.1 " + status)


def test_a_hundred_sockets_echo_at_once() -> None:
    app = an_echo_app(Recorded())
    with serving(app, route_response=True) as rig, contextlib.ExitStack() as opened:
        clients = [opened.enter_context(rig.connect()) for _ in range(100)]
        for number, client in enumerate(clients):
            client.send(f"socket {number}")
        for number, client in enumerate(clients):
            assert client.recv(timeout=PATIENCE_S) == f"socket {number}"
        assert rig.gateway.connections == 100
        for client in clients:
            client.close()
        until(lambda: rig.gateway.connections == 0, "all to be gone")


def a_handshake() -> bytes:
    return (
        b"GET /api HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )


def shake_hands(client: socket.socket) -> None:
    client.sendall(a_handshake())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += client.recv(1)
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer


def in_fragments(text: str, size: int = 16_000) -> Any:
    return (text[i : i + size] for i in range(0, len(text), size))


def test_an_app_without_websocket_handlers_has_no_websocket_api() -> None:
    rules = [PathRule("/ws")]
    with serving(an_app(), paths=rules) as rig:
        assert the_refusal(rig) == (403, b'{"message":"Forbidden"}')
        assert the_refusal(rig, "/ws")[0] == 403


@pytest.mark.parametrize(
    ("query", "is_refused"),
    [("?v=3", True), ("?v=4&v=3", True), ("?v=", True), ("?v=4", False), ("?v=3&v=4", False)],
)
def test_a_rule_refuses_who_gives_another_value_than_it_demands(
    query: str, is_refused: bool
) -> None:
    demand = Demand("v", "4", (400, '{"code":5}'))
    rules = [PathRule("/ws", demand=demand, otherwise=(400, '{"code":0}'))]
    with serving(a_socket_app(), paths=rules) as rig:
        plain = rig.http("GET", f"/ws{query}")
        assert (plain.status, plain.json()["code"]) == (400, 5 if is_refused else 0)
        assert plain.headers["Access-Control-Allow-Origin"] == "*"
        if is_refused:
            assert the_refusal(rig, f"/ws{query}") == (400, b'{"code":5}')
        else:
            rig.visit(f"/ws{query}")


def test_a_demand_is_not_made_of_who_does_not_give_the_name() -> None:
    rules = [PathRule("/ws", demand=Demand("v", "4", (400, "{}")))]
    with serving(a_socket_app(), paths=rules) as rig:
        rig.visit("/ws")
