"""Our own sign of life (HEARTBEAT_S), for an edge that cuts what the server leaves silent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.domain.people import Role
from chalicelib.services.sweeper import PASS_INTERVAL
from chalicelib.store.tables import ConnectionRow
from tests.contracts import CONTRACTS
from tests.functional.conftest import MakeWorld
from tests.functional.feeds import a_profile
from tests.functional.links import a_bearer
from tests.functional.world import Someone, World

EVERY = timedelta(minutes=8)
EDGE_CUTS = timedelta(minutes=10)
BEATS = {
    "courier": {"event": "heartbeat", "data": {}},
    "customer": {"event": "heartbeat", "data": {}},
    "rides": {"event": "heartbeat", "data": {}},
    "drivers": {"type": "pong"},
    "food": {"event": "pong", "data": {}},
    "track": {"type": "pong"},
}


@pytest.fixture
def beating(make_world: MakeWorld) -> World:
    """A world as a stage is deployed."""
    return make_world(settings={"heartbeat": EVERY})


def somebody(world: World, contract: str) -> Someone:
    """One who may listen on a contract."""
    if contract == "track":
        return a_bearer(world)
    role = Role.CUSTOMER if contract == "customer" else Role.COURIER
    return a_profile(world, world.someone(role, "dan"))


@pytest.mark.parametrize("contract", sorted(BEATS))
def test_a_silent_connection_hears_a_sign_of_life_before_it_is_cut(
    beating: World, contract: str
) -> None:
    socket = beating.connect(somebody(beating, contract), contract)
    socket.take()
    for _ in range(3):
        heard = timedelta(0)
        while not (frames := socket.take()):
            beating.clock.advance(PASS_INTERVAL.total_seconds())
            heard += PASS_INTERVAL
            beating.sweep()
            assert heard < EDGE_CUTS - timedelta(minutes=1)  # room for a late pass
        assert frames == [BEATS[contract]]
        assert heard >= EVERY - PASS_INTERVAL


@pytest.mark.parametrize("contract", sorted(BEATS))
def test_without_the_setting_nothing_is_said(world: World, contract: str) -> None:
    socket = world.connect(somebody(world, contract), contract)
    socket.take()
    for _ in range(3):
        world.clock.advance(EVERY.total_seconds() + 120)
        world.sweep()
    assert socket.take() == []


def test_every_contract_has_a_sign_of_life_or_is_answered_often_enough() -> None:
    """The feed's clients must speak each 90 s, and are answered; Socket.IO pings by itself; who
    watches the board is told its figures each 10 s."""
    without = {name for name, spoken in CONTRACTS.items() if not spoken.keepalive_frame}
    assert without == {"feed", "socketio", "ops"}
    assert CONTRACTS["feed"].client_timeout
    assert CONTRACTS["socketio"].heartbeat
    assert BEATS.keys() == CONTRACTS.keys() - without


def test_a_courier_who_only_sends_positions_is_told_all_the_same(beating: World) -> None:
    """Positions are not answered: of all that such a client hears, nothing else is sure to come."""
    socket = beating.connect(beating.courier("dan"))
    socket.take()
    for _ in range(9):
        beating.clock.advance(60)
        socket.say({"event": "location.update", "data": {"lat": 52.5, "lng": 13.4}})
        beating.sweep()
    assert [frame for frame in socket.frames if frame["event"] == "heartbeat"]


def test_a_beat_that_finds_nobody_forgets_the_connection(beating: World) -> None:
    socket = beating.connect(beating.courier("dan"))
    socket.lose()
    beating.clock.advance(EVERY.total_seconds())
    beating.sweep()
    assert list(ConnectionRow.scan()) == []


def test_nobody_connected_nothing_sent(beating: World) -> None:
    """An idle stage pays no more than without it: the index of the due is read anyway."""
    beating.clock.advance(EVERY.total_seconds())
    beating.sweep()
    assert beating.gateway.posted == []
    assert beating.queue.take() is None
