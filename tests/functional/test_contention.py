"""Many at one row wait their turn: nobody is refused for having come at the same time."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial
from typing import Any

import pytest

from chalicelib.domain.details import Place
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.model import Status
from chalicelib.errors import Conflict, Unavailable
from chalicelib.store.tables import CourierRow, PersonRow
from tests.builders import DEPOT, a_fix, a_job, north_of
from tests.faults import claims_contended, conflicts, failing
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.test_feed_delivery import deliver
from tests.functional.test_money import balance_of
from tests.functional.test_races import at_once, failures
from tests.functional.world import World

MANY = 48
THERE = Place("here", *DEPOT)


@pytest.fixture
def pausing_world(make_engine_world: MakeWorld) -> World:
    """One whose writers do pause after they have met, as they rely on: without it, each of 48 meets
    others up to 32 times, of 40 that they may."""
    return make_engine_world(pause=time.sleep)


def test_many_payouts_of_one_wallet_at_once_are_all_taken(pausing_world: World) -> None:
    """48 on ministack; moto takes one call at a time, so half as many."""
    world = pausing_world
    many = MANY if world.engine.name == "ministack" else MANY // 2
    dan = world.courier("dan")
    deliver(world, world.customer("cara"), dan)
    ask = partial(world.waybill.payouts.request_payout, dan.actor, 1_00, "12345678")
    assert not failures(at_once([ask] * many))
    assert balance_of(world, "dan") == 50_00 - many * 1_00


def test_many_changes_of_one_order_at_once_are_each_answered(pausing_world: World) -> None:
    """Two admins give it to and fro, its customer takes it back: each has an answer of its own."""
    world = pausing_world
    ada, cara = world.admin(), world.customer()
    many = MANY if world.engine.name == "ministack" else MANY // 4
    for n in range(many):
        world.courier(f"d{n}", north_of(DEPOT, 10 * n))
    order = world.waybill.customer_orders.place_order(a_job(pickup=THERE)).order
    assign, cancel = (
        world.waybill.hands.assign_courier,
        world.waybill.customer_orders.cancel_order,
    )
    calls: list[Any] = [partial(assign, ada.actor, order.id, f"d{n}") for n in range(1, many)]
    outcomes = at_once([*calls, partial(cancel, cara.actor, order.id, None)])
    assert not [one for one in outcomes if isinstance(one, Unavailable)]
    assert all(isinstance(one, Conflict) for one in failures(outcomes))
    assert world.order(order.id).status is Status.CANCELLED
    assert not [row.order_id for row in CourierRow.scan() if row.order_id is not None]


def test_many_ratings_of_one_courier_at_once_all_count(engine_world: World) -> None:
    world = engine_world
    dan, cara = world.courier("dan"), world.customer("cara")
    orders = [int(deliver(world, cara, dan)) for _ in range(8)]
    rate = world.waybill.ratings.rate_courier
    assert not failures(at_once([partial(rate, cara.actor, id_, 5, None) for id_ in orders]))
    assert '"rating_sum":40,"rating_count":8' in PersonRow.get("dan").doc


REASONS = ("TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded")


@pytest.mark.parametrize("reason", REASONS)
def test_a_courier_whose_row_is_busy_is_passed_over(world: World, reason: str) -> None:
    """Another transaction, or their own position, has it at the moment of the claim."""
    for n, id_ in enumerate(("dan", "eve")):
        world.connect(world.courier(id_, north_of(DEPOT, 100 * n)))
    client = world.engine.connection.client
    with claims_contended(client, "dan", times=1000, code=reason) as refused:
        order = world.place(world.customer())
    assert (order["status"], order["courier_id"]) == ("assigned", "eve")
    assert refused == ["dan"]
    assert CourierRow.get("dan").order_id is None


def test_nobody_is_said_to_be_near_by_only_when_nobody_is_busy_either(
    make_world: MakeWorld,
) -> None:
    """The only one there is asked as soon as their row can be written."""
    pauses: list[float] = []
    world = make_world(pause=pauses.append)
    world.courier("dan")
    client = world.engine.connection.client
    with claims_contended(client, "dan", times=5, code=REASONS[0]) as refused:
        order = world.place(world.customer())
    assert (order["status"], order["courier_id"]) == ("assigned", "dan")
    assert len(refused) == len(pauses) == 5


@pytest.mark.parametrize("reason", REASONS)
def test_whoever_is_named_is_waited_for(make_world: MakeWorld, reason: str) -> None:
    """By an admin, who names no other; by a lapsed offer; by a courier who takes it themselves."""
    pauses: list[float] = []
    world = make_world(pause=pauses.append)
    ada, cara = world.admin(), world.customer()
    order_id = world.place(cara)["id"]
    world.courier("dan")
    pauses.clear()  # the one before it was said that nobody is near by
    client = world.engine.connection.client
    with claims_contended(client, "dan", times=3, code=reason) as refused:
        path = f"/v1/admin/orders/{order_id}/assign"
        assert world.post(path, {"courier_id": "dan"}, ada).status == 200
    assert len(refused) == len(pauses) == 3
    assert world.order(order_id).courier_id == "dan"


def test_a_claim_that_never_comes_through_is_a_503_in_time(make_world: MakeWorld) -> None:
    pauses: list[float] = []
    world = make_world(pause=pauses.append)
    world.courier("dan")
    body = {
        "pickup_address": "a",
        "pickup_lat": DEPOT[0],
        "pickup_lng": DEPOT[1],
        "dropoff_address": "b",
        "receiver_phone": "+4930123456",
    }
    client = world.engine.connection.client
    with claims_contended(client, "dan", times=1000, code=REASONS[0]):
        answer = world.post("/v1/orders", body, world.customer())
    assert (answer.status, answer.body["error"]) == (503, "unavailable")
    assert CourierRow.get("dan").order_id is None
    assert sum(pauses) < 25  # and the clock ends it after 12 s: tests/unit/test_retries.py


def test_a_single_write_that_a_transaction_holds_up_waits_longer_than_the_sdk(
    make_world: MakeWorld,
) -> None:
    """Six refusals are as many as the SDK waits for; the position is stored all the same."""
    pauses: list[float] = []
    world = make_world(pause=pauses.append)
    dan = world.courier("dan")
    world.clock.advance(5)
    with conflicts(world.engine.connection.client, "UpdateItem", times=8) as refused:
        stored = world.waybill.courier_status.record_fix(dan.actor, a_fix(at=world.clock.now))
    assert stored is not None
    assert (len(refused), len(pauses)) == (8, 1)


THROTTLED = "ProvisionedThroughputExceededException"


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, THROTTLED), (400, "ThrottlingException"), (500, "InternalServerError"), (503, "X")],
)
def test_what_the_engine_keeps_refusing_is_a_503(world: World, status: int, code: str) -> None:
    """A read can be asked for again; a write may have been done."""
    cara, client = world.customer(), world.engine.connection.client
    with failing(client, "GetItem", status, code):
        answer = world.get("/v1/me", cara)
    assert (answer.status, answer.body["error"]) == (503, "unavailable")
    with failing(client, "PutItem", status, code):
        answer = world.call("PUT", "/v1/me", {"name": "Cara", "phone": "+911234567890"}, cara)
    assert (answer.status, answer.body["details"]) == (503, {"written": "unknown"})


def test_a_fault_of_ours_is_not_called_busy(dynamo: Engine, world: World) -> None:
    """A table that is not there is no reason to try again."""
    world.is_sound = False
    with failing(dynamo.connection.client, "GetItem", 400, "ResourceNotFoundException"):
        assert world.get("/v1/me", world.customer()).status == 500


def test_a_socket_is_refused_in_its_contracts_form(world: World) -> None:
    """Spec 000's error frame; the connection stays open, and the next message is answered."""
    dan = world.courier("dan")
    socket = world.connect(dan)
    socket.take()
    world.clock.advance(5)
    place = {"event": "location.update", "data": {"lat": DEPOT[0], "lng": DEPOT[1]}}
    with failing(world.engine.connection.client, "UpdateItem", 500, "InternalServerError"):
        (frame,) = socket.say(place)
    assert frame["event"] == "error"
    assert "may have been done" in frame["data"]["message"]
    assert socket.say(place) == []


def test_a_step_counts_once_however_many_take_it(engine_world: World) -> None:
    """A month's deliveries are as many as its earnings."""
    world = engine_world
    dan, cara = world.courier("dan"), world.customer("cara")
    order = int(world.place(cara)["id"])
    for verb in ("accept", "arrived", "picked"):
        world.step(verb, str(order), dan)
    step = partial(world.waybill.courier_orders.take_step, dan.actor, order, commands.Deliver())
    outcomes = at_once([step] * 12 + [world.pump] * 4)
    assert not failures(outcomes)
    world.pass_time(60)
    assert balance_of(world, "dan") == 50_00
    assert Counter(type(one) for one in outcomes)[type(None)] == 4
