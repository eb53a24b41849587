"""Contract `feed` in its own words: every sample of spec 003, and what a client may send."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.contracts.base import RequestError
from chalicelib.contracts.feed.events import (
    EVENT_KINDS,
    TYPE_BY_NAME,
    decode_event_id,
    encode_event_id,
)
from chalicelib.domain import events
from chalicelib.domain.details import Contact, OrderDetails, OrderItem, Place
from chalicelib.domain.events import Event, name_order_stream
from chalicelib.domain.messaging.connections import Connection, Subscriber
from chalicelib.domain.money import payments, payouts
from chalicelib.domain.orders.requests import Authenticate, ChangeSubscriptions, KeepAlive
from chalicelib.domain.people import Role
from chalicelib.errors import InvalidInput, Unauthenticated
from tests.builders import NOW
from tests.contracts import FEED

SAMPLES = Path(__file__).parents[1] / "samples" / "feed"
SOCKET = Connection("c1=", "feed", NOW, person_id="user_123", role=Role.CUSTOMER, subscriptions=())
STRANGER = Connection("c1=", "feed", NOW, subscriptions=())
RAM = Contact("dboy_123", "Ram Kumar", "+911234567890", rating=4.8, vehicle_type="bike")
FIX = {"lat": 28.5244, "lng": 77.1855, "accuracy": 10}
WALLET, PAYOUT, PAYMENT = (
    "wallet#dboy_123",
    payouts.name_payout_stream("payout_789"),
    payments.name_payment_stream("pay_123"),
)


def at(text: str) -> datetime:
    """A time of 27 January 2026 (or of the day given)."""
    day = text if "T" in text else f"2026-01-27T{text}"
    return datetime.fromisoformat(day).replace(tzinfo=timezone.utc)


def a_shop_job() -> OrderDetails:
    return OrderDetails(
        flow="food",
        customer_id="cust_123",
        pickup=Place("XYZ Kirana"),
        dropoff=Place("Apt 123, Delhi"),
        created_at=at("14:20:00"),
        merchant_id="9",
        items=(OrderItem("Milk", 2, 30_00), OrderItem("Bread", 1, 40_00)),
    )


def told(type_: str, when: str, stream: str = name_order_stream(456), **more: Any) -> Event:
    """An event as it lies in somebody's log."""
    of_order = stream.startswith("order#")
    person = "cust_123" if of_order or stream == PAYMENT else "dboy_123"
    given = {"details": a_shop_job(), **more} if of_order else more
    return Event(type_, person, stream, 1, 0, at(when), seq=7, **given)


PAID = {"payment_id": "pay_123", "order_id": 123, "amount_minor": 130_00, "method": "upi"}
OUT = {"payout_id": "payout_789", "amount_minor": 2000_00, "account": "****1234"}
EVENTS: dict[str, Event] = {
    "order_released": told(
        events.ORDER_RELEASED,
        "14:40:00",
        status="searching",
        data={"reason": "vehicle", "reason_code": "vehicle", "note": "a flat tyre"},
    ),
    "delivery_failed": told(
        events.DELIVERY_FAILED,
        "14:50:00",
        status="returning",
        data={"reason": "recipient_absent", "reason_code": "recipient_absent"},
    ),
    "no_show_available": told(events.NO_SHOW_AVAILABLE, "14:45:00", status="at_pickup"),
    "courier_near": told(events.COURIER_NEAR, "14:45:00", data={"stop": "pickup"}),
    "courier_left": told(events.COURIER_LEFT, "14:45:00", data={"stop": "pickup"}),
    "arrival_suggested": told(events.ARRIVAL_SUGGESTED, "14:45:00", data={"stop": "pickup"}),
    "delivery_returned": told(events.DELIVERY_RETURNED, "15:10:00", status="returned"),
    "webhook_disabled": told(
        events.WEBHOOK_DISABLED,
        "15:10:00",
        data={
            "endpoint_id": "949250048034736",
            "reason": "failing",
            "failing_since": "2026-01-22T15:00:00Z",
        },
    ),
    "refund_due": told(
        events.REFUND_DUE, "15:10:00", data={"payment_id": "pay_456", "amount_minor": 118_00}
    ),
    "payment_due": told(events.PAYMENT_DUE, "15:10:00", data={"amount_minor": 4_00}),
    "earning_recorded": told(
        events.EARNING_RECORDED,
        "14:30:00",
        WALLET,
        data={
            "order_id": 456,
            "amount_minor": 75_00,
            "balance_minor": 2575_00,
            "parts": {
                "base": 50_00,
                "distance_bonus": 25_00,
                "on_time_bonus": 0,
                "rating_bonus": 0,
            },
        },
    ),
    "bonus_earned": told(
        events.BONUS_EARNED,
        "14:30:00",
        WALLET,
        data={
            "kind": "on_time",
            "period": "2026-01",
            "amount_minor": 50_00,
            "balance_minor": 2625_00,
        },
    ),
    "wallet_updated": told(
        events.WALLET_UPDATED,
        "14:30:00",
        WALLET,
        data={"previous_minor": 2575_00, "balance_minor": 2625_00, "reason": "bonus_earned"},
    ),
    "payout_approved": told(
        events.PAYOUT_APPROVED,
        "14:30:00",
        PAYOUT,
        data={**OUT, "transfer_date": "2026-01-28", "transfer_time": "18:00:00"},
    ),
    "payout_completed": told(
        events.PAYOUT_COMPLETED,
        "2026-01-28T18:15:00",
        PAYOUT,
        data={**OUT, "transaction_id": "txn_abc123"},
    ),
    "delivery_accepted": told(
        events.ORDER_ACCEPTED, "14:20:00", courier=RAM, data={"pickup_minutes": 5}
    ),
    "delivery_in_transit": told(
        events.DELIVERY_DEPARTED,
        "14:25:00",
        data={"fix": FIX, "address": "Delhi", "minutes": 22, "way_m": 3500.4},
    ),
    "delivery_arrived": told(
        events.DROPOFF_REACHED, "14:45:00", courier=RAM, data={"at": [28.5244, 77.1855]}
    ),
    "delivery_completed": told(events.ORDER_DELIVERED, "14:48:00", data={"payment_status": "paid"}),
    "order_created": told(events.ORDER_PLACED, "14:20:00"),
    "order_confirmed": told(events.ORDER_CONFIRMED, "14:22:00", data={"shop_name": "XYZ Kirana"}),
    "order_ready": told(events.ORDER_READY, "14:25:00"),
    "payment_initiated": told(
        events.PAYMENT_INITIATED, "14:20:00", PAYMENT, data={**PAID, "currency": "INR"}
    ),
    "payment_completed": told(
        events.PAYMENT_COMPLETED,
        "14:20:30",
        PAYMENT,
        data={**PAID, "upi_id": "user@bank", "transaction_id": "txn_abc123"},
    ),
    "payment_failed": told(
        events.PAYMENT_FAILED, "14:20:30", PAYMENT, data={**PAID, "error": "Insufficient balance"}
    ),
    "location_updated": told(
        events.POSITION_NOTED,
        "14:30:00",
        data={
            "fix": {
                **FIX,
                "altitude": 190,
                "speed": 15,
                "heading": 45,
                "at": "2026-01-27T14:30:00Z",
            }
        },
    ),
    "eta_updated": told(
        events.ETA_CHANGED,
        "14:30:00",
        data={"minutes": 15, "previous_minutes": 20, "way_m": 3500.4},
    ),
}
# What the samples say and no order of ours would: their ids, and guesses that are ours to make.
OURS = {
    "delivery_id": {"456": "del_456"},
    "order_id": {"456": "ord_123", "123": "ord_123"},
    "estimated_ready_time": {"2026-01-27T14:37:00Z": "2026-01-27T14:25:00Z"},
}


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def spoken(frames: Any) -> list[Any]:
    """Frames decoded, whole seconds as the samples write them."""
    return [json.loads(frame.replace(".000Z", "Z")) for frame in frames]


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_every_event_is_worded_as_its_sample(name: str) -> None:
    """S3-11 to S3-27, to the letter."""
    event = EVENTS[name]
    (frame,) = spoken(FEED.render_event(event, Subscriber("c1=", event.to, "feed", (event.type,))))
    for field, words in OURS.items():
        if field in frame["data"]:
            frame["data"][field] = words.get(frame["data"][field], frame["data"][field])
    expected = sample(name)
    assert {key: frame[key] for key in expected} == expected
    assert set(frame) - set(expected) <= {"event_id", "timestamp", "source"}


def test_the_samples_are_all_there_is_to_subscribe_to() -> None:
    assert set(TYPE_BY_NAME) == set(EVENTS)
    assert len(TYPE_BY_NAME) == len(EVENT_KINDS) == 27


TO_BOTH_SIDES = {"no_show_available", "courier_near", "courier_left", "arrival_suggested"}


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_of_an_order_only_its_customer_hears(name: str) -> None:
    """S3-10: a shop's and a courier's copies are other contracts' business; but what is told by
    the courier's positions and waiting is told to both sides."""
    event = EVENTS[name]
    if event.details:
        other = replace(event, to="dboy_123")
        is_heard = FEED.render_event(other, Subscriber("c1=", "dboy_123", "feed")) != ()
        assert is_heard == (name in TO_BOTH_SIDES)


def test_what_clients_send_is_understood() -> None:
    """S3-02, S3-04, S3-05, S3-06."""
    asked = FEED.read_message(json.dumps(sample("auth")), STRANGER, NOW)
    assert asked.request == Authenticate("eyJhbGc...", "user_123", "customer")
    subscribed = FEED.read_message(json.dumps(sample("subscribe")), SOCKET, NOW).request
    assert subscribed == ChangeSubscriptions(
        subscribe_to=tuple(TYPE_BY_NAME[n] for n in sample("subscribe")["events"])
    )
    unsubscribed = FEED.read_message(json.dumps(sample("unsubscribe")), SOCKET, NOW).request
    assert unsubscribed == ChangeSubscriptions(unsubscribe_from=(TYPE_BY_NAME["order_created"],))
    assert FEED.read_message(json.dumps(sample("heartbeat")), SOCKET, NOW).request == KeepAlive()


def test_answers_are_worded_as_the_samples() -> None:
    """S3-02, S3-04, S3-06; unsubscribing says what is left as well."""
    asked = FEED.read_message(json.dumps(sample("auth")), STRANGER, NOW)
    (answer,) = spoken(FEED.render_answer(asked, None, SOCKET))
    assert answer == {**sample("authenticated"), "connection_id": "c1="}
    names = sample("subscription_updated")["subscribed_events"]
    hearing = Connection(
        "c1=", "feed", NOW, subscriptions=tuple(TYPE_BY_NAME[name] for name in names)
    )
    for message in ("subscribe", "unsubscribe"):
        request = FEED.read_message(json.dumps(sample(message)), SOCKET, NOW)
        assert spoken(FEED.render_answer(request, None, hearing)) == [
            sample("subscription_updated")
        ]
    request = FEED.read_message(json.dumps(sample("heartbeat")), SOCKET, NOW)
    assert spoken(FEED.render_answer(request, None, SOCKET)) == [sample("heartbeat_ack")]


@given(st.text(max_size=200) | st.sampled_from(["user#1", "a.b.c", "\u0928\u093e\u092e"]))
def test_an_event_id_leads_back_to_its_place(person_id: str) -> None:
    """S3-09."""
    event = Event(events.ORDER_PLACED, person_id or "x", "order#1", 1, 0, NOW, seq=12)
    assert decode_event_id(encode_event_id(event)) == (event.to, 12)


@given(st.text())
def test_any_text_is_an_event_id_or_none(text: str) -> None:
    assert decode_event_id(text) is None or decode_event_id(text)
    assert decode_event_id(f"evt_{text}") is None or decode_event_id(f"evt_{text}")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.sampled_from(["auth", "subscribe", "unsubscribe", "heartbeat", "x"]),
    st.sampled_from([SOCKET, STRANGER]),
)
def test_whatever_is_sent_is_read_or_refused(value: Any, name: str, socket: Connection) -> None:
    """S3-07."""
    for message in ({"type": name, "events": value, "token": value, "user_id": value}, value):
        with suppress(InvalidInput, Unauthenticated, RequestError):
            assert FEED.read_message(json.dumps(message), socket, NOW).request is not None
