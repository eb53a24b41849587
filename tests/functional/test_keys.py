"""Requests that are sent again: by an Idempotency-Key, or an order's external id."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import KeyRow, OrderRow
from tests.builders import DEPOT
from tests.faults import Crash, CrashingProxy, answers_lost
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.hails import hail
from tests.functional.kitchen import ORDER
from tests.functional.world import Answer, Someone, World

KEY = "7f6c2a86-5d0e-4f0e-9d0a-0b1f6f3f8c11"
PARCEL = {
    "pickup_address": "Mill 1",
    "dropoff_address": "Lane 2",
    "receiver_phone": "+4930123456",
}


def place(world: World, who: Someone, key: str | None = KEY, **more: Any) -> Answer:
    """Place a parcel, with a key if one is given."""
    headers = None if key is None else {"Idempotency-Key": key}
    return world.call("POST", "/v1/orders", {**PARCEL, **more}, who, headers)


def count_orders() -> int:
    """Count all orders that there are."""
    return len(list(OrderRow.scan()))


def test_the_same_request_by_the_same_key_makes_one_order(world: World) -> None:
    cara = world.customer()
    first = place(world, cara)
    assert first.status == 201
    assert "idempotent-replayed" not in first.headers
    again = place(world, cara)
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    assert count_orders() == 1


def test_a_replay_shows_the_order_as_it_now_stands(world: World) -> None:
    cara = world.customer()
    world.courier()
    order = place(world, cara, pickup_lat=DEPOT[0], pickup_lng=DEPOT[1]).body
    assert order["status"] == "assigned"
    world.post(f"/v1/orders/{order['id']}/cancel", by=cara)
    again = place(world, cara, pickup_lat=DEPOT[0], pickup_lng=DEPOT[1])
    assert (again.status, again.body["status"]) == (201, "cancelled")


@pytest.mark.parametrize(
    "changed", [{"notes": "Ring twice"}, {"receiver_phone": "+4930999999"}, {"external_id": "a-1"}]
)
def test_another_request_by_the_same_key_is_refused(world: World, changed: dict[str, str]) -> None:
    cara = world.customer()
    place(world, cara)
    refused = place(world, cara, **changed)
    assert (refused.status, refused.body["error"]) == (422, "idempotency_key_reused")
    assert count_orders() == 1


def test_another_path_by_the_same_key_is_another_request(world: World) -> None:
    cara = world.customer()
    place(world, cara)
    hail = {"address_from": "Mill 1", "address_to": "Lane 2"}
    headers = {"Idempotency-Key": KEY}
    refused = world.call("POST", "/v1/driver-orders", hail, cara, headers)
    assert (refused.status, refused.body["error"]) == (422, "idempotency_key_reused")


def test_the_order_of_a_bodys_members_and_quotes_make_no_difference(world: World) -> None:
    cara = world.customer()
    first = place(world, cara)
    body = dict(reversed(PARCEL.items()))
    again = world.call("POST", "/v1/orders", body, cara, {"Idempotency-Key": f'"{KEY}"'})
    assert again.body["id"] == first.body["id"]


def test_one_key_of_two_callers_makes_two_orders(world: World) -> None:
    one = place(world, world.customer("cara"))
    two = place(world, world.customer("carl"))
    assert one.body["id"] != two.body["id"]


def test_a_key_is_forgotten_after_a_day(world: World) -> None:
    cara = world.customer()
    first = place(world, cara)
    world.clock.advance(timedelta(hours=24).total_seconds() - 1)
    assert place(world, cara).body["id"] == first.body["id"]
    world.clock.advance(2)
    second = place(world, cara, notes="Another")
    assert second.status == 201
    assert second.body["id"] != first.body["id"]


def test_a_refusal_is_not_remembered(world: World) -> None:
    cara = world.customer()
    assert place(world, cara, receiver_phone="").status == 400
    assert not list(KeyRow.scan())
    assert place(world, cara).status == 201


@pytest.mark.parametrize("key", ["", " ", "x" * 256, '"open', "tab\there", "ü" * 8, '"a"b"'])
def test_a_malformed_key_is_refused(world: World, key: str) -> None:
    refused = place(world, world.customer(), key)
    assert (refused.status, refused.body["error"]) == (400, "invalid_input")
    assert count_orders() == 0


@pytest.mark.parametrize("key", ["x", "x" * 255, '"with \\"quotes\\""', "with space"])
def test_keys_are_1_to_255_characters(world: World, key: str) -> None:
    cara = world.customer()
    assert place(world, cara, key).body["id"] == place(world, cara, key).body["id"]


def test_fifty_at_once_make_one_order(make_engine_world: MakeWorld, engine: Engine) -> None:
    world = make_engine_world()
    cara = world.customer()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: place(world, cara), range(50)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["id"] for answer in answers}) == 1
    assert count_orders() == 1


def test_after_a_crash_the_order_is_found_by_its_key(
    make_engine_world: MakeWorld, engine: Engine
) -> None:
    orders = CrashingProxy(OrderTable(engine.connection))
    world = make_engine_world(orders=orders)
    cara = world.customer()
    orders.crash_at("after", "commit_order")
    with pytest.raises(Crash):
        place(world, cara)
    assert place(world, cara).headers["idempotent-replayed"] == "true"
    orders.crash_at("before", "commit_order")
    with pytest.raises(Crash):
        place(world, cara, "another", notes="Another")
    assert "idempotent-replayed" not in place(world, cara, "another", notes="Another").headers
    assert count_orders() == 2


def test_an_answer_that_gets_lost_below_makes_no_second_order(
    make_engine_world: MakeWorld, engine: Engine
) -> None:
    world = make_engine_world()
    with answers_lost(engine.connection.client, "TransactWriteItems") as lost:
        assert place(world, world.customer()).status == 201
    assert lost
    assert count_orders() == 1


def test_an_order_has_the_number_and_the_data_that_it_was_given(world: World) -> None:
    cara = world.customer()
    given = {"external_id": "shop-1001", "metadata": {"table": "7", "note": "no onions"}}
    order = place(world, cara, None, **given).body
    assert {name: order[name] for name in given} == given
    shown = world.get(f"/v1/orders/{order['id']}", cara).body
    assert {name: shown[name] for name in given} == given


def test_the_same_request_with_a_known_number_is_answered_with_the_first_order(
    world: World,
) -> None:
    cara = world.customer()
    first = place(world, cara, None, external_id="1001")
    again = place(world, cara, None, external_id="1001")
    assert (first.status, again.status) == (201, 200)
    assert again.body == first.body
    assert count_orders() == 1


def test_a_number_that_is_taken_is_refused_with_the_order_that_has_it(world: World) -> None:
    cara = world.customer()
    first = place(world, cara, None, external_id="1001").body
    refused = place(world, cara, None, external_id="1001", notes="Another")
    assert (refused.status, refused.body["error"]) == (409, "external_id_taken")
    assert refused.body["details"] == {"id": first["id"]}
    other = place(world, world.customer("carl"), None, external_id="1001")
    assert other.status == 201


def test_a_number_stays_taken_after_its_order_ended(world: World) -> None:
    cara = world.customer()
    first = place(world, cara, None, external_id="1001").body
    world.clock.advance(timedelta(days=3).total_seconds())
    assert place(world, cara, None, external_id="1001", notes="x").status == 409
    assert place(world, cara, None, external_id="1001").body["id"] == first["id"]


def test_an_equal_meal_of_somebody_else_is_not_the_same_request(world: World) -> None:
    """The numbers of a restaurant's orders are unique among all its customers."""
    cara, carl = world.customer(), world.customer("carl")
    path, meal = "/v1/restaurants/789/orders", {**ORDER, "external_id": "1001"}
    first = world.post(path, meal, cara)
    refused = world.post(path, meal, carl)
    assert (refused.status, refused.body["error"]) == (409, "external_id_taken")
    assert "details" not in refused.body
    again = world.post(path, meal, cara)
    assert (again.status, again.body) == (200, first.body)
    assert count_orders() == 1


def test_one_number_in_parallel_makes_one_order(
    make_engine_world: MakeWorld, engine: Engine
) -> None:
    world = make_engine_world()
    cara = world.customer()

    def place_nth(n: int) -> Answer:
        return place(world, cara, f"key {n}", external_id="1001", notes=f"{n % 2}")

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(place_nth, range(20)))
    assert sorted({answer.status for answer in answers}) == [200, 201, 409]
    assert [answer.status for answer in answers].count(201) == 1
    assert count_orders() == 1


@pytest.mark.parametrize(
    "bad",
    [
        {"external_id": ""},
        {"external_id": "x" * 101},
        {"external_id": 7},
        {"metadata": []},
        {"metadata": {"a": 1}},
        {"metadata": {"": "x"}},
        {"metadata": {str(n): "x" for n in range(21)}},
        {"metadata": {"a": "x" * 2048}},
    ],
)
def test_malformed_numbers_and_data_are_refused(world: World, bad: dict[str, Any]) -> None:
    refused = place(world, world.customer(), None, **bad)
    assert (refused.status, refused.body["error"]) == (400, "invalid_input")
    assert count_orders() == 0


def test_a_driver_who_polls_sees_what_a_hail_was_given(world: World) -> None:
    driver = world.courier()
    given: dict[str, Any] = {"external_id": "h-1", "metadata": {"table": "7"}}
    hail(world, **given)
    (shown,) = world.get("/v1/driver/orders", driver).body["orders"]
    assert {name: shown[name] for name in given} == given


def test_an_order_without_any_of_it_shows_nothing_of_it(world: World) -> None:
    order = place(world, world.customer(), None).body
    assert not order.keys() & {"external_id", "metadata"}
    assert not list(KeyRow.scan())
