"""Events have the keys, order and values that captures from AWS show."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from infra.gateway.events import (
    Peer,
    connect_event,
    disconnect_event,
    message_event,
    request_time,
)
from infra.gateway.frames import DELETED, NO_STATUS, error_frame
from infra.gateway.identifiers import new_id

NOW_S = 1731324924.561
HANDSHAKE = [
    ("host", "127.0.0.1:8080"),
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-key", "+W5xw47OHh3OTFsWKjGu9Q=="),
    ("sec-websocket-version", "13"),
    ("sec-websocket-extensions", "permessage-deflate; client_max_window_bits"),
]


def a_peer(user_agent: str | None = None) -> Peer:
    return Peer("BFHPhfCWIAMCKlQ=", 1731324924553, "203.0.113.7", user_agent, "host", "api", "id")


def test_connect_has_the_keys_of_a_capture_in_its_order() -> None:
    event = connect_event(a_peer(), "BFHPhFe3IAMF95g=", NOW_S, HANDSHAKE, {})
    assert list(event) == ["headers", "multiValueHeaders", "requestContext", "isBase64Encoded"]
    assert event["requestContext"] == {
        "routeKey": "$connect",
        "eventType": "CONNECT",
        "extendedRequestId": "BFHPhFe3IAMF95g=",
        "requestTime": "11/Nov/2024:11:35:24 +0000",
        "messageDirection": "IN",
        "stage": "api",
        "connectedAt": 1731324924553,
        "requestTimeEpoch": 1731324924561,
        "identity": {"sourceIp": "203.0.113.7"},
        "requestId": "BFHPhFe3IAMF95g=",
        "domainName": "host",
        "connectionId": "BFHPhfCWIAMCKlQ=",
        "apiId": "id",
    }
    assert list(event["requestContext"])[:3] == ["routeKey", "eventType", "extendedRequestId"]
    assert event["isBase64Encoded"] is False


def test_connect_headers_are_in_canonical_case_without_upgrade_and_connection() -> None:
    headers = connect_event(a_peer(), "r", NOW_S, HANDSHAKE, {})["headers"]
    assert list(headers) == [
        "Host",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "X-Amzn-Trace-Id",
        "X-Forwarded-For",
        "X-Forwarded-Port",
        "X-Forwarded-Proto",
    ]
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", headers["X-Amzn-Trace-Id"])
    assert headers["X-Forwarded-For"] == "203.0.113.7"
    assert (headers["X-Forwarded-Port"], headers["X-Forwarded-Proto"]) == ("443", "https")


def test_a_repeated_header_shows_its_last_value_and_all_values() -> None:
    sent = [*HANDSHAKE, ("cookie", "a=1"), ("Cookie", "b=2"), ("x-mine", "kept")]
    event = connect_event(a_peer(), "r", NOW_S, sent, {})
    assert event["headers"]["Cookie"] == "b=2"
    assert event["multiValueHeaders"]["Cookie"] == ["a=1", "b=2"]
    assert event["headers"]["x-mine"] == "kept"


def test_query_is_present_only_when_there_is_one_and_the_last_value_wins() -> None:
    query = {"path": ["one", "two", "three"]}
    event = connect_event(a_peer(), "r", NOW_S, HANDSHAKE, query)
    assert event["queryStringParameters"] == {"path": "three"}
    assert event["multiValueQueryStringParameters"] == query
    assert list(event)[2:4] == ["queryStringParameters", "multiValueQueryStringParameters"]
    assert "queryStringParameters" not in connect_event(a_peer(), "r", NOW_S, HANDSHAKE, {})


def test_identity_has_a_user_agent_only_if_the_client_sent_one() -> None:
    assert a_peer().identity == {"sourceIp": "203.0.113.7"}
    assert a_peer("ua/1").identity["userAgent"] == "ua/1"


def test_message_has_only_context_body_and_the_base64_flag() -> None:
    event = message_event(a_peer(), "req", "msg", NOW_S, "hello")
    assert list(event) == ["requestContext", "body", "isBase64Encoded"]
    assert (event["body"], event["isBase64Encoded"]) == ("hello", False)
    context = event["requestContext"]
    assert list(context)[:4] == ["routeKey", "messageId", "eventType", "extendedRequestId"]
    assert (context["routeKey"], context["eventType"]) == ("$default", "MESSAGE")
    assert context["messageId"] == "msg"
    assert context["requestId"] == context["extendedRequestId"] == "req"


def test_connected_at_is_the_same_in_every_event_of_a_connection() -> None:
    later_s = NOW_S + 60
    events = [
        connect_event(a_peer(), "r", NOW_S, HANDSHAKE, {}),
        message_event(a_peer(), "r", "m", later_s, ""),
        disconnect_event(a_peer(), "r", later_s, NO_STATUS),
    ]
    assert {event["requestContext"]["connectedAt"] for event in events} == {1731324924553}
    assert events[1]["requestContext"]["requestTimeEpoch"] == int(later_s * 1000)


def test_disconnect_has_its_four_headers_and_the_close_status() -> None:
    event = disconnect_event(a_peer(), "r", NOW_S, NO_STATUS)
    assert list(event) == ["headers", "multiValueHeaders", "requestContext", "isBase64Encoded"]
    assert event["headers"] == {
        "Host": "host",
        "x-api-key": "",
        "X-Forwarded-For": "",
        "x-restapi": "",
    }
    assert event["multiValueHeaders"]["x-restapi"] == [""]
    context = event["requestContext"]
    assert context["disconnectStatusCode"] == 1005
    assert context["disconnectReason"] == "Client-side close frame status not set"
    assert list(context)[:7] == [
        "routeKey",
        "disconnectStatusCode",
        "eventType",
        "extendedRequestId",
        "requestTime",
        "messageDirection",
        "disconnectReason",
    ]


def test_a_deleted_connection_is_told_as_closed_normally() -> None:
    context = disconnect_event(a_peer(), "r", NOW_S, DELETED)["requestContext"]
    assert context["disconnectStatusCode"] == 1000
    assert context["disconnectReason"] == "Connection Closed Normally"


def test_request_time_is_worded_in_english_utc() -> None:
    assert request_time(0) == "01/Jan/1970:00:00:00 +0000"


def test_an_id_is_eleven_bytes_in_sixteen_url_safe_characters() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{15}=", found) for found in ids)


def test_an_error_frame_has_the_exact_spacing_of_aws() -> None:
    assert error_frame("Forbidden", "eHrdFcnvvHcCE-w=", "eHrjDEuVPHcFWMg=") == (
        '{"message": "Forbidden", "connectionId":"eHrdFcnvvHcCE-w=", '
        '"requestId":"eHrjDEuVPHcFWMg="}'
    )


@given(st.text(), st.dictionaries(st.text(), st.lists(st.text(), min_size=1)))
def test_every_event_is_json(body: str, query: dict[str, list[str]]) -> None:
    for event in (
        connect_event(a_peer(), "r", NOW_S, HANDSHAKE, query),
        message_event(a_peer(), "r", "m", NOW_S, body),
        disconnect_event(a_peer(), "r", NOW_S, NO_STATUS),
    ):
        assert json.loads(json.dumps(event)) == event
