"""Several couriers who answer one order at once: one of them has it, and the others are free.

`RACES=10000` runs as many on each engine; a few do where it is not set.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from itertools import count
from random import randrange
from typing import Any

from chalicelib.domain.details import Contact, Place
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.lifecycle import advance_order, create_order
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.outbox import seal
from chalicelib.domain.people import SYSTEM
from chalicelib.errors import Conflict, OfferGone, Stale
from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import CourierRow
from tests.builders import DEPOT, a_job
from tests.functional.conftest import MakeWorld
from tests.functional.test_races import at_once, failures, look
from tests.functional.world import Someone, World

RACES = int(os.environ.get("RACES", "8"))
COURIERS = 4
ONE_WAVE = {"dispatch_waves": ((5000, COURIERS, 15),)}

Call = Callable[[], Any]


class Race:
    """One order, offered to all couriers at once."""

    def __init__(self, world: World, couriers: list[Someone]) -> None:
        self.world, self.couriers = world, couriers
        job = a_job(pickup=Place("here", *DEPOT))
        self.order = world.waybill.customer_orders.place_order(job).order
        assert len(self.order.open_offers) == COURIERS, self.order

    def accept(self, courier: Someone) -> Call:
        return partial(self.world.waybill.courier_orders.accept_order, courier.actor, self.order.id)

    def decline(self, courier: Someone) -> Call:
        take_step = self.world.waybill.courier_orders.take_step
        return partial(take_step, courier.actor, self.order.id, commands.Decline())

    def all_accept(self) -> list[Call]:
        return [self.accept(one) for one in self.couriers]

    def one_declines(self) -> list[Call]:
        first, *others = self.couriers
        return [self.decline(first), *map(self.accept, others)]

    def its_time_is_up(self) -> list[Call]:
        """At the very moment, or a little before or after it: reading takes a while."""
        self.world.clock.advance(14.9)

        def end() -> None:
            for _ in range(randrange(4)):
                self.world.order(self.order.id)
            self.world.clock.advance(0.2)
            look(self.world, self.order.id)

        return [*self.all_accept(), end]

    def it_is_called_off(self) -> list[Call]:
        cancel = self.world.waybill.customer_orders.cancel_order
        cara = self.world.customer(self.order.details.customer_id)
        return [*self.all_accept(), partial(cancel, cara.actor, self.order.id, None)]


KINDS: list[Callable[[Race], list[Call]]] = [
    Race.all_accept,
    Race.one_declines,
    Race.its_time_is_up,
    Race.it_is_called_off,
]


def holders(world: World, couriers: list[Someone]) -> dict[str, int]:
    rows = CourierRow.batch_get([one.id for one in couriers], consistent_read=True)
    return {row.courier_id: int(row.order_id) for row in rows if row.order_id is not None}


def check(world: World, after: Order, couriers: list[Someone], outcomes: list[Any]) -> str:
    """Whoever has it by the order has it by their own row, and nobody else has; whoever was told
    yes was told the truth."""
    assert all(isinstance(error, Conflict) for error in failures(outcomes)), failures(outcomes)
    told_yes = [
        one
        for one in outcomes
        if isinstance(one, Order) and one.status is Status.ACCEPTED and one.courier_id
    ]
    assert len(told_yes) <= 1, told_yes
    if told_yes and after.status is Status.ACCEPTED:
        assert told_yes[0].courier_id == after.courier_id
    held = dict.fromkeys(after.occupied_ids, after.id)
    assert holders(world, couriers) == held, (after, holders(world, couriers))
    return after.status.value


def test_of_several_who_accept_at_once_one_has_the_order(make_engine_world: MakeWorld) -> None:
    world = make_engine_world(settings=ONE_WAVE)
    couriers = [world.courier(f"dan{n}") for n in range(COURIERS)]
    ends = Counter[str]()
    for n in range(RACES):
        for one in couriers if n % 4 == 3 else ():  # time has passed: they are where they were
            world.courier(one.id)
        race = Race(world, couriers)
        outcomes = at_once(KINDS[n % 4](race))
        after = world.order(race.order.id)
        ends[f"{KINDS[n % 4].__name__}: {check(world, after, couriers, outcomes)}"] += 1
        if not after.is_terminal:
            world.waybill.hands.cancel_order(world.admin().actor, after.id)
        assert holders(world, couriers) == {}
        world.queue.waiting.clear()
        world.queue.sent.clear()
        if n % 500 == 499:
            print(f"{n + 1} races on {world.engine.name}: {dict(ends)}", flush=True)  # noqa: T201
    assert ends["all_accept: accepted"] == (RACES + 3) // 4
    print(f"{RACES} races on {world.engine.name}: {dict(ends)}")  # noqa: T201


def test_of_several_commits_of_an_accept_one_is_made(make_engine_world: MakeWorld) -> None:
    """The same by the transaction alone, which decides: a tenth of the time."""
    world = make_engine_world()
    orders, now = OrderTable(world.engine.connection), world.clock.now
    couriers = [world.courier(f"dan{n}") for n in range(COURIERS)]
    offer = commands.MakeOffer(
        couriers[0].id,
        now + timedelta(seconds=15),
        others=tuple((one.id, None) for one in couriers[1:]),
        wave=1,
    )

    def accept(order_id: int, courier: Someone) -> str:
        while True:
            stored = orders.get_order(order_id)
            command = commands.Accept(Contact(courier.id))
            try:
                after, events = advance_order(stored, command, courier.actor, now)
                orders.commit_order(stored, seal(after, events, now))
            except OfferGone:
                return "lost"
            except Stale:
                continue
            return courier.id

    ids = count(1)
    with ThreadPoolExecutor(COURIERS) as pool:
        for n in range(RACES):
            placed, told = create_order(next(ids), a_job(), now)
            offered, more = advance_order(placed, offer, SYSTEM, now)
            orders.commit_order(None, seal(offered, told + more, now))
            calls = [pool.submit(accept, offered.id, one) for one in couriers]
            winner, *losers = sorted((call.result() for call in calls), key="lost".__eq__)
            after = orders.get_order(offered.id)
            assert (winner, losers) == (after.courier_id, ["lost"] * (COURIERS - 1))
            assert holders(world, couriers) == {winner: after.id}
            over, last = advance_order(after, commands.Cancel(), world.admin().actor, now)
            orders.commit_order(after, seal(over, last, now))
            if n % 500 == 499:
                print(f"{n + 1} commits on {world.engine.name}", flush=True)  # noqa: T201
