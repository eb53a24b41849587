"""Tracking links: when they end, what they show of an order in each status, and in which words."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.contracts.track.bodies import render_tracked
from chalicelib.contracts.track.drawing import HEIGHT, WIDTH, draw_way
from chalicelib.domain.details import Place
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.model import TERMINAL_STATUSES, Order, Status
from chalicelib.domain.orders.options import OrderOptions
from chalicelib.domain.orders.tip import Tip
from chalicelib.domain.orders.tracked import TrackedOrder, track_order
from chalicelib.domain.orders.tracking_link import TrackingLink
from chalicelib.domain.orders.tracking_links import (
    LONGEST_LIFE,
    MAX_LINKS,
    add_link,
    add_recipient_note,
    compute_link_end,
    find_live_link,
)
from chalicelib.domain.orders.windows import Windows
from chalicelib.domain.people import Courier
from chalicelib.edge.rest.accepting import wants_json, wants_page
from chalicelib.edge.rest.pages import PAGES_FOLDER
from chalicelib.edge.rest.tracking_page import choose_texts, make_page
from chalicelib.errors import Conflict, InvalidTransition
from tests.builders import DEPOT, NOW, a_contact, a_courier, a_fix, a_job, an_order, north_of

NEAR_M = 1500.0
AFTER = timedelta(hours=3)
DOOR = north_of(DEPOT, 5000)
TEXTS = json.loads((PAGES_FOLDER / "track_texts.json").read_text())
# Before the pickup, in the hands of a courier:
ON_THE_WAY_TO_PICKUP = {Status.ACCEPTED, Status.AT_PICKUP, Status.READY}


def an_order_to_the_door(status: Status, **changes: Any) -> Order:
    """One that came to its status at NOW, 5 km from its door."""
    timeline = {"placed": NOW - timedelta(minutes=9), status.value: NOW}
    details = a_job(dropoff=Place("2 Door Street", *DOOR))
    return an_order(status, **{"details": details, "timeline": timeline, **changes})


def dan(metres: float = 1000, at: datetime = NOW, **changes: Any) -> Courier:
    """The order's courier, so far north of the depot."""
    fix = a_fix(north_of(DEPOT, metres), at=at)
    return a_courier("dan", **{"order_id": 4711, "fix": fix, "fix_received_at": at, **changes})


def seen(order: Order, courier: Courier | None = None, pin: str | None = None) -> TrackedOrder:
    return track_order(order, courier or dan(), pin, NEAR_M, NOW)


# When a link ends


def a_link(at: datetime = NOW, hash_: str = "abc") -> TrackingLink:
    return TrackingLink(hash_, at)


@pytest.mark.parametrize("status", sorted(TERMINAL_STATUSES))
def test_a_link_ends_some_hours_after_any_last_status(status: Status) -> None:
    order = an_order(status, timeline={status.value: NOW}, links=(a_link(),))
    assert compute_link_end(order, a_link(), AFTER) == NOW + AFTER
    assert find_live_link(order, "abc", NOW + AFTER - timedelta(microseconds=1), AFTER)
    assert find_live_link(order, "abc", NOW + AFTER, AFTER) is None


@pytest.mark.parametrize("status", sorted(set(Status) - TERMINAL_STATUSES))
def test_until_then_its_end_is_a_bound(status: Status) -> None:
    assert compute_link_end(an_order(status), a_link(), AFTER) == NOW + LONGEST_LIFE
    later = NOW + timedelta(days=20)
    planned = an_order(status, options=OrderOptions(windows=Windows(pickup_from=later)))
    assert compute_link_end(planned, a_link(), AFTER) == later + LONGEST_LIFE


def test_an_order_that_is_tried_again_has_its_links_back() -> None:
    ended = an_order(Status.UNSERVED, timeline={"unserved": NOW}, links=(a_link(),))
    later = NOW + AFTER
    assert find_live_link(ended, "abc", later, AFTER) is None
    assert find_live_link(replace(ended, status=Status.SEARCHING), "abc", later, AFTER)


def test_the_oldest_gives_way_and_too_late_is_a_conflict() -> None:
    order = an_order()
    for n in range(MAX_LINKS + 2):
        order = add_link(order, str(n), NOW, AFTER)
    assert [link.hash for link in order.links] == ["2", "3", "4", "5", "6"]
    ended = an_order(Status.DONE, timeline={"done": NOW})
    with pytest.raises(Conflict):
        add_link(ended, "7", NOW + AFTER, AFTER)


# What is seen


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize(("metres", "is_near"), [(1000, False), (3400, False), (3600, True)])
def test_a_position_is_seen_once_picked_up_or_near(
    status: Status, metres: float, is_near: bool
) -> None:
    shown = seen(an_order_to_the_door(status), dan(metres))
    visible = status is Status.IN_TRANSIT or (status in ON_THE_WAY_TO_PICKUP and is_near)
    assert (shown.position is not None) is visible


@pytest.mark.parametrize("status", Status)
def test_a_courier_is_seen_while_they_have_the_order_and_no_longer(status: Status) -> None:
    order = an_order_to_the_door(status, courier_id="dan", courier=a_contact(name="Dan Delacroix"))
    shown = render_tracked(seen(order, pin="048213"))
    has_it = status in {*ON_THE_WAY_TO_PICKUP, Status.IN_TRANSIT, Status.RETURNING}
    assert ("courier" in shown) is has_it
    assert ("dropoff" in shown) is (status not in TERMINAL_STATUSES)
    is_to_be_said = status not in TERMINAL_STATUSES | {Status.RETURNING}
    assert ("pin" in shown) is is_to_be_said
    for secret in ("Delacroix", "+91", "cara", "Depot", "Door Street"):
        assert secret not in json.dumps(shown)


def test_a_fix_is_of_this_order_and_since_its_pickup() -> None:
    order = an_order_to_the_door(Status.IN_TRANSIT)
    before = NOW - timedelta(seconds=1)
    assert seen(order, dan()).position
    assert seen(order, dan(at=before)).position is None
    late = dan(fix=a_fix(at=NOW - timedelta(minutes=2)))  # sent since, and of before
    assert seen(order, late).position is None
    assert seen(order, dan(order_id=4712)).position is None
    assert seen(order, dan(order_id=None)).position is None
    assert seen(order, a_courier("eve", order_id=4711)).position is None
    assert seen(order, dan(fix=a_fix((0.0, 0.0)))).position is None
    assert seen(order, dan(fix=None)).position is None


def test_an_order_without_a_place_to_go_has_no_near() -> None:
    details = a_job(dropoff=Place("2 Door Street"))
    accepted = an_order_to_the_door(Status.ACCEPTED, details=details)
    assert seen(accepted).position is None
    under_way = render_tracked(seen(replace(accepted, status=Status.IN_TRANSIT)))
    assert "eta_minutes" not in under_way
    assert under_way["map"] == {"courier": [WIDTH / 2, HEIGHT / 2]}


def test_minutes_are_told_as_far_as_anybody_can() -> None:
    def minutes(status: Status, **changes: Any) -> int | None:
        return seen(an_order_to_the_door(status), dan(**changes)).eta_minutes

    assert minutes(Status.ACCEPTED) == 19  # 1 km back to the pickup, and 5 on
    assert minutes(Status.AT_PICKUP) == 16
    assert minutes(Status.IN_TRANSIT) == 13
    assert minutes(Status.AT_PICKUP, fix=None) == 16
    assert minutes(Status.IN_TRANSIT, fix_received_at=NOW - timedelta(minutes=11)) is None
    for status in set(Status) - ON_THE_WAY_TO_PICKUP - {Status.IN_TRANSIT}:
        assert minutes(status) is None
    reached = an_order_to_the_door(Status.IN_TRANSIT, timeline={"in_transit": NOW, "reached": NOW})
    assert (seen(reached).stage, seen(reached).eta_minutes) == ("reached", None)


def test_a_place_that_is_none_tells_no_minutes() -> None:
    nowhere = dan(fix=a_fix((0.0, 0.0)))
    for status in (Status.ACCEPTED, Status.IN_TRANSIT):
        assert seen(an_order_to_the_door(status), nowhere).eta_minutes is None


def test_a_stage_is_told_with_its_own_time() -> None:
    placed, taken, there = (NOW - timedelta(minutes=n) for n in (9, 5, 1))
    order = an_order(Status.SEARCHING, timeline={"placed": placed}, updated_at=NOW)
    assert seen(order).changed_at == placed  # what else changes is no new stage
    times = {"placed": placed, "in_transit": taken}
    order = an_order_to_the_door(Status.IN_TRANSIT, timeline=times)
    assert seen(order).changed_at == taken
    order = replace(order, timeline={**times, "reached": there})
    assert (seen(order).stage, seen(order).changed_at) == ("reached", there)


@pytest.mark.parametrize(
    ("name", "first_name"),
    [
        ("Dan Delacroix", "Dan"),
        ("Delacroix, Dan", "Dan"),
        (" Dan\u00a0Delacroix", "Dan"),
        ("D\u00e9sir\u00e9e", "D\u00e9sir\u00e9e"),
        ("+33 6 12 34 56 78", None),
        ("0612345678", None),
        ("Delacroix,", None),
        ("", None),
        (None, None),
    ],
)
def test_a_courier_is_called_by_the_first_name(name: str | None, first_name: str | None) -> None:
    order = an_order_to_the_door(Status.ACCEPTED, courier=a_contact(name=name))
    shown = seen(order).courier
    assert shown
    assert shown.first_name == first_name


def test_a_form_is_there_where_a_note_can_be_left() -> None:
    def has_form(order: Order) -> bool:
        return "<form" in make_page(seen(order), "token/note", None).body

    done = an_order_to_the_door(Status.DONE)
    assert has_form(done)
    assert not has_form(add_recipient_note(done, "Thanks", NOW))
    assert not has_form(an_order_to_the_door(Status.IN_TRANSIT))
    assert not has_form(an_order_to_the_door(Status.UNSERVED, courier_id=None))
    assert not has_form(an_order_to_the_door(Status.CANCELLED, courier=None))


def test_a_tip_and_a_note_come_after_the_end() -> None:
    done = an_order_to_the_door(Status.DONE, tips=(Tip(250, "a"), Tip(100, "b")))
    noted = add_recipient_note(done, "Thanks", NOW)
    assert render_tracked(seen(noted))["tip"]["amount"] == 3.5
    assert render_tracked(seen(noted))["note"] == "Thanks"
    assert add_recipient_note(noted, "Thanks", NOW) is noted
    with pytest.raises(Conflict):
        add_recipient_note(noted, "No thanks", NOW)
    with pytest.raises(InvalidTransition):
        add_recipient_note(an_order(Status.IN_TRANSIT), "Thanks", NOW)
    with pytest.raises(Conflict):
        add_recipient_note(an_order(Status.UNSERVED), "Thanks", NOW)


# Words


@pytest.mark.parametrize("language", TEXTS)
def test_every_status_of_every_flow_has_words_in_every_language(language: str) -> None:
    texts = TEXTS[language]
    assert texts.keys() == TEXTS["en"].keys()
    assert texts["stages"].keys() == {*(status.value for status in Status), "reached"}
    assert texts["stages_of"].keys() <= FLOWS.keys()
    assert texts["words_of"].keys() <= FLOWS.keys()
    for own in (texts, *texts["words_of"].values()):
        assert own.keys() <= texts.keys()
    for own in (texts["stages"], *texts["stages_of"].values()):
        assert own.keys() <= texts["stages"].keys()
        assert all(words.strip() for words in own.values())


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("status", Status)
def test_there_is_a_page_for_each(flow: str, status: Status) -> None:
    order = an_order_to_the_door(status)
    order = replace(order, details=replace(order.details, flow=flow))
    page = make_page(seen(order), "token", None)
    assert page.status_code == 200
    assert "<h1>" in page.body
    if flow == "ride":  # it has a driver
        assert "courier" not in re.sub("<[^>]*>", "", page.body)


def test_what_people_call_themselves_is_no_markup() -> None:
    contact = a_contact(name="<b>Dan", vehicle='"><script>', picture="https://x/'\"><script>")
    page = make_page(seen(an_order_to_the_door(Status.ACCEPTED, courier=contact)), "token", None)
    assert "<b>" not in page.body
    assert page.body.count("<script") == 1  # its own
    contact = a_contact(picture="javascript:alert(1)")
    shown = render_tracked(seen(an_order_to_the_door(Status.ACCEPTED, courier=contact)))
    assert "picture" not in shown["courier"]


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        (None, False),
        ("*/*", False),
        ("application/json", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("text/html, application/json", False),
        ("application/json, text/html;q=0.5", True),
    ],
)
def test_json_is_for_who_asks(accept: str | None, is_json: bool) -> None:
    assert wants_json(accept) is is_json


@pytest.mark.parametrize(
    ("accept", "favourite"),
    [
        ("text/html;q=0", None),
        ("text/html;q=0.1, application/json", "json"),
        ("application/json;q=0.1,text/html;q=0.9", "page"),
        ("application/json;q=0, text/html", "page"),
        ("application/json ; Q=0.5 , text/html;charset=utf-8;q=0.4", "json"),
        ("text/html;q=nan, application/json;q=0.9", "page"),
        ("application/jsonp, x/text/html", None),
        (";;,,=;q=1", None),
    ],
)
def test_what_a_client_weighs_more_it_is_given(accept: str, favourite: str | None) -> None:
    assert wants_json(accept) is (favourite == "json")
    assert wants_page(accept) is (favourite == "page")


@given(st.text(max_size=60))
def test_any_wish_for_a_language_is_answered(wish: str) -> None:
    assert choose_texts(wish)[0] in TEXTS


# The map

_DEGREES = st.tuples(st.floats(-85, 85), st.floats(-180, 180))


@given(_DEGREES, _DEGREES)
def test_both_places_are_on_the_sheet(
    courier: tuple[float, float], door: tuple[float, float]
) -> None:
    drawn = draw_way(courier, door)
    for x, y in (drawn["courier"], drawn["dropoff"]):
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT
    assert drawn["bar"]["m"] > 0


def test_north_is_up_and_east_is_right() -> None:
    drawn = draw_way(north_of(DEPOT, 300), DEPOT)
    assert drawn["courier"] == [160.0, 40.0]
    assert drawn["dropoff"] == [160.0, 160.0]
    assert drawn["bar"] == {"px": 80.0, "m": 200}
    east = draw_way((DEPOT[0], DEPOT[1] + 0.001), DEPOT)
    assert east["courier"][0] > east["dropoff"][0]
    across = draw_way((0.0, -179.999), (0.0, 179.999))
    assert across["courier"][0] - across["dropoff"][0] < 100
