"""Orders for later: silent until their time, then as any new one, whoever finds it has come."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain.messaging.wakeups import SearchDue
from chalicelib.domain.orders.model import Status
from chalicelib.store.tables import OrderRow
from tests.builders import DEPOT
from tests.functional import rides
from tests.functional.feeds import a_feed, a_profile, types_of
from tests.functional.hails import driver, hail
from tests.functional.kitchen import Kitchen, Plain, names, placed
from tests.functional.schedules import (
    HOUR,
    PLACES,
    in_minutes,
    later,
    pass_hours,
    place,
)
from tests.functional.world import Someone, World

LEAD = timedelta(minutes=20)


# Placing


def test_an_order_for_later_is_scheduled_and_says_so(world: World) -> None:
    cara = world.customer()
    world.courier()
    start = world.clock.now + HOUR
    order = place(
        world,
        cara,
        pickup_from=start.astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat(),
        pickup_by=later(world, 90),
        dropoff_by=later(world, 150),
    )
    assert order["status"] == "scheduled"
    assert order["pickup_from"] == start.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    shown = world.get(f"/v1/orders/{order['id']}", cara).body
    assert shown == order
    assert shown.keys() >= {"pickup_from", "pickup_by", "dropoff_by"}
    assert world.order(order["id"]).deadline_at == start - LEAD


def test_an_order_whose_time_has_come_is_searched_at_once(world: World) -> None:
    world.courier()
    order = place(world, minutes=20)
    assert order["status"] == "assigned"
    assert "pickup_from" in order


def test_a_drop_off_alone_schedules_nothing(world: World) -> None:
    world.courier()
    order = world.place(world.customer(), dropoff_by=later(world, 60))
    assert order["status"] == "assigned"
    assert "dropoff_by" in order


def test_an_order_without_windows_shows_none(world: World) -> None:
    order = world.place(world.customer())
    assert not order.keys() & {"pickup_from", "pickup_by", "dropoff_by"}


BAD: list[dict[str, Any]] = [
    {"pickup_from": "tomorrow"},
    {"pickup_from": "2031-05-06T07:08:09"},
    {"pickup_from": 1935825600},
    {"pickup_from": True},
    {"pickup_from": -1},
    {"pickup_by": 60},
    {"pickup_from": 60, "pickup_by": 69},
    {"pickup_from": 60 * 24 * 30},
    {"dropoff_by": 19},
    {"pickup_from": 60, "dropoff_by": 60},
    {"pickup_from": 60, "pickup_by": 60 * 24 * 31},
]


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("bad", BAD, ids=str)
def test_windows_that_can_not_be_met_are_refused(
    world: World, path: str, bad: dict[str, Any]
) -> None:
    refused = world.post(path, {**PLACES[path], **in_minutes(world, bad)}, world.customer())
    assert (refused.status, refused.body["error"]) == (400, "invalid_input")
    assert refused.body["details"]["field"] in bad
    assert not list(OrderRow.scan())


@pytest.mark.parametrize("path", PLACES)
def test_every_flow_can_be_scheduled(world: World, path: str) -> None:
    windows = in_minutes(world, {"pickup_from": 60, "pickup_by": 90, "dropoff_by": 120})
    cara = world.customer()
    answer = world.post(path, {**PLACES[path], **windows, "external_id": "7"}, cara)
    assert (answer.status, answer.body["status"]) == (201, "scheduled")
    assert answer.body.keys() >= windows.keys()
    order_id = answer.body.get("id") or answer.body["ride_id"]
    shown = world.get(f"/v1/orders/{order_id}", cara).body
    assert shown["status"] == "scheduled"
    assert shown["pickup_by"] == answer.body["pickup_by"]
    assert world.get("/v1/customer/active-order", cara).body == {"active": False}
    assert world.queue.next_due() is None or all(
        not isinstance(message.wakeup, SearchDue) for message in world.queue.waiting
    )


def test_the_same_request_is_answered_alike_when_its_time_has_passed(world: World) -> None:
    """What was met when it was first sent is not checked again."""
    cara = world.customer()
    windows = {"pickup_from": later(world, 60)}
    body, key = {**PLACES["/v1/orders"], **windows}, {"Idempotency-Key": "k" * 20}
    first = world.call("POST", "/v1/orders", body, cara, key)
    world.clock.advance(2 * HOUR.total_seconds())
    again = world.call("POST", "/v1/orders", body, cara, key)
    assert (again.status, again.body["id"]) == (201, first.body["id"])


def test_a_pickup_on_the_other_side_of_a_clock_change(world: World) -> None:
    """The offset that is given counts, not how far the clock on the wall is."""
    berlin = ZoneInfo("Europe/Berlin")
    world.clock.now = datetime(2031, 3, 29, 12, tzinfo=berlin)  # clocks go forward that night
    pickup = datetime(2031, 3, 30, 12, tzinfo=berlin)
    order = place(world, pickup_from=pickup.isoformat())
    assert order["pickup_from"] == "2031-03-30T10:00:00.000Z"
    world.clock.now = world.clock.now.astimezone(timezone.utc)
    deadline = world.order(order["id"]).deadline_at
    assert deadline is not None
    assert deadline - world.clock.now == timedelta(hours=23) - LEAD


def test_the_hour_that_comes_twice_has_two_moments(world: World) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    world.clock.now = datetime(2031, 10, 25, 12, tzinfo=timezone.utc)
    twice = [datetime(2031, 10, 26, 2, 30, tzinfo=berlin, fold=fold) for fold in (0, 1)]
    found = [place(world, pickup_from=at.isoformat())["pickup_from"] for at in twice]
    assert found == ["2031-10-26T00:30:00.000Z", "2031-10-26T01:30:00.000Z"]


# Silence


def test_a_delivery_is_silent_until_its_time(world: World) -> None:
    dan, cara = world.courier(), world.customer()
    his, hers = world.connect(dan), world.connect(cara)
    order = place(world, cara)
    pass_hours(world, 39 / 60)
    assert his.take() == hers.take() == []
    world.post("/v1/courier/location", {"lat": DEPOT[0], "lng": DEPOT[1]}, dan)
    pass_hours(world, 1 / 60)
    assert [frame["event"] for frame in his.take()] == ["order.assigned"]
    assert [frame["data"]["status"] for frame in hers.take()] == ["assigned"]
    active = world.get("/v1/customer/active-order", cara).body
    assert active["order"]["id"] == order["id"]


def test_the_feed_hears_at_once_and_only_once(world: World) -> None:
    cara = a_profile(world, world.customer())
    feed = a_feed(world, cara, "order_created")
    place(world, cara)
    assert types_of(feed.take()) == ["order_created"]
    pass_hours(world, 1)
    assert types_of(feed.take()) == []


def test_a_ride_is_called_out_as_its_time_comes(world: World) -> None:
    rider, dora = rides.a_rider(world), rides.a_driver(world)
    rider.forget()
    answer = rider.did("request_ride", **rides.WISH, pickup_from=later(world, 30))
    assert "pickup_from" in answer
    assert rider.did("get_ride_state", ride_id=answer["ride_id"])["ride_data"]["status"] == (
        "scheduled"
    )
    world.pass_time(9 * 60)
    world.sweep()
    assert not dora.heard("new_ride_request")
    assert not rider.statuses()
    rides.locate(dora, DEPOT)
    world.pass_time(60)
    world.sweep()
    [heard] = dora.heard("new_ride_request")
    assert heard["ride_id"] == answer["ride_id"]
    dora.did("accept_ride", ride_id=answer["ride_id"])
    assert rider.statuses() == ["arrivingToPickup"]


def test_a_bad_window_over_the_socket_is_refused(world: World) -> None:
    rider = rides.a_rider(world)
    for bad in ("soon", later(world, -1), later(world, 60 * 24 * 30)):
        answer = rider.ask("request_ride", **rides.WISH, pickup_from=bad)
        assert (answer["status"], answer["code"]) == ("error", "INVALID_PAYLOAD")
    assert not list(OrderRow.scan())


def test_a_meal_is_shown_to_its_restaurant_as_its_time_comes(world: World) -> None:
    kitchen = Kitchen(world)
    owner, customer = Plain(world, kitchen.owner), Plain(world, kitchen.customer)
    meal = placed(world, kitchen.customer, pickup_from=later(world, 60))
    assert meal["status"] == "scheduled"
    world.pump()
    assert owner.heard() == customer.heard() == []
    assert owner.emit("get-restaurant-orders") == [("restaurant-orders", {"orders": []})]
    hidden = world.get(f"/v1/orders/{meal['id']}", kitchen.owner)
    assert hidden.status == 404
    confirm = {"orderId": meal["id"], "status": "confirmed"}
    assert names(owner.emit("update-order-status", confirm)) == ["error"]
    pass_hours(world, 40 / 60)
    assert names(owner.heard()) == ["new-order"]
    [(name, told)] = customer.heard()
    assert (name, told["order"]["status"]) == ("order-created", "pending")
    [(_, listed)] = owner.emit("get-restaurant-orders")
    assert [order["id"] for order in listed["orders"]] == [meal["id"]]
    kitchen.update(meal["id"], "confirmed", "preparing", "ready_for_pickup")


def test_a_hail_is_offered_as_its_time_comes(world: World) -> None:
    order = hail(world, pickup_from=later(world, 60))
    assert order["status"] == "scheduled"
    pass_hours(world, 39 / 60)
    _, socket = driver(world, "dan")
    pass_hours(world, 1 / 60)
    assert [frame["type"] for frame in socket.take()] == ["new_order"]


@pytest.mark.parametrize("path", PLACES)
def test_a_scheduled_order_is_cancelled_without_a_word(world: World, path: str) -> None:
    cara = world.customer("123")
    sockets = [
        world.connect(cara),
        world.connect(cara, "food"),
        world.connect(Kitchen(world).owner, "food"),
        world.connect(world.courier()),
    ]
    answer = world.post(path, {**PLACES[path], "pickup_from": later(world, 60)}, cara)
    order_id = answer.body.get("id") or answer.body["ride_id"]
    cancelled = world.post(f"/v1/orders/{order_id}/cancel", {"reason": "rain"}, cara)
    assert cancelled.status == 200
    pass_hours(world, 2)
    assert world.order(order_id).status is Status.CANCELLED
    assert [socket.take() for socket in sockets] == [[]] * len(sockets)


def test_an_admin_who_cancels_lets_the_customer_know(world: World) -> None:
    kitchen = Kitchen(world)
    owner, customer = Plain(world, kitchen.owner), Plain(world, kitchen.customer)
    meal = placed(world, kitchen.customer, pickup_from=later(world, 60))
    world.post(f"/v1/orders/{meal['id']}/cancel", {}, world.admin())
    assert names(customer.heard()) == ["order-updated"]
    assert owner.heard() == []


def test_a_scheduled_order_is_nobody_s_to_take(world: World) -> None:
    dan, cara = world.courier(), world.customer()
    order = place(world, cara)
    path = f"/v1/admin/orders/{order['id']}/assign"
    refused = world.post(path, {"courier_id": dan.id}, world.admin())
    assert (refused.status, refused.body["error"]) == (409, "invalid_transition")
    assert refused.body["details"] == {
        "from": "scheduled",
        "to": "assigned",
        "allowed": ["amended", "cancelled"],
    }
    for verb in ("accept", "decline", "arrived", "picked", "delivered"):
        assert world.step(verb, order["id"], dan).status == 403
    assert world.post(f"/v1/orders/{order['id']}/retry", by=cara).status == 409


def test_a_scheduled_order_is_listed_as_such_and_not_to_its_restaurant(world: World) -> None:
    kitchen = Kitchen(world)
    meal = placed(world, kitchen.customer, pickup_from=later(world, 60))

    def find(by: Someone, status: str) -> list[int]:
        found = world.call("GET", f"/v1/orders?status={status}", by=by)
        return [order["id"] for order in found.body["orders"]]

    assert find(kitchen.customer, "scheduled") == find(kitchen.customer, "all") == [meal["id"]]
    assert find(kitchen.customer, "active") == find(kitchen.owner, "all") == []
    world.post(f"/v1/orders/{meal['id']}/cancel", {}, kitchen.customer)
    assert find(kitchen.customer, "done") == [meal["id"]]
    assert find(kitchen.owner, "all") == []
    other = placed(world, kitchen.customer, pickup_from=later(world, 21))
    pass_hours(world, 1 / 60)
    assert find(kitchen.customer, "active") == find(kitchen.owner, "active") == [other["id"]]


def test_an_order_may_have_a_price_for_its_time(world: World) -> None:
    cara, start = world.customer(), later(world, 60)
    body = {
        "flow": "delivery",
        "pickup": {"lat": DEPOT[0], "lng": DEPOT[1]},
        "dropoff": {"lat": DEPOT[0], "lng": DEPOT[1]},
        "pickup_from": start,
    }
    quoted = world.post("/v1/quotes", body, cara).body
    places = {"dropoff_lat": DEPOT[0], "dropoff_lng": DEPOT[1], "quote_id": quoted["quote_id"]}
    refused = world.post(
        "/v1/orders",
        {
            **PLACES["/v1/orders"],
            "pickup_lat": DEPOT[0],
            "pickup_lng": DEPOT[1],
            **places,
            "pickup_from": later(world, 61),
        },
        cara,
    )
    assert (refused.status, refused.body["error"]) == (409, "quote_mismatch")
    order = place(world, cara, **places, pickup_from=start)
    assert order["price"]["total"] == quoted["total"]


def test_the_active_order_is_the_one_that_is_under_way(world: World) -> None:
    world.courier()
    cara = world.customer()
    now = world.place(cara)
    for _ in range(12):
        place(world, cara)
    active = world.get("/v1/customer/active-order", cara).body
    assert active["order"]["id"] == now["id"]
