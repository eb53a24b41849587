"""What a WebSocket handler's result means to the client."""

from __future__ import annotations

from typing import Any

import pytest

from infra.gateway.invocation import FAILED, TIMED_OUT, Outcome
from infra.gateway.lambda_result import judge_connect, judge_default


@pytest.mark.parametrize("status", [200, 204, 299, "200"])
def test_a_2xx_accepts_the_connection(status: Any) -> None:
    assert judge_connect(Outcome({"statusCode": status})).status == 101


@pytest.mark.parametrize("status", [302, 400, 401, 403, 500, "403"])
def test_another_status_refuses_the_handshake_with_it(status: Any) -> None:
    answer = judge_connect(Outcome({"statusCode": status}))
    assert (answer.status, answer.message) == (int(status), None)


@pytest.mark.parametrize(
    "value",
    [None, "ok", [], {}, {"statusCode": None}, {"statusCode": "x"}, {"statusCode": True}]
    + [{"statusCode": n} for n in (0, 99, 101, 600)]
    + [{"statusCode": 200, "body": object()}],
)
def test_a_malformed_result_is_a_bad_gateway(value: Any) -> None:
    answer = judge_connect(Outcome(value))
    assert (answer.status, answer.message) == (502, "Internal server error")


def test_a_raising_connect_is_a_bad_gateway_and_a_late_one_a_timeout() -> None:
    assert judge_connect(FAILED).status == 502
    assert judge_connect(TIMED_OUT).status == 504


@pytest.mark.parametrize(
    "headers",
    [
        {"headers": {"sec-websocket-protocol": "v2"}},
        {"multiValueHeaders": {"Sec-WebSocket-Protocol": ["v1", "v2"]}},
    ],
)
def test_the_subprotocol_is_the_one_the_handler_names(headers: dict[str, Any]) -> None:
    assert judge_connect(Outcome({"statusCode": 200, **headers})).subprotocol == "v2"
    assert judge_connect(Outcome({"statusCode": 200})).subprotocol is None


def test_a_message_is_followed_by_silence_when_all_went_well() -> None:
    answer = judge_default(Outcome({"statusCode": 200, "body": "kept"}), route_response=False)
    assert (answer.error, answer.body) == (None, None)


@pytest.mark.parametrize("outcome", [FAILED, Outcome("x"), Outcome({"statusCode": 400})])
def test_a_failed_message_is_an_internal_server_error(outcome: Outcome) -> None:
    assert judge_default(outcome, route_response=False).error == "Internal server error"


def test_a_late_message_handler_is_told_as_timed_out() -> None:
    assert judge_default(TIMED_OUT, route_response=False).error == "Endpoint request timed out"


@pytest.mark.parametrize("status", [200, 500])
def test_a_route_response_sends_the_body_whatever_the_status(status: int) -> None:
    answer = judge_default(Outcome({"statusCode": status, "body": "hi"}), route_response=True)
    assert (answer.error, answer.body) == (None, "hi")


def test_a_route_response_without_text_sends_nothing() -> None:
    assert judge_default(Outcome({"statusCode": 200}), route_response=True).body is None
    assert (
        judge_default(Outcome({"statusCode": 200, "body": 5}), route_response=True).error
        is not None
    )
