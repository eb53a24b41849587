"""What a position costs: calls to DynamoDB and posts, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.builders import DEPOT, north_of
from tests.functional.rides import Client, a_driver, a_ride, a_rider
from tests.functional.world import World

_READ_THE_SOCKET = "GetItem connections"
_STORE = "UpdateItem couriers"
_WHO_LISTENS = "Query rooms"


@contextmanager
def counting(world: World) -> Iterator[Counter[str]]:
    """Counts calls by what they do to which table."""
    calls: Counter[str] = Counter()
    hooks = world.engine.connection.client.meta.events

    def note(params: dict[str, Any], model: Any, **more: Any) -> None:
        table = str(params["TableName"]).removeprefix("waybill-")
        calls[f"{model.name} {table}"] += 1

    hooks.register("provide-client-params.dynamodb.*", note)
    try:
        yield calls
    finally:
        hooks.unregister("provide-client-params.dynamodb.*", note)


def move(driver: Client, metres: float) -> int:
    """Report a position that far north; the number of posts that it made."""
    before = len(driver.world.gateway.posted)
    driver.world.clock.advance(1)
    place = north_of(DEPOT, metres)
    driver.did("update_location", latitude=place[0], longitude=place[1])
    return len(driver.world.gateway.posted) - before


def test_a_position_of_a_free_driver_is_one_write(world: World) -> None:
    """Read whose socket it is, store the fix, answer: nobody is looked up."""
    driver = a_driver(world)
    with counting(world) as calls:
        posts = move(driver, 5)
    assert calls == {_READ_THE_SOCKET: 1, _STORE: 1}
    assert posts == 1  # the answer


def test_a_position_during_a_ride_is_one_write_and_one_post_more(world: World) -> None:
    """S1-36: the driver's own row says who may see it; one query finds the rider's sockets."""
    rider, driver = a_rider(world), a_driver(world)
    a_ride(rider, driver, "started")
    move(driver, 10)  # the first on the way is shown on the feed too, then one every half minute
    with counting(world) as calls:
        posts = move(driver, 5)
    assert calls == {_READ_THE_SOCKET: 1, _STORE: 1, _WHO_LISTENS: 1}
    assert posts == 2  # the answer, and the rider's


def test_adding_the_way_up_costs_little(world: World) -> None:
    """One in twenty positions is read and written again, to add up the way since the last."""
    driver = a_driver(world)
    with counting(world) as calls:
        for n in range(60):
            move(driver, 5 + n % 2)
    assert calls[_READ_THE_SOCKET] == 60
    assert 60 <= calls[_STORE] <= 64
    assert calls["GetItem couriers"] <= 4
    assert calls[_WHO_LISTENS] == 0


def test_on_the_way_to_the_pickup_it_is_one_read_more(world: World) -> None:
    """The feed must know at once when the trip begins, so it looks at the order."""
    rider, driver = a_rider(world), a_driver(world)
    a_ride(rider, driver)
    with counting(world) as calls:
        posts = move(driver, 5)
    looked_at = {_READ_THE_SOCKET: 1, _WHO_LISTENS: 1, "GetItem orders": 1}
    assert calls == {_STORE: 1, **looked_at}
    assert posts == 2
