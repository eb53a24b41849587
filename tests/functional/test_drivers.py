"""Contract `drivers` (spec 004) through the app's own handlers: sockets, offers, polling."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.people import Role
from infra.local.tokens import mint_token
from tests.builders import DEPOT, north_of
from tests.conftest import SECRET
from tests.functional.conftest import MakeWorld
from tests.functional.hails import TIMEOUT, be_at, driver, hail, hear, pending, types
from tests.functional.world import Answer, Someone, World

# Transport


def test_a_driver_connects_with_a_token_in_the_query(world: World) -> None:
    """S4-01, S4-02: the path with the token in it arrives as the same query."""
    dan = world.courier("5")
    socket = world.connect(None, "drivers", query={"token": dan.token})
    assert socket.status == 200
    assert types(socket) == ["connection_established", "initial_orders"]


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"groups": ["Driver"]}, 200),
        ({"groups": ["Staff", "driver"]}, 200),
        ({"groups": ["Staff"]}, 403),
        ({"role": "customer"}, 403),
        ({"role": "admin"}, 403),
        ({}, 403),
    ],
    ids=str,
)
def test_only_the_driver_group_may_connect(
    world: World, claims: dict[str, Any], status: int
) -> None:
    """S4-03."""
    token = mint_token(SECRET, claims.get("role"), "5", groups=claims.get("groups"))
    assert world.connect(None, "drivers", query={"token": token}).status == status


@pytest.mark.parametrize("query", [{}, {"token": ""}, {"token": "no.jwt.this"}], ids=str)
def test_without_a_good_token_the_handshake_is_refused(world: World, query: dict[str, str]) -> None:
    """S4-03: 401, not a socket that closes."""
    assert world.connect(None, "drivers", query=query).status == 401


def test_an_expired_token_is_refused(world: World) -> None:
    """S4-03."""
    token = mint_token(SECRET, "driver", "5", valid_s=-11)
    assert world.connect(None, "drivers", query={"token": token}).status == 401


def test_ping_is_answered_and_nonsense_is_an_error_on_an_open_socket(world: World) -> None:
    """S4-08, S4-13."""
    _, socket = driver(world, "5")
    for nonsense in ("{", "[]", '{"type":"fly"}', '{"type":["ping"]}'):
        [error] = socket.say(nonsense)
        assert error["type"] == "error"
        assert set(error) == {"type", "message"}
    assert socket.say({"type": "ping"}) == [{"type": "pong"}]


# Offers


def test_an_order_goes_to_the_nearest_driver_and_to_no_other(world: World) -> None:
    """S4-06, S4-12."""
    near, at_near = driver(world, "5", north_of(DEPOT, 2500))
    far, at_far = driver(world, "6", north_of(DEPOT, 3000))
    order = hail(world)
    [frame] = at_near.take()
    created_at = world.clock.now.strftime("%Y-%m-%dT%H:%M:%S")
    assert frame == {
        "type": "new_order",
        "order": {
            "id": order["id"],
            "order_code": f"ORD-{order['id']:06d}",
            "status": "pending",
            "order_type": "pickup",
            "created_at": created_at,
            "address_from": "1 Depot Road",
            "address_to": "2 Door Street",
            "latitude_from": "12.971600",
            "longitude_from": "77.594600",
            "latitude_to": "12.980000",
            "longitude_to": "77.600000",
            "distance_to_pickup_km": 2.5,
        },
        "message": "New ride request available",
    }
    assert at_far.take() == pending(world, far) == []
    assert [found["id"] for found in pending(world, near)] == [order["id"]]


def test_an_offer_lapses_after_five_minutes_and_not_before(world: World) -> None:
    """S4-09, by the offer's own timer: the old driver hears order_timeout, the next new_order."""
    _, old = driver(world, "5")
    next_one, new = driver(world, "6", north_of(DEPOT, 100))
    order = hail(world)
    world.pass_time(299.9)
    assert types(old) == ["new_order"]
    assert types(new) == []
    be_at(world, next_one)
    world.pass_time(2.1)
    assert old.take() == [{**TIMEOUT, "order_id": order["id"]}]
    assert hear(new, "new_order")["order"]["id"] == order["id"]


def test_an_offer_whose_timer_is_lost_lapses_with_the_sweep(world: World) -> None:
    """S4-09: a pass of the sweep comes every 15 s."""
    _, old = driver(world, "5")
    next_one, new = driver(world, "6", north_of(DEPOT, 100))
    hail(world)
    world.queue.waiting.clear()
    world.clock.advance(299.9)
    world.sweep()
    assert types(old) == ["new_order"]
    be_at(world, next_one)
    world.clock.advance(15)
    world.sweep()
    assert types(old) == ["order_timeout"]
    assert types(new) == ["new_order"]


def test_polling_finds_a_lapsed_offer(world: World) -> None:
    """S4-10: that driver hears order_timeout, and has nothing pending."""
    dan, socket = driver(world, "5")
    hail(world)
    assert len(pending(world, dan)) == 1
    world.queue.waiting.clear()
    world.clock.advance(300)
    assert types(socket) == ["new_order"]
    assert pending(world, dan) == []
    assert types(socket) == ["order_timeout"]


def test_whoever_finds_it_first_there_is_one_order_timeout(world: World) -> None:
    """S4-11: the timer, the sweep, the poll and a late answer all find the same lapse."""
    dan, socket = driver(world, "5")
    other, next_one = driver(world, "6", north_of(DEPOT, 100))
    order = hail(world)
    world.clock.advance(300)
    be_at(world, other)
    assert answer(world, "accept", order, dan).status == 409
    pending(world, dan)
    world.sweep()
    world.pump()
    world.pass_time(60)
    assert types(socket) == ["new_order", "order_timeout"]
    assert types(next_one) == ["new_order"]


def test_a_poll_has_the_body_of_initial_orders(world: World) -> None:
    """Ambiguity b."""
    dan, _ = driver(world, "5", north_of(DEPOT, 2500))
    order = hail(world)
    polled = world.get("/v1/driver/orders", dan).body
    [_, initial] = world.connect(dan, "drivers").take()
    assert polled["orders"][0].pop("state") == "offered"  # in each view by REST, in no frame
    assert polled == initial
    assert polled["orders"] == [
        {
            "id": order["id"],
            "order_code": order["order_code"],
            "status": "pending",
            "address_from": "1 Depot Road",
            "address_to": "2 Door Street",
            "distance_to_pickup_km": 2.5,
        }
    ]


def test_the_distance_is_from_the_drivers_last_fix(world: World) -> None:
    """S4-05."""
    dan, _ = driver(world, "5", north_of(DEPOT, 2500))
    hail(world)
    world.clock.advance(5)
    be_at(world, dan, north_of(DEPOT, 1200))
    assert pending(world, dan)[0]["distance_to_pickup_km"] == 1.2


def test_without_a_fix_the_distance_is_left_out(world: World) -> None:
    """Ambiguity e."""
    dan, socket = driver(world, "5", at=None)
    hail(world, latitude_from=None, longitude_from=None)
    frame = hear(socket, "new_order")
    assert "distance_to_pickup_km" not in frame["order"]
    assert "latitude_from" not in frame["order"]
    assert "distance_to_pickup_km" not in pending(world, dan)[0]


# Answers


def test_an_accepted_order_stops_being_pending_and_nothing_is_said(world: World) -> None:
    """Ambiguities a and c; the later steps are those of every courier."""
    dan, socket = driver(world, "5")
    order = hail(world)
    accepted = answer(world, "accept", order, dan)
    assert (accepted.status, accepted.body["status"]) == (200, "accepted")
    assert answer(world, "accept", order, dan).status == 200
    assert pending(world, dan) == []
    for verb in ("arrived", "picked", "reached", "delivered"):
        assert world.step(verb, str(order["id"]), dan).status == 200
    world.pass_time(400)
    assert types(socket) == ["new_order"]


def test_a_declined_order_goes_to_the_next_at_once(world: World) -> None:
    """Ambiguity a: who said no knows it, and hears no order_timeout."""
    dan, socket = driver(world, "5")
    _, next_one = driver(world, "6", north_of(DEPOT, 100))
    order = hail(world)
    declined = answer(world, "decline", order, dan)
    assert (declined.status, declined.body["status"]) == (200, "declined")
    assert types(next_one) == ["new_order"]
    world.pass_time(60)
    assert types(socket) == ["new_order"]
    assert answer(world, "decline", order, dan).status == 409


def test_only_the_driver_who_is_asked_may_answer(world: World) -> None:
    """S4-12."""
    driver(world, "5")
    other, _ = driver(world, "6", north_of(DEPOT, 100))
    order = hail(world)
    for verb in ("accept", "decline"):
        assert answer(world, verb, order, other).status == 403
        assert answer(world, verb, order, world.customer("cara")).status == 403
        assert world.post(f"/v1/driver/orders/{order['id']}/{verb}").status == 401
        assert world.post(f"/v1/driver/orders/none/{verb}", by=other).status == 404
        assert world.post(f"/v1/driver/orders/{order['id'] + 1}/{verb}", by=other).status == 404


def test_polling_and_placing_need_the_right_role(world: World) -> None:
    """401 without a token, 403 with another's."""
    customer, courier = world.customer("cara"), world.courier("5")
    assert world.get("/v1/driver/orders").status == 401
    assert world.get("/v1/driver/orders", customer).status == 403
    assert world.post("/v1/driver-orders", {}).status == 401
    assert world.post("/v1/driver-orders", {}, courier).status == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"address_from": "A"},
        {"address_from": "A", "address_to": "B", "latitude_from": "1"},
        {"address_from": "A", "address_to": "B", "latitude_to": "x", "longitude_to": "y"},
    ],
    ids=str,
)
def test_a_wrong_order_is_refused_and_not_placed(world: World, wrong: dict[str, Any]) -> None:
    """400 in the common form."""
    cara = world.customer("cara")
    refused = world.post("/v1/driver-orders", wrong, cara)
    assert (refused.status, refused.body["error"]) == (400, "invalid_input")
    assert world.get("/v1/customer/active-order", cara).body == {"active": False}


def test_a_placed_order_says_whether_a_driver_is_asked(world: World) -> None:
    """Ambiguities a and i: ids are integers here."""
    waiting = hail(world)
    assert isinstance(waiting["id"], int)
    assert waiting["status"] == "searching"
    driver(world, "5")
    asked = hail(world, world.customer("carl"), order_type="delivery")
    assert (asked["status"], asked["order_type"]) == ("pending", "delivery")
    assert set(asked) == set(waiting)


# An order that is taken away


def test_a_pending_order_that_an_admin_gives_to_another_is_an_order_timeout(world: World) -> None:
    """S4-07: "expired or reassigned to another driver", once."""
    _, old = driver(world, "5")
    new, at_new = driver(world, "6", north_of(DEPOT, 100))
    order = hail(world)
    assert assign(world, order, new).status == 200
    world.pass_time(290)
    assert types(old) == ["new_order", "order_timeout"]
    assert types(at_new) == ["new_order"]


def test_accepted_work_that_an_admin_gives_to_another_is_an_order_timeout_too(
    world: World,
) -> None:
    """S4-07."""
    dan, old = driver(world, "5")
    new, at_new = driver(world, "6", north_of(DEPOT, 100))
    order = hail(world)
    answer(world, "accept", order, dan)
    assert assign(world, order, new).status == 200
    world.pass_time(60)
    assert types(old) == ["new_order", "order_timeout"]
    assert types(at_new) == ["new_order"]


def test_an_order_given_by_hand_after_a_lapse_is_one_order_timeout(world: World) -> None:
    """S4-11: nobody had found the lapse when the admin took the order away."""
    _, old = driver(world, "5")
    new, at_new = driver(world, "6", at=None, available=False)
    order = hail(world)
    world.clock.advance(301)
    assert assign(world, order, new).status == 200
    world.pass_time(60)
    assert types(old) == ["new_order", "order_timeout"]
    assert "distance_to_pickup_km" not in hear(at_new, "new_order")["order"]


@pytest.mark.parametrize("accepted", [False, True], ids=["pending", "accepted"])
@pytest.mark.parametrize("by", [Role.CUSTOMER, Role.ADMIN], ids=["its customer", "an admin"])
def test_a_cancelled_order_leaves_the_drivers_list(world: World, by: Role, accepted: bool) -> None:
    """S4-07: the contract has no other word for an order that is gone."""
    dan, socket = driver(world, "5")
    order = hail(world, world.customer("cara"))
    if accepted:
        answer(world, "accept", order, dan)
    canceller = world.someone(by, "cara")
    assert world.post(f"/v1/orders/{order['id']}/cancel", by=canceller).status == 200
    world.pass_time(400)
    assert types(socket) == ["new_order", "order_timeout"]


def test_going_off_duty_hands_a_pending_order_on(world: World) -> None:
    """As declining does."""
    dan, socket = driver(world, "5")
    _, next_one = driver(world, "6", north_of(DEPOT, 100))
    hail(world)
    world.post("/v1/courier/availability", {"available": False}, dan)
    assert types(next_one) == ["new_order"]
    assert types(socket) == ["new_order"]


# A long offer


def test_an_offer_may_be_longer_than_a_queue_can_wait(make_world: MakeWorld) -> None:
    """AWS quota: SQS delays 15 min at most; the timer sends itself on, and is not early."""
    world = make_world(settings={"hail_offer_ttl": timedelta(hours=1)})
    _, old = driver(world, "5")
    next_one, new = driver(world, "6", north_of(DEPOT, 100))
    hail(world)
    world.pass_time(3599.9)
    be_at(world, next_one)
    assert types(old) == ["new_order"]
    world.pass_time(1)
    assert types(old) == ["order_timeout"]
    assert types(new) == ["new_order"]


def answer(world: World, verb: str, order: dict[str, Any], by: Someone) -> Answer:
    """accept or decline."""
    return world.post(f"/v1/driver/orders/{order['id']}/{verb}", by=by)


def assign(world: World, order: dict[str, Any], to: Someone) -> Answer:
    """Give an order to a driver by hand."""
    path = f"/v1/admin/orders/{order['id']}/assign"
    return world.post(path, {"courier_id": to.id}, world.admin())
