from __future__ import annotations

import json

import pytest

from infra.gateway.responses import DEFAULTS, GatewayResponses
from infra.resources.gateway_responses import GATEWAY_RESPONSES, gateway_responses


@pytest.mark.parametrize("kind", sorted(DEFAULTS))
def test_every_answer_of_the_gateway_is_an_error_of_the_rest_api(kind: str) -> None:
    body = json.loads(
        GatewayResponses(GATEWAY_RESPONSES).make_response(kind, message='a "quote"').body
    )
    assert body.keys() == {"error", "message"}
    assert body["error"]
    assert body["message"]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("MISSING_AUTHENTICATION_TOKEN", 404, "not_found"),
        ("INVALID_SIGNATURE", 404, "not_found"),
        ("REQUEST_TOO_LARGE", 413, "payload_too_large"),
        ("INTEGRATION_TIMEOUT", 504, "timeout"),
        ("INTEGRATION_FAILURE", 502, "internal_error"),
        ("BAD_REQUEST", 400, "invalid_input"),
    ],
)
def test_codes_and_statuses_fit(kind: str, status: int, code: str) -> None:
    response = GatewayResponses(GATEWAY_RESPONSES).make_response(kind)
    assert (response.status, json.loads(response.body)["error"]) == (status, code)


@pytest.mark.parametrize("kind", sorted(DEFAULTS))
def test_pages_of_any_origin_may_read_what_the_gateway_says(kind: str) -> None:
    headers = dict(GatewayResponses(gateway_responses()).make_response(kind).headers)
    assert headers["Access-Control-Allow-Origin"] == "*"
