"""Figures, as an admin is shown them, while orders of every flow go on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.domain.messaging.connections import CHECK_INTERVAL
from chalicelib.domain.orders.listing import name_home_list
from chalicelib.domain.people import Role
from chalicelib.services.ops.counted import CountedOrders
from chalicelib.store.histories import HistoryTable
from chalicelib.store.listings import ListingTable
from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import ListingRow
from tests.functional.hails import driver, hail
from tests.functional.kitchen import Kitchen
from tests.functional.rides import a_driver, a_ride, a_rider
from tests.functional.schedules import place
from tests.functional.test_summaries import deliver
from tests.functional.world import World


def get_figures(world: World, hours: int = 24) -> dict[str, Any]:
    answer = world.get(f"/v1/admin/figures?hours={hours}", world.admin())
    assert answer.status == 200, answer
    return dict(answer.body)


def build_anew(world: World, hours: int = 24) -> Any:
    """The counts of a process that has seen nothing yet."""

    with ThreadPoolExecutor(4) as pool:
        orders = OrderTable(world.engine.connection)
        counted = CountedOrders(ListingTable(pool), orders, HistoryTable(), 5)
        return counted.count_hours(world.clock.now, hours)


def test_figures_follow_an_order_as_it_goes_on(world: World) -> None:
    dan, eve, cara = world.courier("dan"), world.courier("eve"), world.customer()
    world.connect(dan)
    id_ = world.place(cara)["id"]
    shown = get_figures(world)
    assert len(shown["hours"]) == 24
    now, hour = shown["now"], shown["hours"][-1]
    assert (now["orders"], now["searching"], now["couriers"], now["couriers_idle"]) == (1, 1, 2, 1)
    assert (now["sockets"], now["wakeup_lag_ms"]) == (1, 0)
    assert (hour["orders"], hour["offers_per_order"], hour["accepted_percent"]) == (1, 1, None)
    assert hour["first_offer_ms"]["p50"] == 0
    first = eve if world.order(id_).courier_id == "eve" else dan
    second = dan if first is eve else eve
    world.step("decline", id_, first)
    world.clock.advance(3)
    world.step("accept", id_, second)
    hour = get_figures(world)["hours"][-1]
    assert (hour["accepted_percent"], hour["declined_percent"]) == (50.0, 50.0)
    assert hour["assign_ms"] == {"p50": 3000, "p95": 3000}
    for verb in ("arrived", "picked", "reached", "delivered"):
        world.clock.advance(7)
        assert world.step(verb, id_, second).status == 200
    before = get_figures(world)  # the wakeup of its end has not come yet
    world.pass_time(6)
    after = get_figures(world)
    assert before["hours"] == after["hours"]
    assert after["hours"][-1]["ends"] == {"done": 1}
    assert after["hours"][-1]["pickup_wait_s"] == {"p50": 7, "p95": 7}
    assert after["now"]["orders"] == 0
    assert after["total"]["orders"] == 1
    world.pass_time(3600)
    hours = get_figures(world)["hours"]
    assert [hour["orders"] for hour in hours[-2:]] == [1, 0]


def test_all_flows_are_counted_once_each(world: World) -> None:
    dan = world.courier("dan")
    deliver(world, world.place(world.customer())["id"], dan)
    a_ride(a_rider(world), a_driver(world), "completed")
    kitchen = Kitchen(world)
    meal_id = kitchen.ready()
    kitchen.drivers("456")[0].emit("accept-order", {"orderId": meal_id})
    driver(world, "hal")
    hail(world)
    for _ in range(3):
        total = get_figures(world)["total"]
        assert total["orders"] == 4
        assert total["ends"] == {"done": 2}
        world.pass_time(6)
    anew = build_anew(world)
    found = sum(sample.orders for sample in anew.final.values())
    assert found + sum(map(len, anew.passing.values())) == 4


def test_an_unserved_order_counts_as_what_came_of_it_at_last(world: World) -> None:
    cara = world.customer()
    id_ = world.place(cara)["id"]
    world.pass_time(6)
    shown = get_figures(world)
    assert shown["total"]["unserved_percent"] == 100.0
    assert shown["now"]["unserved"] == 1
    dan = world.courier()
    assert world.post(f"/v1/orders/{id_}/retry", {}, cara).status == 200
    total = get_figures(world)["total"]
    assert (total["orders"], total["unserved_percent"], total["ends"]) == (1, 0.0, {})
    deliver(world, id_, dan)
    for _ in range(3):
        total = get_figures(world)["total"]
        assert (total["orders"], total["ends"]) == (1, {"done": 1})
        world.pass_time(6)


def test_what_is_scheduled_counts_in_the_hour_in_which_it_becomes_active(world: World) -> None:
    place(world, minutes=130)
    assert get_figures(world)["total"]["orders"] == 0
    world.pass_time(111 * 60)
    world.sweep()
    for _ in range(2):
        shown = get_figures(world)
        assert [hour["orders"] for hour in shown["hours"][-3:]] == [0, 0, 1]
        world.pass_time(6)
    assert sum(map(len, build_anew(world).passing.values())) + len(build_anew(world).final) == 1


def test_orders_of_the_version_before_have_no_summary_and_are_counted(world: World) -> None:
    dan, cara = world.courier(), world.customer()
    id_ = world.place(cara)["id"]
    deliver(world, id_, dan)
    world.pass_time(120)
    row = ListingRow(name_home_list(world.order(id_)), int(id_))
    row.update(actions=[ListingRow.doc.remove()])
    (sample,) = build_anew(world).final.values()
    assert (sample.orders, sample.offers, list(sample.assign_ms)) == (1, 1, [5000])
    row.update(actions=[ListingRow.doc.set(b"?what is this?")])
    assert [one.orders for one in build_anew(world, 168).final.values()] == [1]


def test_earlier_hours_can_be_asked_for_later(world: World) -> None:
    dan = world.courier()
    deliver(world, world.place(world.customer())["id"], dan)
    world.pass_time(3 * 24 * 3600)
    assert get_figures(world)["total"]["orders"] == 0
    assert get_figures(world, 168)["total"]["orders"] == 1
    assert get_figures(world, 1)["total"]["orders"] == 0
    assert get_figures(world, 168)["total"]["orders"] == 1


def test_a_wakeup_that_does_not_come_is_a_lag(world: World) -> None:
    world.courier()
    world.place(world.customer())
    world.clock.advance(25)  # nobody hands on the wakeup of the offer, which ended after 15
    assert get_figures(world)["now"]["wakeup_lag_ms"] == 10_000


def test_a_connection_that_no_sweep_finds_is_a_lag(world: World) -> None:
    world.connect(world.courier())
    world.clock.advance(CHECK_INTERVAL.total_seconds() + 10)  # the next pass of the sweep may do
    assert get_figures(world)["now"]["wakeup_lag_ms"] == 0
    world.clock.advance(10)
    assert get_figures(world)["now"]["wakeup_lag_ms"] == 5000


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.COURIER, Role.MERCHANT])
def test_figures_are_for_admins(world: World, role: Role) -> None:
    assert world.get("/v1/admin/figures", world.someone(role, "x")).status == 403
    assert world.get("/v1/admin/figures").status == 401


@pytest.mark.parametrize("hours", ["", "0", "169", "1.5", "x", "%00", "1%2C2"])
def test_hours_that_are_none_are_refused(world: World, hours: str) -> None:
    world.is_sound = False  # no document foresees it
    answer = world.get(f"/v1/admin/figures?hours={hours}", world.admin())
    assert answer.status == 400, answer


def test_idle_couriers_are_counted_while_somebody_watches(world: World) -> None:
    """Once a minute, by the ticks; and by whoever asks now, without a write."""
    ada = world.admin()

    def find_shares() -> list[float | None]:
        found = world.get("/v1/admin/figures?hours=2", ada).body
        return [one["couriers_idle_percent"] for one in (*found["hours"], found["total"])]

    assert find_shares() == [None, None, None]
    dan = world.courier("dan")
    world.courier("eve")
    assert find_shares() == [None, 100.0, 100.0]
    console = world.connect(ada, "ops")
    order_id = world.place(world.customer())["id"]
    world.step("accept", order_id, dan)
    world.pass_time(120)
    console.close()
    world.pass_time(3600)
    (before, now, total) = find_shares()
    assert before is not None
    assert 50.0 <= before < 100.0
    assert (now, total) != (None, None)
