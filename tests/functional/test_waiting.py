"""A courier waits at a stop: from when on a no-show can be said, who is told, and how it ends."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from chalicelib.domain.messaging.wakeups import NoShowDue
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.model import Status
from chalicelib.domain.orders.reasons import FAILURE_REASONS, Reason
from chalicelib.domain.people import Actor, Role
from chalicelib.errors import Conflict
from chalicelib.store.orders import OrderTable
from tests.builders import DEPOT
from tests.faults import Crash, CrashingProxy
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.feeds import a_feed, a_profile
from tests.functional.hails import hail
from tests.functional.kitchen import Kitchen
from tests.functional.rides import a_driver, a_ride, a_rider
from tests.functional.test_races import at_once, failures
from tests.functional.test_undelivered import busy_with, reattempt, summarize
from tests.functional.world import Answer, Socket, Someone, World

CLOCK = {"waiting_since", "no_show_at"}
AT_PICKUP_S, AT_DROPOFF_S = 300, 480


def report(world: World, order_id: Any, by: Someone, **more: Any) -> Answer:
    return world.post("/v1/courier/orders/no-show", {"order_id": str(order_id), **more}, by)


def waiting_at(world: World, stop: str, cara: Someone, dan: Someone, **changes: Any) -> str:
    """The id of an order whose courier waits at the pickup or at the drop-off."""
    order_id = str(world.place(cara, **changes)["id"])
    verbs = ["accept", "arrived"] + (["picked", "reached"] if stop == "dropoff" else [])
    for verb in verbs:
        assert world.step(verb, order_id, dan).status == 200
    return order_id


def told(feed: Socket) -> list[Any]:
    return [frame for frame in feed.take() if frame.get("event_type") == "no_show_available"]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@pytest.mark.parametrize(("stop", "waits_s"), [("pickup", AT_PICKUP_S), ("dropoff", AT_DROPOFF_S)])
def test_views_have_the_clock_exactly_while_a_courier_waits(
    world: World, stop: str, waits_s: int
) -> None:
    cara, dan = world.customer(), world.courier()
    order_id = str(world.place(cara)["id"])
    seen = []
    for verb in ("accept", "arrived", "picked", "reached", "delivered"):
        body = world.step(verb, order_id, dan).body
        shown = world.get(f"/v1/orders/{order_id}", cara).body
        (listed,) = world.get("/v1/orders", cara).body["orders"]
        for view in (body, shown, listed):
            assert view.keys() >= CLOCK or not CLOCK & view.keys()
        assert (CLOCK & body.keys()) == (CLOCK & shown.keys()) == (CLOCK & listed.keys())
        if CLOCK & body.keys():
            seen.append(verb)
            since = moment(body["waiting_since"])
            assert abs(since - world.clock.now) < timedelta(seconds=1)
            after_s = AT_PICKUP_S if verb == "arrived" else AT_DROPOFF_S
            assert moment(body["no_show_at"]) - since == timedelta(seconds=after_s)
            world.clock.advance(3)
            assert world.step(verb, order_id, dan).body == body  # once more: the same clock
    assert seen == ["arrived", "reached"]


@pytest.mark.parametrize(("stop", "waits_s"), [("pickup", AT_PICKUP_S), ("dropoff", AT_DROPOFF_S)])
def test_a_no_show_is_too_early_until_the_second(world: World, stop: str, waits_s: int) -> None:
    cara, dan = world.customer(), world.courier()
    order_id = waiting_at(world, stop, cara, dan)
    before = world.order(order_id)
    early = report(world, order_id, dan)
    assert (early.status, early.body["error"]) == (409, "too_early")
    shown = world.get(f"/v1/orders/{order_id}", cara).body
    assert early.body["details"] == {"no_show_at": shown["no_show_at"]}
    world.clock.advance(waits_s - 1)
    assert report(world, order_id, dan).body["error"] == "too_early"
    assert world.order(order_id) == before
    world.clock.advance(1)  # no wakeup has come: the clock counts
    assert report(world, order_id, dan).status == 200


def test_at_the_pickup_the_order_ends_and_its_courier_is_free(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    hers = world.connect(cara)
    order_id = waiting_at(world, "pickup", cara, dan)
    hers.take()
    world.pass_time(AT_PICKUP_S)
    answer = report(world, order_id, dan, note="nobody opens")
    assert (answer.status, answer.body["status"], answer.body["state"]) == (
        200,
        "cancelled",
        "no_show",
    )
    assert (answer.body["reason"], answer.body["note"]) == ("recipient_absent", "nobody opens")
    assert not CLOCK & answer.body.keys()
    assert busy_with("dan") is None
    assert report(world, order_id, dan).body == answer.body
    assert hers.take() == []  # spec 000 has no words for it
    for verb in ("picked", "delivered", "release"):
        assert world.step(verb, order_id, dan).status in (400, 409)
    assert world.post(f"/v1/orders/{order_id}/cancel", {}, cara).status == 409
    assert world.get("/v1/customer/active-order", cara).body == {"active": False}
    assert summarize(world)["by_reason"] == {"recipient_absent": 1}
    child = reattempt(world, order_id, cara)
    assert (child.status, child.body["parent_id"]) == (201, order_id)
    assert child.body["pickup_address"] == "1 Depot Road"


@pytest.mark.parametrize(
    ("then", "state"),
    [(None, "returning"), ("return", "returning"), ("leave", "left"), ("discard", "discarded")],
)
def test_at_the_door_it_fails_as_the_courier_says(
    world: World, then: str | None, state: str
) -> None:
    cara, dan = world.customer(), world.courier()
    order_id = waiting_at(world, "dropoff", cara, dan)
    world.pass_time(AT_DROPOFF_S)
    more = {} if then is None else {"then": then}
    answer = report(world, order_id, dan, **more)
    assert (answer.status, answer.body["state"]) == (200, state)
    assert answer.body["reason"] == "recipient_absent"
    assert report(world, order_id, dan, **more).body == answer.body
    assert busy_with("dan") == (int(order_id) if state == "returning" else None)


def test_nobody_is_a_no_show_where_nobody_waits(world: World) -> None:
    """Before it is accepted, on the way to the pickup, and on the way to the door."""
    cara, dan = world.customer(), world.courier()
    order_id = str(world.place(cara)["id"])
    for verbs in (["accept"], ["arrived", "picked"]):
        refused = report(world, order_id, dan)
        assert (refused.status, refused.body["error"]) == (409, "invalid_transition"), verbs
        for verb in verbs:
            assert world.step(verb, order_id, dan).status == 200
    world.pass_time(1000)
    assert report(world, order_id, dan).body["error"] == "invalid_transition"
    world.step("delivered", order_id, dan)
    assert report(world, order_id, dan).body["error"] == "invalid_transition"


def test_odd_requests_change_nothing(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    eve = world.courier("eve", (0.0, 0.0))
    order_id = waiting_at(world, "pickup", cara, dan)
    world.clock.advance(AT_PICKUP_S)
    before = world.order(order_id)
    reasons: tuple[Any, ...] = ("no idea", 7, [], "", "customer")
    for reason in reasons:
        refused = report(world, order_id, dan, reason=reason)
        assert (refused.status, refused.body["error"]) == (400, "invalid_input")
        assert refused.body["details"]["allowed"] == list(FAILURE_REASONS)
    thens: tuple[Any, ...] = ("burn", 1, [], "")
    for then in thens:
        assert report(world, order_id, dan, then=then).status == 400
    assert report(world, order_id, dan, note="x" * 201).status == 400
    assert report(world, order_id, dan, note={}).status == 400
    assert report(world, order_id, eve).status == 403
    assert report(world, order_id, cara).status == 403
    assert report(world, "123", dan).status == 404
    assert report(world, "no-id", dan).status in (400, 404)
    assert world.post("/v1/courier/orders/no-show", {"order_id": order_id}).status == 401
    assert world.order(order_id) == before


@pytest.mark.parametrize(("stop", "waits_s"), [("pickup", AT_PICKUP_S), ("dropoff", AT_DROPOFF_S)])
def test_both_sides_are_told_once_as_it_passes(world: World, stop: str, waits_s: int) -> None:
    cara, dan = a_profile(world, world.customer()), a_profile(world, world.courier())
    feeds = [a_feed(world, who, "no_show_available") for who in (cara, dan)]
    plain = [world.connect(cara), world.connect(dan)]
    order_id = waiting_at(world, stop, cara, dan)
    (due,) = {
        m.wakeup
        for m in world.queue.waiting
        if isinstance(m.wakeup, NoShowDue) and m.wakeup.due_at == world.order(order_id).no_show_at
    }
    world.pass_time(waits_s - 1)
    for socket in (*feeds, *plain):
        socket.take()
    world.pass_time(2)
    for feed in feeds:
        (frame,) = told(feed)
        assert frame["data"]["order_id"] == order_id
        assert frame["data"]["state"] == ("at_pickup" if stop == "pickup" else "in_transit")
    version = world.order(order_id).version
    world.waybill.wakeup_handler.handle_wakeup(due)  # SQS may deliver twice
    world.pass_time(3600)
    assert [told(feed) for feed in feeds] == [[], []]
    assert [socket.take() for socket in plain] == [[], []]
    assert world.order(order_id).version == version
    assert world.get(f"/v1/orders/{order_id}", cara).body.keys() >= CLOCK


@pytest.mark.parametrize("way", ["picked", "release", "cancel"])
def test_nobody_is_told_of_a_wait_that_has_ended(world: World, way: str) -> None:
    cara, dan = a_profile(world, world.customer()), a_profile(world, world.courier())
    feeds = [a_feed(world, who, "no_show_available") for who in (cara, dan)]
    order_id = waiting_at(world, "pickup", cara, dan)
    world.pass_time(AT_PICKUP_S - 1)
    if way == "cancel":
        assert world.post(f"/v1/orders/{order_id}/cancel", {}, cara).status == 200
    else:
        body = {"order_id": order_id, "reason": "vehicle"}
        assert world.post(f"/v1/courier/orders/{way}", body, dan).status == 200
    before = world.order(order_id)
    world.pass_time(600)
    assert [told(feed) for feed in feeds] == [[], []]
    assert world.order(order_id).no_show_at is None
    assert before.no_show_at is None


def test_another_courier_has_their_own_clock(world: World) -> None:
    cara, dan = a_profile(world, world.customer()), world.courier()
    feed = a_feed(world, cara, "no_show_available")
    order_id = waiting_at(world, "pickup", cara, dan)
    world.pass_time(AT_PICKUP_S + 1)
    assert len(told(feed)) == 1
    eve = world.courier("eve")
    body = {"order_id": order_id, "reason": "vehicle"}
    assert world.post("/v1/courier/orders/release", body, dan).status == 200
    for verb in ("accept", "arrived"):
        assert world.step(verb, order_id, eve).status == 200
    assert report(world, order_id, eve).body["error"] == "too_early"
    assert report(world, order_id, dan).status == 409  # it is not theirs any more
    world.pass_time(AT_PICKUP_S + 1)
    assert len(told(feed)) == 1
    assert report(world, order_id, eve).status == 200


def test_a_lost_wakeup_loses_only_the_telling(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    order_id = waiting_at(world, "pickup", cara, dan)
    world.queue.waiting.clear()
    world.clock.advance(AT_PICKUP_S)
    assert world.get(f"/v1/orders/{order_id}", cara).body.keys() >= CLOCK
    assert report(world, order_id, dan).status == 200


def test_a_wakeup_that_comes_early_waits_and_one_of_nothing_ends(world: World) -> None:
    cara, dan = a_profile(world, world.customer()), world.courier()
    feed = a_feed(world, cara, "no_show_available")
    order_id = waiting_at(world, "pickup", cara, dan)
    due_at = world.order(order_id).no_show_at
    assert due_at is not None
    world.queue.waiting.clear()
    world.waybill.wakeup_handler.handle_wakeup(NoShowDue(int(order_id), due_at))
    assert told(feed) == []
    world.waybill.wakeup_handler.handle_wakeup(NoShowDue(123, world.clock.now))
    world.pass_time(AT_PICKUP_S)
    assert len(told(feed)) == 1


def test_the_settings_say_how_long(make_world: MakeWorld) -> None:
    waits = {
        "no_show_after_pickup": timedelta(seconds=20),
        "no_show_after_dropoff": timedelta(hours=1),
    }
    world = make_world(settings=waits)
    cara, dan = a_profile(world, world.customer()), world.courier()
    feed = a_feed(world, cara, "no_show_available")
    order_id = waiting_at(world, "dropoff", cara, dan)
    world.pass_time(3599)
    assert told(feed) == []
    assert report(world, order_id, dan).body["error"] == "too_early"
    world.pass_time(2)  # SQS delays 15 minutes at most: the wakeup was sent on
    assert len(told(feed)) == 1
    assert report(world, order_id, dan).status == 200


def test_a_hail_moves_as_a_delivery_does(world: World) -> None:
    driver = world.courier("7")
    order_id = str(hail(world, world.customer())["id"])
    assert world.post(f"/v1/driver/orders/{order_id}/accept", {}, driver).status == 200
    assert world.step("arrived", order_id, driver).body.keys() >= CLOCK
    world.pass_time(AT_PICKUP_S)
    assert report(world, order_id, driver).body["state"] == "no_show"
    assert busy_with("7") is None


def test_a_ride_ends_at_its_pickup_and_both_sides_hear_of_it(world: World) -> None:
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    assert report(world, ride_id, driver.person).body["error"] == "invalid_transition"
    assert world.step("arrived", ride_id, driver.person).status == 200
    assert world.get(f"/v1/rides/{ride_id}", rider.person).body.keys() >= CLOCK
    assert report(world, ride_id, driver.person).body["error"] == "too_early"
    rider.socket.take()
    driver.socket.take()
    world.pass_time(AT_PICKUP_S + 1)
    assert rider.socket.take() == driver.socket.take() == []  # 001 has no word for it
    assert report(world, ride_id, driver.person).body["state"] == "no_show"
    for client in (rider, driver):
        (frame,) = client.socket.take()
        assert (frame["event"], frame["data"]["status"]) == ("ride_status_update", "canceled")
    assert busy_with(driver.person.id) is None
    assert world.get(f"/v1/rides/{ride_id}", rider.person).body["state"] == "no_show"
    assert reattempt(world, ride_id, rider.person).status == 201


def test_a_ride_has_no_clock_at_its_drop_off(world: World) -> None:
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver, "started")
    world.step("reached", ride_id, driver.person)
    assert not CLOCK & world.get(f"/v1/rides/{ride_id}", rider.person).body.keys()
    world.pass_time(3600)
    assert report(world, ride_id, driver.person).status == 409


def test_a_meal_has_a_clock_at_the_door_alone(world: World) -> None:
    kitchen = Kitchen(world)
    order_id = kitchen.ready()
    (driver,) = kitchen.drivers("456")
    driver.emit("accept-order", {"orderId": order_id})
    dan = world.someone(Role.COURIER, "456")
    assert report(world, order_id, dan).body["error"] == "invalid_transition"
    assert world.step("reached", str(order_id), dan).body.keys() >= CLOCK
    assert report(world, order_id, dan).body["error"] == "too_early"
    world.pass_time(AT_DROPOFF_S)
    assert report(world, order_id, dan).body["state"] == "returning"
    assert busy_with("456") == order_id


def test_a_child_whose_pickup_is_a_no_show_is_tried_again_by_its_own_id(world: World) -> None:
    """So that nobody sends two couriers for one thing."""
    cara, dan = world.customer(), world.courier()
    parent = waiting_at(world, "pickup", cara, dan)
    world.pass_time(AT_PICKUP_S)
    report(world, parent, dan)
    world.courier()  # where they are, anew
    child = reattempt(world, parent, cara).body["id"]
    for verb in ("accept", "arrived"):
        world.step(verb, child, dan)
    world.pass_time(AT_PICKUP_S)
    assert report(world, child, dan).body["state"] == "no_show"
    refused = reattempt(world, parent, cara)
    assert (refused.status, refused.body["details"]) == (409, {"id": child})
    assert reattempt(world, child, cara).body["parent_id"] == child


NO_SHOW = "no-show"


@pytest.mark.parametrize("rival", ["picked", "cancel", "release", NO_SHOW])
def test_between_a_no_show_and_another_step_one_wins(engine_world: World, rival: str) -> None:
    world = engine_world
    services, ada = world.waybill, Actor("ada", Role.ADMIN)
    take = services.courier_orders.take_step
    why = Reason("recipient_absent")
    steps: dict[str, Command] = {
        "picked": commands.PickUp(),
        "release": commands.Release(Reason("vehicle")),
    }
    cara, dan = world.customer(), world.courier()
    order_id = int(waiting_at(world, "pickup", cara, dan))
    world.pass_time(AT_PICKUP_S)
    no_show = partial(
        services.courier_orders.report_no_show, dan.actor, order_id, commands.TakeBack(why, True)
    )
    ways = {
        "cancel": partial(services.customer_orders.cancel_order, ada, order_id, Reason("fraud")),
        NO_SHOW: no_show,
    }
    other = ways.get(rival) or partial(take, dan.actor, order_id, steps[rival])
    outcomes = at_once([no_show, other, no_show])
    assert all(isinstance(error, Conflict) for error in failures(outcomes))
    order = world.order(order_id)
    rivals_end = {"picked": Status.IN_TRANSIT, "cancel": Status.CANCELLED}
    assert order.status in (
        Status.NO_SHOW,
        rivals_end.get(rival, Status.UNSERVED if rival == "release" else Status.NO_SHOW),
    )
    held = order_id if order.status is Status.IN_TRANSIT else None
    assert busy_with("dan") == held


def test_at_the_door_between_a_no_show_and_a_handover_one_wins(engine_world: World) -> None:
    world = engine_world
    services = world.waybill.courier_orders
    why = Reason("recipient_absent")
    failure: list[Any] = [commands.TakeBack, commands.LeaveBehind, commands.Discard]
    for n, way in enumerate(failure):
        there = (DEPOT[0] + n, DEPOT[1])
        dan, cara = world.courier(f"dan{n}", there), world.customer(f"cara{n}")
        order_id = int(waiting_at(world, "dropoff", cara, dan, pickup_lat=there[0]))
        world.pass_time(AT_DROPOFF_S)
        outcomes = at_once(
            [
                partial(services.report_no_show, dan.actor, order_id, way(why, is_no_show=True)),
                partial(services.take_step, dan.actor, order_id, commands.Deliver()),
            ]
        )
        assert len(failures(outcomes)) == 1
        assert all(isinstance(error, Conflict) for error in failures(outcomes))
        order = world.order(order_id)
        assert busy_with(dan.id) == (order_id if order.status is Status.RETURNING else None)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_the_commit_loses_nothing(
    make_engine_world: MakeWorld, engine: Engine, when: str
) -> None:
    orders = CrashingProxy(OrderTable(engine.connection))
    world = make_engine_world(orders=orders)
    cara, dan = a_profile(world, world.customer()), world.courier()
    feed = a_feed(world, cara, "delivery_failed")
    order_id = waiting_at(world, "pickup", cara, dan)
    world.pass_time(AT_PICKUP_S)
    feed.take()
    orders.crash_at(when, "commit_order")
    with pytest.raises(Crash):
        report(world, order_id, dan)
    world.pass_time(6)
    answer = report(world, order_id, dan)
    world.pass_time(6)
    assert (answer.status, answer.body["state"]) == (200, "no_show")
    assert [frame["data"]["state"] for frame in feed.take()] == ["no_show"]
    assert busy_with("dan") is None
