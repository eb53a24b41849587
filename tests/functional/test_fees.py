"""Fees of orders that end otherwise than by a delivery, and what is paid and paid back of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.store.orders import OrderTable
from chalicelib.store.wallets import WalletTable
from tests.faults import Crash, CrashingProxy
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.test_history import history_of
from tests.functional.test_money import SECRET, balance_of, ledger_of, pay
from tests.functional.test_tips import tip
from tests.functional.world import Answer, Someone, World

SETTINGS = {
    "cancel_fees": (("delivery", 20_00, 30_00),),
    "payment_webhook_secret": SECRET,
}


@pytest.fixture
def charging(make_world: MakeWorld) -> World:
    """A world where to cancel costs something."""
    return make_world(settings=SETTINGS)


def accepted(world: World, cara: Someone, dan: Someone, *more: str) -> str:
    order_id = str(world.place(cara)["id"])
    for verb in ("accept", *more):
        assert world.step(verb, order_id, dan).status == 200
    return order_id


def cancel(world: World, order_id: str, by: Someone) -> Answer:
    return world.post(f"/v1/orders/{order_id}/cancel", {}, by)


def test_to_cancel_once_accepted_costs_and_is_the_couriers(charging: World) -> None:
    dan, cara = charging.courier("dan"), charging.customer("cara")
    order_id = accepted(charging, cara, dan)
    answer = cancel(charging, order_id, cara)
    assert answer.body["price"]["lines"] == [{"kind": "cancellation_fee", "amount": 20}]
    assert cancel(charging, order_id, cara).body == answer.body
    charging.pass_time(60)
    assert balance_of(charging, "dan") == 20_00
    assert history_of(charging, order_id, cara)[-1]["price"] == 20
    order_id = accepted(charging, cara, dan, "arrived")
    cancel(charging, order_id, cara)
    assert balance_of(charging, "dan") == 50_00


def test_to_cancel_before_is_free_and_so_is_what_an_admin_cancels(charging: World) -> None:
    dan, cara = charging.courier("dan"), charging.customer("cara")
    order_id = str(charging.place(cara)["id"])
    assert "price" not in cancel(charging, order_id, cara).body
    order_id = accepted(charging, cara, dan, "arrived")
    assert "price" not in cancel(charging, order_id, charging.admin()).body
    charging.pass_time(60)
    assert ledger_of(charging, "dan") == []


def test_what_a_cancelled_order_owes_is_what_is_paid(charging: World) -> None:
    dan, cara = charging.courier("dan"), charging.customer("cara")
    order_id = accepted(charging, cara, dan)
    cancel(charging, order_id, cara)
    paid = pay(charging, cara, order_id)
    assert (paid.status, paid.body["amount"]) == (201, 20)
    free_id = str(charging.place(cara)["id"])
    cancel(charging, free_id, cara)
    assert pay(charging, cara, free_id).status == 409


@pytest.mark.parametrize("which", ["orders", "wallets"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_fee_survives_a_death(
    make_world: MakeWorld, dynamo: Engine, which: str, when: str
) -> None:
    parts: dict[str, Any] = {
        "orders": CrashingProxy(OrderTable(dynamo.connection)),
        "wallets": CrashingProxy(WalletTable(dynamo.connection)),
    }
    world = make_world(settings=SETTINGS, **parts)
    dan, cara = world.courier("dan"), world.customer("cara")
    order_id = accepted(world, cara, dan)
    world.pass_time(60)
    parts[which].crash_at(when, "commit_order" if which == "orders" else "commit_wallet")
    with pytest.raises(Crash):
        cancel(world, order_id, cara)
    world.pass_time(60)
    assert cancel(world, order_id, cara).status == 200
    world.pass_time(60)
    assert balance_of(world, "dan") == 20_00


def test_a_cancel_and_tips_side_by_side_add_up(make_engine_world: MakeWorld) -> None:
    world = make_engine_world(settings=SETTINGS)
    dan, cara = world.courier("dan"), world.customer("cara")
    order_id = accepted(world, cara, dan)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(cancel, world, order_id, cara)
        tips = [pool.submit(tip, world, cara, order_id, 1) for _ in range(4)]
        again = pool.submit(cancel, world, order_id, cara)
    assert {first.result().status, again.result().status} == {200}
    given = [answer.result().status for answer in tips].count(201)
    world.pass_time(60)
    assert balance_of(world, "dan") == 20_00 + given * 1_00


def test_waiting_is_charged_with_the_delivery_and_is_the_couriers(make_world: MakeWorld) -> None:
    """Beside what the delivery earns; what was told and billed before is as it was."""
    world = make_world(settings={"waiting_per_minute": 2_00})
    dan, cara = world.courier("dan"), world.customer("cara")
    order_id = accepted(world, cara, dan, "arrived")
    world.pass_time(301)
    assert "price" not in world.step("picked", order_id, dan).body
    world.step("reached", order_id, dan)
    world.pass_time(170)
    world.step("delivered", order_id, dan)
    world.pass_time(60)
    shown = world.get(f"/v1/orders/{order_id}", cara).body["price"]
    assert shown["lines"] == [{"kind": "waiting", "amount": 6}]
    assert sorted(ledger_of(world, "dan")) == [6_00, 50_00]
    assert balance_of(world, "dan") == 56_00
    assert pay(world, cara, order_id).body["amount"] == 6
