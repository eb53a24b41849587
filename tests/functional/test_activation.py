"""Scheduled orders become active once: by a timer, the sweep or a reader, whoever is first."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.messaging.wakeups import OrdersDue, SearchDue, Wakeup
from chalicelib.domain.orders.model import Status
from chalicelib.store.orders import OrderTable, encode_order
from chalicelib.store.tables import SHARDS, CourierRow, OrderRow
from tests.builders import an_order
from tests.fakes import Clock, RecordingQueue
from tests.faults import Crash, CrashingProxy, answers_lost
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.hails import hail
from tests.functional.kitchen import Kitchen, placed
from tests.functional.schedules import (
    later,
    place,
    stored,
)
from tests.functional.world import World, log_of

LEAD = timedelta(minutes=20)


def test_timers_are_sent_only_near_the_time(world: World) -> None:
    place(world, minutes=20 + 15)
    place(world, minutes=20 + 15.1)
    place(world, minutes=60 * 24 * 29)
    world.pass_time(10)
    wakeups = [message.wakeup for message in world.queue.waiting]
    assert [type(wakeup) for wakeup in wakeups] == [SearchDue]


def test_the_timer_activates_it(world: World) -> None:
    world.courier()
    order = place(world, minutes=21)
    world.pass_time(59)
    assert world.order(order["id"]).status is Status.SCHEDULED
    world.pass_time(1)
    assert world.order(order["id"]).status is Status.OFFERED


def test_the_sweep_activates_what_no_timer_was_sent_for(world: World) -> None:
    order = place(world, minutes=60 * 24 * 29)
    world.clock.advance((timedelta(days=29) - LEAD).total_seconds() - 1)
    world.sweep()
    assert stored(order).status is Status.SCHEDULED
    world.clock.advance(1)
    world.sweep()
    assert stored(order).status is Status.UNSERVED


def test_whoever_is_first_activates_it_once(make_engine_world: MakeWorld, engine: Engine) -> None:
    """Timers, sweeps and readers at once."""
    world = make_engine_world()
    kitchen = Kitchen(world)
    meal = placed(world, kitchen.customer, pickup_from=later(world, 21))
    world.clock.advance(60)
    due = world.clock.now

    def find(n: int) -> object:
        handle = world.waybill.wakeup_handler.handle_wakeup
        if n % 3 == 0:
            return handle(SearchDue(meal["id"], due))
        if n % 3 == 1:
            return handle(OrdersDue((meal["id"],)))
        return world.get(f"/v1/orders/{meal['id']}", kitchen.customer).body["status"]

    with ThreadPoolExecutor(9) as pool:
        seen = list(pool.map(find, range(18)))
    assert {status for status in seen if status} == {"pending"}
    assert world.order(meal["id"]).version == 2
    assert [event.type for event in log_of("restaurant#789")] == ["order_activated"]
    types = [event.type for event in log_of(kitchen.customer.id)]
    assert types == ["order_placed", "order_activated"]


def test_a_cancel_and_the_activation_at_once(make_engine_world: MakeWorld, engine: Engine) -> None:
    """Whichever comes first: it is cancelled in the end, and nobody keeps a courier."""
    world = make_engine_world()
    world.courier()
    cara = world.customer()
    ids = [hail(world, cara, pickup_from=later(world, 21))["id"] for _ in range(4)]
    world.clock.advance(60)
    world.courier()

    def change(n: int) -> int:
        if n % 2:
            return world.post(f"/v1/orders/{ids[n // 2]}/cancel", by=cara).status
        world.waybill.wakeup_handler.handle_wakeup(OrdersDue((int(ids[n // 2]),)))
        return 200

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(change, range(8))) == {200}
    assert {world.order(id_).status for id_ in ids} == {Status.CANCELLED}
    assert CourierRow.get("dan").order_id is None


class DyingQueue(RecordingQueue):
    """A queue whose sender dies once, `before` or `after` it has sent."""

    dies: str | None = None

    def send_wakeups(self, wakeups: Iterable[tuple[Wakeup, timedelta]]) -> None:
        """Send them, but for that."""
        when, self.dies = self.dies, None
        if when == "before":
            raise Crash
        super().send_wakeups(wakeups)
        if when == "after":
            raise Crash


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("part", ["queue", "orders"])
def test_after_a_death_the_sweep_activates_it(
    make_engine_world: MakeWorld, engine: Engine, when: str, part: str
) -> None:
    """Whoever activates dies before or after the wakeups are sent, or the order is written."""
    orders, clock = CrashingProxy(OrderTable(engine.connection)), Clock()
    queue = DyingQueue(clock)
    world = make_engine_world(orders=orders, queue=queue, clock=clock)
    dan, cara = world.courier(), world.customer()
    hers = world.connect(cara)
    order = place(world, cara)
    world.pass_time(40 * 60)
    world.courier(dan.id)
    if part == "queue":
        queue.dies = when
    else:
        orders.crash_at(when, "commit_order")
    with pytest.raises(Crash):
        world.get(f"/v1/orders/{order['id']}", cara)
    world.sweep()
    world.pass_time(10)
    assert world.order(order["id"]).status is Status.OFFERED
    assert [frame["data"]["status"] for frame in hers.frames] == ["assigned"]
    assert world.queue.dead == []


def test_an_activation_whose_answer_gets_lost_is_one(
    make_engine_world: MakeWorld, engine: Engine
) -> None:
    world = make_engine_world()
    kitchen = Kitchen(world)
    meal = placed(world, kitchen.customer, pickup_from=later(world, 60))
    world.clock.advance(40 * 60)
    with answers_lost(engine.connection.client, "PutItem") as lost:
        world.sweep()
    assert lost
    assert world.order(meal["id"]).version == 2


def test_a_lambda_whose_clock_is_behind_activates_nothing_early(make_world: MakeWorld) -> None:
    """Its timer waits; the one whose clock is right is not in its way."""
    right = make_world()
    order = place(right, minutes=21)
    slow = make_world(clock=Clock(), queue=right.queue)
    slow.clock.now = right.clock.now + timedelta(seconds=55)
    right.clock.advance(60)
    due = right.clock.now
    slow.waybill.wakeup_handler.handle_wakeup(SearchDue(int(order["id"]), due))
    assert stored(order).status is Status.SCHEDULED
    right.waybill.wakeup_handler.handle_wakeup(SearchDue(int(order["id"]), due))
    assert stored(order).status is Status.UNSERVED
    slow.waybill.wakeup_handler.handle_wakeup(SearchDue(int(order["id"]), due))
    assert stored(order).version == 2


def test_orders_far_ahead_cost_an_idle_sweep_nothing(world: World) -> None:
    """The index is asked for what is due alone, and of 2,000 that wait it reads none."""
    table = OrderTable(None)  # type: ignore[arg-type]
    with OrderRow.batch_write() as batch:
        for n in range(2000):
            at = world.clock.now + timedelta(minutes=1 + n)
            batch.save(encode_order(an_order(Status.SCHEDULED, id=n + 1, next_search_at=at)))
    client = world.engine.connection.client
    read: list[tuple[int, int]] = []

    def count(parsed: dict[str, Any], **_: Any) -> None:
        read.append((parsed["ScannedCount"], len(parsed.get("Items", []))))

    client.meta.events.register("after-call.dynamodb.Query", count)
    try:
        assert list(table.list_due(world.clock.now)) == []
        assert read == [(0, 0)] * SHARDS
        due = list(table.list_due(world.clock.now + timedelta(minutes=10)))
    finally:
        client.meta.events.unregister("after-call.dynamodb.Query", count)
    assert len(due) == 10
    assert sum(scanned for scanned, _ in read) == 10
