"""What can't be handed over: it is brought back, left or thrown away, and may be tried again by an
order of its own. Its courier is free exactly when it is out of their hands."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import pytest

from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.model import Status
from chalicelib.domain.orders.reasons import FAILURE_REASONS, Reason
from chalicelib.domain.people import Actor, Role
from chalicelib.errors import AlreadyReattempted, Conflict
from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import CourierRow
from tests.builders import DEPOT, north_of
from tests.faults import Crash, CrashingProxy
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.feeds import a_feed, a_profile
from tests.functional.hails import hail
from tests.functional.kitchen import Kitchen, Packets, an_owner, names
from tests.functional.rides import a_driver, a_ride, a_rider
from tests.functional.test_races import at_once, failures
from tests.functional.world import Answer, Someone, World

ENDS = {"leave": "left", "discard": "discarded"}


def fail(world: World, order_id: Any, by: Someone, then: Any = "return", **more: Any) -> Answer:
    body = {"order_id": str(order_id), "reason": "recipient_absent", "then": then, **more}
    given = {name: value for name, value in body.items() if value is not None}
    return world.post("/v1/courier/orders/failed", given, by)


def reattempt(world: World, order_id: Any, by: Someone, key: str | None = None) -> Answer:
    headers = {"idempotency-key": key} if key else None
    return world.call("POST", f"/v1/orders/{order_id}/reattempt", {}, by, headers)


def summarize(world: World) -> dict[str, Any]:
    """The figures of the day."""
    path = "/websocket/analytics/summary?date=2031-05-06"
    return dict(world.get(path, world.admin()).body["data"])


def busy_with(courier_id: str) -> int | None:
    found = CourierRow.get(courier_id).attribute_values.get("order_id")
    return None if found is None else int(found)


def carried(world: World, cara: Someone, dan: Someone) -> str:
    """The id of an order that dan has picked up."""
    order_id = str(world.place(cara)["id"])
    for verb in ("accept", "arrived", "picked"):
        assert world.step(verb, order_id, dan).status == 200
    return order_id


def ended(world: World, cara: Someone, dan: Someone, then: str) -> str:
    """The id of an order that could not be handed over: returned, left or discarded."""
    order_id = carried(world, cara, dan)
    assert fail(world, order_id, dan, then).status == 200
    if then == "return":
        assert world.step("returned", order_id, dan).status == 200
    return order_id


def test_a_courier_who_brings_it_back_is_busy_until_it_is_there(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    hers = world.connect(cara)
    order_id = carried(world, cara, dan)
    hers.take()
    answer = fail(world, order_id, dan, note="rang three times")
    assert (answer.status, answer.body["status"], answer.body["state"]) == (
        200,
        "picked_up",
        "returning",
    )
    assert (answer.body["reason"], answer.body["note"]) == ("recipient_absent", "rang three times")
    assert busy_with("dan") == int(order_id)
    active = world.get("/v1/courier/active-order", dan).body
    assert (active["active"], active["order"]["state"]) == (True, "returning")
    assert world.place(world.customer("eve"))["status"] == "no_nearby_driver"
    for verb in ("delivered", "reached", "picked"):
        refused = world.step(verb, order_id, dan)
        assert (refused.status, refused.body["error"]) == (409, "invalid_transition"), verb
    assert fail(world, order_id, dan).body == answer.body  # once more: no harm
    assert fail(world, order_id, dan, "leave").status == 409
    back = world.step("returned", order_id, dan)
    assert (back.status, back.body["status"], back.body["state"]) == (200, "cancelled", "returned")
    assert world.step("returned", order_id, dan).body == back.body
    assert busy_with("dan") is None
    assert hers.take() == []  # spec 000 has no words for it
    seen = world.get(f"/v1/orders/{order_id}", cara).body
    assert (seen["status"], seen["state"], seen["reason"]) == (
        "cancelled",
        "returned",
        "recipient_absent",
    )
    assert world.place(cara)["courier_id"] == "dan"


@pytest.mark.parametrize("then", ENDS)
def test_what_is_left_or_thrown_away_frees_its_courier_at_once(world: World, then: str) -> None:
    cara, dan = world.customer(), world.courier()
    order_id = carried(world, cara, dan)
    answer = fail(world, order_id, dan, then)
    assert (answer.status, answer.body["state"]) == (200, ENDS[then])
    assert fail(world, order_id, dan, then).body == answer.body
    assert busy_with("dan") is None
    assert world.get("/v1/customer/active-order", cara).body == {"active": False}
    assert world.step("returned", order_id, dan).status == 409


def test_only_what_was_picked_up_can_fail_and_only_for_its_courier(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    eve = world.courier("eve", (0.0, 0.0))
    order_id = str(world.place(cara)["id"])
    for verb in ("accept", "arrived", "picked"):
        assert fail(world, order_id, dan).status == 409
        world.step(verb, order_id, dan)
    assert fail(world, order_id, eve).status == 403
    assert fail(world, order_id, cara).status == 403
    assert fail(world, "123", dan).status == 404
    world.step("delivered", order_id, dan)
    assert fail(world, order_id, dan).status == 409
    assert world.order(order_id).status is Status.DONE


WORDS: list[Any] = [None, "", "gone", 5, True, [], {}, "price"]
NOTES: list[Any] = [5, [], "x" * 201, "a\x00b"]
BAD: list[tuple[dict[str, Any], str]] = [
    *[({"then": word}, "then") for word in WORDS],
    *[({"reason": word}, "reason") for word in WORDS],
    *[({"note": note}, "note") for note in NOTES],
]


@pytest.mark.parametrize(("change", "field"), BAD)
def test_a_failure_says_why_and_what_follows(
    world: World, change: dict[str, Any], field: str
) -> None:
    dan = world.courier()
    order_id = carried(world, world.customer(), dan)
    answer = fail(world, order_id, dan, **change)
    assert (answer.status, answer.body["error"]) == (400, "invalid_input")
    details = answer.body["details"]
    assert details["field"] == field
    if field != "note":
        assert details["allowed"] == (
            ["return", "leave", "discard"] if field == "then" else list(FAILURE_REASONS)
        )
    assert world.order(order_id).version == 4


def test_the_feed_tells_of_it_to_whom_asks(world: World) -> None:
    cara, dan = a_profile(world, world.customer()), world.courier()
    feed = a_feed(world, cara, "delivery_failed", "delivery_returned", "order_released")
    order_id = ended(world, cara, dan, "return")
    failed, returned = (f for f in feed.take() if "event_type" in f)
    assert (failed["event_type"], failed["data"]["state"]) == ("delivery_failed", "returning")
    assert failed["data"]["reason"] == "recipient_absent"
    assert (returned["event_type"], returned["data"]["order_id"]) == (
        "delivery_returned",
        order_id,
    )


def test_reasons_are_counted_by_day_once_each(world: World) -> None:
    """Whoever gives them, in a code or in words; whoever hears of them."""
    cara, dan = world.customer(), world.courier()
    world.courier("eve", north_of(DEPOT, 300))
    assert "by_reason" not in summarize(world)
    order_id = str(world.place(cara)["id"])
    path = "/v1/courier/orders/decline"
    world.post(path, {"order_id": order_id, "reason": "too_far", "note": "really"}, dan)
    world.post(f"/v1/orders/{order_id}/cancel", {"reason": "It takes ages!"}, cara)
    shown = world.get(f"/v1/orders/{order_id}", cara).body
    assert (shown["reason"], shown["note"]) == ("other", "It takes ages!")
    ended(world, cara, dan, "leave")
    plain = str(world.place(cara)["id"])
    world.post(f"/v1/orders/{plain}/cancel", {}, cara)
    assert "reason" not in world.get(f"/v1/orders/{plain}", cara).body
    world.pass_time(60)
    assert summarize(world)["by_reason"] == Counter(too_far=1, other=1, recipient_absent=1)


def test_a_restaurant_says_why_it_refuses(world: World) -> None:
    kitchen = Kitchen(world)
    order_id = kitchen.place()
    owner = Packets(world, kitchen.owner)
    asked = {"orderId": order_id, "status": "cancelled", "reason": "out_of_stock", "note": "soup"}
    assert names(owner.emit("update-order-status", asked)) == ["order-updated"]
    shown = world.get(f"/v1/orders/{order_id}", kitchen.customer).body
    assert (shown["status"], shown["reason"], shown["note"]) == (
        "cancelled",
        "out_of_stock",
        "soup",
    )


def test_a_hail_fails_as_a_delivery_does(world: World) -> None:
    driver = world.courier("7")
    order_id = str(hail(world)["id"])
    for verb in ("accept", "arrived", "picked"):
        world.step(verb, order_id, driver)
    assert fail(world, order_id, driver, "discard").body["state"] == "discarded"
    assert busy_with("7") is None


def test_a_meal_that_fails_is_cancelled_in_the_words_of_spec_002_once_it_has_ended(
    world: World,
) -> None:
    kitchen = Kitchen(world)
    order_id = kitchen.ready()
    (driver,) = kitchen.drivers("456")
    driver.emit("accept-order", {"orderId": order_id})
    user, owner = Packets(world, kitchen.customer), Packets(world, kitchen.owner)
    dan = world.someone(Role.COURIER, "456")
    assert fail(world, order_id, dan).body["state"] == "returning"
    assert user.heard() == owner.heard() == []
    assert busy_with("456") == order_id
    assert world.step("returned", str(order_id), dan).body["state"] == "returned"
    for client in (user, owner):
        ((name, data),) = client.heard()
        assert (name, data["order"]["status"]) == ("order-updated", "cancelled")
    assert busy_with("456") is None


def test_a_ride_has_nothing_to_hand_over(world: World) -> None:
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver, "started")
    assert fail(world, ride_id, driver.person).status == 409
    assert world.step("returned", ride_id, driver.person).status == 409
    assert fail(world, ride_id, world.courier("eve")).status == 404
    assert reattempt(world, ride_id, rider.person).status == 409


def test_a_returned_order_is_tried_again_by_one_of_its_own(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    order_id = ended(world, cara, dan, "return")
    before = world.order(order_id)
    answer = reattempt(world, order_id, cara)
    assert (answer.status, answer.body["parent_id"]) == (201, order_id)
    assert (answer.body["status"], answer.body["courier_id"]) == ("assigned", "dan")
    assert world.order(order_id) == before
    child = world.order(answer.body["id"])
    assert child.details.pickup == before.details.pickup
    assert child.details.dropoff == before.details.dropoff
    assert child.details.customer_id == "cara"
    for verb in ("accept", "arrived", "picked", "delivered"):
        assert world.step(verb, answer.body["id"], dan).status == 200
    again = reattempt(world, order_id, cara)
    assert (again.status, again.body["error"]) == (409, "already_reattempted")
    assert again.body["details"] == {"id": answer.body["id"]}


def test_what_was_left_is_picked_up_at_the_drop_off(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    order_id = ended(world, cara, dan, "leave")
    answer = reattempt(world, order_id, world.admin())
    assert (answer.status, answer.body["customer_id"]) == (201, "cara")
    assert answer.body["pickup_address"] == "2 Door Street"
    assert answer.body["dropoff_address"] == "2 Door Street"


def test_what_was_thrown_away_or_has_not_ended_so_is_not_tried_again(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    open_ = carried(world, cara, dan)
    assert reattempt(world, open_, cara).status == 409
    fail(world, open_, dan)
    assert reattempt(world, open_, cara).status == 409
    world.step("returned", open_, dan)
    gone = ended(world, cara, dan, "discard")
    done = carried(world, cara, dan)
    world.step("delivered", done, dan)
    for order_id in (gone, done):
        answer = reattempt(world, order_id, cara)
        assert (answer.status, answer.body["error"]) == (409, "invalid_transition")
    called_off = str(world.place(cara)["id"])
    world.post(f"/v1/orders/{called_off}/cancel", {}, cara)
    assert reattempt(world, called_off, cara).status == 409


def test_who_has_a_say_in_it_tries_again(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    order_id = ended(world, cara, dan, "return")
    assert reattempt(world, order_id, dan).status == 403
    for stranger in (world.customer("mallory"), an_owner(world)):
        assert reattempt(world, order_id, stranger).status == 404
    assert reattempt(world, "123", cara).status == 404
    assert reattempt(world, "no-id", cara).status == 404
    assert world.call("POST", f"/v1/orders/{order_id}/reattempt", {}).status == 401


def test_a_returned_meal_waits_in_the_pool_at_once(world: World) -> None:
    kitchen = Kitchen(world)
    order_id = kitchen.ready()
    driver, other = kitchen.drivers("456", "457")
    driver.emit("accept-order", {"orderId": order_id})
    dan = world.someone(Role.COURIER, "456")
    fail(world, order_id, dan)
    world.step("returned", str(order_id), dan)
    owner = Packets(world, kitchen.owner)
    other.take()
    answer = reattempt(world, order_id, kitchen.owner)
    assert (answer.status, answer.body["state"]) == (201, "ready")
    assert (answer.body["userId"], answer.body["parent_id"]) == (123, str(order_id))
    ((name, data),) = owner.heard()
    assert (name, data["order"]["status"]) == ("new-order", "ready_for_pickup")
    assert names(other.heard()) == ["new-available-order"]
    taken = other.emit("accept-order", {"orderId": answer.body["id"]})
    assert names(taken) == ["order-accepted", "order-updated"]


def test_a_meal_that_nobody_collects_again_may_be_tried_once_more(world: World) -> None:
    kitchen = Kitchen(world)
    order_id = kitchen.ready()
    (driver,) = kitchen.drivers("456")
    driver.emit("accept-order", {"orderId": order_id})
    dan = world.someone(Role.COURIER, "456")
    fail(world, order_id, dan)
    world.step("returned", str(order_id), dan)
    first = reattempt(world, order_id, kitchen.customer).body["id"]
    world.pass_time(7205)
    assert world.order(first).status is Status.UNSERVED
    assert reattempt(world, order_id, kitchen.customer).status == 201


def test_a_child_that_was_called_off_makes_room_for_another(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    order_id = ended(world, cara, dan, "return")
    first = reattempt(world, order_id, cara).body["id"]
    assert reattempt(world, order_id, cara).status == 409
    world.post(f"/v1/orders/{first}/cancel", {}, cara)
    second = reattempt(world, order_id, cara)
    assert (second.status, second.body["parent_id"]) == (201, order_id)
    for verb in ("accept", "arrived", "picked"):
        world.step(verb, second.body["id"], dan)
    world.post(f"/v1/orders/{second.body['id']}/cancel", {}, world.admin())
    assert reattempt(world, order_id, cara).status == 409  # nobody knows where it is now
    assert reattempt(world, second.body["id"], cara).status == 409


def test_the_same_request_makes_one_child(world: World) -> None:
    cara, dan = world.customer(), world.courier()
    order_id = ended(world, cara, dan, "return")
    first = reattempt(world, order_id, cara, "key-1")
    again = reattempt(world, order_id, cara, "key-1")
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert again.headers["idempotent-replayed"] == "true"
    other = ended(world, world.customer("zoe"), world.courier("eve"), "return")
    reused = reattempt(world, other, cara, "key-1")
    assert (reused.status, reused.body["error"]) == (422, "idempotency_key_reused")


def test_of_many_who_try_again_at_once_one_does(engine_world: World) -> None:
    world = engine_world
    cara, dan = world.customer(), world.courier()
    order_id = int(ended(world, cara, dan, "return"))
    ask = world.waybill.reattempts.reattempt_order
    actors = [cara.actor, Actor("ada", Role.ADMIN)] * 4
    outcomes = at_once([partial(ask, actor, order_id) for actor in actors])
    assert len(failures(outcomes)) == 7
    assert all(isinstance(error, AlreadyReattempted) for error in failures(outcomes))
    (placed,) = (one for one in outcomes if not isinstance(one, Exception))
    assert busy_with("dan") == placed.order.id


def test_between_a_failure_and_a_handover_or_a_cancel_one_wins(engine_world: World) -> None:
    world = engine_world
    step, cancel = (
        world.waybill.courier_orders.take_step,
        world.waybill.customer_orders.cancel_order,
    )
    ada = Actor("ada", Role.ADMIN)
    why = Reason("refused")
    ways: list[Command] = [
        commands.TakeBack(why),
        commands.LeaveBehind(why),
        commands.Discard(why),
    ]
    for n, failure in enumerate(ways):
        there = (DEPOT[0] + n, DEPOT[1])
        dan, cara = world.courier(f"dan{n}", there), world.customer(f"cara{n}")
        order_id = int(world.place(cara, pickup_lat=there[0])["id"])
        for verb in ("accept", "arrived", "picked"):
            world.step(verb, str(order_id), dan)
        outcomes = at_once(
            [
                partial(step, dan.actor, order_id, failure),
                partial(step, dan.actor, order_id, commands.Deliver()),
                partial(cancel, ada, order_id, Reason("fraud")),
            ]
        )
        assert all(isinstance(error, Conflict) for error in failures(outcomes))
        order = world.order(order_id)
        assert order.is_terminal or order.status is Status.RETURNING
        assert busy_with(dan.id) == (order_id if order.status is Status.RETURNING else None)


CRASHES = [
    (step, when)
    for step in ("failed", "left", "returned", "reattempt")
    for when in ("before", "after")
]


@pytest.mark.parametrize(("step", "when"), CRASHES)
def test_a_crash_at_the_commit_loses_nothing(
    make_engine_world: MakeWorld, engine: Engine, step: str, when: str
) -> None:
    """What was not written can be asked for again; what was is told by its wakeup, and asking again
    is answered with it."""
    orders = CrashingProxy(OrderTable(engine.connection))
    world = make_engine_world(orders=orders)
    cara, dan = a_profile(world, world.customer()), world.courier()
    order_id = carried(world, cara, dan)
    if step in ("returned", "reattempt"):
        fail(world, order_id, dan)
    if step == "reattempt":
        world.step("returned", order_id, dan)
    feed = a_feed(world, cara, "delivery_failed", "delivery_returned", "order_created")
    world.pass_time(6)
    feed.take()

    def ask() -> Answer:
        if step == "returned":
            return world.step("returned", order_id, dan)
        if step == "reattempt":
            return reattempt(world, order_id, cara, "key-1")
        return fail(world, order_id, dan, "leave" if step == "left" else "return")

    orders.crash_at(when, "commit_order")
    with pytest.raises(Crash):
        ask()
    world.pass_time(6)  # an offer is open for 15 s
    told = [frame["event_type"] for frame in feed.take()]
    answer = ask()
    world.pass_time(6)
    told += [frame["event_type"] for frame in feed.take()]
    assert answer.status == (201 if step == "reattempt" else 200)
    assert (
        told
        == {
            "failed": ["delivery_failed"],
            "left": ["delivery_failed"],
            "returned": ["delivery_returned"],
            "reattempt": ["order_created"],
        }[step]
    )
    held = {"failed": int(order_id), "reattempt": int(answer.body["id"])}.get(step)
    assert busy_with("dan") == held
