"""Couriers by the hundred in one cell: the nearest is asked, and few of the others are read."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import cos, radians
from typing import Any

import msgspec
import pytest

from chalicelib.domain.geo import (
    SPOT_KEPT_M,
    Point,
    find_cell,
    measure_distance_m,
    measure_least_m,
    measure_to_spot_m,
)
from chalicelib.domain.people import Fix
from chalicelib.store.couriers import CourierTable
from chalicelib.store.nearest_couriers import encode_spot
from chalicelib.store.tables import CourierRow
from tests.builders import DEPOT, north_of
from tests.functional.world import World

LOCATION = "/v1/courier/location"
_M_PER_DEGREE = 111_195


def _move(point: Point, north_m: float, east_m: float) -> Point:
    lat = point[0] + north_m / _M_PER_DEGREE
    return lat, point[1] + east_m / _M_PER_DEGREE / cos(radians(lat))


def _somewhere(dice: random.Random, around: Point, within_m: float) -> Point:
    while True:
        north, east = (dice.uniform(-within_m, within_m) for _ in range(2))
        if north * north + east * east <= within_m * within_m:
            return _move(around, north, east)


def a_crowd(world: World, number: int, dice: random.Random) -> dict[str, Point]:
    """So many connected couriers within 1.5 km of the depot; the index has each of them up to
    SPOT_KEPT_M from where they are."""
    model = world.courier("model")
    world.connect(model)
    row = CourierRow.get(model.id).serialize()
    places = {f"one{n}": _somewhere(dice, DEPOT, 1500) for n in range(number)}
    with CourierRow.batch_write() as batch:
        for id_, point in places.items():
            one = CourierRow()
            one.deserialize(row)
            one.courier_id = id_
            one.fix = msgspec.json.encode(Fix(*point, world.clock.now)).decode()
            one.cell = find_cell(point)
            one.spot = encode_spot(_somewhere(dice, point, SPOT_KEPT_M - 1), True)
            batch.save(one)
    CourierRow(model.id).delete()
    return places


@contextmanager
def _counting_rows(world: World) -> Iterator[list[int]]:
    """How many couriers each batch asks for."""
    asked: list[int] = []
    events = world.engine.connection.client.meta.events

    def count(params: dict[str, Any], **_: Any) -> None:
        tables = msgspec.json.decode(params["body"])["RequestItems"]
        asked.extend(len(one["Keys"]) for name, one in tables.items() if "couriers" in name)

    events.register("before-call.dynamodb.BatchGetItem", count)
    try:
        yield asked
    finally:
        events.unregister("before-call.dynamodb.BatchGetItem", count)


@pytest.mark.parametrize(("number", "seed"), [(100, 1), (250, 2)])
def test_of_a_crowd_the_nearest_is_asked_and_few_are_read(
    world: World, number: int, seed: int
) -> None:
    dice = random.Random(seed)
    free = a_crowd(world, number, dice)
    read = []
    for n in range(8):
        pickup = _somewhere(dice, DEPOT, 400)
        with _counting_rows(world) as asked:
            order = world.place(world.customer(f"c{n}"), pickup_lat=pickup[0], pickup_lng=pickup[1])
        nearest = min(free, key=lambda id_: measure_distance_m(free[id_], pickup))
        assert order["courier_id"] == nearest
        del free[nearest]
        read.append(sum(asked))
    assert sum(read) / len(read) <= (22 if number == 100 else 45)


def test_who_moves_far_is_indexed_anew_and_who_does_not_is_not(world: World) -> None:
    courier = world.courier("ann")
    begin = _read_spot(courier.id)
    assert begin is not None
    assert measure_to_spot_m(DEPOT, begin) < 20
    for metres, is_new in ((100, False), (300, False), (-300, False), (400, True), (700, False)):
        world.clock.advance(5)
        at = north_of(DEPOT, metres)
        assert world.post(LOCATION, {"lat": at[0], "lng": at[1]}, courier).status == 200
        spot = _read_spot(courier.id)
        assert spot is not None
        assert (spot != begin) is is_new
        assert measure_least_m(at, spot) == 0
        begin = spot


def test_who_has_an_order_is_in_no_crowd_and_comes_back_where_they_are(world: World) -> None:
    courier = world.courier("ann")
    world.connect(courier)
    order = world.place(world.customer())
    assert _read_spot(courier.id) is None
    world.step("accept", order["id"], courier)
    world.clock.advance(5)
    away = north_of(DEPOT, 900)
    world.post(LOCATION, {"lat": away[0], "lng": away[1]}, courier)
    assert _read_spot(courier.id) is None
    for step in ("arrived", "picked", "delivered"):
        world.step(step, order["id"], courier)
    spot = _read_spot(courier.id)
    assert spot is not None
    assert measure_to_spot_m(away, spot) < 20


def test_a_row_of_before_is_found_from_its_next_fix_on(world: World) -> None:
    courier = world.courier("ann")
    world.connect(courier)
    CourierRow(courier.id).update(actions=[CourierRow.spot.remove()])
    assert "courier_id" not in world.place(world.customer())
    world.clock.advance(5)
    world.post(LOCATION, {"lat": DEPOT[0], "lng": DEPOT[1]}, courier)
    assert world.place(world.customer("bob"))["courier_id"] == courier.id


def _read_spot(courier_id: str) -> int | None:
    row = CourierRow.get(courier_id)
    return abs(int(row.spot)) if row.spot is not None else None


@pytest.mark.parametrize("by", ["going on duty", "a fix"])
def test_a_socket_that_comes_while_another_is_at_the_row_is_in_the_index(
    world: World, by: str
) -> None:
    """Whoever wrote the spot by a row without a socket, does so after whoever wrote the socket."""
    courier = world.courier("ann", available=by == "a fix")
    away = north_of(DEPOT, 900)
    world.clock.advance(5)
    couriers = CourierTable(ThreadPoolExecutor(1), clock=world.clock)
    with _before_write_of(world, "spot", lambda: couriers.add_socket(courier.id, "new")):
        if by == "a fix":
            world.post(LOCATION, {"lat": away[0], "lng": away[1]}, courier)
        else:
            world.courier("ann", at=None)
    spot = CourierRow.get(courier.id).spot
    assert spot is not None
    assert spot > 0, "with a socket"


@contextmanager
def _before_write_of(
    world: World, attribute: str, meanwhile: Callable[[], object]
) -> Iterator[None]:
    """Do something right before the next write of an attribute of a courier."""
    events, done = world.engine.connection.client.meta.events, list[bool]()

    def look(params: Any, **_: Any) -> None:
        body = json.loads(params["body"])
        if done or attribute not in body["ExpressionAttributeNames"].values():
            return
        done.append(True)
        meanwhile()

    name = "before-call.dynamodb.UpdateItem"
    events.register_first(name, look)
    try:
        yield
    finally:
        events.unregister(name, look)
    assert done
