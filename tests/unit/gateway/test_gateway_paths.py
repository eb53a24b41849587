"""Path rules rewrite literal WebSocket paths to the stage, as a CloudFront function would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.gateway.paths import PathRule, rewrite_path, stage_rules

COURIER = PathRule("/api/v1/ws/courier", {"contract": "courier"})
DRIVER = PathRule("/ws/driver/orders/{token}", {"contract": "drivers"})
RULES = stage_rules("api", [COURIER, DRIVER])


def the_query(path: str, query: dict[str, list[str]] | None = None) -> dict[str, list[str]]:
    found = rewrite_path(RULES, path, query or {})
    assert found is not None
    return found.query


def test_a_literal_path_adds_its_query() -> None:
    assert the_query("/api/v1/ws/courier") == {"contract": ["courier"]}


def test_a_captured_token_becomes_a_decoded_query_value() -> None:
    assert the_query("/ws/driver/orders/a%2Fb%20c") == {
        "contract": ["drivers"],
        "token": ["a/b c"],
    }


def test_a_client_keeps_its_own_values_but_not_those_the_rule_sets() -> None:
    sent = {"contract": ["admin", "x"], "token": ["stolen"], "v": ["1", "2"]}
    assert the_query("/ws/driver/orders/mine", sent) == {
        "v": ["1", "2"],
        "contract": ["drivers"],
        "token": ["mine"],
    }


def test_a_rewrite_names_the_pattern_and_not_the_token() -> None:
    found = rewrite_path(RULES, "/ws/driver/orders/secret", {})
    assert found is not None
    assert found.pattern == "/ws/driver/orders/{token}"


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1/ws/courier/", "/ws/driver/orders/t/"])
def test_a_trailing_slash_is_fine(path: str) -> None:
    assert rewrite_path(RULES, path, {}) is not None


@pytest.mark.parametrize(
    "path",
    ["/", "", "/other", "/api/x", "/api//", "/API", "/ws/driver/orders/", "/ws/driver/orders/a/b"],
)
def test_another_path_leads_nowhere(path: str) -> None:
    assert rewrite_path(RULES, path, {}) is None


def test_the_first_rule_that_matches_wins() -> None:
    rules = [PathRule("/ws/{any}", {"n": "1"}), PathRule("/ws/two", {"n": "2"})]
    found = rewrite_path(rules, "/ws/two", {})
    assert found is not None
    assert found.query == {"n": ["1"], "any": ["two"]}


def test_the_clients_query_is_left_as_it_was() -> None:
    sent = {"contract": ["mine"]}
    the_query("/api/v1/ws/courier", sent)
    assert sent == {"contract": ["mine"]}


@pytest.mark.parametrize("pattern", ["ws", "/{a}/{a}"])
def test_a_rule_that_makes_no_sense_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="path rule"):
        PathRule(pattern)


@given(st.text(alphabet=st.characters(blacklist_characters="/{}"), min_size=1))
def test_a_pattern_is_literal_whatever_its_characters(text: str) -> None:
    assert rewrite_path([PathRule("/" + text)], "/" + text, {}) is not None
    assert rewrite_path([PathRule("/" + text)], "/" + text + "x", {}) is None
