"""A socket ends with its token, and goes on with the next one of the same person."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.people import Role
from tests.functional.conftest import MakeWorld
from tests.functional.feeds import a_profile, an_auth
from tests.functional.kitchen import Packets
from tests.functional.world import Socket, Someone, World, log_of

LEEWAY_S = 10
EXPIRED = "The token has expired."
ROLES = {
    "courier": Role.COURIER,
    "customer": Role.CUSTOMER,
    "drivers": Role.COURIER,
    "rides": Role.COURIER,
    "food": Role.MERCHANT,
    "socketio": Role.COURIER,
    "feed": Role.CUSTOMER,
}


def short(
    world: World, role: Role, valid_s: float = 30, id_: str = "sam", **claims: Any
) -> Someone:
    """Somebody with a profile, whose token is good for so long."""
    person = world.someone(role, id_, valid_s=valid_s, **claims)
    return a_profile(world, person)


def enter(world: World, contract: str, person: Someone) -> Socket:
    """A socket of theirs that is let in."""
    if contract == "socketio":
        return Packets(world, person).socket
    if contract == "feed":
        socket = world.connect(None, contract)
        socket.say(an_auth(person))
        return socket
    return world.connect(person, contract)


def refresh(contract: str, token: Any) -> Any:
    """How a client of a contract says that it has a newer token."""
    if contract == "drivers":
        return {"type": "refresh", "token": token}
    if contract == "feed":
        return {"type": "auth", "token": token, "user_id": "sam"}
    if contract == "rides":
        return {"event": "authenticate", "data": {"token": token}}
    if contract == "socketio":
        return f'42/orders,["refresh",{json.dumps({"token": token})}]'
    return {"event": "refresh", "data": {"token": token}}


def is_error(contract: str, frame: Any) -> bool:
    """Whether a frame says no in a contract's own form."""
    text = str(frame)
    return {
        "drivers": "'type': 'error'",
        "feed": "'type': 'error'",
        "socketio": '42/orders,["error"',
        "rides": "'status': 'error'",
    }.get(contract, "'event': 'error'") in text


each = pytest.mark.parametrize("contract", ROLES)


@each
def test_a_socket_is_told_and_closed_when_its_token_ends(world: World, contract: str) -> None:
    socket = enter(world, contract, short(world, ROLES[contract]))
    socket.take()
    world.pass_time(30 + LEEWAY_S - 2)
    assert (world.gateway.closed, socket.take()) == ([], [])
    world.pass_time(5)
    assert world.gateway.closed == [socket.id]
    (frame,) = socket.take()
    assert is_error(contract, frame)
    assert EXPIRED in str(frame)
    assert world.waybill.connections.get_connection(socket.id) is None


@each
def test_nothing_is_done_for_a_socket_after_its_token(world: World, contract: str) -> None:
    """Not even where the wakeup that ends it is late."""
    socket = enter(world, contract, short(world, ROLES[contract]))
    socket.take()
    world.clock.advance(30 + LEEWAY_S + 1)
    (frame,) = socket.say({"event": "go_online", "type": "ping"})
    assert EXPIRED in str(frame)
    assert world.gateway.closed == [socket.id]


def test_nothing_is_told_after_the_token(world: World) -> None:
    cara, dan = short(world, Role.CUSTOMER), world.courier()
    feed, plain = enter(world, "feed", cara), world.connect(cara)
    feed.say({"type": "subscribe", "events": ["order_created"]})
    other = world.connect(world.customer("sam"))
    for socket in (feed, plain):
        socket.take()
    world.clock.advance(30 + LEEWAY_S + 1)
    order = world.place(world.customer("sam"))
    world.step("accept", order["id"], dan)
    assert (feed.take(), plain.take()) == ([], [])
    assert len(other.take()) == 2
    later = enter(world, "feed", short(world, Role.CUSTOMER))
    (_, event) = later.say({"type": "subscribe", "events": ["order_created"]})[-2:]
    assert event["event_type"] == "order_created"
    assert log_of("sam")


@each
def test_a_newer_token_prolongs_a_socket(world: World, contract: str) -> None:
    socket = enter(world, contract, short(world, ROLES[contract]))
    socket.take()
    world.pass_time(20)
    (answer,) = socket.say(refresh(contract, short(world, ROLES[contract], 60).token))
    assert not is_error(contract, answer)
    world.pass_time(50)
    assert (world.gateway.closed, socket.take()) == ([], [])
    world.pass_time(25)
    assert world.gateway.closed == [socket.id]
    assert EXPIRED in str(socket.take())


def test_a_prolonged_socket_hears_past_the_end_of_its_first_token(world: World) -> None:
    world.courier()
    socket = world.connect(short(world, Role.CUSTOMER))
    socket.say(refresh("customer", short(world, Role.CUSTOMER, 600).token))
    world.clock.advance(45)
    world.place(world.customer("sam"))
    assert [frame["event"] for frame in socket.take()] == ["order.status"]


@each
def test_an_older_token_makes_a_socket_no_shorter(world: World, contract: str) -> None:
    socket = enter(world, contract, short(world, ROLES[contract], 60))
    socket.take()
    (answer,) = socket.say(refresh(contract, short(world, ROLES[contract], 5).token))
    assert not is_error(contract, answer)
    world.pass_time(50)
    assert world.gateway.closed == []


def no_good(world: World, role: Role) -> dict[str, str]:
    other = Role.CUSTOMER if role is not Role.CUSTOMER else Role.COURIER
    return {
        "another person's": short(world, role, 600, "otto").token,
        "for another role": short(world, other, 600).token,
        "expired": world.someone(role, "sam", valid_s=-60).token,
        "nonsense": "x.y.z",
        "for other restaurants": short(world, role, 600, restaurant_ids=["r9"]).token,
    }


@each
def test_another_token_is_refused_and_changes_nothing(world: World, contract: str) -> None:
    socket = enter(world, contract, short(world, ROLES[contract]))
    for kind, token in no_good(world, ROLES[contract]).items():
        socket.take()
        (frame,) = socket.say(refresh(contract, token))
        assert is_error(contract, frame), kind
        row = world.waybill.connections.get_connection(socket.id)
        assert row is not None
        assert (row.person_id, row.role) == ("sam", ROLES[contract]), kind
    assert world.gateway.closed == []
    world.pass_time(45)
    assert world.gateway.closed == [socket.id]


@pytest.mark.parametrize("contract", ["courier", "customer", "drivers", "food", "rides"])
def test_a_token_may_last_longer_than_the_queue_delays(world: World, contract: str) -> None:
    """15 minutes: the wakeup is sent on."""
    socket = enter(world, contract, short(world, ROLES[contract], 3000))
    socket.take()
    world.pass_time(3000 + LEEWAY_S - 2)
    assert world.gateway.closed == []
    world.pass_time(5)
    assert world.gateway.closed == [socket.id]


def test_an_expired_socket_whose_wakeup_was_lost_is_found_by_the_sweep(world: World) -> None:
    socket = world.connect(short(world, Role.CUSTOMER))
    world.queue.waiting.clear()
    world.clock.advance(601)
    world.sweep()
    assert world.gateway.closed == [socket.id]


def test_a_newer_token_may_come_before_the_greeting(world: World) -> None:
    sam = short(world, Role.COURIER)
    socket = world.connect(sam, "drivers", greet=False)
    answer = socket.say(refresh("drivers", short(world, Role.COURIER, 600).token))
    assert answer == [{"type": "refreshed"}]
    world.pump()
    types = [frame["type"] for frame in socket.take()]
    assert types == ["connection_established", "initial_orders"]
    world.pass_time(60)
    assert world.gateway.closed == []


def test_a_token_that_ends_before_its_bearer_is_let_in_lets_nobody_in(
    make_world: MakeWorld,
) -> None:
    world = make_world(settings={"auth_deadline": timedelta(seconds=60)})
    socket = world.connect(short(world, Role.CUSTOMER), "rides")
    assert socket.status == 200
    packets = Packets(
        world, headers={"authorization": f"Bearer {short(world, Role.COURIER).token}"}
    )
    world.clock.advance(45)
    (refused,) = packets.connect()
    assert refused.startswith("44/orders,")
