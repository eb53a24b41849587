"""What an endpoint costs: nothing while there is none, two writes an event for its log, and one for
the delivery (that one is the sender's)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib import wiring
from infra.bench.cost import LATER_S
from infra.bench.meter import MeteredBill
from infra.bench.scenes import SCENES, Cast
from infra.bench.stage import Stage
from infra.local.engine import Ministack
from tests.functional.endpoints import Registry, Sends, told

MAX_WRITES = 2.0
ROUNDS = 3


class Shop:
    """A stage with one endpoint, or none yet."""

    def __init__(self, endpoint: str) -> None:
        self.registry, self.sends = Registry(), Sends()
        self.on = Stage(endpoint, endpoints=self.registry, webhook_queue=self.sends)

    def play(self, flow: str, name: str) -> MeteredBill:
        """Orders of the same people, from beginning to end, with their wakeups."""
        cast = Cast(self.on, f"{flow}-{name}")
        total = MeteredBill()
        for _ in range(ROUNDS):
            for _, act in SCENES[flow](cast):
                with self.on.meter.open_bill() as bill:
                    act()
                    self.on.pass_time(LATER_S)
                total += bill
            self.on.pass_time(310)
        cast.go_off_duty()
        return total


@pytest.fixture
def shop(empty_ministack: Ministack) -> Iterator[Shop]:
    yield Shop(empty_ministack.endpoint)
    wiring.use(None)


def test_an_endpoint_costs_two_writes_an_event_beside_its_delivery(shop: Shop) -> None:
    without = shop.play("delivery", "without")
    shop.registry.add(created_at=shop.on.now)
    shop.on.pass_time(60)
    with_one = shop.play("delivery", "with")
    events = len(told())
    assert len(shop.sends.sent) == events
    own = sum(n for where, n, reads in with_one.lines if not reads and "webhook#" in where)
    assert own / events <= MAX_WRITES
    assert with_one.read - without.read <= events  # half a unit a wakeup, and what is looked up
