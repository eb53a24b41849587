"""Contract `drivers` in its own words: every sample of spec 004, and what a client may send."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contracts.drivers.socket import (
    DRIVERS,
    read_hail_order,
    render_declined_order,
    render_driver_id,
    render_hail_order,
    render_pending_orders,
)
from chalicelib.domain import events
from chalicelib.domain.details import Offer, OrderDetails, Place
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection, Subscriber
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import Role
from chalicelib.errors import InvalidInput
from tests.builders import NOW, a_job, an_offer, an_order

SAMPLES = Path(__file__).parents[1] / "samples" / "drivers"
SOCKET = Connection("c1=", "drivers", NOW, person_id="5", role=Role.COURIER)
LISTENER = Subscriber("c1=", "5", "drivers")


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def spoken(frames: Any) -> list[Any]:
    return [json.loads(frame) for frame in frames]


def the_sample_job(**changes: Any) -> OrderDetails:
    given = {
        "flow": "hail",
        "customer_id": "cara",
        "pickup": Place("...", 41.311081, 69.240562),
        "dropoff": Place("...", 41.299496, 69.240074),
        "created_at": datetime(2026, 2, 21, 10, 0, 0, 999_999, timezone.utc),
        "kind": "pickup",
    }
    return OrderDetails(**{**given, **changes})


def the_sample_offer() -> Offer:
    return an_offer("5", distance_m=2500.4)


def the_sample_order(**changes: Any) -> Order:
    job = changes.pop("details", the_sample_job())
    return an_order(Status.OFFERED, id=123, details=job, courier_id="5", offer=the_sample_offer())


def an_event(type_: str, **changes: Any) -> Event:
    given: dict[str, Any] = {
        "type": type_,
        "to": "5",
        "stream": "order#123",
        "version": 1,
        "ordinal": 0,
        "at": NOW,
        "details": the_sample_job(),
    }
    return Event(**{**given, **changes})


def test_a_connection_first_hears_that_it_is_established_and_then_what_is_pending() -> None:
    """S4-04, S4-05: word for word as in the samples, in that order."""
    frames = spoken(DRIVERS.render_first_frames(SOCKET, [the_sample_order()]))
    assert frames == [sample("connection_established"), sample("initial_orders")]


def test_initial_orders_is_said_even_if_nothing_is_pending() -> None:
    """S4-05."""
    [_, initial] = spoken(DRIVERS.render_first_frames(SOCKET, ()))
    assert initial == {**sample("initial_orders"), "orders": []}


def test_an_offer_is_a_new_order() -> None:
    """S4-06: coordinates as texts of six decimals, the code from the id, UTC that says nothing."""
    event = an_event(events.OFFER_MADE, offer=the_sample_offer())
    [frame] = spoken(DRIVERS.render_event(event, LISTENER))
    assert frame == sample("new_order")
    assert list(frame["order"]) == list(sample("new_order")["order"])


def test_a_new_order_leaves_out_what_is_unknown() -> None:
    """S4-06, ambiguity e: no coordinates, no distance; never null."""
    job = the_sample_job(pickup=Place("A"), dropoff=Place("B"), kind=None)
    [frame] = spoken(
        DRIVERS.render_event(an_event(events.OFFER_MADE, details=job, offer=an_offer()), LISTENER)
    )
    assert frame["order"] == {
        "id": 123,
        "order_code": "ORD-000123",
        "status": "pending",
        "order_type": "pickup",
        "created_at": "2026-02-21T10:00:00",
        "address_from": "A",
        "address_to": "B",
    }


@pytest.mark.parametrize(
    ("degrees", "text"),
    [(0.0, "0.000000"), (-0.0000001, "0.000000"), (-69.2405625, "-69.240562"), (90, "90.000000")],
)
def test_degrees_are_texts_of_six_decimals(degrees: float, text: str) -> None:
    """S4-06."""
    body = render_hail_order(an_order(details=a_job(pickup=Place("A", degrees, degrees))))
    assert body["latitude_from"] == body["longitude_from"] == text


@pytest.mark.parametrize(
    ("id_", "code"), [(7, "ORD-000007"), (123, "ORD-000123"), (9_007_199_254_740_991, None)]
)
def test_the_code_follows_from_the_id(id_: int, code: str | None) -> None:
    """S4-06, ambiguity h: six digits at least, and a 53-bit id stays an exact integer."""
    body = render_hail_order(an_order(id=id_))
    assert body["order_code"] == (code or f"ORD-{id_}")
    assert json.loads(json.dumps(body))["id"] == id_


@pytest.mark.parametrize(
    "event",
    [
        an_event(events.OFFER_TIMED_OUT),
        an_event(events.OFFER_REASSIGNED),
        an_event(events.ORDER_CANCELLED),
    ],
    ids=["lapsed", "taken away by hand", "cancelled"],
)
def test_an_order_that_a_driver_no_longer_has_is_an_order_timeout(event: Event) -> None:
    """S4-07."""
    assert spoken(DRIVERS.render_event(event, LISTENER)) == [sample("order_timeout")]


@pytest.mark.parametrize(
    "event",
    [
        an_event(events.OFFER_REASSIGNED, data={"lapsed": True}),
        an_event(events.SEARCH_FAILED),
        an_event(events.ORDER_CANCELLED, to="cara"),
        an_event(events.ORDER_PLACED),
        an_event(events.ORDER_OFFERED),
        an_event(events.ORDER_ACCEPTED),
        an_event(events.ORDER_DELIVERED),
        an_event("something_that_comes_one_day"),
    ],
    ids=lambda event: event.type,
)
def test_all_else_is_silence(event: Event) -> None:
    """S4-11, ambiguity c: after a lapse nothing is said again, accepting says nothing."""
    assert DRIVERS.render_event(event, LISTENER) == ()


def test_ping_is_answered_with_pong() -> None:
    """S4-08."""
    request = DRIVERS.read_message(json.dumps(sample("ping")), SOCKET, NOW)
    assert spoken(DRIVERS.render_answer(request, None, SOCKET)) == [sample("pong")]


NO_PING = {
    "nothing": "",
    "no JSON": "ping",
    "cut off": '{"type":',
    "too deep": "[" * 10_000,
    "a list": "[]",
    "a text": '"ping"',
    "no type": "{}",
    "another type": '{"type":"pong"}',
    "null": '{"type":null}',
    "a list as type": '{"type":["ping"]}',
    "an object as type": '{"type":{}}',
}


@pytest.mark.parametrize("text", NO_PING.values(), ids=NO_PING)
def test_what_is_no_ping_is_refused(text: str) -> None:
    """S4-13: an unknown type and malformed JSON are an error in the contract's form."""
    with pytest.raises(InvalidInput) as refused:
        DRIVERS.read_message(text, SOCKET, NOW)
    request = DRIVERS.read_message('{"type":"ping"}', SOCKET, NOW)
    [frame] = spoken(DRIVERS.render_error(request, refused.value))
    assert frame == {"type": "error", "message": refused.value.message}


@given(st.text() | st.dictionaries(st.text(), st.text() | st.integers()).map(json.dumps))
def test_nothing_that_is_sent_breaks_the_reader(text: str) -> None:
    """S4-13: whatever it is, it is a ping or refused."""
    with suppress(InvalidInput):
        assert DRIVERS.read_message(text, SOCKET, NOW).name == "ping"


@pytest.mark.parametrize(
    ("person_id", "shown"),
    [("5", 5), ("0", 0), ("dan", "dan"), ("5a", "5a"), ("٥", "٥"), ("9" * 20, "9" * 20)],
)
def test_a_drivers_id_is_an_integer_where_it_is_numeric(person_id: str, shown: int | str) -> None:
    """S4-04, ambiguity k."""
    assert render_driver_id(person_id) == shown


def test_what_is_pending_is_what_is_polled() -> None:
    """S4-10, ambiguity b: the same body as initial_orders."""
    assert render_pending_orders([the_sample_order()]) == sample("initial_orders")


def test_who_declined_is_not_told_who_is_asked_next() -> None:
    """Ambiguity a."""
    body = render_declined_order(the_sample_order())
    assert body["status"] == "declined"
    assert "distance_to_pickup_km" not in body


def test_a_body_becomes_a_job() -> None:
    """Ambiguities a, g, k: numeric texts or numbers; any order_type is passed on."""
    body = {
        "address_from": " Chorsu ",
        "address_to": "Minor",
        "latitude_from": "41.311081",
        "longitude_from": 69.240562,
        "latitude_to": 41,
        "longitude_to": "-69",
        "order_type": "delivery",
        "unknown": {"is": "ignored"},
    }
    job = read_hail_order(body, "cara", NOW)
    assert job.flow == "hail"
    assert job.customer_id == "cara"
    assert job.pickup == Place("Chorsu", 41.311081, 69.240562)
    assert job.dropoff == Place("Minor", 41.0, -69.0)
    assert job.kind == "delivery"
    assert job.receiver_phone is None


def test_addresses_are_enough() -> None:
    """Ambiguity a."""
    job = read_hail_order({"address_from": "A", "address_to": "B"}, "cara", NOW)
    assert (job.pickup, job.dropoff, job.kind) == (Place("A"), Place("B"), "pickup")


GOOD = {"address_from": "A", "address_to": "B"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"address_from": None},
        {"address_to": "  "},
        {"address_to": 7},
        {"address_from": "x" * 501},
        {"latitude_from": "41.3"},
        {"longitude_to": 69.2},
        {"latitude_from": "91", "longitude_from": "0"},
        {"latitude_from": 0, "longitude_from": -180.1},
        {"latitude_from": "north", "longitude_from": "0"},
        {"latitude_from": "nan", "longitude_from": "0"},
        {"latitude_from": "1e1", "longitude_from": "0"},
        {"latitude_from": "٤١", "longitude_from": "0"},
        {"latitude_from": "", "longitude_from": ""},
        {"latitude_to": True, "longitude_to": False},
        {"latitude_to": [1], "longitude_to": {"a": 1}},
        {"order_type": 5},
        {"order_type": "x" * 41},
    ],
    ids=str,
)
def test_a_wrong_body_is_refused(wrong: dict[str, Any]) -> None:
    """Coordinates come in pairs, finite and in range; texts are texts."""
    with pytest.raises(InvalidInput):
        read_hail_order({**GOOD, **wrong}, "cara", NOW)
