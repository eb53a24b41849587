"""Two messages sent without waiting in between: the second may be handled first."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from chalicelib.domain.people import Role
from chalicelib.edge.wait_budget import PAUSES_S
from tests.builders import DEPOT
from tests.conftest import PATIENCE_S
from tests.functional.conftest import MakeWorld
from tests.functional.feeds import a_profile, an_auth
from tests.functional.kitchen import HANDSHAKE, Packets
from tests.functional.rides import Client, a_driver, a_rider, locate, register, request
from tests.functional.world import Socket, Someone, World

SUBSCRIBE = {"type": "subscribe", "events": ["order_created"]}
FIX = {"event": "update_location", "data": {"latitude": 48.85, "longitude": 2.35}}


def meanwhile(world: World, after: int, do: Any) -> None:
    """Do something while a message waits, after so many pauses."""
    world.meanwhile[:] = [*[lambda: None] * after, do]


@pytest.fixture
def cara(world: World) -> Someone:
    return a_profile(world, world.customer("cara"))


@pytest.fixture
def dora(world: World) -> Someone:
    dora = world.someone(Role.COURIER, "dora")
    register(world, dora)
    return dora


@pytest.mark.parametrize("after", [0, 3, 8])
def test_a_subscription_waits_for_the_authentication_it_overtook(
    world: World, cara: Someone, after: int
) -> None:
    socket = world.connect(None, "feed")
    meanwhile(world, after, lambda: other(world, socket, an_auth(cara)))
    frames = socket.say(SUBSCRIBE)
    assert [frame["type"] for frame in frames] == ["authenticated", "subscription_updated"]
    world.place(cara)
    assert [frame["event_type"] for frame in socket.take()] == ["order_created"]
    world.pass_time(20)
    assert world.gateway.closed == []


def other(world: World, socket: Socket, message: Any) -> None:
    """Another message of the same client, handled meanwhile."""
    Socket(world, socket.id, 200).say(message)


def test_it_waits_two_seconds_and_is_refused_without_an_end(world: World, cara: Someone) -> None:
    socket = world.connect(None, "feed")
    before = world.clock.now
    (answer,) = socket.say(SUBSCRIBE)
    assert (world.clock.now - before).total_seconds() == pytest.approx(sum(PAUSES_S)) == 2
    assert answer["code"] == "unauthenticated"
    world.pass_time(1)
    assert socket.say(an_auth(cara))[0]["type"] == "authenticated"
    world.pass_time(20)
    assert world.gateway.closed == []


def test_an_authentication_that_fails_meanwhile_is_the_end(world: World, cara: Someone) -> None:
    socket = world.connect(None, "feed")
    meanwhile(world, 2, lambda: other(world, socket, an_auth(cara, token="x.y.z")))
    (answer,) = socket.say(SUBSCRIBE)
    assert (answer["type"], world.gateway.closed) == ("error", [socket.id])


def test_a_driver_may_say_everything_at_once(world: World, dora: Someone) -> None:
    socket = world.connect(None, "rides")
    auth = {"event": "authenticate", "data": {"token": dora.token}}
    meanwhile(world, 2, lambda: other(world, socket, auth))
    (_, _, answer) = socket.say({"event": "go_online"})
    assert (answer["event"], answer["data"]["status"]) == ("go_online_response", "success")


def test_a_position_waits_for_the_driver_to_be_on_duty(world: World) -> None:
    driver = a_driver(world, at=None, online=False)
    meanwhile(world, 3, lambda: other(world, driver.socket, {"event": "go_online"}))
    driver.socket.say(FIX)
    assert driver.heard("update_location_response")[-1]["status"] == "success"


def test_a_position_waits_through_both(world: World, dora: Someone) -> None:
    """authenticate, go_online, update_location, in the worst order."""
    socket = world.connect(None, "rides")
    auth = {"event": "authenticate", "data": {"token": dora.token}}
    world.meanwhile[:] = [
        lambda: None,
        lambda: other(world, socket, auth),
        lambda: None,  # lets the answer to it pass
        lambda: None,
        lambda: other(world, socket, {"event": "go_online"}),
    ]
    answer = socket.say(FIX)[-1]
    assert (answer["event"], answer["data"]["status"]) == ("update_location_response", "success")


class HeldUp:
    """A driver who is told that they are authenticated, and is held up then, before they join their
    rooms."""

    def __init__(self, world: World, dora: Someone) -> None:
        self.driver = Client(world, dora, world.connect(None, "rides"))
        self._answered, self._may_join = threading.Event(), threading.Event()
        world.gateway.before_post = self._hold_up
        auth = {"event": "authenticate", "data": {"token": dora.token}}
        self._thread = threading.Thread(target=other, args=(world, self.driver.socket, auth))
        self._thread.start()
        assert self._answered.wait(PATIENCE_S)

    def join_rooms(self) -> None:
        """Let them join."""
        self._may_join.set()
        self._thread.join()

    def _hold_up(self, connection_id: str, frame: str) -> None:
        if "authenticate_response" in frame:
            self._answered.set()
            assert self._may_join.wait(PATIENCE_S)


def test_a_driver_who_is_quicker_than_their_joining_is_found_by_the_next_ride(
    world: World, dora: Someone
) -> None:
    rider, held_up = a_rider(world), HeldUp(world, dora)
    driver = held_up.driver
    meanwhile(world, 2, held_up.join_rooms)
    driver.did("go_online")
    locate(driver, DEPOT)
    ride_id = request(rider)
    held_up.join_rooms()
    assert [called["ride_id"] for called in driver.heard("new_ride_request")] == [ride_id]


def test_a_driver_whose_joining_takes_long_is_online_all_the_same(
    world: World, dora: Someone
) -> None:
    held_up, before = HeldUp(world, dora), world.clock.now
    held_up.driver.did("go_online")
    held_up.join_rooms()
    assert (world.clock.now - before).total_seconds() == pytest.approx(sum(PAUSES_S))


def test_an_event_waits_for_the_connect_packet(world: World) -> None:
    dan = world.courier("123")
    client = Packets(world)
    packet = f'40/orders,{{"token":"{dan.token}"}}'
    meanwhile(world, 1, lambda: other(world, client.socket, packet))
    sent = client.send_packet('42/orders,7["get-available-orders"]')
    assert [text[:2] for text in sent] == ["40", "42", "43"]
    assert sent[1].startswith('42/orders,["available-orders"')


def test_who_is_off_duty_all_day_is_refused_at_once_after_two_tries(world: World) -> None:
    driver = a_driver(world, at=None, online=False)
    took = []
    for _ in range(10):
        before = world.clock.now
        assert driver.ask("update_location", latitude=1, longitude=1)["code"] == "NOT_ONLINE"
        took.append((world.clock.now - before).total_seconds())
    assert [round(seconds) for seconds in took] == [2, 2] + [0] * 8


def test_a_stranger_holds_up_a_few_messages_only(world: World) -> None:
    """Each that waits costs the time of a function."""
    socket = world.connect(None, "rides")
    connection = world.waybill.connections.get_connection(socket.id)
    assert connection is not None
    strangers = [world.waybill.make_wait_budget() for _ in range(20)]
    assert sum(one.wait_for_identity(connection) for one in strangers) == 8


def test_a_stranger_who_has_long_been_silent_is_not_waited_for(make_world: MakeWorld) -> None:
    world = make_world()
    for contract, query in (("rides", {}), ("socketio", HANDSHAKE), ("feed", {})):
        socket = world.connect(None, contract, query=query)
        socket.take()
        world.clock.advance(9)
        before = world.clock.now
        assert socket.say('42/orders,["x"]' if query else SUBSCRIBE | {"event": "go_online"})
        assert world.clock.now == before


def test_nobody_waits_who_is_known(world: World) -> None:
    driver = a_driver(world)
    before = world.clock.now
    driver.did("go_offline")
    assert driver.ask("request_ride")["code"] == "FORBIDDEN"
    assert world.clock.now == before
