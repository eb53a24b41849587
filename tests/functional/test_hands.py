"""What dispatchers do by hand, over REST: who may, what is told, what is kept, and races."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.people import Role
from chalicelib.store.tables import CourierHistoryRow, CourierRow
from tests.builders import DEPOT
from tests.functional.kitchen import Kitchen, an_owner, names
from tests.functional.rides import a_driver, a_ride, a_rider, request
from tests.functional.world import Answer, Someone, World

HANDS = ("assign", "release", "cancel", "fail", "retry")
WHY: dict[str, Any] = {"reason": "unreachable", "note": "No answer since noon"}


def lend(world: World, hand: str, order_id: Any, by: Someone | None = None, **body: Any) -> Answer:
    path = f"/v1/admin/orders/{order_id}/{hand}"
    return world.post(path, body, by or world.admin())


def pause(world: World, courier_id: str, step: str = "pause", **body: Any) -> Answer:
    return world.post(f"/v1/admin/couriers/{courier_id}/{step}", body, world.admin())


def history_of(world: World, courier_id: str) -> list[dict[str, Any]]:
    answer = world.get(f"/v1/admin/couriers/{courier_id}/history", world.admin())
    assert answer.status == 200, answer
    return list(answer.body["history"])


def last_change(world: World, order_id: Any, step: str) -> dict[str, Any]:
    answer = world.get(f"/v1/orders/{order_id}/history", world.admin())
    return dict([one for one in answer.body["history"] if one["step"] == step][-1])


def under_way(world: World, *verbs: str) -> tuple[str, Someone]:
    dan = world.courier()
    order_id = str(world.place(world.customer())["id"])
    for verb in verbs:
        assert world.step(verb, order_id, dan).status == 200
    return order_id, dan


# Roles


def test_hands_are_for_dispatchers_and_a_merchant_s_reach_its_own_orders(world: World) -> None:
    kitchen = Kitchen(world)
    order_id = kitchen.ready()
    other = an_owner(world, "790", id_="78")
    for hand in HANDS:
        body = {"courier_id": "dan"} if hand == "assign" else {}
        for role in (Role.CUSTOMER, Role.COURIER):
            by = world.someone(role, "123")
            assert lend(world, hand, order_id, by, **body).status == 403
        assert lend(world, hand, order_id, other, **body).status == 404
        assert lend(world, hand, 12345, None, **body).status == 404
    for step in ("pause", "resume"):
        path = f"/v1/admin/couriers/dan/{step}"
        assert world.post(path, {}, kitchen.owner).status == 403
        assert world.post(path, {}, world.courier()).status == 403
        assert pause(world, "nobody", step).status == 404
    assert world.get("/v1/admin/couriers/dan/history", kitchen.owner).status == 403
    assert world.get("/v1/admin/couriers/nobody/history", world.admin()).status == 404
    messages = f"/v1/admin/orders/{order_id}/messages"
    assert world.get(messages, other).status == 404
    assert world.get(messages, kitchen.customer).status == 403
    assert world.get(messages, kitchen.owner).body == {"messages": []}
    cancelled = lend(world, "cancel", order_id, kitchen.owner, **WHY)
    assert (cancelled.status, cancelled.body["status"]) == (200, "cancelled")
    change = last_change(world, order_id, "cancel")
    assert change["actor"] == {"role": "merchant", "id": "77"}
    assert (change["reason"], change["note"]) == tuple(WHY.values())


@pytest.mark.parametrize(
    ("hand", "body", "field"),
    [
        ("assign", {}, "courier_id"),
        ("assign", {"courier_id": ["dan"]}, "courier_id"),
        ("assign", {"courier_id": "x" * 200}, "courier_id"),
        ("release", {"reason": 7}, "reason"),
        ("release", {"note": "x" * 201}, "note"),
        ("fail", {"then": "eat"}, "then"),
        ("fail", {"then": []}, "then"),
    ],
)
def test_bad_bodies_are_refused_by_name(
    world: World, hand: str, body: dict[str, Any], field: str
) -> None:
    order_id, _ = under_way(world, "accept")
    world.is_sound = False
    answer = lend(world, hand, order_id, **body)
    assert (answer.status, answer.body["details"]["field"]) == (400, field)
    assert world.order(order_id).courier_id == "dan"


# Orders


def test_an_accepted_order_is_reassigned_and_who_loses_it_hears_so_once(world: World) -> None:
    order_id, dan = under_way(world, "accept")
    eve = world.courier("eve")
    lost, got = world.connect(dan), world.connect(eve)
    lost.take(), got.take()
    answer = lend(world, "assign", order_id, courier_id="eve", **WHY)
    assert (answer.status, answer.body["status"], answer.body["courier_id"]) == (
        200,
        "assigned",
        "eve",
    )
    assert "reason" not in answer.body  # it is the dispatchers' own
    again = lend(world, "assign", order_id, courier_id="eve", **WHY)
    assert (again.status, again.body) == (200, answer.body)
    world.pump()
    assert [frame["event"] for frame in lost.take()] == ["order.reassigned_away"]
    assert [frame["event"] for frame in got.take()] == ["order.assigned"]
    change = last_change(world, order_id, "assign")
    assert change["actor"] == {"role": "admin", "id": "ada"}
    assert (change["reason"], change["note"]) == tuple(WHY.values())
    (taken,) = history_of(world, "dan")
    (given,) = history_of(world, "eve")
    assert (taken["step"], given["step"]) == ("reassign", "assign")
    assert taken["order_id"] == given["order_id"] == order_id
    assert given["reason"], given["note"] == tuple(WHY.values())
    assert world.step("accept", order_id, eve).status == 200


def test_a_released_order_goes_to_another_and_a_repeat_leaves_it_there(world: World) -> None:
    order_id, dan = under_way(world, "accept", "arrived")
    world.courier("eve")
    socket = world.connect(dan)
    socket.take()
    answer = lend(world, "release", order_id, reason="late")
    assert (answer.status, answer.body["courier_id"]) == (200, "eve")
    world.clock.advance(2)
    again = lend(world, "release", order_id, reason="late")
    assert (again.status, again.body["courier_id"]) == (200, "eve")
    named = lend(world, "release", order_id, courier_id="dan")
    assert (named.status, named.body["courier_id"]) == (200, "eve")
    world.pump()
    assert [frame["event"] for frame in socket.take()] == ["order.reassigned_away"]
    assert [change["step"] for change in history_of(world, "dan")] == ["release"]
    assert CourierRow.get("dan").order_id is None
    assert world.order(order_id).releases == 0


def test_what_fails_after_its_pickup_comes_back_and_is_tried_again_once(world: World) -> None:
    order_id, dan = under_way(world, "accept", "arrived", "picked")
    refused = lend(world, "assign", order_id, courier_id="dan2")
    assert refused.status == 404
    world.courier("eve")
    refused = lend(world, "assign", order_id, courier_id="eve")
    assert (refused.status, refused.body["error"]) == (409, "invalid_transition")
    details = refused.body["details"]
    assert (details["from"], details["to"]) == ("picked_up", "assigned")
    refused = lend(world, "release", order_id)
    assert (refused.status, refused.body["error"]) == (409, "invalid_transition")
    assert refused.body["details"]["hands"] == ["cancel", "fail"]
    failed = lend(world, "fail", order_id)
    assert (failed.status, failed.body["state"]) == (200, "returning")
    assert lend(world, "fail", order_id).body == failed.body
    assert last_change(world, order_id, "take_back")["actor"] == {"role": "admin", "id": "ada"}
    assert lend(world, "retry", order_id).status == 409  # it is on its way yet
    back = world.post("/v1/courier/orders/returned", {"order_id": order_id}, dan)
    assert back.status == 200
    child = lend(world, "retry", order_id, **WHY)
    assert (child.status, child.body["parent_id"]) == (201, order_id)
    placed = last_change(world, child.body["id"], "place")
    assert placed["actor"] == {"role": "admin", "id": "ada"}
    assert (placed["reason"], placed["note"]) == tuple(WHY.values())
    again = lend(world, "retry", order_id, **WHY)
    assert (again.status, again.body["id"]) == (201, child.body["id"])


def test_nobody_at_the_pickup_ends_it_at_once(world: World) -> None:
    order_id, _ = under_way(world, "accept", "arrived")
    failed = lend(world, "fail", order_id, reason="recipient_absent")
    assert (failed.status, failed.body["state"]) == (200, "no_show")
    assert lend(world, "fail", order_id).status == 200
    assert CourierRow.get("dan").order_id is None
    assert [change["step"] for change in history_of(world, "dan")] == ["fail"]


def test_an_unserved_order_is_searched_for_again(world: World) -> None:
    order_id = world.place(world.customer())["id"]
    assert world.order(order_id).status.value == "unserved"
    world.courier()
    retried = lend(world, "retry", order_id, reason="other")
    assert (retried.status, retried.body["courier_id"]) == (200, "dan")
    assert lend(world, "retry", order_id).body == retried.body
    assert last_change(world, order_id, "retry")["reason"] == "other"


def test_a_meal_that_nobody_collected_is_in_the_pool_again(world: World) -> None:
    kitchen = Kitchen(world)
    order_id = kitchen.ready()
    world.pass_time(7201)
    assert world.order(order_id).status.value == "unserved"
    (driver,) = kitchen.drivers("456")
    assert lend(world, "retry", order_id, kitchen.owner).body["status"] == "ready_for_pickup"
    world.pump()
    assert "order-available" in names(driver.heard()) or world.order(order_id).is_open
    driver.emit("accept-order", {"orderId": order_id})
    released = lend(world, "release", order_id)
    assert (released.status, world.order(order_id).is_open) == (200, True)


def test_a_ride_is_given_to_a_driver_and_taken_again(world: World) -> None:
    rider, dora, dick = a_rider(world), a_driver(world), a_driver(world, "dick")
    ride_id = request(rider)
    given = lend(world, "assign", ride_id, courier_id="dora")
    assert (given.status, given.body["courier_id"]) == (200, "dora")
    world.pump()
    assert dora.statuses() == rider.statuses() == ["arrivingToPickup"]
    assert dick.heard("ride_request_closed")
    lend(world, "assign", ride_id, courier_id="dick")
    world.pump()
    assert dora.statuses() == ["arrivingToPickup", "canceled"]
    assert dick.statuses() == ["arrivingToPickup"]
    dick.did("start_ride", ride_id=ride_id)
    assert lend(world, "release", ride_id).status == 409
    assert lend(world, "fail", ride_id).status == 409
    assert lend(world, "cancel", ride_id).body["status"] == "cancelled"


# Couriers


def test_a_paused_courier_is_asked_for_nothing_until_they_are_resumed(world: World) -> None:
    world.courier()
    shown = pause(world, "dan", **WHY)
    assert shown.status == 200, shown
    assert (shown.body["paused"], shown.body["on_duty"], shown.body["order_id"]) == (
        True,
        True,
        None,
    )
    assert pause(world, "dan").body == shown.body
    assert CourierRow.get("dan").free_shard == 100
    world.courier(available=False)  # off duty and on again: a pause is lifted by no such thing
    world.courier()
    assert CourierRow.get("dan").free_shard == 100
    row = world.waybill.board.read(world.clock.now).couriers["dan"]
    assert (row.is_paused, row.is_idle) == (True, False)
    cara = world.customer()
    unserved = world.place(cara)
    assert unserved["status"] == "no_nearby_driver"
    refused = lend(world, "assign", unserved["id"], courier_id="dan")
    assert (refused.status, refused.body["error"]) == (409, "courier_paused")
    world.clock.advance(1)
    assert pause(world, "dan", "resume", note="Back").body["paused"] is False
    assert pause(world, "dan", "resume").status == 200
    assert world.place(cara)["courier_id"] == "dan"
    steps = [(one["step"], one.get("reason"), one.get("note")) for one in history_of(world, "dan")]
    assert steps == [("resume", "other", "Back"), ("pause", *WHY.values())]


def test_a_paused_courier_keeps_the_order_they_have_and_gets_none_after_it(world: World) -> None:
    order_id, dan = under_way(world)
    shown = pause(world, "dan").body
    assert (shown["order_id"], shown["idle_since"]) == (order_id, None)
    for verb in ("accept", "arrived", "picked", "delivered"):
        assert world.step(verb, order_id, dan).status == 200
    world.pump()
    row = CourierRow.get("dan").attribute_values
    assert "order_id" not in row
    assert row["free_shard"] == 100
    world.clock.advance(400)  # a sign of life, long after the last
    world.post("/v1/courier/location", {"lat": DEPOT[0], "lng": DEPOT[1]}, dan)
    world.get("/v1/courier/active-order", dan)
    assert CourierRow.get("dan").free_shard == 100
    assert world.place(world.customer("carl"))["status"] == "no_nearby_driver"


def test_a_paused_driver_takes_no_ride_and_no_meal(world: World) -> None:
    rider, dora = a_rider(world), a_driver(world)
    ride_id = request(rider)
    assert dora.heard("new_ride_request")
    pause(world, "dora")
    assert dora.ask("accept_ride", ride_id=ride_id)["status"] != "success"
    dora.forget()
    request(a_rider(world, "rob"))
    world.pass_time(15)
    assert not dora.heard("new_ride_request")
    kitchen = Kitchen(world)
    (driver,) = kitchen.drivers("456")
    world.post("/v1/courier/availability", {"available": True}, world.someone(Role.COURIER, "456"))
    pause(world, "456")
    driver.heard()
    order_id = kitchen.ready()
    world.pump()
    assert not driver.heard()
    driver.emit("accept-order", {"orderId": order_id})
    assert world.order(order_id).courier_id is None


@pytest.mark.parametrize("is_first", [True, False])
def test_a_pause_and_an_offer_at_once_end_in_one_of_two_ways(world: World, is_first: bool) -> None:
    """Paused after the index was read: the claim is refused. Offered before: it is kept."""
    world.courier()
    if is_first:
        row = CourierRow.get("dan")
        pause(world, "dan")
        # The index is behind: it names them as it was.
        CourierRow("dan").update(actions=[CourierRow.free_shard.set(row.free_shard)])
    placed = world.place(world.customer())
    if not is_first:
        pause(world, "dan")
    assert placed["status"] == ("no_nearby_driver" if is_first else "assigned")
    assert CourierRow.get("dan").order_id == (None if is_first else int(placed["id"]))


def test_of_an_accept_and_an_assignment_at_once_one_comes_second(world: World) -> None:
    order_id, dan = under_way(world)
    eve = world.courier("eve")
    assert world.step("accept", order_id, dan).status == 200
    assert lend(world, "assign", order_id, courier_id="eve").status == 200
    assert world.order(order_id).courier_id == "eve"
    assert world.step("arrived", order_id, dan).status == 409
    assert world.step("accept", order_id, eve).status == 200


def test_a_courier_s_history_is_paged_and_expires_as_orders_do(world: World) -> None:
    world.courier()
    for n in range(3):
        world.clock.advance(1)
        pause(world, "dan", note=str(n))
        world.clock.advance(1)
        pause(world, "dan", "resume", note=str(n))
    path = "/v1/admin/couriers/dan/history?limit=4"
    page = world.get(path, world.admin()).body
    assert [one["note"] for one in page["history"]] == ["2", "2", "1", "1"]
    rest = world.get(f"{path}&cursor={page['next_cursor']}", world.admin()).body
    assert [one["note"] for one in rest["history"]] == ["0", "0"]
    assert "next_cursor" not in rest
    assert world.get(f"{path}&cursor=x", world.admin()).status == 400
    (*_, row) = CourierHistoryRow.query("dan")
    kept_s = row.expires - world.clock.now.timestamp()
    assert 89.9 * 86400 < kept_s <= 90 * 86400
    world.clock.advance(91 * 86400)
    assert history_of(world, "dan") == []


def test_a_dispatcher_reads_what_the_two_sides_wrote_a_page_at_a_time(world: World) -> None:
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    for n, client in enumerate([rider, driver, rider]):
        world.clock.advance(1)
        client.did("send_chat_message", ride_id=ride_id, message=f"message {n}")
    path = f"/v1/admin/orders/{ride_id}/messages?limit=2"
    page = world.get(path, world.admin()).body
    assert [one["text"] for one in page["messages"]] == ["message 2", "message 1"]
    assert page["messages"][1]["from"] == {"role": "courier", "id": "dora"}
    rest = world.get(f"{path}&cursor={page['next_cursor']}", world.admin()).body
    assert [one["text"] for one in rest["messages"]] == ["message 0"]
    assert "next_cursor" not in rest
