"""Reasons: codes where the client knows them, a note of its words where it doesn't."""

from __future__ import annotations

import pytest

from chalicelib.domain.orders.reasons import (
    ALLOWED_REASONS,
    FAILURE_REASONS,
    MAX_NOTE,
    OTHER,
    Reason,
    choose_reason,
    interpret_reason,
)
from chalicelib.domain.people import Role
from chalicelib.errors import InvalidInput


@pytest.mark.parametrize("role", list(ALLOWED_REASONS))
def test_each_code_of_a_role_stands_for_itself(role: Role) -> None:
    for code in ALLOWED_REASONS[role]:
        assert interpret_reason(role, code, "why") == Reason(code, "why")
        assert choose_reason(ALLOWED_REASONS[role], code, "why") == Reason(code, "why")


def test_an_unknown_text_is_kept_as_the_note_of_other() -> None:
    assert interpret_reason(Role.CUSTOMER, "Order not ready") == Reason(OTHER, "Order not ready")
    assert interpret_reason(Role.CUSTOMER, "vehicle") == Reason(OTHER, "vehicle")
    assert interpret_reason(Role.CUSTOMER, "so", "and so") == Reason(OTHER, "so - and so")


def test_a_long_text_is_said_whole_and_shown_as_a_note_of_two_hundred() -> None:
    reason = interpret_reason(Role.CUSTOMER, "x" * 500)
    assert reason is not None
    assert (reason.text, reason.short_note) == ("x" * 500, "x" * MAX_NOTE)
    assert Reason("price").text == "price"
    assert Reason("price", "so much").text == "price"
    assert Reason(OTHER).text == OTHER


def test_no_words_are_no_reason_and_a_note_alone_is_other() -> None:
    assert interpret_reason(Role.COURIER, None) is None
    assert interpret_reason(Role.COURIER, None, "flat tyre") == Reason(OTHER, "flat tyre")


def test_an_admin_may_have_the_reason_of_anybody() -> None:
    for role in (Role.CUSTOMER, Role.COURIER, Role.MERCHANT):
        assert set(ALLOWED_REASONS[role]) <= set(ALLOWED_REASONS[Role.ADMIN])
    assert {"fraud", "lost", "override"} <= set(ALLOWED_REASONS[Role.ADMIN])


def test_a_failure_may_have_any_reason_of_a_courier() -> None:
    assert set(ALLOWED_REASONS[Role.COURIER]) < set(FAILURE_REASONS)
    assert {"recipient_absent", "refused", "wrong_address", "damaged"} <= set(FAILURE_REASONS)


@pytest.mark.parametrize("code", [None, "", "Other", "price", "no such"])
def test_a_code_that_is_not_allowed_is_refused_with_those_that_are(code: str | None) -> None:
    with pytest.raises(InvalidInput) as refused:
        choose_reason(ALLOWED_REASONS[Role.COURIER], code)
    assert refused.value.details["allowed"] == ALLOWED_REASONS[Role.COURIER]
