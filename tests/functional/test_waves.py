"""Waves: several couriers are asked at once. Who hears what, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.orders.history_entries import DECLINED, EXPIRED, WITHDRAWN
from chalicelib.domain.orders.model import Status
from chalicelib.domain.orders.waves import OpenWave
from chalicelib.errors import PostFailed
from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import CourierRow, OrderRow
from infra.erase.redaction import Redaction
from tests.builders import DEPOT, north_of
from tests.faults import Crash, CrashingProxy, answers_lost, claims_contended
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.hails import TIMEOUT, driver, hail
from tests.functional.test_history import history_of
from tests.functional.world import Someone, World

# One alone, then two, then whoever else there is.
WAVES = ((1500, 1, 15), (1500, 2, 10), (5000, 5, 20))
IDS = ("dan", "eve", "fay", "gus", "hal")


def in_waves(make_world: MakeWorld, waves: Any = WAVES, **parts: Any) -> World:
    return make_world(settings={"dispatch_waves": waves, "hail_waves": waves}, **parts)


def couriers(world: World, count: int = len(IDS)) -> list[Someone]:
    """The first is the nearest."""
    return [world.courier(id_, north_of(DEPOT, 100 * n)) for n, id_ in enumerate(IDS[:count])]


def asked(world: World, order_id: str) -> list[str]:
    return [offer.courier_id for offer in world.order(order_id).open_offers]


def held() -> dict[str, int]:
    rows = CourierRow.scan()
    return {row.courier_id: int(row.order_id) for row in rows if row.order_id is not None}


def events(frames: list[Any]) -> list[str]:
    return [frame["event"] for frame in frames]


def statuses(frames: list[Any]) -> list[str]:
    return [frame["data"]["status"] for frame in frames]


def test_each_wave_asks_others_until_nobody_is_left(make_engine_world: MakeWorld) -> None:
    world = in_waves(make_engine_world)
    couriers(world)
    order_id = world.place(world.customer())["id"]
    assert asked(world, order_id) == ["dan"]
    world.pass_time(15)
    assert asked(world, order_id) == ["eve", "fay"]
    assert held() == {"eve": int(order_id), "fay": int(order_id)}
    world.pass_time(10)
    assert asked(world, order_id) == ["gus", "hal"]
    world.pass_time(19)
    assert asked(world, order_id) == ["gus", "hal"]
    world.pass_time(1)
    after = world.order(order_id)
    assert (after.status, after.offers_made, after.wave) == (Status.UNSERVED, 5, None)
    assert held() == {}


def test_a_wave_with_nobody_in_it_is_passed_over_at_once(make_world: MakeWorld) -> None:
    world = in_waves(make_world)
    world.courier("dan", north_of(DEPOT, 3000))
    order_id = world.place(world.customer())["id"]
    after = world.order(order_id)
    assert (asked(world, order_id), after.wave) == (["dan"], OpenWave(3, 1))
    world.pass_time(19)
    assert asked(world, order_id) == ["dan"]
    world.pass_time(1)
    assert world.order(order_id).status is Status.UNSERVED


def test_the_first_who_accepts_has_it_and_the_others_hear_so_at_once(
    make_engine_world: MakeWorld,
) -> None:
    world = in_waves(make_engine_world, ((5000, 3, 15),))
    people = couriers(world)
    sockets = {one.id: world.connect(one) for one in people}
    cara = world.customer()
    hers = world.connect(cara)
    order_id = world.place(cara)["id"]
    for socket in sockets.values():
        socket.take()
    assert world.step("accept", order_id, people[1]).status == 200
    after = world.order(order_id)
    assert (after.courier_id, after.open_offers, held()) == ("eve", (), {"eve": int(order_id)})
    heard = {id_: events(socket.take()) for id_, socket in sockets.items()}
    lost = ["order.reassigned_away"]
    assert heard == {"dan": lost, "eve": [], "fay": lost, "gus": [], "hal": []}
    assert statuses(hers.take()) == ["assigned", "accepted"]
    late = world.step("accept", order_id, people[0])
    assert (late.status, late.body["error"]) == (409, "offer_gone")
    world.pass_time(60)
    assert [events(socket.take()) for socket in sockets.values()] == [[]] * 5
    assert world.order(order_id).version == after.version


def test_a_loser_whose_socket_is_troubled_hears_so_though_the_order_has_moved_on(
    make_world: MakeWorld,
) -> None:
    """By then none of its events are for them."""
    world = in_waves(make_world, ((5000, 2, 15),))
    dan, eve = couriers(world, 2)
    sockets = [world.connect(eve) for _ in range(2)]
    order_id = world.place(world.customer())["id"]
    for socket in sockets:
        socket.take()
    world.gateway.fail(sockets[1].id, *[PostFailed("stalled")] * 3)
    for verb in ("accept", "arrived", "picked", "reached", "delivered"):
        assert world.step(verb, order_id, dan).status == 200
    world.pass_time(120)
    assert [events(socket.take()) for socket in sockets] == [["order.reassigned_away"]] * 2


def test_when_all_have_declined_the_next_wave_is_asked_at_once(make_world: MakeWorld) -> None:
    world = in_waves(make_world, ((5000, 2, 15), (5000, 2, 30)))
    people = couriers(world, 4)
    cara = world.customer()
    hers = world.connect(cara)
    order_id = world.place(cara)["id"]
    assert world.step("decline", order_id, people[0]).status == 200
    assert (asked(world, order_id), held()) == (["eve"], {"eve": int(order_id)})
    assert world.step("decline", order_id, people[0]).status in (403, 409)
    assert statuses(hers.take()) == ["assigned"]
    assert world.step("decline", order_id, people[1]).status == 200
    assert asked(world, order_id) == ["fay", "gus"]
    assert statuses(hers.take()) == ["declined", "assigned"]
    # The timer of the first wave ends nothing of the second.
    world.pass_time(29)
    assert asked(world, order_id) == ["fay", "gus"]
    assert world.step("accept", order_id, people[3]).status == 200


def test_who_lets_it_pass_hears_what_they_hear_today(make_world: MakeWorld) -> None:
    world = in_waves(make_world, ((5000, 2, 15), (5000, 1, 15)))
    sockets = [world.connect(one) for one in couriers(world, 3)]
    world.place(world.customer())
    world.pass_time(30)
    passed = ["order.assigned", "order.assignment_timed_out"]
    assert [events(socket.take()) for socket in sockets] == [
        [*passed, "order.reassigned_away"],
        [*passed, "order.reassigned_away"],
        [*passed, "order.no_nearby_driver"],
    ]


def test_each_of_several_sees_their_own_offer(make_world: MakeWorld) -> None:
    world = in_waves(make_world, ((5000, 3, 15),))
    people = couriers(world, 4)
    order_id = world.place(world.customer())["id"]
    for one in people[:3]:
        found = world.get("/v1/courier/active-order", one).body
        assert (found["active"], found["order"]["id"]) == (True, order_id)
        assert world.get(f"/v1/orders/{order_id}", one).body["courier_id"] == one.id
        socket = world.connect(one)
        assert "order.assigned" in events(socket.take())
    assert world.get("/v1/courier/active-order", people[3]).body == {"active": False}
    assert world.get(f"/v1/orders/{order_id}", people[3]).status == 404


def test_the_history_has_the_answer_of_each(make_world: MakeWorld) -> None:
    world = in_waves(make_world, ((5000, 3, 15), (5000, 2, 15)))
    people = couriers(world)
    order_id = world.place(world.customer())["id"]
    assert world.step("decline", order_id, people[1]).status == 200
    world.pass_time(15)
    assert world.step("accept", order_id, people[4]).status == 200
    first, second = (
        {one["courier_id"]: one["answer"] for one in entry["offer"]["couriers"]}
        for entry in history_of(world, order_id, world.admin())
        if entry["step"] == "offer"
    )
    assert first == {"dan": EXPIRED, "eve": DECLINED, "fay": EXPIRED}
    assert second == {"gus": WITHDRAWN, "hal": "accepted"}
    (own,) = (e for e in history_of(world, order_id, people[1]) if e["step"] == "decline")
    assert own["offer"] == {"courier_id": "eve", "distance_m": 100, "answer": "declined"}


def cancel(world: World, order_id: str) -> None:
    assert world.post(f"/v1/orders/{order_id}/cancel", by=world.customer()).status == 200


def assign_another(world: World, order_id: str) -> None:
    path = f"/v1/admin/orders/{order_id}/assign"
    assert world.post(path, {"courier_id": "hal"}, world.admin()).status == 200


def assign_one_of_them(world: World, order_id: str) -> None:
    path = f"/v1/admin/orders/{order_id}/assign"
    assert world.post(path, {"courier_id": "dan"}, world.admin()).status == 200


def go_off_duty(world: World, order_id: str) -> None:
    eve = world.someone(world.courier("zoe", available=False).role, "eve")
    answer = world.post("/v1/courier/availability", {"available": False}, eve)
    assert answer.status == 200


@pytest.mark.parametrize(
    ("step", "left"),
    [
        (cancel, []),
        (assign_another, ["hal"]),
        (assign_one_of_them, ["dan"]),
        (go_off_duty, ["dan", "fay"]),
    ],
)
def test_whoever_is_asked_no_longer_is_free(
    make_world: MakeWorld, step: Callable[[World, str], None], left: list[str]
) -> None:
    world = in_waves(make_world, ((5000, 3, 15),))
    couriers(world)
    order_id = world.place(world.customer())["id"]
    step(world, order_id)
    assert asked(world, order_id) == left
    assert held() == dict.fromkeys(left, int(order_id))
    world.pass_time(60)
    assert held() == {}


def test_who_is_taken_or_contended_is_left_out_and_the_wave_goes_with_the_others(
    make_engine_world: MakeWorld,
) -> None:
    world = in_waves(make_engine_world, ((5000, 3, 15),))
    couriers(world, 4)
    CourierRow("eve").update(actions=[CourierRow.order_id.set(12)])
    client = world.engine.connection.client
    with claims_contended(client, "fay", times=1, code="TransactionConflict"):
        order_id = world.place(world.customer())["id"]
    assert asked(world, order_id) in (["dan", "gus"], ["dan", "fay", "gus"])
    assert "fay" in asked(world, order_id) or "fay" not in held()


def test_an_accept_goes_through_though_the_row_of_a_loser_is_held(
    make_engine_world: MakeWorld,
) -> None:
    """They are let go by the wakeup of that commit."""
    world = in_waves(make_engine_world, ((5000, 3, 15),))
    people = couriers(world, 3)
    order_id = world.place(world.customer())["id"]
    client = world.engine.connection.client
    with claims_contended(client, "eve", times=1, code="TransactionConflict") as refused:
        assert world.step("accept", order_id, people[0]).status == 200
    assert refused == ["eve"]
    assert held() == {"dan": int(order_id), "eve": int(order_id)}
    world.pass_time(6)
    assert held() == {"dan": int(order_id)}


def test_a_loser_who_was_left_is_let_go_by_reading(make_world: MakeWorld) -> None:
    world = in_waves(make_world, ((5000, 2, 15),))
    people = couriers(world, 2)
    order_id = world.place(world.customer())["id"]
    client = world.engine.connection.client
    with claims_contended(client, "eve", times=1, code="TransactionConflict"):
        assert world.step("accept", order_id, people[0]).status == 200
    world.queue.waiting.clear()
    assert world.get("/v1/courier/active-order", people[1]).body == {"active": False}
    assert held() == {"dan": int(order_id)}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_death_at_a_commit_of_a_wave_is_made_up_for(
    make_world: MakeWorld, dynamo: Engine, when: str
) -> None:
    orders = CrashingProxy(OrderTable(dynamo.connection))
    minute = 60  # longer than a lease, or what a dead holder was to tell lapses untold
    world = in_waves(make_world, ((5000, 2, minute), (5000, 2, minute)), orders=orders)
    people = couriers(world, 4)
    sockets = [world.connect(one) for one in people]
    order_id = world.place(world.customer())["id"]
    assert world.step("decline", order_id, people[0]).status == 200
    orders.crash_at(when, "commit_order")
    with pytest.raises(Crash):
        world.step("decline", order_id, people[1])
    world.pass_time(minute)
    if when == "before":
        assert asked(world, order_id) == ["fay", "gus"]
    world.pass_time(minute + 1)
    told = [event for socket in sockets[2:] for event in events(socket.take())]
    assert told.count("order.assigned") == 2
    assert (world.order(order_id).status, held()) == (Status.UNSERVED, {})


def test_a_lost_answer_of_a_wave_or_its_accept_changes_nothing(make_world: MakeWorld) -> None:
    world = in_waves(make_world, ((5000, 3, 15),))
    people = couriers(world, 3)
    client = world.engine.connection.client
    with answers_lost(client, "TransactWriteItems") as lost:
        order_id = world.place(world.customer())["id"]
    with answers_lost(client, "TransactWriteItems") as again:
        assert world.step("accept", order_id, people[2]).status == 200
    assert lost
    assert again
    assert (world.order(order_id).version, held()) == (2, {"fay": int(order_id)})


def test_what_is_given_back_is_asked_from_the_first_wave_on(make_world: MakeWorld) -> None:
    world = in_waves(make_world, ((1500, 1, 15), (5000, 3, 15)))
    people = couriers(world)
    order_id = world.place(world.customer())["id"]
    world.pass_time(15)
    assert world.step("accept", order_id, people[1]).status == 200
    why = {"order_id": order_id, "reason": "vehicle"}
    answer = world.post("/v1/courier/orders/release", why, people[1])
    assert answer.status == 200, answer
    after = world.order(order_id)
    assert after.wave is not None
    assert (asked(world, order_id), after.wave.number) == (["hal"], 1)


def test_a_hail_is_asked_in_waves_and_its_losers_hear_of_a_timeout(make_world: MakeWorld) -> None:
    world = in_waves(make_world, ((1500, 1, 15), (5000, 2, 15)))
    (_, first), (eve, second), (_, third) = (
        driver(world, f"{n}", north_of(DEPOT, 100 * n)) for n in (1, 2, 3)
    )
    order = hail(world)
    world.pass_time(15)
    timeout = {**TIMEOUT, "order_id": order["id"]}
    assert timeout in first.take()
    answer = world.post(f"/v1/driver/orders/{order['id']}/accept", by=eve)
    assert answer.status == 200, answer
    assert timeout in third.take()
    assert timeout not in second.take()


def test_a_hail_that_nobody_takes_goes_on_from_the_first_wave(make_world: MakeWorld) -> None:
    world = in_waves(make_world, ((1500, 1, 15), (5000, 2, 15)))
    driver(world, "1")
    order = hail(world)
    world.pass_time(16)
    waiting = world.order(order["id"])
    assert (waiting.status, waiting.wave) == (Status.SEARCHING, None)
    driver(world, "2")
    world.pass_time(10)
    after = world.order(order["id"])
    assert (after.courier_id, after.wave) == ("2", OpenWave(1, 2))


def test_a_row_of_a_wave_is_as_small_as_it_can_be(make_world: MakeWorld) -> None:
    """What a version without waves reads of it is an offer to the first of them."""
    world = in_waves(make_world, ((5000, 5, 15),))
    couriers(world)
    order_id = world.place(world.customer())["id"]
    row = OrderRow.get(int(order_id))
    assert len(row.doc) < 1000
    order = world.order(order_id)
    assert (order.status, order.courier_id) == (Status.OFFERED, "dan")
    assert order.deadline_at == world.clock.now + timedelta(seconds=15)


def test_erasing_one_of_several_leaves_no_trace(make_world: MakeWorld) -> None:
    world = in_waves(make_world, ((5000, 3, 15),))
    couriers(world)
    order = world.order(world.place(world.customer())["id"])
    redacted = Redaction("eve", "nobody", frozenset({order.id})).redact_order(order)
    assert "eve" not in repr((redacted.open_offers, redacted.offered_to, redacted.changes))
