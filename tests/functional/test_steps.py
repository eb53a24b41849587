"""What a courier does with an order, step by step (S0-18 to S0-24, S0-38 to S0-45)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.store.tables import CourierRow
from tests.builders import DEPOT, north_of
from tests.functional.world import World

WAY = ("accept", "arrived", "picked", "delivered")
REACHES = {
    "accept": "accepted",
    "arrived": "arrived",
    "picked": "picked_up",
    "delivered": "delivered",
}


def test_the_customer_hears_every_step_with_the_courier_where_spec_000_has_it(
    world: World,
) -> None:
    """S0-19 to S0-24"""
    cara, dan = world.customer(), world.courier()
    profile = {"name": "Dan", "phone": "+91", "profile_picture": "https://p/dan.png"}
    assert world.call("PUT", "/v1/me", profile, dan).status == 200
    hers, his = world.connect(cara), world.connect(dan)
    order = world.place(cara)
    hers.take()
    for verb in WAY:
        answer = world.step(verb, order["id"], dan)
        assert (answer.status, answer.body["status"]) == (200, REACHES[verb])
        (frame,) = hers.take()
        known = {"order_id": order["id"], "status": REACHES[verb]}
        if verb != "arrived":
            known |= {
                "courier_name": "Dan",
                "courier_phone": "+91",
                "courier_profile_picture": "https://p/dan.png",
            }
        assert frame == {"event": "order.status", "data": known}
    assert [frame["event"] for frame in his.take()] == ["order.assigned"]


def test_a_courier_without_a_profile_is_shown_as_the_token_says(world: World) -> None:
    cara, dan = world.customer(), world.courier(name="Dan of the token")
    hers = world.connect(cara)
    order = world.place(cara)
    world.step("accept", order["id"], dan)
    data = hers.take()[-1]["data"]
    assert data["courier_name"] == "Dan of the token"
    assert "courier_phone" not in data


def test_a_step_out_of_turn_is_refused_with_what_is_allowed(world: World) -> None:
    """S0-38"""
    cara, dan = world.customer(), world.courier()
    order = world.place(cara)
    answer = world.step("picked", order["id"], dan)
    assert answer.status == 409
    assert answer.body["error"] == "invalid_transition"
    assert answer.body["details"]["from"] == "assigned"
    assert answer.body["details"]["to"] == "picked_up"
    assert {"accepted", "declined"} <= set(answer.body["details"]["allowed"])
    assert world.order(order["id"]).version == 1


def test_a_step_taken_twice_is_taken_once(world: World) -> None:
    """S0-39"""
    cara, dan = world.customer(), world.courier()
    hers = world.connect(cara)
    order = world.place(cara)
    for verb in WAY:
        first, second = (world.step(verb, order["id"], dan) for _ in range(2))
        assert (first.status, first.body) == (second.status, second.body)
    assert len(hers.take()) == 1 + len(WAY)
    assert world.order(order["id"]).version == 1 + len(WAY)


def test_only_the_one_who_has_it_takes_a_step(world: World) -> None:
    """S0-40: unknown 404, never offered 403, offered and moved on 409"""
    dan, eve = world.courier("dan"), world.courier("eve", north_of(DEPOT, 500))
    zoe = world.courier("zoe", (0.0, 0.0))
    order = world.place(world.customer())
    world.step("decline", order["id"], dan)
    for verb in ("accept", "decline", "arrived", "picked", "reached", "delivered"):
        assert world.step(verb, "123", dan).status == 404
        assert world.step(verb, order["id"], zoe).status == 403
        gone = world.step(verb, order["id"], dan)
        assert (gone.status, gone.body["error"]) == (409, "offer_gone")
        assert world.step(verb, order["id"], world.customer()).status == 403
    assert world.step("accept", order["id"], eve).status == 200


def test_the_courier_in_the_body_must_be_the_one_of_the_token(world: World) -> None:
    """Ambiguity a"""
    dan = world.courier()
    order = world.place(world.customer())
    path = "/v1/courier/orders/accept"
    other = world.post(path, {"order_id": order["id"], "courier_id": "eve"}, dan)
    assert (other.status, other.body["error"]) == (403, "courier_id_mismatch")
    assert world.post(path, {"order_id": order["id"], "courier_id": "dan"}, dan).status == 200


def test_a_declined_order_goes_on_to_the_next(world: World) -> None:
    """S0-20, S0-44, ambiguity d"""
    dan, eve = world.courier("dan"), world.courier("eve", north_of(DEPOT, 500))
    cara = world.customer()
    hers, his, other = world.connect(cara), world.connect(dan), world.connect(eve)
    order = world.place(cara)
    his.take()
    answer = world.step("decline", order["id"], dan)
    assert (answer.body["status"], answer.body["courier_id"]) == ("assigned", "eve")
    assert world.get("/v1/customer/active-order", cara).body["active"]
    assert world.get("/v1/courier/active-order", dan).body == {"active": False}
    world.step("decline", order["id"], eve)
    assert [frame["data"]["status"] for frame in hers.take()] == [
        "assigned",
        "declined",
        "assigned",
        "declined",
        "no_nearby_driver",
    ]
    assert his.take() == []
    assert [frame["event"] for frame in other.take()] == ["order.assigned"]


def test_going_off_duty_declines_an_open_offer(world: World) -> None:
    """S0-43"""
    dan, cara = world.courier("dan"), world.customer()
    world.courier("eve", north_of(DEPOT, 500))
    hers = world.connect(cara)
    order = world.place(cara)
    answer = world.post("/v1/courier/availability", {"available": False}, dan)
    assert (answer.status, answer.body) == (200, {"available": False})
    statuses = [frame["data"]["status"] for frame in hers.take()]
    assert statuses == ["assigned", "declined", "assigned"]
    assert world.order(order["id"]).courier_id == "eve"


def test_going_off_duty_lets_accepted_work_go_on(world: World) -> None:
    """S0-43"""
    dan, cara = world.courier(), world.customer()
    order = world.place(cara)
    world.step("accept", order["id"], dan)
    world.post("/v1/courier/availability", {"available": False}, dan)
    for verb in WAY[1:]:
        assert world.step(verb, order["id"], dan).status == 200
    assert world.place(cara)["status"] == "no_nearby_driver"


def test_after_a_delivery_the_courier_is_asked_again(world: World) -> None:
    dan, cara = world.courier(), world.customer()
    order = world.place(cara)
    for verb in WAY:
        world.step(verb, order["id"], dan)
    assert world.place(cara)["courier_id"] == "dan"


@pytest.mark.parametrize("value", [None, "true", 1, 0, "", [], {}])
def test_availability_is_true_or_false(world: World, value: Any) -> None:
    """S0-18"""
    dan = world.courier(available=False)
    answer = world.post("/v1/courier/availability", {"available": value}, dan)
    assert (answer.status, answer.body["details"]) == (400, {"field": "available"})
    assert not CourierRow.get("dan").available


def test_availability_is_the_token_s_own(world: World) -> None:
    """S0-18: a courier_id in the body is ignored"""
    dan = world.courier(available=False)
    world.courier("eve", available=False)
    body = {"available": True, "courier_id": "eve"}
    assert world.post("/v1/courier/availability", body, dan).status == 200
    assert CourierRow.get("dan").available
    assert not CourierRow.get("eve").available
    assert world.post("/v1/courier/availability", body, world.customer()).status == 403


def test_availability_may_say_where(world: World) -> None:
    """S0-45, ambiguity o: it does not count against one location a second"""
    dan = world.courier(at=None)
    for metres in (10, 20):
        lat, lng = north_of(DEPOT, metres)
        body = {"available": True, "lat": lat, "lng": lng}
        assert world.post("/v1/courier/availability", body, dan).status == 200
    at = {"lat": DEPOT[0], "lng": DEPOT[1]}
    assert world.post("/v1/courier/location", at, dan).body == {"stored": True}
    half = world.post("/v1/courier/availability", {"available": False, "lat": 1}, dan)
    assert half.status == 400
    assert CourierRow.get("dan").available
    assert world.place(world.customer())["courier_id"] == "dan"


def test_a_location_is_taken_once_a_second(world: World) -> None:
    """S0-45"""
    dan = world.courier(at=None)
    at = {"lat": DEPOT[0], "lng": DEPOT[1]}
    assert world.post("/v1/courier/location", at, dan).body == {"stored": True}
    world.clock.advance(0.9)
    soon = world.post("/v1/courier/location", {"lat": 0, "lng": 0}, dan)
    assert (soon.status, soon.body["error"]) == (429, "rate_limited")
    assert soon.headers["retry-after"] == "1"
    assert world.place(world.customer())["courier_id"] == "dan"
    world.clock.advance(0.1)
    assert world.post("/v1/courier/location", {"lat": 0, "lng": 0}, dan).body == {"stored": True}


def test_a_location_older_than_the_last_is_not_taken(world: World) -> None:
    dan = world.courier()
    world.clock.advance(10)
    earlier = (world.clock.now.timestamp()) - 30
    answer = world.post("/v1/courier/location", {"lat": 0, "lng": 0, "ts": earlier}, dan)
    assert answer.body == {"stored": False}
    assert world.place(world.customer())["courier_id"] == "dan"


def test_a_location_from_the_future_is_from_now(world: World) -> None:
    """Else one wrong clock would keep all later ones out."""
    dan = world.courier(at=None)
    ahead = world.clock.now.timestamp() + 3600
    body = {"lat": 0, "lng": 0, "ts": ahead}
    assert world.post("/v1/courier/location", body, dan).body == {"stored": True}
    world.clock.advance(1)
    at = {"lat": DEPOT[0], "lng": DEPOT[1]}
    assert world.post("/v1/courier/location", at, dan).body == {"stored": True}


def test_a_location_comes_by_the_socket_too(world: World) -> None:
    """S0-45, and what is wrong with it is said on the socket, which stays open"""
    dan = world.courier(at=None)
    socket = world.connect(dan)
    there = {"event": "location.update", "data": {"lat": DEPOT[0], "lng": DEPOT[1]}}
    assert socket.say(there) == []
    for _ in range(5):  # more than one a second: passed over without a word
        assert socket.say(there) == []
    (error,) = socket.say({"event": "location.update", "data": {"lat": 91, "lng": 0}})
    assert error["event"] == "error"
    assert set(error["data"]) == {"message"}
    for nonsense in ("x", "[]", {"event": "order.accept"}, {"event": "location.update"}):
        assert [frame["event"] for frame in socket.say(nonsense)] == ["error"]
    assert world.place(world.customer())["courier_id"] == "dan"


def test_moving_out_of_a_cell_moves_the_courier_in_the_index(world: World) -> None:
    dan = world.courier()
    world.clock.advance(2)
    lat, lng = north_of(DEPOT, 20_000)
    world.post("/v1/courier/location", {"lat": lat, "lng": lng}, dan)
    assert world.place(world.customer())["status"] == "no_nearby_driver"
    there = world.place(world.customer("bob"), pickup_lat=lat, pickup_lng=lng)
    assert there["courier_id"] == "dan"


def test_reaching_the_door_is_told_once_and_is_no_status_of_spec_000(world: World) -> None:
    dan, cara = world.courier(), world.customer()
    hers = world.connect(cara)
    order = world.place(cara)
    for verb in WAY[:3]:
        world.step(verb, order["id"], dan)
    hers.take()
    for _ in range(2):
        assert world.step("reached", order["id"], dan).body["status"] == "picked_up"
    assert hers.take() == []
    assert world.step("delivered", order["id"], dan).status == 200


def test_an_admin_gives_an_order_to_another_by_hand(world: World) -> None:
    """Ambiguity e: by hand, the old courier only hears that it was reassigned"""
    dan, cara, ada = world.courier("dan"), world.customer(), world.admin()
    order = world.place(cara)
    eve = world.courier("eve", (0.0, 0.0), available=False)
    hers, his, other = world.connect(cara), world.connect(dan), world.connect(eve)
    his.take()
    path = f"/v1/admin/orders/{order['id']}/assign"
    assert world.post(path, {"courier_id": "eve"}, cara).status == 403
    assert world.post(path, {"courier_id": "nobody"}, ada).status == 404
    assert world.post(path, {"courier_id": "eve"}, ada).body["courier_id"] == "eve"
    assert world.post(path, {"courier_id": "eve"}, ada).status == 200
    assert [frame["event"] for frame in his.take()] == ["order.reassigned_away"]
    assert [frame["event"] for frame in other.take()] == ["order.assigned"]
    assert [frame["data"]["status"] for frame in hers.take()] == ["assigned", "assigned"]
    assert world.step("accept", order["id"], dan).status == 409
    assert world.step("accept", order["id"], eve).status == 200
    busy = world.place(world.customer("bob"))
    assert busy["courier_id"] == "dan"
    taken = world.post(f"/v1/admin/orders/{busy['id']}/assign", {"courier_id": "eve"}, ada)
    assert (taken.status, taken.body["error"]) == (409, "courier_busy")
