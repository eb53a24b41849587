"""What the head of a mailbox remembers of the streams whose events are in its log."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.domain.messaging.mailboxes import (
    APPLIED_KEPT_FOR,
    ENDPOINTS_APPLIED_KEPT_FOR,
    MAX_APPLIED,
    MAX_ENDPOINTS_APPLIED,
    Mailbox,
)
from tests.builders import NOW


def note(box: Mailbox, count: int, at: datetime, first: int = 0) -> Mailbox:
    """The head after so many streams at once."""
    for n in range(first, first + count):
        box = box.mark_applied(f"order#{n}", 1, at)
    return box


def test_a_head_remembers_the_newest_streams_and_which_may_be_forgotten() -> None:
    box = note(Mailbox("cara"), MAX_APPLIED + 2, NOW)
    assert len(box.applied_versions) == MAX_APPLIED
    assert box.may_have_dropped_applied(NOW)
    later = NOW + APPLIED_KEPT_FOR + timedelta(seconds=1)
    assert len(note(box, 1, later, first=900).applied_versions) == 1


def test_an_endpoint_s_remembers_all_for_which_a_wakeup_may_still_come() -> None:
    """It may hear of every order: hundreds at once must not make each wakeup take its lease."""
    many = 10 * MAX_APPLIED
    box = note(Mailbox("webhook#1"), many, NOW)
    assert all(box.has_applied(f"order#{n}", 1) for n in range(many))
    assert not box.may_have_dropped_applied(NOW)
    later = NOW + ENDPOINTS_APPLIED_KEPT_FOR + timedelta(seconds=1)
    assert len(note(box, 1, later, first=many).applied_versions) == MAX_APPLIED
    box = note(box, MAX_ENDPOINTS_APPLIED, NOW, first=many)
    assert len(box.applied_versions) == MAX_ENDPOINTS_APPLIED
