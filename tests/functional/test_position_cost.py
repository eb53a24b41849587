"""What a position costs: connecting with one, and nothing of each event."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib import wiring
from infra.bench.scenes import PARCEL, Cast
from infra.bench.stage import Stage
from infra.local.engine import Ministack


@pytest.fixture
def on(empty_ministack: Ministack) -> Iterator[Stage]:
    yield Stage(empty_ministack.endpoint)
    wiring.use(None)


def test_an_event_costs_the_same_with_a_position_and_connecting_a_little_more(on: Stage) -> None:
    events, connects = [], []
    # The first finds tables that are empty: an order is written a little differently.
    for name, query in (("first", {}), ("plain", {}), ("positioned", {"from": "now"})):
        cast = Cast(on, name)
        on.connect(f"{name}-first", "customer", cast.customer, **query)  # the log is born
        cast.go_on_duty()
        with on.meter.open_bill() as connecting:
            on.connect(f"{name}-second", "customer", cast.customer, **query)
        with on.meter.open_bill() as placing:
            on.call_rest("POST", "orders", cast.customer, PARCEL)
        connects.append(connecting)
        events.append(placing)
    assert (events[1].write, events[1].read) == (events[2].write, events[2].read)
    assert connects[2].write - connects[1].write <= 1
    assert connects[2].read - connects[1].read <= 1
