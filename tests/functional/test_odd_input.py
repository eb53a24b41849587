"""Odd input that is none of the server's fault and must not be the client's riddle: names that
mean something elsewhere, ids that can't be echoed, empty filters, tokens with a word before."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.domain.people import Role
from infra.local.tokens import mint_token
from tests.conftest import SECRET
from tests.functional.feeds import a_feed, a_profile, an_auth
from tests.functional.kitchen import HANDSHAKE, Kitchen, Packets, names
from tests.functional.rides import a_rider, register
from tests.functional.world import Someone, World

NAMES = [
    *("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"),
    *("error", "message", "open", "close", "ping", "pong", "40", "42", "", " ", "__proto__"),
    *("constructor", "toString", "hasOwnProperty", "prototype", "__init__", "__class__", "name"),
    *("order-updated", "Accept-Order", "accept-order ", "\u0000", "\n", "\u200b", "\U0001f6b2"),
    *("\u0645\u0631\u062d\u0628\u0627", "x" * 10_000, '"]', "null", "true"),
]
NO_NAMES = [0, 1, -1, 1.5, None, True, [], {}, ["x"], {"event": "x"}, 10**300]


@pytest.fixture
def kitchen(world: World) -> Kitchen:
    return Kitchen(world)


def test_any_event_name_gets_an_error_and_its_ack(kitchen: Kitchen) -> None:
    for name in (*NAMES, *NO_NAMES):
        kitchen.world.clock.advance(10)
        user = Packets(kitchen.world, kitchen.customer)
        user.take()
        arguments: list[list[Any]] = [[], [{}], [None], ["x", 5], [{"orderId": 1}]]
        for data in arguments:
            text = json.dumps([name, *data])
            error, ack = user.send_packet(f"42/orders,7{text}")
            assert error.startswith('42/orders,["error",{"message":'), name
            assert json.loads(ack.removeprefix("43/orders,7")) == [
                {"error": json.loads(error.removeprefix("42/orders,"))[1]["message"]}
            ], name
            assert len(user.send_packet(f"42/orders,{text}")) == 1, name
    assert kitchen.world.gateway.closed == []


@pytest.mark.parametrize(
    ("packet", "acked"),
    [
        ("42/orders,7[]", True),
        ("42/orders,7", True),
        ("42/orders,7{}", True),
        ('42/orders,7["x"', True),
        ('451-/orders,7["x",{"_placeholder":true,"num":0}]', True),
        ('451-/orders,["x",{"_placeholder":true,"num":0}]', False),
        ("45", False),
        ('461-/orders,7[{"_placeholder":true,"num":0}]', False),
        (f'42/orders,{"9" * 15}["x"]', True),
        (f'42/orders,{"9" * 16}["x"]', False),
        (f'42/orders,{"9" * 400}["x"]', False),
        ('42/orders,-7["x"]', False),
        ('42/orders,7.5["x"]', True),
        ("43/orders,7{}", False),
        ("44/orders,", False),
        ('44/orders,{"message":"x"}', False),
        ("44/,{}", False),
        ("4", False),
        ("47", False),
        ("4\u0662", False),
        ("40/orders,[]", False),
        ("40/orders,7", False),
        (f"40/{'o' * 200},", False),
    ],
)
def test_a_packet_that_is_none_is_answered_before_and_after_connecting(
    kitchen: Kitchen, packet: str, acked: bool
) -> None:
    user, stranger = Packets(kitchen.world, kitchen.customer), Packets(kitchen.world)
    user.take()
    heard = user.send_packet(packet)
    assert [one.startswith('42/orders,["error"') for one in heard] == [True, False][: 1 + acked]
    (refused,) = stranger.send_packet(packet)
    assert refused.startswith("44")
    assert "message" in refused
    assert kitchen.world.gateway.closed == []


@pytest.mark.parametrize(
    "namespace", ["/chat", "/", "/orders/", "/ORDERS", "/%2forders", "/\u00f6"]
)
def test_an_event_on_another_namespace_is_refused_there(kitchen: Kitchen, namespace: str) -> None:
    user = Packets(kitchen.world, kitchen.customer)
    user.take()
    prefix = "" if namespace == "/" else f"{namespace},"
    (refused,) = user.send_packet(f'42{prefix}7["get-available-orders"]')
    assert refused == f'44{prefix}{{"message":"Connect to /orders first."}}'


def test_twenty_events_at_once_are_answered(kitchen: Kitchen) -> None:
    owner = Packets(kitchen.world, kitchen.owner)
    owner.send_packet("40/chat,")
    owner.connect({"token": kitchen.owner.token})
    owner.take()
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: owner.socket.say('42/orders,["get-restaurant-orders"]'), range(20)))
    assert names(owner.heard()) == ["restaurant-orders"] * 20
    assert names(owner.emit("get-restaurant-orders")) == ["error"]


ECHOED: list[Any] = ["e-1", "", "x" * 128, 0, -1, 7, 2**53, 2**63, -(2**63), "\u00e9\U0001f6b2"]
NOT_ECHOED: list[Any] = [
    1.5,
    1.0,
    -0.0,
    True,
    False,
    [],
    {},
    ["e"],
    {"a": 1},
    "x" * 129,
    2**64,
    10**40,
]


def test_an_event_id_is_echoed_or_refused(world: World) -> None:
    rider = a_rider(world)
    said = {"event": "get_ride_state", "data": {"ride_id": "1"}}
    for event_id in (*ECHOED, None):
        (answer,) = rider.socket.say({**said, "event_id": event_id})[-1:]
        assert answer.get("event_id") == event_id
        assert answer["data"]["code"] == "NOT_FOUND"
    for event_id in NOT_ECHOED:
        (answer,) = rider.socket.say({**said, "event_id": event_id})[-1:]
        assert answer["event"] == "get_ride_state_response"
        assert "event_id" not in answer
        assert answer["data"]["code"] == "INVALID_PAYLOAD", event_id
        assert answer["data"]["detail"] == "See event_id."


def test_names_that_can_not_be_echoed_are_refused(world: World) -> None:
    feed = a_feed(world, a_profile(world, world.customer()))
    (answer,) = feed.say({"type": "subscribe", "events": ["x" * 128, "order_created"]})
    assert answer["rejected_events"] == ["x" * 128]
    (answer,) = feed.say({"type": "subscribe", "events": ["x" * 129]})
    assert (answer["type"], answer["code"]) == ("error", "invalid_input")


@pytest.mark.parametrize(
    ("id_", "shown"),
    [
        ("007", "007"),
        ("7", 7),
        ("0", 0),
        ("00", "00"),
        ("-7", "-7"),
        ("7.0", "7.0"),
        ("1e3", "1e3"),
        ("9007199254740991", 2**53 - 1),
        ("9007199254740992", "9007199254740992"),
        ("+7", "+7"),
    ],
)
def test_an_id_is_a_number_only_where_it_is_written_as_one(
    world: World, id_: str, shown: int | str
) -> None:
    """Else two people would be one, to their clients."""
    driver = world.someone(Role.COURIER, id_)
    established = world.connect(driver, "drivers").frames[0]
    assert established["driver_id"] == shown
    assert type(established["driver_id"]) is type(shown)
    order = world.post(
        f"/v1/restaurants/{id_}/orders",
        {"items": [{"name": "Soup", "quantity": 1, "price": 1}], "deliveryAddress": "x"},
        world.someone(Role.CUSTOMER, id_),
    ).body
    assert (order["userId"], order["restaurantId"]) == (shown, shown)


WORDS = ["Bearer ", "bearer ", "BEARER  ", "bEARER "]


@pytest.mark.parametrize("word", WORDS)
def test_a_token_may_follow_the_word_bearer_wherever_it_stands(world: World, word: str) -> None:
    cara, dan = world.customer(), world.someone(Role.COURIER, "dan")
    for person in (cara, dan):
        register(world, person)
    for contract, person in (("customer", cara), ("courier", dan), ("drivers", dan)):
        query = {"token": word + person.token}
        assert world.connect(None, contract, query=query).status == 200, contract
    for contract in ("rides", "food"):
        assert world.connect(None, contract, query={"token": word + cara.token}).status == 200
    vouched = Packets(world, query={**HANDSHAKE, "token": word + cara.token})
    assert vouched.connect()[0].startswith("40/orders,")
    assert Packets(world).connect({"token": word + cara.token})[0].startswith("40/orders,")
    rides = world.connect(None, "rides")
    answer = rides.say({"event": "authenticate", "data": {"token": word + cara.token}})[-1]
    assert answer["data"]["status"] == "success"
    feed = world.connect(None, "feed")
    (answer,) = feed.say({**an_auth(cara), "token": word + cara.token})
    assert answer["type"] == "authenticated"
    header = {"authorization": word + cara.token}
    assert world.call("GET", "/v1/me", headers=header).status == 200


@pytest.mark.parametrize("word", ["Bearer", "Basic ", "Token ", "Bearer Bearer "])
def test_no_other_word_may(world: World, word: str) -> None:
    cara = world.customer()
    assert world.connect(None, "customer", query={"token": word + cara.token}).status == 401
    header = {"authorization": word + cara.token}
    assert world.call("GET", "/v1/me", headers=header).status == 401


EMPTY = ["", "%20", "%09"]
FILTERS = [
    *(("/websocket/events/user/ada", name) for name in ("event_type", "limit", "skip", "cursor")),
    ("/websocket/analytics/summary", "date"),
    *(("/websocket/critical-events", name) for name in ("hours", "limit")),
    ("/v1/rides/{id}/chats", "before"),
]


@pytest.mark.parametrize("empty", EMPTY)
def test_an_empty_filter_is_refused_wherever_it_stands(world: World, empty: str) -> None:
    """One rule for all: a form that sends every field does not get another list than it shows."""
    ada, rider = world.admin(), a_rider(world)
    place = {"latitude": 12.9, "longitude": 77.5}
    ride_id = rider.did("request_ride", pickup=place, destination=place)["ride_id"]
    for path, name in FILTERS:
        by = rider.person if "rides" in path else ada
        url = path.replace("{id}", ride_id)
        assert world.get(url, by).status == 200
        answer = world.get(f"{url}?{name}={empty}", by)
        assert (answer.status, answer.body["details"]) == (400, {"field": name}), url


INVISIBLE = ["\u200b", "\u00ad", "\u2060", "\ufeff", "\ufe0f", "\u200f", "\u202e", "\u3164"]


@pytest.mark.parametrize("blank", INVISIBLE, ids=ascii)
def test_a_text_that_can_not_be_seen_is_no_text_on_any_contract(world: World, blank: str) -> None:
    cara, ada, owner = world.customer(), world.admin(), world.someone(Role.MERCHANT, "77")
    parcel = {"pickup_address": "a", "dropoff_address": "b", "receiver_phone": "+1"}
    hail = {"address_from": "a", "address_to": "b"}
    food = {"items": [{"name": "Soup", "quantity": 1, "price": 1}], "deliveryAddress": "x"}
    unnamed = {**food, "items": [{"name": blank, "quantity": 1, "price": 1}]}
    me = {"name": "Cara", "phone": "+1"}
    wrong: list[tuple[str, str, dict[str, Any], Someone]] = [
        *(("POST", "/v1/orders", {**parcel, name: blank}, cara) for name in parcel),
        *(("POST", "/v1/driver-orders", {**hail, name: blank}, cara) for name in hail),
        ("POST", "/v1/restaurants/789/orders", {**food, "deliveryAddress": blank}, cara),
        ("POST", "/v1/restaurants/789/orders", unnamed, cara),
        *(("PUT", "/v1/me", {**me, name: blank}, cara) for name in me),
        ("POST", "/v1/admin/announcements", {"msg": blank}, ada),
        ("PUT", "/v1/restaurants/789", {"name": blank, "address": "x"}, owner),
    ]
    for method, path, body, by in wrong:
        answer = world.call(method, path, body, by)
        assert (answer.status, answer.body["error"]) == (400, "invalid_input"), (path, body)
    rider = a_rider(world)
    chat = rider.ask("send_chat_message", ride_id="1", message=blank * 3)
    assert (chat["code"], chat["message"]) == ("INVALID_PAYLOAD", "message is required.")


@pytest.mark.parametrize("wrong", ["abc", "+", "call me", "1" * 16, "", 5])
def test_a_number_that_nobody_can_call_is_refused(world: World, wrong: Any) -> None:
    cara = world.customer()
    parcel = {"pickup_address": "a", "dropoff_address": "b", "receiver_phone": wrong}
    answer = world.post("/v1/orders", parcel, cara)
    assert (answer.status, answer.body["details"]) == (400, {"field": "receiver_phone"})
    answer = world.call("PUT", "/v1/me", {"name": "Cara", "phone": wrong}, cara)
    assert (answer.status, answer.body["details"]) == (400, {"field": "phone"})


@pytest.mark.parametrize("wrong", ["javascript:alert(1)", "data:,x", "//x", "x.png", 5])
def test_a_picture_that_no_client_can_show_is_refused(world: World, wrong: Any) -> None:
    body = {"name": "Cara", "phone": "+1", "profile_picture": wrong}
    answer = world.call("PUT", "/v1/me", body, world.customer())
    assert (answer.status, answer.body["details"]) == (400, {"field": "profile_picture"})


def test_bounds_are_said_plainly(world: World) -> None:
    item = {"name": "Soup", "quantity": 1, "price": 1e308}
    food = {"items": [item], "deliveryAddress": "x"}
    answer = world.post("/v1/restaurants/789/orders", food, world.customer())
    assert answer.body["message"] == "price must be a number from 0 to 1,000,000."
    dan = world.courier()
    answer = world.post("/v1/payouts", {"amount": -1, "bank_account": "12345"}, dan)
    assert answer.body["message"] == "amount must be a number from 0.01 to 10,000,000."


def test_no_odd_token_is_the_server_s_fault(world: World) -> None:
    for id_ in ("007", "a b", "a%20b", "auth0|5f7c", "a/b", "\u0660", "x" * 128, "a#b", "person#x"):
        person = Someone(id_, Role.CUSTOMER, mint_token(SECRET, "customer", id_))
        assert world.get("/v1/me", person).body["id"] == id_
        assert world.connect(person).status == 200


@pytest.mark.parametrize("odd", [{"ts": []}, {"ts": "soon"}, {"heading": "north"}, {"speed": {}}])
def test_what_comes_beside_no_position_is_looked_at_all_the_same(
    world: World, odd: dict[str, Any]
) -> None:
    ben = world.someone(Role.COURIER, "ben")
    answer = world.call("POST", "/v1/courier/availability", {"available": False, **odd}, ben)
    assert (answer.status, answer.body["error"]) == (400, "invalid_input")
