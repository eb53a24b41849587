"""Orders of a zone that compete for couriers are matched at once, at the end of a window."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from chalicelib.domain.messaging.wakeups import SearchDue
from chalicelib.domain.orders.model import Status
from chalicelib.store.tables import CourierRow, OrderRow
from tests.builders import DEPOT, north_of
from tests.functional.conftest import MakeWorld
from tests.functional.rides import a_driver, a_rider, request
from tests.functional.test_races import at_once, failures
from tests.functional.world import Someone, World

WINDOW_S = 8
SETTINGS = {"batch_window": timedelta(seconds=WINDOW_S)}


@pytest.fixture
def batching(make_world: MakeWorld) -> World:
    """A world with windows, whose first order is asked of dan, alone in the zone."""
    return begin(make_world(settings=SETTINGS))


def begin(world: World) -> World:
    on_the_road(world, "dan", 0)
    assert courier_of(world, place(world, "cara", 0)) == "dan"
    return world


def on_the_road(world: World, id_: str, at_m: float) -> Someone:
    courier = world.courier(id_, north_of(DEPOT, at_m))
    world.connect(courier)
    return courier


def place(world: World, who: str, at_m: float) -> str:
    lat, lng = north_of(DEPOT, at_m)
    return str(world.place(world.customer(who), pickup_lat=lat, pickup_lng=lng)["id"])


def courier_of(world: World, order_id: str) -> str | None:
    return world.order(order_id).courier_id


def two_waiting(world: World) -> list[str]:
    """Two orders that wait, and two couriers: the first order is nearest to eve, and fay is far
    from both; the least of all ways is that eve goes to the second."""
    on_the_road(world, "eve", 600)
    on_the_road(world, "fay", -1500)
    orders = [place(world, "cleo", 500)]
    world.pass_time(3)
    return [*orders, place(world, "carl", 1000)]


def check_matched(world: World, orders: list[str]) -> None:
    assert [courier_of(world, id_) for id_ in orders] == ["fay", "eve"]
    assert [world.order(id_).offers_made for id_ in orders] == [1, 1]
    for id_, order in zip(("fay", "eve"), orders, strict=True):
        assert CourierRow.get(id_).order_id == int(order)


def test_one_order_alone_is_offered_at_once(batching: World) -> None:
    world = batching
    (row,) = OrderRow.scan()
    assert row.open_pool.startswith("delivery#85")
    world.step("accept", str(int(row.order_id)), world.courier("dan"))
    assert OrderRow.get(row.order_id).open_pool is None
    on_the_road(world, "eve", 600)
    assert courier_of(world, place(world, "cleo", 500)) == "eve"  # nobody competes any more


def test_orders_that_compete_are_matched_at_the_end_of_one_window(batching: World) -> None:
    world = batching
    orders = two_waiting(world)
    waiting = [world.order(id_) for id_ in orders]
    assert {one.status for one in waiting} == {Status.SEARCHING}
    assert len({one.next_search_at for one in waiting}) == 1
    world.pass_time(4.9)
    assert {world.order(id_).status for id_ in orders} == {Status.SEARCHING}
    world.pass_time(0.2)
    check_matched(world, orders)


def test_a_zone_of_its_own_does_not_wait(batching: World) -> None:
    far = 100_000
    on_the_road(batching, "eve", far)
    assert courier_of(batching, place(batching, "cleo", far)) == "eve"


def test_who_comes_on_duty_meanwhile_is_matched_too(batching: World) -> None:
    world = batching
    order = place(world, "cleo", 500)
    world.pass_time(2)
    on_the_road(world, "eve", 400)
    world.pass_time(2)
    assert courier_of(world, order) is None
    world.pass_time(5)
    assert courier_of(world, order) == "eve"


def test_with_too_few_couriers_the_older_one_is_served(batching: World) -> None:
    world = batching
    orders = [place(world, "cleo", 1500)]
    world.pass_time(7)
    orders.append(place(world, "carl", 1480))  # nearer, by less than it is younger
    on_the_road(world, "eve", 1400)
    world.pass_time(1.5)
    assert courier_of(world, orders[0]) == "eve"
    assert world.order(orders[1]).status is Status.UNSERVED


def test_an_order_for_later_has_waited_only_since_its_time_came(make_world: MakeWorld) -> None:
    world = make_world(settings=SETTINGS)
    lat, lng = north_of(DEPOT, 500)
    pickup_from = (world.clock.now + timedelta(hours=1)).isoformat()
    later = world.place(
        world.customer("sara"), pickup_lat=lat, pickup_lng=lng, pickup_from=pickup_from
    )
    world.pass_time(40 * 60 - 3)  # of an hour, less what is needed to find a courier
    begin(world)
    sooner = place(world, "cleo", 500)
    world.pass_time(4)
    assert world.order(later["id"]).status is Status.SEARCHING
    on_the_road(world, "eve", 600)
    world.pass_time(5)
    assert courier_of(world, sooner) == "eve"


def test_what_is_cancelled_meanwhile_is_left_out(batching: World) -> None:
    world = batching
    orders = two_waiting(world)
    cancelled = world.post(f"/v1/orders/{orders[1]}/cancel", {}, world.customer("carl"))
    assert cancelled.status == 200
    world.pass_time(6)
    assert courier_of(world, orders[0]) == "eve"
    assert world.order(orders[1]).status is Status.CANCELLED


def test_a_lost_wakeup_is_made_up_for_by_the_sweep(batching: World) -> None:
    world = batching
    orders = two_waiting(world)
    world.clock.advance(6)  # and no wakeup came
    world.waybill.sweeper.run_pass()
    world.pump()
    check_matched(world, orders)


def test_two_lambdas_at_the_end_of_one_window_make_each_offer_once(
    make_engine_world: MakeWorld,
) -> None:
    world = begin(make_engine_world(settings=SETTINGS))
    orders = two_waiting(world)
    world.clock.advance(5)
    due = [SearchDue(int(id_), world.clock()) for id_ in orders]
    handle = world.waybill.wakeup_handler.handle_wakeup
    outcomes = at_once([partial(handle, wakeup) for wakeup in due * 2])
    assert not failures(outcomes)
    couriers = {courier_of(world, id_) for id_ in orders}
    assert couriers == {"eve", "fay"}
    assert [world.order(id_).offers_made for id_ in orders] == [1, 1]
    for id_ in orders:
        courier_id = courier_of(world, id_)
        assert courier_id
        assert CourierRow.get(courier_id).order_id == int(id_)


def test_with_two_orders_a_courier_a_window_counts_what_they_have(make_world: MakeWorld) -> None:
    world = begin(make_world(settings={**SETTINGS, "courier_max_orders": 2}))
    orders = two_waiting(world)
    world.pass_time(6)
    assert {courier_of(world, id_) for id_ in orders} <= {"dan", "eve", "fay"}
    assert all(world.order(id_).status is Status.OFFERED for id_ in orders)


def test_rides_that_all_near_by_hear_of_do_not_wait(make_world: MakeWorld) -> None:
    world = make_world(settings=SETTINGS)
    rides = [request(a_rider(world, f"r{n}")) for n in range(2)]
    driver = a_driver(world, "dora")
    world.pass_time(30)
    assert {world.order(ride).status for ride in rides} == {Status.SEARCHING}
    assert all(world.order(ride).offered_to == (driver.person.id,) for ride in rides)
