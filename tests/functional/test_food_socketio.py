"""Contract food over Socket.IO: the handshake, acks, keep-alive and limits, packet by packet."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from chalicelib.domain.people import Role
from tests.conftest import PATIENCE_S
from tests.functional.kitchen import HANDSHAKE, Kitchen, Packets, Plain, an_owner, names
from tests.functional.world import World

MakeWorld = Callable[..., World]
OPEN = {
    "upgrades": [],
    "pingInterval": 300_000,
    "pingTimeout": 60_000,
    "maxPayload": 131_072,
}


@pytest.fixture
def kitchen(world: World) -> Kitchen:
    return Kitchen(world)


def test_the_open_packet_says_how_it_is_done(world: World) -> None:
    """S2-02."""
    (opening,) = Packets(world).opening
    sid = json.loads(opening.removeprefix("0"))["sid"]
    assert opening.startswith("0")
    assert json.loads(opening[1:]) == {"sid": sid, **OPEN}
    assert sid


def test_nothing_is_posted_while_the_handshake_runs(world: World) -> None:
    """P-01."""
    client = Packets(world, greet=False)
    assert client.opening == []
    world.pump()
    assert client.take()[0].startswith("0{")


def test_a_token_in_the_connect_packet_lets_in(world: World) -> None:
    """S2-02."""
    client = Packets(world)
    (answer,) = client.connect({"token": world.customer("123").token})
    assert list(json.loads(answer.removeprefix("40/orders,"))) == ["sid"]


def test_a_token_may_have_the_word_bearer_before_it(world: World) -> None:
    client = Packets(world)
    assert client.connect({"token": f"Bearer {world.customer('123').token}"})[0].startswith("40")


@pytest.mark.parametrize("where", ["header", "query"])
def test_a_token_in_the_handshake_lets_in_when_connect_asks(world: World, where: str) -> None:
    """S2-02: the Authorization header, or ?token=."""
    token = world.customer("123").token
    given: dict[str, Any] = (
        {"headers": {"authorization": f"Bearer {token}"}}
        if where == "header"
        else {"query": {**HANDSHAKE, "token": token}}
    )
    client = Packets(world, **given)
    assert client.opening[0].startswith("0")
    Kitchen(world).place()
    assert client.take() == []  # not in before it asks
    connected, created = client.connect()
    assert connected.startswith("40/orders,")
    assert created.startswith('42/orders,["order-created",')


@pytest.mark.parametrize("where", ["header", "query"])
def test_a_bad_token_in_the_handshake_refuses_it(world: World, where: str) -> None:
    """Ambiguity m."""
    given: dict[str, Any] = (
        {"headers": {"authorization": "Bearer nonsense"}}
        if where == "header"
        else {"query": {**HANDSHAKE, "token": "nonsense"}}
    )
    assert Packets(world, **given).socket.status == 401


def test_a_role_that_the_contract_does_not_know_is_refused(world: World) -> None:
    header = {"authorization": f"Bearer {world.admin().token}"}
    assert Packets(world, headers=header).socket.status == 403
    (error,) = Packets(world).connect({"token": world.admin().token})
    assert error.startswith("44/orders,")


@pytest.mark.parametrize(
    "auth", [None, {}, {"token": ""}, {"token": "nonsense"}, {"token": 5}, {"tokn": "x"}]
)
def test_a_bad_connect_is_answered_with_44_and_may_be_tried_again(
    world: World, auth: object
) -> None:
    """S2-03."""
    client = Packets(world)
    (error,) = client.connect(auth)
    assert list(json.loads(error.removeprefix("44/orders,"))) == ["message"]
    assert client.connect({"token": world.customer("123").token})[0].startswith("40/orders,")


def test_a_token_that_has_expired_is_answered_with_44(world: World) -> None:
    (error,) = Packets(world).connect({"token": world.customer("123", valid_s=-11).token})
    assert error == '44/orders,{"message":"The token has expired."}'


def test_who_never_connects_is_closed(make_world: MakeWorld) -> None:
    """S2-19: an error of authentication is the one after which a socket does not stay open."""
    world = make_world()
    silent, wrong = Packets(world), Packets(world)
    vouched = Packets(world, headers={"authorization": f"Bearer {world.customer('123').token}"})
    wrong.connect({"token": "nonsense"})
    inside = Packets(world, world.customer("124"))
    world.pass_time(11)
    closed = set(world.gateway.closed)
    assert closed == {silent.socket.id, wrong.socket.id, vouched.socket.id}
    assert inside.socket.id not in closed


def test_plain_needs_a_good_token_at_once(world: World) -> None:
    """Ambiguity m."""
    assert world.connect(None, "food").status == 401
    assert world.connect(None, "food", query={"token": "nonsense"}).status == 401
    token = world.customer("123").token
    assert world.connect(None, "food", query={"token": token}).status == 200
    assert world.connect(world.admin(), "food").status == 403


def test_only_engine_io_4_is_spoken(world: World) -> None:
    assert Packets(world, query={"EIO": "3", "transport": "websocket"}).socket.status == 400
    assert Packets(world, query={}).socket.status == 400


def test_another_namespace_is_no_namespace(world: World) -> None:
    client = Packets(world)
    assert client.send_packet("40") == ['44{"message":"Invalid namespace"}']
    assert client.send_packet("40/chat,") == ['44/chat,{"message":"Invalid namespace"}']
    token = world.customer("123").token
    assert client.connect({"token": token})[0].startswith("40/orders,")
    assert client.send_packet('42["get-available-orders"]')[0].startswith("44{")


def test_connecting_twice_is_answered_twice_and_changes_nothing(kitchen: Kitchen) -> None:
    user = Packets(kitchen.world, kitchen.customer)
    assert user.connect({"token": kitchen.customer.token}) == user.answer
    kitchen.place()
    assert names(user.heard()) == ["order-created"]


def test_events_before_connect_are_not_served(kitchen: Kitchen) -> None:
    client = Packets(kitchen.world)
    (error,) = client.send_packet('42/orders,["get-restaurant-orders"]')
    assert error == '44/orders,{"message":"Connect to /orders first."}'


@pytest.mark.parametrize("farewell", ["41/orders,", "1"])
def test_leaving_closes_the_connection(kitchen: Kitchen, farewell: str) -> None:
    user = Packets(kitchen.world, kitchen.customer)
    user.send_packet(farewell)
    assert kitchen.world.gateway.closed == [user.socket.id]
    kitchen.place()
    assert user.heard() == []


def test_an_ack_is_sent_whenever_it_is_asked_for(kitchen: Kitchen) -> None:
    """Ambiguity n."""
    owner, order_id = Packets(kitchen.world, kitchen.owner), kitchen.place()
    owner.take()
    asked = {"orderId": order_id, "status": "confirmed"}
    assert owner.emit("update-order-status", asked, ack=0)[-1] == ("0", {"ok": True})
    asked = {"orderId": order_id, "status": "ready_for_pickup"}
    says = "Invalid status transition: confirmed to ready_for_pickup."
    assert owner.emit("update-order-status", asked, ack=12) == [
        ("error", {"message": says}),
        ("12", {"error": says}),
    ]
    listed, ack = owner.emit("get-restaurant-orders", {}, ack=13)
    assert (listed[0], ack) == ("restaurant-orders", ("13", {"ok": True}))
    assert owner.emit("nonsense", {}, ack=14)[-1] == ("14", {"error": "This event is unknown."})


@pytest.mark.parametrize(
    "packet", ["42/orders,", '42/orders,["x"', "42/orders,{}", "49", "4", "40/orders,[]"]
)
def test_a_broken_packet_is_an_error(kitchen: Kitchen, packet: str) -> None:
    """Ambiguity n."""
    user = Packets(kitchen.world, kitchen.customer)
    (error,) = user.send_packet(packet)
    assert error.startswith('42/orders,["error",{"message":')
    assert kitchen.world.gateway.closed == []


@pytest.mark.parametrize("garbage", ["", "x", "5", "6", "2", "3", "3probe", '{"a":1}', "0{}"])
def test_engine_ios_own_packets_and_garbage_are_ignored(kitchen: Kitchen, garbage: str) -> None:
    """Ambiguity n."""
    for client in (Packets(kitchen.world, kitchen.customer), Packets(kitchen.world)):
        client.take()
        assert client.send_packet(garbage) == []
    assert kitchen.world.gateway.closed == []


def test_binary_packets_are_answered_with_a_clear_error(kitchen: Kitchen) -> None:
    user = Packets(kitchen.world, kitchen.customer)
    (error,) = user.send_packet('451-/orders,["x",{"_placeholder":true,"num":0}]')
    assert "Binary data can't be sent." in error


# Keep-alive


def live_through(
    world: World, seconds: int, *clients: Packets, sweep_s: int = 15, step_s: int = 1
) -> dict[str, list[float]]:
    """Let time pass as it does: wakeups when due, sweeps, a pong for every ping. When each client
    was pinged."""
    began, pings = world.clock(), {client.socket.id: list[float]() for client in clients}
    for second in range(step_s, seconds + 1, step_s):
        world.pass_time(step_s)
        if second % sweep_s == 0:
            world.sweep()
        for client in clients:
            for packet in client.take():
                if packet == "2":
                    pings[client.socket.id].append((world.clock() - began).total_seconds())
                    client.send_packet("3")
    return pings


def test_five_minutes_and_more_of_keep_alive(kitchen: Kitchen) -> None:
    """S2-02, ambiguity g: a ping every interval, never later than the client's patience."""
    user = Packets(kitchen.world, kitchen.customer)
    lived = live_through(kitchen.world, 660, user, sweep_s=30, step_s=5)  # every other pass fails
    pings = lived[user.socket.id]
    assert len(pings) == 2
    for before, after in pairwise([0.0, *pings]):
        assert 300 <= after - before <= 300 + 30
    kitchen.place()
    assert names(user.heard()) == ["order-created"]


def test_short_intervals_are_kept_without_the_sweep(make_world: MakeWorld) -> None:
    """The sweep passes every 15 s; a beat that is due sooner has a wakeup of its own."""
    world = make_world(settings={"socketio_ping_interval": timedelta(seconds=2)})
    user = Packets(world, world.customer("123"))
    pings = live_through(world, 60, user)[user.socket.id]
    assert len(pings) == 30  # one each, though sweep and wakeups both look after it
    assert all(1 <= after - before <= 3 for before, after in pairwise(pings))


def test_a_chain_of_beats_that_broke_is_taken_up_by_the_sweep(make_world: MakeWorld) -> None:
    world = make_world(settings={"socketio_ping_interval": timedelta(seconds=2)})
    user = Packets(world, world.customer("123"))
    world.queue.waiting.clear()
    assert len(live_through(world, 30, user)[user.socket.id]) >= 7


def test_a_ping_that_finds_nobody_forgets_the_connection(kitchen: Kitchen) -> None:
    """P-06: a lost $disconnect."""
    user = Packets(kitchen.world, kitchen.customer)
    user.socket.lose()
    kitchen.world.pass_time(301)
    kitchen.world.sweep()
    assert kitchen.world.waybill.connections.get_connection(user.socket.id) is None
    assert kitchen.world.queue.dead == []


def test_a_slow_connection_does_not_hold_up_the_pings_of_others(kitchen: Kitchen) -> None:
    """Many may be due in one pass of the sweep."""
    users = [Packets(kitchen.world, kitchen.customer) for _ in range(8)]
    slow: list[str] = []
    another_is_pinged = threading.Event()

    def take_long(connection_id: str, frame: str) -> None:
        """Let the first take until another is pinged."""
        slow.append(connection_id)
        if slow[0] == connection_id:
            assert another_is_pinged.wait(PATIENCE_S)
        else:
            another_is_pinged.set()

    kitchen.world.gateway.before_post = take_long
    kitchen.world.clock.advance(301)
    kitchen.world.sweep()
    assert [user.take() for user in users] == [["2"]] * 8


def test_two_sweeps_at_once_ping_and_go_on(kitchen: Kitchen) -> None:
    """P-09."""
    user = Packets(kitchen.world, kitchen.customer)
    kitchen.world.clock.advance(301)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: kitchen.world.sweep(), range(2)))
    assert 1 <= user.take().count("2") <= 2
    kitchen.world.sweep()
    assert user.take() == []


# Limits


def test_more_than_twenty_events_in_ten_seconds_are_refused(kitchen: Kitchen) -> None:
    """S2-22, ambiguity p."""
    owner = Packets(kitchen.world, kitchen.owner)
    for _ in range(20):  # asking to connect is no event
        assert names(owner.emit("get-restaurant-orders")) == ["restaurant-orders"]
    says = {"message": "At most 20 events in 10 seconds."}
    assert owner.emit("get-restaurant-orders", {}, ack=1) == [
        ("error", says),
        ("1", {"error": says["message"]}),
    ]
    kitchen.world.clock.advance(9.9)
    assert owner.emit("nonsense") == [("error", says)]
    kitchen.world.clock.advance(0.2)
    assert names(owner.emit("get-restaurant-orders")) == ["restaurant-orders"]


def test_the_window_slides(kitchen: Kitchen) -> None:
    """Ambiguity p: any 10 s, not each of a clock's."""
    owner = Plain(kitchen.world, kitchen.owner)
    for _ in range(15):
        owner.emit("get-restaurant-orders")
    kitchen.world.clock.advance(6)
    for _ in range(5):
        owner.emit("get-restaurant-orders")
    assert names(owner.emit("get-restaurant-orders")) == ["error"]
    kitchen.world.clock.advance(5)
    assert names(owner.emit("get-restaurant-orders")) == ["restaurant-orders"]


def test_what_is_refused_does_nothing_and_others_are_not_held_up(kitchen: Kitchen) -> None:
    """S2-22: per connection."""
    order_id = kitchen.place()
    loud, calm = (Packets(kitchen.world, kitchen.owner) for _ in range(2))
    for _ in range(20):
        loud.emit("nonsense")
    asked = {"orderId": order_id, "status": "confirmed"}
    assert names(loud.emit("update-order-status", asked)) == ["error"]
    assert kitchen.world.order(order_id).status == "pending"
    assert names(calm.emit("update-order-status", asked)) == ["order-updated"]


def test_pongs_are_not_counted(kitchen: Kitchen) -> None:
    owner = Packets(kitchen.world, kitchen.owner)
    for _ in range(30):
        owner.send_packet("3")
    assert names(owner.emit("get-restaurant-orders")) == ["restaurant-orders"]


def test_events_at_the_same_time_are_counted_one_by_one(kitchen: Kitchen) -> None:
    owner = Packets(kitchen.world, kitchen.owner)
    owner.take()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: owner.socket.say('42/orders,["get-restaurant-orders"]'), range(30)))
    assert names(owner.heard()).count("restaurant-orders") <= 20


def test_a_person_can_not_be_named_like_a_restaurant(world: World) -> None:
    """Its mailbox would be theirs."""
    impostor = world.someone(Role.CUSTOMER, "restaurant#789")
    (error,) = Packets(world).connect({"token": impostor.token})
    assert error == '44/orders,{"message":"The token names nobody."}'


def test_an_owner_without_restaurants_hears_nothing(kitchen: Kitchen) -> None:
    nobody = kitchen.world.someone(Role.MERCHANT, "78")
    owner = Packets(kitchen.world, nobody)
    kitchen.place()
    assert owner.heard() == []
    assert an_owner(kitchen.world).id == "77"
