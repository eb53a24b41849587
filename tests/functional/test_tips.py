"""Tips: over REST, on the engines, side by side, and when a process dies."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import KeyRow
from chalicelib.store.wallets import WalletTable
from tests.faults import Crash, CrashingProxy
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.feeds import a_feed, a_profile
from tests.functional.test_feed_delivery import deliver
from tests.functional.test_money import balance_of, ledger_of
from tests.functional.world import Answer, Someone, World

EARNED = 50_00


def tip(world: World, by: Someone, order_id: str, amount: Any, key: str | None = None) -> Answer:
    headers = {"Idempotency-Key": key} if key else {}
    return world.call("POST", f"/v1/orders/{order_id}/tip", {"amount": amount}, by, headers)


def test_a_tip_is_a_line_of_the_price_and_in_the_couriers_wallet(world: World) -> None:
    dan, cara = a_profile(world, world.courier("dan")), world.customer("cara")
    socket = a_feed(world, dan, "wallet_updated")
    order_id = deliver(world, cara, dan)
    socket.take()
    answer = tip(world, cara, order_id, 7.5)
    assert answer.status == 201
    assert answer.body["price"]["lines"] == [{"kind": "tip", "amount": 7.5}]
    assert world.get(f"/v1/orders/{order_id}", cara).body["price"] == answer.body["price"]
    (updated,) = socket.take()
    assert (updated["data"]["change"], updated["data"]["change_reason"]) == (7.5, "tip")
    assert tip(world, cara, order_id, 1).status == 201
    world.pass_time(60)
    assert sorted(ledger_of(world, "dan")) == [1_00, 7_50, EARNED]
    assert balance_of(world, "dan") == EARNED + 8_50


def test_the_same_key_gives_one_tip_and_another_request_may_not_have_it(world: World) -> None:
    dan, cara = world.courier("dan"), world.customer("cara")
    order_id, other_id = deliver(world, cara, dan), deliver(world, cara, dan)
    first, again = (tip(world, cara, order_id, 5, "k1") for _ in range(2))
    assert (first.status, first.body) == (again.status, again.body)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert tip(world, cara, order_id, 6, "k1").status == 422
    assert tip(world, cara, other_id, 5, "k1").status == 422
    assert balance_of(world, "dan") == 2 * EARNED + 5_00


def test_a_tip_that_was_not_written_has_left_no_key(
    make_engine_world: MakeWorld, engine: Engine
) -> None:
    orders = CrashingProxy(OrderTable(engine.connection))
    world = make_engine_world(orders=orders)
    dan, cara = world.courier("dan"), world.customer("cara")
    order_id = deliver(world, cara, dan)
    orders.crash_at("before", "commit_order")
    with pytest.raises(Crash):
        tip(world, cara, order_id, 5, "k1")
    assert not list(KeyRow.scan())
    assert tip(world, cara, order_id, 6, "k1").status == 201
    assert [one.amount_minor for one in world.order(order_id).tips] == [6_00]


def test_a_tip_is_its_customers_alone_on_an_end_and_for_a_day(world: World) -> None:
    dan, cara = world.courier("dan"), world.customer("cara")
    order_id = str(world.place(cara)["id"])
    assert tip(world, cara, order_id, 5).body["error"] == "invalid_transition"
    for verb in ("accept", "arrived", "picked", "delivered"):
        world.step(verb, order_id, dan)
    assert tip(world, world.customer("eve"), order_id, 5).status == 404
    assert tip(world, dan, order_id, 5).status == 403
    assert tip(world, cara, "4711", 5).status == 404
    for amount in (None, 0, -1, 0.001, "5", True, 1e12, [5]):
        assert tip(world, cara, order_id, amount).status == 400, amount
    world.pass_time(24 * 3600 + 1)
    assert tip(world, cara, order_id, 5, "late").status == 409
    assert balance_of(world, "dan") == EARNED


def test_what_was_called_off_before_anybody_accepted_takes_no_tip(world: World) -> None:
    world.courier("dan")
    cara = world.customer("cara")
    order_id = str(world.place(cara)["id"])
    assert world.post(f"/v1/orders/{order_id}/cancel", {}, cara).status == 200
    assert tip(world, cara, order_id, 5).status == 409
    assert balance_of(world, "dan") == 0


def test_tips_side_by_side_are_each_booked_once(make_engine_world: MakeWorld) -> None:
    world = make_engine_world()
    dan, cara = world.courier("dan"), world.customer("cara")
    order_id = deliver(world, cara, dan)
    keys = [None, "a", "a", None, "b", "a"]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda key: tip(world, cara, order_id, 1, key), keys))
    assert [answer.status for answer in answers] == [201] * 6
    world.pass_time(60)
    assert balance_of(world, "dan") == EARNED + 4_00
    assert len(world.order(order_id).tips) == 4


@pytest.mark.parametrize("which", ["orders", "wallets"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_tip_survives_a_death(
    make_engine_world: MakeWorld, engine: Engine, which: str, when: str
) -> None:
    """Whatever was committed is booked by the wakeup, and what the client sends again once."""
    parts: dict[str, Any] = {
        "orders": CrashingProxy(OrderTable(engine.connection)),
        "wallets": CrashingProxy(WalletTable(engine.connection)),
    }
    world = make_engine_world(**parts)
    dan, cara = world.courier("dan"), world.customer("cara")
    order_id = deliver(world, cara, dan)
    world.pass_time(60)
    parts[which].crash_at(when, "commit_order" if which == "orders" else "commit_wallet")
    with pytest.raises(Crash):
        tip(world, cara, order_id, 5, "k1")
    if which == "wallets" or when == "after":
        world.pass_time(60)
        assert balance_of(world, "dan") == EARNED + 5_00
    assert tip(world, cara, order_id, 5, "k1").status == 201
    world.pass_time(60)
    assert balance_of(world, "dan") == EARNED + 5_00
