"""What one commit adds to the figures: pure, from the order before and after."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.measures import Sample, Zones
from chalicelib.domain.orders.measuring import label_end, measure_commit
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.outbox import append_entry
from chalicelib.services.orders.measuring import OrderMeter
from tests.builders import NOW, a_contact, an_offer, an_order


def after(order: Order, seconds: float, *types: str, **changes: Any) -> Order:
    """An order one commit later, with events of these types."""
    at, version = NOW + timedelta(seconds=seconds), order.version + 1
    drafts = [events.draft_event(type_, "cara", "order#4711", at) for type_ in types]
    entries = append_entry(order.entries, version, at, drafts)
    return replace(order, version=version, updated_at=at, entries=entries, **changes)


def figures(before: Order | None, order: Order) -> dict[str, float]:
    return {metric.name: value for metric, value in measure_commit(before, order)}


def test_a_new_order_counts_once_and_its_first_offer_from_its_placing() -> None:
    placed = an_order(Status.SEARCHING)
    assert figures(None, placed) == {"Orders": 1}
    offered = {"status": Status.OFFERED, "courier_id": "dan", "offer": an_offer()}
    first = after(placed, 3, events.OFFER_MADE, offers_made=1, offered_to=("dan",), **offered)
    assert figures(placed, first) == {"Offers": 1, "FirstOfferTime": 3000}
    again = after(first, 20, events.OFFER_TIMED_OUT, events.OFFER_MADE, offers_made=2)
    assert figures(first, again) == {"Offers": 1, "OffersIgnored": 1}


def test_a_scheduled_order_is_waited_for_from_when_it_is_active() -> None:
    placed = an_order(Status.SCHEDULED)
    active = after(placed, 0, timeline={**placed.timeline, "activated": NOW})
    offered = after(active, 2, events.OFFER_MADE, offers_made=1, offered_to=("dan",))
    assert figures(active, offered)["FirstOfferTime"] == 2000


def test_the_second_courier_s_accept_is_no_first_one() -> None:
    offered = an_order(Status.OFFERED, courier=None)
    taken = after(
        offered, 5, events.ORDER_ACCEPTED, status=Status.ACCEPTED, offer=None, courier=a_contact()
    )
    assert figures(offered, taken) == {"OffersAccepted": 1, "AssignTime": 5000}
    second = replace(offered, releases=1)
    taken = after(second, 9, events.ORDER_ACCEPTED, offer=None, courier=a_contact())
    assert figures(second, taken) == {"OffersAccepted": 1}


def test_a_version_that_tells_nothing_has_none_of_the_events_before() -> None:
    offered = an_order(Status.OFFERED, courier=None)
    declined = after(offered, 1, events.ORDER_DECLINED, courier_id=None, offer=None)
    waiting = after(declined, 2, next_search_at=NOW)
    assert figures(offered, declined) == {"OffersDeclined": 1}
    assert figures(declined, waiting) == {}


def test_an_end_is_counted_as_it_comes_and_not_when_it_is_amended() -> None:
    order = an_order(Status.SEARCHING)
    reason = Reason("too_long", "Too long")
    ended = after(order, 1, status=Status.CANCELLED, reason=reason)
    assert figures(order, ended) == {"Ends": 1}
    assert label_end(ended) == {"state": "cancelled", "reason": "too_long"}
    assert label_end(replace(ended, reason=None))["reason"] == "none"
    assert figures(ended, after(ended, 2)) == {}  # a tip, a refund
    unserved = after(order, 1, events.ORDER_UNSERVED, status=Status.UNSERVED)
    assert figures(order, unserved) == {"Ends": 1, "Unserved": 1}


def test_a_clock_that_is_behind_makes_no_time_negative() -> None:
    placed = an_order(Status.SEARCHING)
    offered = after(placed, -5, events.OFFER_MADE, offers_made=1, offered_to=("dan",))
    assert figures(placed, offered)["FirstOfferTime"] == 0


def test_what_is_recorded_says_where() -> None:
    heard: list[Sample] = []
    OrderMeter(heard.append, Zones(5)).on_committed(None, an_order())
    (sample,) = heard
    assert set(sample.labels) == {"flow", "zone"}
    assert sample.labels["flow"] == "delivery"
