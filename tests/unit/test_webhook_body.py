"""Bodies of webhooks: made of the stored event, and never too large."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from chalicelib.contracts.placing import MAX_METADATA_KEYS
from chalicelib.contracts.webhooks.body import MAX_BODY, render_body
from chalicelib.domain import events
from chalicelib.domain.details import Contact, OrderItem, Place
from chalicelib.domain.events import Event
from chalicelib.domain.money.payments import Payment, initiate_payment
from chalicelib.domain.money.payouts import Payout, approve_payout
from chalicelib.domain.orders.drafts import draft_for_customer
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.options import OrderOptions
from chalicelib.domain.outbox import seal
from chalicelib.domain.webhooks.endpoint import name_endpoint_mailbox
from chalicelib.domain.webhooks.endpoint_events import derive_events
from chalicelib.domain.webhooks.registry import EndpointRegistry, RegisteredEndpoint
from tests.builders import NOW, a_contact, a_job, an_order

SHOP = RegisteredEndpoint("shop", ("*",), NOW)
REGISTRY = EndpointRegistry((SHOP,))
OURS = name_endpoint_mailbox("shop")
DAN = a_contact()
LONG = "\x01"  # six bytes of JSON a character


def logged(order: Order, type_: str, **fields: Any) -> Event:
    """The event of an endpoint's log of a change of an order."""
    sealed = seal(order, [draft_for_customer(order, type_, NOW, **fields)], NOW)
    (event,) = derive_events(REGISTRY, OURS, sealed.outbox, sealed.entries[-1])
    return event


def shown(event: Event) -> Any:
    """Its body, decoded."""
    return msgspec.json.decode(render_body(event))


def test_a_body_has_what_the_event_and_the_order_say() -> None:
    options = OrderOptions(external_id="A-1", metadata={"till": "7"})
    details = a_job(merchant_id="kitchen", items=(OrderItem("Soup", 2, 450),))
    order = an_order(Status.ACCEPTED, details=details, options=options)
    body = shown(logged(order, events.ORDER_ACCEPTED, courier=DAN))
    assert (body["type"], body["timestamp"]) == ("order.accepted", "2031-05-06T07:08:09.000Z")
    told = body["data"]["order"]
    assert (told["id"], told["version"], told["state"]) == ("4711", 2, "accepted")
    assert (told["external_id"], told["metadata"]) == ("A-1", {"till": "7"})
    assert told["courier"] == {"id": "dan", "name": "Dan", "phone": "+919876543210"}
    assert told["items"] == [{"name": "Soup", "quantity": 2, "price": 4.5}]
    assert told["pickup"]["address"] == "1 Depot Road"
    assert told["price"]["total"] == 39
    assert "truncated" not in body["data"]


def test_a_reason_is_told_with_its_note() -> None:
    data = {"reason": "price", "reason_code": "price", "note": "x" * 500}
    told = shown(logged(an_order(Status.CANCELLED), events.ORDER_CANCELLED, data=data))
    assert told["data"]["order"]["reason"] == "price"
    assert told["data"]["order"]["note"] == "x" * 200


def test_a_body_is_the_same_each_time_also_read_back() -> None:
    event = logged(an_order(Status.ACCEPTED), events.ORDER_ACCEPTED, courier=DAN)
    stored = msgspec.json.decode(msgspec.json.encode(event), type=Event)
    assert render_body(stored) == render_body(event) == render_body(event)


def test_the_courier_of_a_later_version_is_not_told_of_an_earlier_one() -> None:
    declined = an_order(Status.SEARCHING)
    sealed = seal(declined, [draft_for_customer(declined, events.ORDER_DECLINED, NOW)], NOW)
    later = replace(sealed, version=3, status=Status.ACCEPTED, courier_id="eve", courier=DAN)
    (event,) = derive_events(REGISTRY, OURS, later.outbox, later.entries[-1])
    assert "courier" not in shown(event)["data"]["order"]
    ended = replace(later, status=Status.CANCELLED)
    cancelled = seal(ended, [draft_for_customer(ended, events.ORDER_CANCELLED, NOW)], NOW)
    tipped = replace(cancelled, version=9)
    (event,) = derive_events(REGISTRY, OURS, tipped.outbox, tipped.entries[-1])
    assert shown(event)["data"]["order"]["courier"]["name"] == "Dan"


def test_payments_and_payouts_have_bodies_of_their_own() -> None:
    payment = initiate_payment(Payment(1, 1, "cara", 550, "upi", NOW, merchant_id="kitchen"))
    payout = approve_payout(Payout("p", "dan", 500, "1234567", NOW), NOW)
    bodies = [
        shown(derive_events(REGISTRY, OURS, one.outbox, one.entries[-1])[0])["data"]
        for one in (payment, payout)
    ]
    assert bodies[0]["payment"]["amount"] == 5.5
    assert (bodies[0]["payment"]["status"], bodies[0]["payment"]["order_id"]) == ("initiated", "1")
    assert bodies[0]["payment"]["merchant_id"] == "kitchen"
    assert (bodies[1]["payout"]["status"], bodies[1]["payout"]["courier_id"]) == ("approved", "dan")
    assert bodies[1]["payout"]["bank_account"] == "****4567"


def test_who_hears_of_what() -> None:
    others = RegisteredEndpoint("others", ("*",), NOW, merchant_ids=("bakery",))
    owner = RegisteredEndpoint("owner", ("order.accepted",), NOW, merchant_ids=("kitchen",))
    late = RegisteredEndpoint("late", ("*",), NOW + timedelta(seconds=1))
    registry = EndpointRegistry((SHOP, others, owner, late))
    order = an_order(Status.ACCEPTED, details=a_job(merchant_id="kitchen"))
    for type_, expected in (
        (events.ORDER_ACCEPTED, {"shop", "owner"}),
        (events.COURIER_ARRIVED, {"shop"}),
    ):
        sealed = seal(order, [draft_for_customer(order, type_, NOW)], NOW)
        entry = sealed.entries[-1]
        heard = {
            one.id
            for one in registry.endpoints
            if derive_events(registry, name_endpoint_mailbox(one.id), sealed.outbox, entry)
        }
        assert heard == expected
    payout = approve_payout(Payout("p", "dan", 500, "1234567", NOW), NOW)
    (entry,) = payout.entries
    assert derive_events(registry, OURS, payout.outbox, entry)
    assert not derive_events(registry, name_endpoint_mailbox("owner"), payout.outbox, entry)


@pytest.mark.parametrize("letter", ["\u00fc", "\U0001f6f5", LONG])
def test_no_body_is_too_large_and_a_shrunk_one_says_so(letter: str) -> None:
    """All that people can put into an order, each at its limit."""
    text = letter * 500
    person = Contact("c" * 128, letter * 500, "1" * 40, "https://x/" + "y" * 1990, text, text)
    items = tuple(OrderItem(letter * 100, 1000, 100_000_000) for _ in range(50))
    details = a_job(
        merchant_id="m" * 128,
        customer=person,
        pickup=Place(text, 1.0, 2.0),
        dropoff=Place(text, 1.0, 2.0),
        notes=text,
        kind=text,
        items=items,
    )
    metadata = {f"{n:040}": "z" * 60 for n in range(MAX_METADATA_KEYS)}
    options = OrderOptions(external_id="e" * 128, metadata=metadata)
    order = an_order(Status.CANCELLED, details=details, options=options)
    data = {"reason": text, "reason_code": "other", "note": text}
    event = logged(order, events.ORDER_CANCELLED, courier=person, data=data)
    body = render_body(event)
    assert len(body) <= MAX_BODY
    told = msgspec.json.decode(body)["data"]
    assert told["truncated"] is True
    assert told["order"]["external_id"] == "e" * 128
    assert told["order"]["id"] == "4711"
