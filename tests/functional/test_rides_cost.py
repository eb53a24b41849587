"""What a position costs: calls to DynamoDB and posts, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib.domain.geo import find_cell
from chalicelib.store.tables import CourierRow
from infra.bench.units import item_bytes
from tests.builders import DEPOT, north_of
from tests.functional.rides import Client, a_driver, a_ride, a_rider, enter
from tests.functional.world import World

_READ_THE_SOCKET = "GetItem connections"
_STORE = "UpdateItem couriers"
_WHO_LISTENS = "GetItem mailboxes"


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


def test_sixty_positions_on_a_trip_are_sixty_writes_and_one_each_half_minute(world: World) -> None:
    """S1-14, S1-36: from cell to cell, with no read of the driver; the feed's half-minute write
    adds the way up."""
    rider, driver = a_rider(world), a_driver(world)
    a_ride(rider, driver, "started")
    move(driver, 10)  # the first on the way: the feed's
    rider.forget()
    with counting(world) as calls:
        posts = sum(move(driver, 10 + 50 * n) for n in range(60))
    assert len({find_cell(north_of(DEPOT, 10 + 50 * n)) for n in range(60)}) > 1
    on_the_feed = 2
    assert calls == {
        _READ_THE_SOCKET: 60,
        _STORE: 60 + on_the_feed,
        _WHO_LISTENS: 60 + 2 * on_the_feed,  # where they are, and the minutes left
        "GetItem orders": on_the_feed,
        "GetItem webhooks": 2,  # whether an endpoint is to be told: twice a minute at most
    }
    assert posts == 120  # 60 answers, and to the rider at most one a position
    assert len(rider.heard("driver_location_update")) == 60


def test_a_free_driver_costs_one_write_too_also_in_a_new_cell(world: World) -> None:
    """One in some thirty-five is two: a track is added up before it makes the row dear. And one
    more each 350 m, of five kilometres, keeps them where they are in the index."""
    driver = a_driver(world)
    with counting(world) as calls:
        for n in range(100):
            move(driver, 50 * n)
    assert calls == {_READ_THE_SOCKET: 100, _STORE: 102 + 12}


def test_a_row_is_one_write_unit_however_long_its_track(world: World) -> None:
    """1 KB, with long ids and all that a phone tells."""
    driver = a_driver(world, "8f14e45f-ceea-467f-a0e6-b7a9f7d1c0d3")
    rider = a_rider(world, "1b3c9c1e-55b1-4c1c-9d46-7d6a3b2f9e10")
    enter(world, driver.person)
    a_ride(rider, driver, "started")
    sizes = []
    for n in range(70):
        world.clock.advance(1)
        lat, lng = north_of(DEPOT, 20 * n)
        driver.did("update_location", latitude=lat, longitude=lng, heading=271.25, speed=13.375)
        sizes.append(item_bytes(CourierRow.get(driver.id).serialize()))
    assert max(sizes) <= 1024


def test_a_refused_position_is_a_refused_write_and_a_look_why(world: World) -> None:
    """S1-14: nobody is told of it."""
    rider, driver = a_rider(world), a_driver(world)
    a_ride(rider, driver, "started")
    move(driver, 10)
    with counting(world) as calls:
        refused = driver.ask("update_location", latitude=DEPOT[0], longitude=DEPOT[1])
    assert refused["code"] == "RATE_LIMITED"
    assert calls == {_READ_THE_SOCKET: 1, _STORE: 1, "GetItem couriers": 1}


def test_on_the_way_to_the_pickup_it_is_one_read_more(world: World) -> None:
    """The feed must know at once when the trip begins, so it looks at the order."""
    rider, driver = a_rider(world), a_driver(world)
    a_ride(rider, driver)
    with counting(world) as calls:
        posts = move(driver, 5)
    looked_at = {_READ_THE_SOCKET: 1, _WHO_LISTENS: 1, "GetItem orders": 1}
    assert calls == {_STORE: 1, **looked_at}
    assert posts == 2
