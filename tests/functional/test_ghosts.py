"""Couriers who closed their app without a word: they hide nobody, are read once, and are back with
their next sign of life. And sockets whose end nobody heard of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from zlib import crc32

import pytest

from chalicelib.domain.orders.dispatch_policy import FreeCourierQuery
from chalicelib.domain.people import Role
from chalicelib.store.couriers import CourierTable
from chalicelib.store.tables import SHARDS, ConnectionRow, CourierRow
from tests.builders import DEPOT, north_of
from tests.functional.conftest import MakeWorld
from tests.functional.rides import a_driver, a_rider
from tests.functional.world import Someone, World

LOCATION = "/v1/courier/location"
NOWHERE: dict[str, Any] = {"pickup_lat": None, "pickup_lng": None}
HERE = {"lat": DEPOT[0], "lng": DEPOT[1]}


def ghosts(world: World, number: int, seconds_ago: float = 3600) -> None:
    """Couriers who went on duty at the depot, and then their phones went off."""
    copy(world.courier("ghost"), number)
    world.clock.advance(seconds_ago)


def copy(courier: Someone, number: int) -> None:
    """So many others who are as this one is."""
    one = CourierRow.get(courier.id).serialize()
    with CourierRow.batch_write() as batch:
        for n in range(number):
            row = CourierRow()
            row.deserialize({**one, "free_shard": {"N": str(n % SHARDS)}})
            row.courier_id = f"{courier.id}{n}"
            batch.save(row)


def the_last_in_the_index(number: int) -> list[str]:
    """Ids that stand behind most others in their cell's part of the index."""
    ids = (f"live{n}" for n in range(1000))
    return [id_ for id_ in ids if crc32(id_.encode()) % SHARDS == SHARDS - 1][:number]


def live(world: World, id_: str, **kwargs: Any) -> Someone:
    courier = world.courier(id_, **kwargs)
    world.connect(courier)
    return courier


def listed(courier_id: str) -> bool:
    """Whether the index of free couriers has somebody."""
    return any(
        hit.courier_id == courier_id
        for shard in range(SHARDS)
        for hit in CourierRow.by_idle.query(shard)
    )


@contextmanager
def counting(world: World) -> Iterator[Counter[str]]:
    """Calls of DynamoDB on the couriers, by their name."""
    seen: Counter[str] = Counter()
    events = world.engine.connection.client.meta.events

    def count(model: Any, params: dict[str, Any], **_: Any) -> None:
        if "-couriers" in str(params["body"]):
            seen[model.name] += 1

    events.register("before-call.dynamodb", count)
    try:
        yield seen
    finally:
        events.unregister("before-call.dynamodb", count)


@pytest.mark.parametrize(("number", "pickup"), [(1000, {}), (500, NOWHERE)])
def test_hundreds_of_ghosts_hide_nobody_and_are_read_once(
    world: World, number: int, pickup: dict[str, Any]
) -> None:
    ghosts(world, number)
    (last,) = the_last_in_the_index(1)
    live(world, last)
    order = world.place(world.customer(), **pickup)
    assert order["courier_id"] == last
    live(world, "another")
    with counting(world) as seen:
        assert world.place(world.customer("bob"), **pickup)["courier_id"] == "another"
    assert seen["Query"] == (1 if not pickup else SHARDS)
    assert seen["BatchGetItem"] == 1


def test_couriers_who_are_there_and_silent_hide_nobody_near_by(world: World) -> None:
    """Connected, on duty, and without a fresh position: they can't be asked by distance."""
    copy(live(world, "silent"), 150)
    world.clock.advance(121)
    (last,) = the_last_in_the_index(1)
    live(world, last)
    assert world.place(world.customer())["courier_id"] == last
    anywhere = world.place(world.customer("bob"), **NOWHERE)
    assert anywhere["courier_id"].startswith("silent")


def test_couriers_who_do_not_fit_an_order_hide_nobody_who_does(world: World) -> None:
    """A ride in a cell full of couriers who drive something else."""
    copy(live(world, "other"), 150)
    (last,) = the_last_in_the_index(1)
    driver = a_driver(world, last, vehicle_type="premium")
    a_rider(world).did(
        "request_ride",
        pickup={"latitude": DEPOT[0], "longitude": DEPOT[1]},
        destination={"latitude": DEPOT[0] + 0.01, "longitude": DEPOT[1]},
        vehicle_type="premium",
    )
    assert "new_ride_request" in [frame["event"] for frame in driver.socket.frames]


def away(world: World, pickup: dict[str, Any]) -> Someone:
    """A courier whom an order found to be gone."""
    dan = world.courier()
    world.clock.advance(3600)
    assert world.place(world.customer("bob"), **pickup)["status"] == "no_nearby_driver"
    assert not listed("dan")
    return dan


def by_fix(world: World, dan: Someone) -> None:
    assert world.post(LOCATION, HERE, dan).body == {"stored": True}


def by_availability(world: World, dan: Someone) -> None:
    world.post("/v1/courier/availability", {"available": True, **HERE}, dan)


def by_socket(world: World, dan: Someone) -> None:
    world.connect(dan).say({"event": "location.update", "data": HERE})


def by_vague_fix(world: World, dan: Someone) -> None:
    assert world.post(LOCATION, {**HERE, "accuracy": 5000}, dan).status == 200


RETURNS = [by_fix, by_availability, by_socket, by_vague_fix]


@pytest.mark.parametrize("pickup", [{}, NOWHERE], ids=["near", "anywhere"])
@pytest.mark.parametrize("back", RETURNS)
def test_the_next_sign_of_life_puts_a_courier_back(
    world: World, back: Callable[[World, Someone], None], pickup: dict[str, Any]
) -> None:
    dan = away(world, pickup)
    back(world, dan)
    assert world.place(world.customer(), **pickup)["courier_id"] == "dan"


def test_whoever_polls_is_there_to_be_asked(world: World) -> None:
    """Spec 000 by REST alone: no socket, no position, only GET active-order now and then."""
    dan = world.courier(at=None)
    for _ in range(30):
        world.clock.advance(240)
        assert world.get("/v1/courier/active-order", dan).body == {"active": False}
    assert world.place(world.customer("bob"), **NOWHERE)["courier_id"] == "dan"


def test_whoever_polls_again_after_an_hour_is_back(world: World) -> None:
    dan = away(world, NOWHERE)
    world.get("/v1/courier/active-order", dan)
    assert world.place(world.customer(), **NOWHERE)["courier_id"] == "dan"


def test_polling_puts_nobody_on_duty(world: World) -> None:
    dan = world.courier()
    world.post("/v1/courier/availability", {"available": False}, dan)
    world.clock.advance(3600)
    world.get("/v1/courier/active-order", dan)
    assert not listed("dan")
    assert world.place(world.customer(), **NOWHERE)["status"] == "no_nearby_driver"


def test_between_two_sockets_nobody_counts_as_gone(world: World) -> None:
    dan = world.courier(at=None)
    socket = world.connect(dan)
    world.clock.advance(7200)
    socket.close()
    world.clock.advance(5)
    assert world.place(world.customer(), **NOWHERE)["courier_id"] == "dan"


def test_one_who_comes_back_while_they_are_taken_out_stays(world: World) -> None:
    """The removal is on the condition that nothing was heard of them since they were read."""
    dan = world.courier()
    world.clock.advance(3600)
    store = CourierTable(ThreadPoolExecutor(1), clock=world.clock)
    read = store.list_longest_idle(FreeCourierQuery(lambda courier: False))
    by_fix(world, dan)
    store.remove_from_index(read)
    store.remove_from_cells(read)
    assert listed("dan")
    assert CourierRow.get("dan").cell
    assert world.place(world.customer())["courier_id"] == "dan"


def test_an_ordinary_position_is_one_write_and_that_of_a_returner_three(world: World) -> None:
    dan = away(world, {})
    with counting(world) as seen:
        by_fix(world, dan)
    assert seen == {"UpdateItem": 3, "GetItem": 2}
    world.clock.advance(2)
    with counting(world) as seen:
        by_fix(world, dan)
    assert seen == {"UpdateItem": 1}


@pytest.mark.parametrize("expired", [False, True], ids=["void", "expired"])
def test_a_socket_whose_end_nobody_heard_of_counts_no_longer(world: World, expired: bool) -> None:
    """Its row is void when it is looked at, or DynamoDB has taken it away by then."""
    dan, eve = world.courier("dan"), world.courier("eve", north_of(DEPOT, 20))
    lost = world.connect(dan)
    lost.lose()
    world.clock.advance(2 * 3600 + 6 * 60)
    if expired:
        ConnectionRow(lost.id).delete()
    world.sweep()
    assert expired or not CourierRow.get("dan").sockets
    world.courier("dan", north_of(DEPOT, 4000))
    world.courier("eve", north_of(DEPOT, 20))
    assert world.place(world.customer())["courier_id"] == eve.id


def test_what_is_left_of_a_lost_socket_goes_with_the_next(world: World) -> None:
    dan = world.courier("dan")
    lost = world.connect(dan)
    lost.lose()
    world.clock.advance(2 * 3600 + 6 * 60)
    ConnectionRow(lost.id).delete()
    world.connect(dan).close()
    assert not CourierRow.get("dan").sockets


def test_a_position_counts_by_when_it_came_not_by_the_phone_s_clock(world: World) -> None:
    dan = world.someone(Role.COURIER, "dan")
    slow = (world.clock.now - timedelta(minutes=5)).timestamp()
    world.post("/v1/courier/availability", {"available": True, **HERE, "ts": slow}, dan)
    assert world.place(world.customer())["courier_id"] == "dan"


def test_whoever_comes_on_duty_as_a_search_gives_up_is_still_found(make_world: MakeWorld) -> None:
    """An index shows what was written a moment later: before giving up for good it looks again."""
    come: list[World] = []
    world = make_world(pause=lambda seconds: come and come.pop().courier())
    come.append(world)
    assert world.place(world.customer())["courier_id"] == "dan"
    assert world.place(world.customer("bob"))["status"] == "no_nearby_driver"
