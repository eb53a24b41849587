"""Which orders of a list are wanted, and what they count for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.domain.ids import MAX_ID, find_first_id, make_id
from chalicelib.domain.orders.listing import (
    ListedStatus,
    OrderFilter,
    classify_status,
    find_holder_id,
    list_names,
)
from chalicelib.domain.orders.model import TERMINAL_STATUSES, Status
from chalicelib.domain.orders.options import OrderOptions
from tests.builders import NOW, a_job, an_order


@pytest.mark.parametrize("status", list(Status))
def test_every_status_counts_for_one_thing(status: Status) -> None:
    has_ended = status in TERMINAL_STATUSES - {Status.UNSERVED}
    expected = ListedStatus.DONE if has_ended else ListedStatus.ACTIVE
    if status.value == "scheduled":
        expected = ListedStatus.SCHEDULED
    assert classify_status(status) is expected
    order = an_order(status)
    assert OrderFilter(status=expected).matches(order)
    assert OrderFilter(status=ListedStatus.ALL).matches(order)
    others = set(ListedStatus) - {expected, ListedStatus.ALL}
    assert not any(OrderFilter(status=other).matches(order) for other in others)


def test_what_nobody_was_told_of_is_no_restaurants_yet() -> None:
    released = OrderFilter(released_only=True)
    scheduled = {"placed": NOW, "scheduled": NOW}
    assert not released.matches(an_order(Status.SEARCHING, timeline=scheduled))
    assert not released.matches(an_order(Status.CANCELLED, timeline=scheduled))
    activated = {**scheduled, "activated": NOW}
    assert released.matches(an_order(Status.SEARCHING, timeline=activated))
    assert OrderFilter().matches(an_order(Status.SEARCHING, timeline=scheduled))


def test_who_is_merely_offered_an_order_is_not_its_holder() -> None:
    assert find_holder_id(an_order(Status.OFFERED)) is None
    assert find_holder_id(an_order(Status.ACCEPTED)) == "dan"
    assert find_holder_id(an_order(Status.DONE)) == "dan"
    assert find_holder_id(an_order(Status.SEARCHING)) is None


def test_a_new_order_is_in_the_lists_of_whom_it_is_of() -> None:
    parcel = an_order(id=17)
    assert list_names(parcel) == ["customer#cara", "day#2031-05-06#1"]
    meal = an_order(id=17, details=a_job(merchant_id="789"), options=OrderOptions("M-1"))
    names = list_names(meal)
    assert names[:3] == ["customer#cara", "day#2031-05-06#1", "merchant#789"]
    assert names[3].startswith("external#")
    assert len(names) == 4


def test_ids_of_a_time_begin_with_the_first_of_it() -> None:
    first = find_first_id(NOW)
    assert first <= make_id(NOW) < find_first_id(NOW, timedelta(milliseconds=2))
    assert find_first_id(NOW - timedelta(days=365 * 20)) == 0
    assert find_first_id(NOW, timedelta(days=365 * 90)) == MAX_ID
