"""Offers that nobody answers (S0-08 to S0-10, S0-33 to S0-37; ambiguities e, f, g and p), and
what the two active-order calls say meanwhile (S0-25 to S0-32)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.orders.model import Status
from chalicelib.store.orders import OrderTable
from tests.builders import DEPOT, north_of
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.world import Someone, World


class UnreadableOrders(OrderTable):
    """A store in which one order can't be read."""

    broken = 0

    def get_order(self, order_id: int) -> Any:
        if order_id == self.broken:
            raise RuntimeError("this row is broken")
        return super().get_order(order_id)


def two_couriers(world: World) -> tuple[Someone, Someone]:
    return world.courier("dan"), world.courier("eve", north_of(DEPOT, 500))


def events(frames: list[Any]) -> list[str]:
    return [frame["event"] for frame in frames]


def statuses(frames: list[Any]) -> list[str]:
    return [frame["data"]["status"] for frame in frames]


def test_no_offer_lapses_early_and_each_in_time_by_its_timer(world: World) -> None:
    """S0-35: not before 15.0 s, by 17 s"""
    two_couriers(world)
    order = world.place(world.customer())
    world.pass_time(14.999)
    world.sweep()
    assert world.order(order["id"]).courier_id == "dan"
    world.pass_time(2)
    assert world.order(order["id"]).courier_id == "eve"


def test_where_only_the_last_is_excluded_couriers_are_asked_in_turn(make_world: MakeWorld) -> None:
    """Ambiguity f: `exclude` is all or last"""
    world = make_world(settings={"dispatch_exclude": "last"})
    two_couriers(world)
    order = world.place(world.customer())
    asked = [world.order(order["id"]).courier_id]
    for _ in range(3):
        world.pass_time(16)
        asked.append(world.order(order["id"]).courier_id)
    assert asked == ["dan", "eve", "dan", "eve"]


def test_without_timers_the_sweep_is_in_time(world: World) -> None:
    """S0-33, S0-35: by 32 s, whenever the passes come"""
    two_couriers(world)
    order = world.place(world.customer())
    world.queue.waiting.clear()
    world.clock.advance(14.9)
    world.sweep()
    assert world.order(order["id"]).courier_id == "dan"
    world.clock.advance(15)
    world.sweep()
    assert world.order(order["id"]).courier_id == "eve"


def test_the_one_who_let_it_lapse_hears_that_it_went_to_another(world: World) -> None:
    """S0-08, S0-09, S0-34; ambiguity e: timed out, then reassigned away"""
    dan, eve = two_couriers(world)
    cara = world.customer()
    his, other, hers = world.connect(dan), world.connect(eve), world.connect(cara)
    order = world.place(cara)
    world.pass_time(15)
    ids = {"order_id": order["id"], "customer_id": "cara"}
    assert his.take()[1:] == [
        {"event": "order.assignment_timed_out", "data": ids},
        {"event": "order.reassigned_away", "data": ids},
    ]
    assert events(other.take()) == ["order.assigned"]
    assert statuses(hers.take()) == ["assigned", "assigned"]


def test_the_last_one_to_let_it_lapse_hears_that_nobody_is_left(world: World) -> None:
    """S0-10, S0-34; ambiguities e and f: everybody was asked once"""
    dan, eve = two_couriers(world)
    cara = world.customer()
    his, other, hers = world.connect(dan), world.connect(eve), world.connect(cara)
    order = world.place(cara)
    world.pass_time(60)
    assert events(his.take()) == [
        "order.assigned",
        "order.assignment_timed_out",
        "order.reassigned_away",
    ]
    assert events(other.take()) == [
        "order.assigned",
        "order.assignment_timed_out",
        "order.no_nearby_driver",
    ]
    assert statuses(hers.take()) == ["assigned", "assigned", "no_nearby_driver"]
    assert world.place(cara)["courier_id"] in ("dan", "eve")
    assert world.get(f"/v1/orders/{order['id']}", cara).body["status"] == "no_nearby_driver"


def test_an_answer_that_comes_too_late_loses_and_moves_the_order_on(world: World) -> None:
    """S0-36, without any timer or sweep: reading and answering repair"""
    dan, eve = two_couriers(world)
    order = world.place(world.customer())
    world.clock.advance(15)
    late = world.step("accept", order["id"], dan)
    assert (late.status, late.body["error"]) == (409, "offer_gone")
    assert world.order(order["id"]).courier_id == "eve"
    world.clock.advance(15)
    assert world.get("/v1/courier/active-order", eve).body == {"active": False}


def test_an_accept_in_the_last_moment_is_good(world: World) -> None:
    """S0-36"""
    dan, _ = two_couriers(world)
    order = world.place(world.customer())
    world.clock.advance(14.999)
    assert world.step("accept", order["id"], dan).status == 200
    world.pass_time(60)
    world.sweep()
    assert world.order(order["id"]).courier_id == "dan"


def test_one_broken_order_stops_no_other_and_each_is_looked_at(
    make_world: MakeWorld, dynamo: Engine
) -> None:
    """S0-37"""
    orders = UnreadableOrders(dynamo.connection)
    world = make_world(orders=orders)
    ids = []
    for n in range(4):
        world.courier(f"dan{n}", (DEPOT[0] + n, DEPOT[1]))
        there = {"pickup_lat": DEPOT[0] + n, "pickup_lng": DEPOT[1]}
        ids.append(int(world.place(world.customer(f"cara{n}"), **there)["id"]))
    world.clock.advance(15)
    orders.broken = ids[1]
    world.sweep()
    orders.broken = 0
    statuses = {id_: orders.get_order(id_).status for id_ in ids}
    assert statuses.pop(ids[1]) is Status.OFFERED
    assert set(statuses.values()) == {Status.UNSERVED}


def test_who_was_away_hears_all_of_it_in_order_once_on_coming_back(world: World) -> None:
    """Nothing is lost: the same events by the same ids, in order"""
    dan, cara = world.courier(), world.customer()
    order = world.place(cara)
    for verb in ("accept", "arrived", "picked", "delivered"):
        world.step(verb, order["id"], dan)
    back = world.connect(cara)
    way = ["assigned", "accepted", "arrived", "picked_up", "delivered"]
    assert statuses(back.take()) == way
    assert world.connect(cara).take() == []


def test_a_courier_who_comes_back_hears_of_a_current_offer_once(world: World) -> None:
    """Ambiguity p"""
    dan = world.courier()
    world.place(world.customer())
    first = world.connect(dan)
    assert events(first.take()) == ["order.assigned"]
    second = world.connect(dan)
    assert events(second.take()) == ["order.assigned"]
    assert first.take() == []
    world.pass_time(15)
    world.connect(dan)
    assert events(second.take()) == ["order.assignment_timed_out", "order.no_nearby_driver"]


def test_a_courier_who_comes_back_late_hears_of_no_lapsed_offer(world: World) -> None:
    """Ambiguity p"""
    dan = world.courier()
    world.place(world.customer())
    world.pass_time(20)
    assert "order.assigned" not in events(world.connect(dan).take())


@pytest.mark.parametrize("spelling", ["active-order", "activeOrder"])
def test_whoever_has_no_order_has_none_active(world: World, spelling: str) -> None:
    """S0-25 to S0-27, S0-29"""
    for kind, who in (("customer", world.customer()), ("courier", world.courier())):
        answer = world.get(f"/v1/{kind}/{spelling}", who)
        assert (answer.status, answer.text) == (200, '{"active":false}')
    assert world.get(f"/v1/customer/{spelling}", world.courier()).status == 403
    assert world.get(f"/v1/courier/{spelling}", world.customer()).status == 403
    assert world.get(f"/v1/courier/{spelling}").status == 401


def test_the_active_order_of_each_side_through_its_life(world: World) -> None:
    """S0-26, S0-28 to S0-31; ambiguity b: the wire says assigned_driver"""
    dan, cara = world.courier(name="Dan", phone="+91"), world.customer()
    order = world.place(cara)
    world.call("PUT", "/v1/me", {"name": "Dan", "phone": "+91"}, dan)
    for verb in ("", "accept", "arrived", "picked"):
        if verb:
            world.step(verb, order["id"], dan)
        hers = world.get("/v1/customer/active-order", cara)
        assert hers.text == world.get("/v1/customer/activeOrder", cara).text
        assert hers.body["active"] is True
        assert hers.body["order"] == world.get(f"/v1/orders/{order['id']}", cara).body
        assert hers.body["assigned_driver"] == {"id": "dan", "name": "Dan", "phone": "+91"}
        his = world.get("/v1/courier/active-order", dan)
        assert his.text == world.get("/v1/courier/activeOrder", dan).text
        assert his.body == {"active": True, "order": hers.body["order"]}
    world.step("delivered", order["id"], dan)
    assert world.get("/v1/customer/active-order", cara).body == {"active": False}
    assert world.get("/v1/courier/active-order", dan).body == {"active": False}


def test_of_several_active_orders_the_newest_is_shown(world: World) -> None:
    """S0-30, S0-32: an unserved one is not active"""
    two_couriers(world)
    cara = world.customer()
    orders = []
    for _ in range(3):
        orders.append(world.place(cara))
        world.clock.advance(1)
    assert [order["status"] for order in orders] == ["assigned", "assigned", "no_nearby_driver"]
    assert world.get("/v1/customer/active-order", cara).body["order"]["id"] == orders[1]["id"]
