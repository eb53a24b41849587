"""Contract `courier` in its own words: every frame of spec 000, and what a client may send."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contracts.base import SocketMessage
from chalicelib.contracts.courier.socket import (
    COURIER,
    CUSTOMER,
    OWN_STEP_WORDS,
    STATUS_WORDS,
    STEP_WORDS,
    read_delivery_order,
    read_location,
    render_courier,
    render_delivery_order,
    render_transition,
)
from chalicelib.domain import events
from chalicelib.domain.details import Contact, Place
from chalicelib.domain.events import Event, name_order_stream
from chalicelib.domain.messaging.connections import Connection, Subscriber
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.model import Status
from chalicelib.domain.orders.requests import ReportFix
from chalicelib.domain.people import Person, Role
from chalicelib.errors import InvalidInput, InvalidTransition
from tests.builders import DEPOT, NOW, a_job, an_offer, an_order

SAMPLES = Path(__file__).parents[1] / "samples" / "courier"
HIS = Connection("d1=", "courier", NOW, person_id="dan", role=Role.COURIER)
HERS = Connection("c1=", "customer", NOW, person_id="cara", role=Role.CUSTOMER)
JOB = a_job(dropoff=Place("2 Door Street", 12.9896, 77.5946))
DAN = Contact("dan", "Dan", "+919876543210", "https://pictures.example/dan.png")


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def said(event: Event, to: Connection) -> list[Any]:
    contract = COURIER if to is HIS else CUSTOMER
    listener = Subscriber(to.id, to.person_id, to.contract)
    return [json.loads(text) for text in contract.render_event(event, listener)]


def an_event(type_: str, **changes: Any) -> Event:
    given = {"to": "dan", "stream": name_order_stream(4711), "version": 1, "ordinal": 0, "at": NOW}
    return Event(type=type_, **{**given, "details": JOB, **changes})


TO_COURIERS = {
    events.OFFER_MADE: "order_assigned",
    events.OFFER_TIMED_OUT: "order_assignment_timed_out",
    events.OFFER_REASSIGNED: "order_reassigned_away",
    events.SEARCH_FAILED: "order_no_nearby_driver",
}
TO_CUSTOMERS = {
    events.ORDER_OFFERED: "status_assigned",
    events.ORDER_ACCEPTED: "status_accepted",
    events.ORDER_DECLINED: "status_declined",
    events.COURIER_ARRIVED: "status_arrived",
    events.ORDER_PICKED_UP: "status_picked_up",
    events.ORDER_DELIVERED: "status_delivered",
    events.ORDER_UNSERVED: "status_no_nearby_driver",
}
SAID = {*TO_COURIERS, *TO_CUSTOMERS, events.ORDER_RELEASED}
ALL_TYPES = sorted(v for k, v in vars(events).items() if k.isupper() and isinstance(v, str))


@pytest.mark.parametrize(("type_", "name"), TO_COURIERS.items())
def test_couriers_hear_their_four_events(type_: str, name: str) -> None:
    """S0-07 to S0-10"""
    event = an_event(type_, offer=an_offer(), courier=DAN)
    assert said(event, HIS) == [sample(name)]
    assert said(event, HERS) == []


@pytest.mark.parametrize(("type_", "name"), TO_CUSTOMERS.items())
def test_customers_hear_each_status_with_what_belongs_to_it(type_: str, name: str) -> None:
    """S0-11 to S0-14: addresses with assigned only, the courier with three others only."""
    event = an_event(type_, to="cara", offer=an_offer(), courier=DAN)
    assert said(event, HERS) == [sample(name)]
    assert said(event, HIS) == []


@pytest.mark.parametrize("type_", [t for t in ALL_TYPES if t not in SAID])
def test_of_everything_else_spec_000_is_silent(type_: str) -> None:
    assert said(an_event(type_), HIS) == said(an_event(type_), HERS) == []


@pytest.mark.parametrize("name", sorted(path.stem for path in SAMPLES.glob("[os][rt]*_*.json")))
def test_an_envelope_is_event_and_data_and_nothing_else(name: str) -> None:
    """S0-04"""
    assert set(sample(name)) == {"event", "data"}


def test_what_is_not_known_is_left_out_and_never_null() -> None:
    """S0-04, S0-12, S0-13; ambiguity m: a hail has no receiver_phone"""
    bare = a_job(pickup=Place("here"), dropoff=Place("there"), receiver_phone=None)
    (assigned,) = said(an_event(events.OFFER_MADE, details=bare), HIS)
    assert set(assigned["data"]) == {"order_id", "customer_id", "pickup_address", "dropoff_address"}
    (status,) = said(an_event(events.ORDER_OFFERED, details=bare), HERS)
    assert set(status["data"]) == {"order_id", "status", "pickup_address", "dropoff_address"}
    (accepted,) = said(an_event(events.ORDER_ACCEPTED, courier=Contact("dan")), HERS)
    assert accepted["data"] == {"order_id": "4711", "status": "accepted"}


def test_a_courier_who_comes_back_hears_first_of_the_offer_that_is_open() -> None:
    order = an_order(Status.OFFERED, details=JOB)
    assert [json.loads(t) for t in COURIER.render_first_frames(HIS, [order])] == [
        sample("order_assigned")
    ]
    assert COURIER.render_first_frames(HIS, ()) == CUSTOMER.render_first_frames(HERS, ()) == ()


def test_the_order_in_rest() -> None:
    """Ambiguity h"""
    order = an_order(Status.ACCEPTED, details=JOB)
    assert render_delivery_order(order) == sample("order")
    searching = an_order(details=a_job(pickup=Place("here"), dropoff=Place("there")))
    assert {"courier_id", "pickup_lat", "dropoff_lng", "notes"}.isdisjoint(
        render_delivery_order(searching)
    )
    assert None not in render_delivery_order(searching).values()


def test_the_assigned_driver_in_rest() -> None:
    """S0-28: id, name and phone always, the picture where there is one"""
    assert render_courier(Person("dan")) == {"id": "dan", "name": "", "phone": ""}
    whole = Person("dan", "Dan", "+91", "https://p")
    assert render_courier(whole)["profile_picture"] == "https://p"


def test_the_body_of_an_order_becomes_a_job() -> None:
    """S0-16: whose it is comes from the token"""
    job = read_delivery_order({**sample("create_order"), "customer_id": "mallory"}, "cara", NOW)
    assert job == JOB


@pytest.mark.parametrize("name", ["pickup_address", "dropoff_address", "receiver_phone"])
@pytest.mark.parametrize("value", [None, "", "  ", 5, True, [], {}, "x" * 501, "a\x00b", "\x9b"])
def test_a_required_text_must_be_a_text(name: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_delivery_order({**sample("create_order"), name: value}, "cara", NOW)
    assert refused.value.details == {"field": name}


COORDINATES = ["pickup_lat", "pickup_lng", "dropoff_lat", "dropoff_lng"]
NO_COORDINATES: list[Any] = ["12", True, [], {}, 181, -180.5, float("nan"), float("inf"), 10**400]


@pytest.mark.parametrize("name", COORDINATES)
@pytest.mark.parametrize("value", NO_COORDINATES, ids=range(len(NO_COORDINATES)))
def test_a_coordinate_is_a_finite_number_on_the_globe(name: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_delivery_order({**sample("create_order"), name: value}, "cara", NOW)
    assert refused.value.details == {"field": name}


@pytest.mark.parametrize("name", COORDINATES)
def test_coordinates_come_in_pairs(name: str) -> None:
    body = {k: v for k, v in sample("create_order").items() if k != name}
    with pytest.raises(InvalidInput, match="come together"):
        read_delivery_order(body, "cara", NOW)


def test_an_illegal_step_is_explained_in_the_words_of_spec_000() -> None:
    """S0-38: {from, to, allowed}"""
    error = InvalidTransition("offered", "pick_up", ("accept", "decline", "expire", "cancel"))
    assert render_transition(error) == {
        "from": "assigned",
        "to": "picked_up",
        "allowed": ["accepted", "declined", "cancelled"],
    }


def test_there_is_a_word_for_every_status_and_every_step_that_can_be_asked_for() -> None:
    assert set(STATUS_WORDS) == set(Status)
    delivery = FLOWS["delivery"]
    asked = {verb for steps in delivery.transitions.values() for verb in steps}
    unasked = {"retry", "expire", "wait", "activate", "search_anew"}
    assert asked - unasked <= {*STEP_WORDS, *OWN_STEP_WORDS}


def test_a_customer_hears_of_an_order_that_was_given_back_as_of_one_that_was_declined() -> None:
    event = an_event(events.ORDER_RELEASED, to="cara", data={"reason": "vehicle"})
    assert said(event, HERS) == [sample("status_declined")]
    assert said(event, HIS) == []


def test_only_who_asks_for_a_step_of_our_own_hears_of_those() -> None:
    allowed = ("reach", "deliver", "take_back", "leave", "discard")
    assert render_transition(InvalidTransition("in_transit", "arrive", allowed)) == {
        "from": "picked_up",
        "to": "arrived",
        "allowed": ["reached", "delivered"],
    }
    assert render_transition(InvalidTransition("in_transit", "release", allowed)) == {
        "from": "picked_up",
        "to": "released",
        "allowed": ["reached", "delivered", "returning", "left", "discarded"],
    }


def test_a_courier_reports_where_it_is() -> None:
    """S0-45"""
    request = COURIER.read_message(json.dumps(sample("location_update")), HIS, NOW)
    assert isinstance(request.request, ReportFix)
    assert (request.request.fix.lat, request.request.fix.lng, request.request.fix.at) == (
        *DEPOT,
        NOW,
    )


@pytest.mark.parametrize(
    ("ts", "at"),
    [
        (1_900_000_000, datetime.fromtimestamp(1_900_000_000, timezone.utc)),
        (1_900_000_000_250, datetime.fromtimestamp(1_900_000_000.25, timezone.utc)),
        ("2031-05-06T07:08:00Z", NOW - timedelta(seconds=9)),
        ("2031-05-06T12:38:00+05:30", NOW - timedelta(seconds=9)),
        ("2031-05-06T07:08:00", NOW - timedelta(seconds=9)),
    ],
)
def test_the_time_of_a_fix_is_epoch_seconds_milliseconds_or_iso(ts: Any, at: datetime) -> None:
    assert read_location({"lat": 1, "lng": 2, "ts": ts}, NOW).at == at


BAD_TIMES: list[Any] = ["", "soon", True, [], {}, float("nan"), float("inf"), 1e300, 10**400]


@pytest.mark.parametrize("ts", BAD_TIMES, ids=range(len(BAD_TIMES)))
def test_what_is_no_time_is_refused(ts: Any) -> None:
    with pytest.raises(InvalidInput):
        read_location({"lat": 1, "lng": 2, "ts": ts}, NOW)


NONSENSE = [
    "",
    " ",
    "{",
    "null",
    "5",
    '"text"',
    "[]",
    "{}",
    '{"event": 5}',
    '{"event": "order.assigned"}',
    '{"event": "location.update", "data": []}',
    '{"event": "location.update", "data": null}',
    '{"event": "location.update", "data": {"lat": 1}}',
    '{"event": "location.update", "data": {"lat": NaN, "lng": 1}}',
    '{"event": "location.update", "data": {"lat": 1e999, "lng": 1}}',
    '{"event": "location.update", "data": {"lat": 91, "lng": 1}}',
    '{"event": "location.update", "data": {"lat": "\\ud800", "lng": 1}}',
    "[" * 100_000,
    '{"event":' * 10_000,
    '{"event": "location.update", "data": {"lat": ' + "9" * 5000 + ', "lng": 1}}',
    "\ud800",
]


@pytest.mark.parametrize("text", NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_is_refused_with_an_error_event(text: str) -> None:
    """Ambiguity h: {event:"error", data:{message}}"""
    for contract, socket in ((COURIER, HIS), (CUSTOMER, HERS)):
        with pytest.raises(InvalidInput) as refused:
            contract.read_message(text, socket, NOW)
        (frame,) = contract.render_error(SocketMessage(), refused.value)
        assert json.loads(frame) == {"event": "error", "data": {"message": refused.value.message}}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
names = st.sampled_from(["event", "data", "lat", "lng", "ts", "heading", "speed", "accuracy"])
messages = st.dictionaries(names, json_values | st.dictionaries(names, json_values))


@given(messages | st.builds(lambda d: {"event": "location.update", "data": d}, messages))
def test_whatever_json_comes_is_read_or_refused(message: dict[str, Any]) -> None:
    text = json.dumps(message)
    for contract, socket in ((COURIER, HIS), (CUSTOMER, HERS)):
        try:
            request = contract.read_message(text, socket, NOW)
        except InvalidInput:
            continue
        assert contract is COURIER
        assert isinstance(request.request, ReportFix)


@given(st.text())
def test_whatever_text_comes_is_read_or_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        CUSTOMER.read_message(text, HERS, NOW)
