"""Spec 004 when everything happens at once, on both engines."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from chalicelib.domain.messaging.wakeups import GreetingDue, OfferDue, OrdersDue
from chalicelib.errors import OfferGone
from tests.builders import DEPOT, north_of
from tests.functional.hails import be_at, driver, hail, types
from tests.functional.world import World


def all_at_once(*tasks: Callable[[], object]) -> None:
    """Run them side by side; raise what any of them raises."""
    with ThreadPoolExecutor(len(tasks)) as pool:
        for running in [pool.submit(task) for task in tasks]:
            running.result()


def test_a_lapse_found_by_all_at_once_is_told_once(engine_world: World) -> None:
    """S4-11: two timers, two looks of the sweep's, two polls and a late answer."""
    world = engine_world
    dan, old = driver(world, "5")
    eve, new = driver(world, "6", north_of(DEPOT, 100))
    order = hail(world)
    offer = world.order(order["id"]).offer
    assert offer is not None
    timer = OfferDue(order["id"], offer.seq, offer.expires_at)
    world.clock.advance(300)
    be_at(world, eve)

    def accept_late() -> None:
        with suppress(OfferGone):
            world.waybill.courier_orders.accept_order(dan.actor, order["id"])

    waybill = world.waybill
    all_at_once(
        *[lambda: waybill.wakeup_handler.handle_wakeup(timer)] * 2,
        *[lambda: waybill.wakeup_handler.handle_wakeup(OrdersDue((order["id"],)))] * 2,
        *[lambda: waybill.customer_orders.poll_offers("5")] * 2,
        accept_late,
    )
    world.pass_time(60)
    assert types(old) == ["new_order", "order_timeout"]
    assert types(new) == ["new_order"]


def test_an_answer_in_time_and_an_admins_hand_leave_one_truth(engine_world: World) -> None:
    """Whoever wins: one driver has the order, and the other knows that they have not."""
    world = engine_world
    dan, old = driver(world, "5")
    _, new = driver(world, "6", at=None, available=False)
    order = hail(world)

    def accept() -> None:
        with suppress(OfferGone):
            world.waybill.courier_orders.accept_order(dan.actor, order["id"])

    def reassign() -> None:
        world.waybill.hands.assign_courier(world.admin().actor, order["id"], "6")

    all_at_once(accept, reassign, accept)
    world.pass_time(60)
    assert world.order(order["id"]).occupied_courier_id == "6"
    assert types(old) == ["new_order", "order_timeout"]
    assert types(new) == ["new_order"]


def test_a_greeting_and_an_offer_at_once_tell_of_it_once(engine_world: World) -> None:
    """S4-05: it is in initial_orders or it is a new_order after that, and never both."""
    world = engine_world
    dan, cara = world.courier("5"), world.customer("cara")
    for _ in range(3):
        socket = world.connect(dan, "drivers", greet=False)
        greet = partial(world.waybill.wakeup_handler.handle_wakeup, GreetingDue(socket.id))
        placed: list[int] = []

        def place(placed: list[int] = placed) -> None:
            placed.append(hail(world, cara)["id"])

        all_at_once(greet, place, greet)
        world.pass_time(30)
        frames = socket.take()
        heard = [frame["type"] for frame in frames]
        assert heard[:2] == ["connection_established", "initial_orders"]
        pending = frames[1]["orders"]
        assert heard[2:] == ([] if pending else ["new_order"])
        assert world.post(f"/v1/orders/{placed[0]}/cancel", by=cara).status == 200
        socket.close()
