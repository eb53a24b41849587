"""The stores in memory do as the tables do: the same calls on both, and the same answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.domain.odometer import Odometer
from chalicelib.domain.orders.commands import MakeOffer
from chalicelib.domain.orders.dispatch_policy import FreeCourierQuery
from chalicelib.domain.orders.lifecycle import advance_order
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.people import SYSTEM, Courier, Fix
from chalicelib.domain.retries import Retries
from chalicelib.errors import CourierTaken, RateLimited, Stale
from chalicelib.store.couriers import CourierTable
from chalicelib.store.database import bind_tables
from chalicelib.store.orders import OrderTable
from infra.resources.aws_clients import REGION
from infra.simulate.stores.bill import Bill
from infra.simulate.stores.couriers import MemoryCouriers
from infra.simulate.stores.mailboxes import MemoryMailboxes
from infra.simulate.stores.orders import MemoryOrders
from tests.builders import NOW, an_order
from tests.fakes import Clock
from tests.functional.conftest import PREFIX
from tests.functional.memory import Memory

HERE = (12.9716, 77.5946)
COURIERS = [f"c{n}" for n in range(8)]
REFUSALS = (Stale, CourierTaken, RateLimited)


class Pair:
    """The tables and the stores in memory, by one clock."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.clock = Clock()
        connection = bind_tables(PREFIX, REGION, None, Memory())
        retries = Retries(lambda seconds: None, self.clock)
        bill = Bill()
        couriers = MemoryCouriers(self.clock, bill, notes_answers=True)
        orders = MemoryOrders(couriers, MemoryMailboxes(bill), bill, lambda before, after: None)
        self.couriers = (
            CourierTable(pool, retries, self.clock, notes_answers=True),
            couriers,
        )
        self.orders = (OrderTable(connection, notes_answers=True), orders)
        self.versions: dict[int, Order] = {}

    def ask_both(self, stores: tuple[Any, Any], call: Callable[[Any], Any]) -> Any:
        """Make a call on both; they must agree. Return what the one in memory returned."""
        table, memory = (_answer(call, store) for store in stores)
        assert memory == table
        return memory

    def read_all(self) -> dict[str, Courier]:
        """Read all couriers from both."""
        for id_ in COURIERS:
            self.ask_both(self.couriers, lambda store, id_=id_: store.get_courier(id_))  # type: ignore[misc]
        return {id_: self.couriers[1].get_courier(id_) or Courier(id_) for id_ in COURIERS}


def _answer(call: Callable[[Any], Any], store: Any) -> Any:
    try:
        answer = call(store)
    except REFUSALS as refusal:
        return type(refusal)
    if isinstance(answer, Courier):
        return _strip(answer)
    return answer


def _strip(courier: Courier) -> Courier:
    """Leave out what is not kept in memory: who sees the fixes; and how far the track is folded."""
    metres = round(courier.odometer.reading_m)
    return replace(courier, visible_to=None, odometer=Odometer(float(metres)))


@pytest.fixture
def pair() -> Iterator[Pair]:
    with ThreadPoolExecutor(4) as pool:
        yield Pair(pool)


@pytest.mark.parametrize("seed", range(4))
def test_the_stores_agree(pair: Pair, seed: int) -> None:
    random = Random(seed)
    steps = [_go_on_or_off, _move, _move, _move_doubtfully, _send_again]
    steps += [_offer, _offer, _finish, _look, _wait]
    for id_ in COURIERS:
        pair.ask_both(pair.couriers, lambda store, id_=id_: store.set_available(id_, True, NOW))  # type: ignore[misc]
    for _ in range(60):
        random.choice(steps)(pair, random)
    pair.read_all()


def _go_on_or_off(pair: Pair, random: Random) -> None:
    id_, available = random.choice(COURIERS), random.random() < 0.7
    now = pair.clock()
    pair.ask_both(pair.couriers, lambda store: store.set_available(id_, available, now))


def _move(pair: Pair, random: Random) -> None:
    id_, fix, now = random.choice(COURIERS), _draw_fix(pair, random), pair.clock()
    gap = random.choice([None, timedelta(seconds=1)])
    pair.ask_both(pair.couriers, lambda store: store.record_fix(id_, fix, now, gap))


def _send_again(pair: Pair, random: Random) -> None:
    id_, fix = random.choice(COURIERS), _draw_fix(pair, random)
    for _ in range(2):
        now = pair.clock()
        pair.ask_both(pair.couriers, lambda store, now=now: store.record_fix(id_, fix, now, None))  # type: ignore[misc]
        _wait(pair, random)


def _move_doubtfully(pair: Pair, random: Random) -> None:
    id_, fix, now = random.choice(COURIERS), _draw_fix(pair, random), pair.clock()
    good_after = random.choice([None, now - timedelta(seconds=120)])
    pair.ask_both(
        pair.couriers,
        lambda store: store.record_doubtful_fix(id_, fix, now, None, False, good_after),
    )


def _draw_fix(pair: Pair, random: Random) -> Fix:
    at = pair.clock() - timedelta(seconds=random.choice([0, 0, 0, 40]))
    lat, lng = (round(degrees + random.uniform(-0.03, 0.03), 6) for degrees in HERE)
    return Fix(lat, lng, at)


def _offer(pair: Pair, random: Random) -> None:
    """Offer a new order to somebody, free or not."""
    now, id_ = pair.clock(), len(pair.versions) + 1
    order = an_order(Status.SEARCHING, id=id_)
    offer = MakeOffer(random.choice(COURIERS), now + timedelta(seconds=15))
    order, _ = advance_order(order, offer, SYSTEM, now)
    order = replace(order, version=1)
    refusal = pair.ask_both(pair.orders, lambda store: store.commit_order(None, order))
    if refusal is False:
        pair.versions[id_] = order


def _finish(pair: Pair, random: Random) -> None:
    """Unserve or deliver an order, by the version that there is or an old one."""
    if not pair.versions:
        return
    stored = pair.versions.pop(random.choice(list(pair.versions)))
    now, courier_id = pair.clock(), stored.courier_id
    status = random.choice([Status.DONE, Status.UNSERVED])
    order = replace(
        stored, version=2, status=status, updated_at=now, offer=None, next_search_at=None
    )
    before = replace(stored, version=random.choice([1, 1, 1, 7]))
    pair.ask_both(pair.orders, lambda store: store.commit_order(before, order))
    pair.ask_both(pair.couriers, lambda store: store.release_courier(courier_id, order.id, now))


def _look(pair: Pair, random: Random) -> None:
    """Read who is free near by; take some out of the index."""
    query = FreeCourierQuery(lambda courier: True)

    def look(store: Any) -> list[tuple[list[Courier], float]]:
        rings = store.iterate_free_near(HERE, 4000.0, query)
        return [(sorted(map(_strip, ring), key=lambda c: c.id), covered) for ring, covered in rings]

    rings = pair.ask_both(pair.couriers, look)
    found = [courier.id for ring, _ in rings for courier in ring]
    if found and random.random() < 0.5:
        courier = pair.couriers[1].get_courier(random.choice(found))
        remove = random.choice(["remove_from_cells", "remove_from_index"])
        pair.ask_both(pair.couriers, lambda store: getattr(store, remove)([courier]))
    pair.read_all()


def _wait(pair: Pair, random: Random) -> None:
    pair.clock.advance(random.choice([0.5, 2, 30, 400]))
