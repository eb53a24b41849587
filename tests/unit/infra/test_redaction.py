"""What is taken out of an order with the person whose words they are."""

from __future__ import annotations

import pytest

from chalicelib.domain import events
from chalicelib.domain.events import draft_event
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.people import Role
from infra.erase.redaction import Redaction
from tests.builders import NOW, a_job, an_order

WHY = Reason("other", "Call me at +91 555")


def an_order_given_back() -> Order:
    return an_order(Status.ACCEPTED, courier_id="eve", reason=WHY, released_by=("dan",))


@pytest.mark.parametrize("person", ["cara", "dan", "eve"])
def test_the_words_of_a_reason_go_with_whoever_may_have_said_them(person: str) -> None:
    order = Redaction(person, "erased-1").redact_order(an_order_given_back())
    assert order.reason == Reason("other")
    assert order.released_by == (("erased-1",) if person == "dan" else ("dan",))


def test_somebody_else_s_reason_is_left_alone() -> None:
    order = an_order_given_back()
    assert Redaction("zoe", "erased-1").redact_order(order) is order


def test_an_event_keeps_the_code_of_a_reason_alone() -> None:
    data = {"reason": "Call me", "reason_code": "other", "note": "Call me"}
    for type_ in (events.ORDER_RELEASED, events.DELIVERY_FAILED, events.ORDER_CANCELLED):
        told = draft_event(
            type_, "eve", "order#1", NOW, audience=Role.COURIER, details=a_job(), data=data
        )
        assert Redaction("cara", "erased-1").redact_event(told).data == {"reason_code": "other"}
