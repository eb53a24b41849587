"""Refunds: what was paid beyond an order's price, whichever of the two comes first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from chalicelib.contracts.webhooks.body import render_body
from tests.functional.conftest import MakeWorld
from tests.functional.endpoints import Registry, Sends, told, told_types
from tests.functional.feeds import a_feed, a_profile
from tests.functional.test_fees import SETTINGS, cancel
from tests.functional.test_money import balance_of, pay, webhook
from tests.functional.test_quotes import PARCEL, ask
from tests.functional.world import Someone, World


@pytest.fixture
def paying(make_world: MakeWorld) -> World:
    """A world where to cancel costs something, and a provider is heard."""
    return make_world(settings=SETTINGS)


def a_quoted_order(world: World, cara: Someone, dan: Someone) -> str:
    """A parcel that dan has accepted, and that has a price."""
    body: dict[str, Any] = {**PARCEL, "quote_id": ask(world, cara).body["quote_id"]}
    order_id = str(world.post("/v1/orders", body, cara).body["id"])
    assert world.step("accept", order_id, dan).status == 200
    return order_id


@pytest.mark.parametrize("paid_first", [True, False])
def test_what_was_paid_beyond_the_fee_is_due_and_then_confirmed(
    paying: World, paid_first: bool
) -> None:
    dan, cara = paying.courier("dan"), a_profile(paying, paying.customer("cara"))
    feed = a_feed(paying, cara, "refund_due")
    order_id = a_quoted_order(paying, cara, dan)
    payment = pay(paying, cara, order_id).body
    if paid_first:
        assert webhook(paying, payment["id"], status="completed").status == 200
        paying.pass_time(60)
    cancel(paying, order_id, cara)
    if not paid_first:
        paying.pass_time(60)
        assert webhook(paying, payment["id"], status="refunded").status == 409
        assert webhook(paying, payment["id"], status="completed").status == 200
    paying.pass_time(60)
    due = {"payment_id": payment["id"], "amount": round(payment["amount"] - 20, 2)}
    view = paying.get(f"/v1/orders/{order_id}", cara).body
    assert (view["refund_due"], "refunded" in view) == (due, False)
    (told,) = feed.take()
    assert told["data"] == {"order_id": order_id, **due}
    for _ in range(2):
        assert webhook(paying, payment["id"], status="refunded").status == 200
    view = paying.get(f"/v1/orders/{order_id}", cara).body
    assert "refund_due" not in view
    assert {k: view["refunded"][k] for k in due} == due
    paying.pass_time(60)
    assert feed.take() == []
    assert balance_of(paying, "dan") == 20_00


def test_endpoints_hear_of_a_refund_when_it_is_due_and_when_it_is_paid(
    make_world: MakeWorld,
) -> None:
    registry = Registry()
    registry.add(events=("refund.due", "payment.refunded"))
    world = make_world(settings=SETTINGS, endpoints=registry, webhook_queue=Sends())
    dan, cara = world.courier("dan"), world.customer("cara")
    order_id = a_quoted_order(world, cara, dan)
    payment = pay(world, cara, order_id).body
    assert webhook(world, payment["id"], status="completed").status == 200
    cancel(world, order_id, cara)
    world.pass_time(60)
    for _ in range(2):
        assert webhook(world, payment["id"], status="refunded").status == 200
    world.pass_time(60)
    assert told_types() == ["refund.due", "payment.refunded"]
    bodies = [msgspec.json.decode(render_body(event))["data"] for event in told()]
    due = {"payment_id": payment["id"], "amount": round(payment["amount"] - 20, 2)}
    assert [body["refund"] for body in bodies] == [{**due, "currency": "INR"}] * 2


def test_no_refund_is_due_of_what_costs_what_was_paid(paying: World) -> None:
    dan, cara = paying.courier("dan"), paying.customer("cara")
    order_id = a_quoted_order(paying, cara, dan)
    payment = pay(paying, cara, order_id).body
    assert webhook(paying, payment["id"], status="completed").status == 200
    for verb in ("arrived", "picked", "delivered"):
        paying.step(verb, order_id, dan)
    paying.pass_time(60)
    assert "refund_due" not in paying.get(f"/v1/orders/{order_id}", cara).body
    assert webhook(paying, payment["id"], status="refunded").status == 409
    assert webhook(paying, "pay_1_1", status="refunded").status == 404


def test_a_payment_of_the_fee_is_no_refund(paying: World) -> None:
    dan, cara = paying.courier("dan"), paying.customer("cara")
    order_id = a_quoted_order(paying, cara, dan)
    cancel(paying, order_id, cara)
    payment = pay(paying, cara, order_id).body
    assert webhook(paying, payment["id"], status="completed").status == 200
    paying.pass_time(60)
    assert "refund_due" not in paying.get(f"/v1/orders/{order_id}", cara).body


def test_ends_and_payments_side_by_side_are_settled(make_engine_world: MakeWorld) -> None:
    """Whichever comes first, and whether or not it was paid at all before the end."""
    world = make_engine_world(settings=SETTINGS)
    cara = world.customer("cara")
    found = []
    for courier_id in ("dan", "eve", "fay"):
        dan = world.courier(courier_id)
        order_id = a_quoted_order(world, cara, dan)
        found.append((order_id, pay(world, cara, order_id).body))
    with ThreadPoolExecutor(6) as pool:
        ends = [pool.submit(cancel, world, order_id, cara) for order_id, _ in found]
        words = [
            pool.submit(webhook, world, payment["id"], status="completed") for _, payment in found
        ]
    assert {one.result().status for one in (*ends, *words)} == {200}
    world.pass_time(60)
    for order_id, payment in found:
        due = {"payment_id": payment["id"], "amount": round(payment["amount"] - 20, 2)}
        assert world.get(f"/v1/orders/{order_id}", cara).body["refund_due"] == due
        assert pay(world, cara, order_id).status == 409
