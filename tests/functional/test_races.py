"""Many at once (S0-05, S0-36, S0-37, S0-41, P-05, P-08, P-09), on moto behind its lock and on
ministack. Threads meet at a barrier, and go through the services: the app's handlers do no more."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from chalicelib.domain.details import Place
from chalicelib.domain.messaging.wakeups import OrdersDue
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.model import Status
from chalicelib.errors import Conflict, Unavailable, WaybillError
from chalicelib.store.tables import CourierRow
from tests.builders import DEPOT, a_job, north_of
from tests.functional.world import World

Call = Callable[[], Any]


def at_once(calls: Sequence[Call]) -> list[Any]:
    """What each call returned or raised, all begun together."""
    barrier = threading.Barrier(len(calls))

    def run(call: Call) -> Any:
        barrier.wait(30)
        try:
            return call()
        except WaybillError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def failures(outcomes: Sequence[Any]) -> list[Any]:
    return [outcome for outcome in outcomes if isinstance(outcome, Exception)]


def look(world: World, order_id: int) -> None:
    """What a wakeup of the sweep's does."""
    world.waybill.wakeup_handler.handle_wakeup(OrdersDue((order_id,)))


def test_of_two_hundred_accepts_of_one_courier_one_is_counted(engine_world: World) -> None:
    """P-08, S0-39: one wins, all the same courier's, one event"""
    world = engine_world
    dan, cara = world.courier(), world.customer()
    hers = world.connect(cara)
    order = int(world.place(cara)["id"])
    outcomes = at_once([lambda: world.waybill.courier_orders.accept_order(dan.actor, order)] * 200)
    assert not failures(outcomes)
    world.pass_time(30)
    assert world.order(order).version == 2
    assert [frame["data"]["status"] for frame in hers.take()] == ["assigned", "accepted"]


def test_a_courier_never_holds_two_orders(engine_world: World) -> None:
    """S0-41: eight orders at once, and three couriers"""
    world = engine_world
    for n in range(3):
        world.courier(f"d{n}", north_of(DEPOT, 100 * n))
    jobs = [a_job(customer_id=f"c{n}", pickup=Place("here", *DEPOT)) for n in range(8)]
    outcomes = at_once([partial(world.waybill.customer_orders.place_order, job) for job in jobs])
    assert not failures(outcomes)
    stored = [world.order(placed.order.id) for placed in outcomes]
    assert Counter(order.occupied_courier_id for order in stored) == Counter(
        {"d0": 1, "d1": 1, "d2": 1, None: 5}
    )
    for order in stored:
        if order.occupied_courier_id:
            assert CourierRow.get(order.occupied_courier_id).order_id == order.id
        else:
            assert order.status is Status.UNSERVED


def test_between_an_answer_and_the_timer_one_wins(engine_world: World) -> None:
    """S0-36: whoever is first; the courier who won has it, who lost has a 409"""
    world = engine_world
    won = Counter[str]()
    for n in range(4):
        there = (DEPOT[0] + n, DEPOT[1])
        dan, job = world.courier(f"dan{n}", there), a_job(pickup=Place("here", *there))
        order = world.waybill.customer_orders.place_order(job).order.id
        world.clock.advance(14.999 if n % 2 else 15)
        accept, expire = world.waybill.courier_orders.accept_order, partial(look, world, order)
        outcomes = at_once([lambda: accept(dan.actor, order), expire, expire])  # noqa: B023
        after = world.order(order)
        refused = failures(outcomes)
        won["courier" if after.status is Status.ACCEPTED else "timer"] += 1
        assert (after.status is Status.ACCEPTED) == (not refused)
        assert all(isinstance(error, Conflict) for error in refused)
        held = CourierRow.get(dan.id).order_id
        assert (held == order) == (after.occupied_courier_id == dan.id)
    assert won == {"courier": 2, "timer": 2}


def test_of_sweeps_that_meet_each_order_is_moved_on_once(engine_world: World) -> None:
    """S0-37, P-09: four at once over three orders, and all that they hand on at once"""
    world = engine_world
    placed = []
    for n in range(3):
        there = (DEPOT[0] + n, DEPOT[1])
        world.courier(f"a{n}", there)
        world.courier(f"b{n}", north_of(there, 300))
        world.connect(world.customer(f"c{n}"))
        job = a_job(customer_id=f"c{n}", pickup=Place("here", *there))
        placed.append(world.waybill.customer_orders.place_order(job).order)
    world.clock.advance(15)
    at_once([world.waybill.sweeper.run_pass] * 4)
    handed_on = [wakeup for wakeup, _ in world.queue.sent if isinstance(wakeup, OrdersDue)]
    at_once(
        [partial(world.waybill.wakeup_handler.handle_wakeup, wakeup) for wakeup in handed_on * 4]
    )
    for n, order in enumerate(placed):
        after = world.order(order.id)
        assert (after.version, after.offers_made, after.courier_id) == (2, 2, f"b{n}")
        assert CourierRow.get(f"a{n}").order_id is None
        assert CourierRow.get(f"b{n}").order_id == order.id
    world.pass_time(10)
    assert Counter(id_ for id_, _ in world.gateway.posted) == Counter(
        {f"socket-{n + 1}=": 2 for n in range(3)}
    )


def test_frames_of_an_order_never_go_backwards_however_many_change_at_once(
    engine_world: World,
) -> None:
    """S0-05, P-05: ten orders of one customer, five steps each, by ten threads; two sockets"""
    world = engine_world
    cara = world.customer()
    sockets = [world.connect(cara), world.connect(cara)]
    dans = [world.courier(f"d{n}", north_of(DEPOT, 10 * n)) for n in range(10)]
    placed = [world.waybill.customer_orders.place_order(a_job()).order for _ in dans]
    delivery = world.waybill.courier_orders

    def take_all_steps(order_id: int, courier_id: str) -> None:
        actor = next(dan.actor for dan in dans if dan.id == courier_id)
        delivery.accept_order(actor, order_id)
        for command in (commands.Arrive(), commands.PickUp(), commands.Deliver()):
            delivery.take_step(actor, order_id, command)

    outcomes = at_once(
        [partial(take_all_steps, order.id, order.courier_id or "") for order in placed]
    )
    assert not failures(outcomes)
    world.pass_time(60)
    for socket in sockets:
        heard: dict[str, list[str]] = defaultdict(list)
        for frame in socket.frames:
            heard[frame["data"]["order_id"]].append(frame["data"]["status"])
        way = ["assigned", "accepted", "arrived", "picked_up", "delivered"]
        assert list(heard.values()) == [way] * 10
    assert world.gateway.overlaps == 0
    assert world.queue.dead == []


def test_declining_and_cancelling_at_once_leave_nothing_held(engine_world: World) -> None:
    """A decline offers the order on while its customer takes it back."""
    world = engine_world
    for n in range(3):
        dan = world.courier(f"dan{n}", north_of((DEPOT[0] + n, DEPOT[1]), 0))
        eve = world.courier(f"eve{n}", north_of((DEPOT[0] + n, DEPOT[1]), 300))
        cara = world.customer(f"cara{n}")
        job = a_job(customer_id=cara.id, pickup=Place("here", DEPOT[0] + n, DEPOT[1]))
        order = world.waybill.customer_orders.place_order(job).order.id
        decline, cancel = (
            world.waybill.courier_orders.take_step,
            world.waybill.customer_orders.cancel_order,
        )
        outcomes = at_once(
            [
                lambda: decline(dan.actor, order, commands.Decline()),  # noqa: B023
                lambda: cancel(cara.actor, order, None),  # noqa: B023
            ]
        )
        assert not [o for o in failures(outcomes) if isinstance(o, Unavailable)]
        assert world.order(order).status is Status.CANCELLED
        assert CourierRow.get(dan.id).order_id is None
        assert CourierRow.get(eve.id).order_id is None


def test_going_off_duty_while_being_asked_never_keeps_an_offer(engine_world: World) -> None:
    """S0-43"""
    world = engine_world
    for n in range(3):
        dan = world.courier(f"dan{n}", (DEPOT[0] + n, DEPOT[1]))
        job = a_job(customer_id=f"cara{n}", pickup=Place("here", DEPOT[0] + n, DEPOT[1]))
        place, duty = (
            world.waybill.customer_orders.place_order,
            world.waybill.courier_status.set_available,
        )
        placed, _ = at_once([lambda: place(job), lambda: duty(dan.actor, False)])  # noqa: B023
        row = CourierRow.get(dan.id).serialize()
        assert not {"order_id", "free_shard"} & set(row)
        assert row["available"] == {"BOOL": False}
        assert world.order(placed.order.id).status is Status.UNSERVED
