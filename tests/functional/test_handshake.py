"""Spec 000's two sockets: who gets in, and how a connection ends (S0-01 to S0-06, P-01 to P-07)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from chalicelib.domain.messaging.connections import (
    CHECK_INTERVAL,
    MAX_CONNECTION_AGE,
    name_person_room,
)
from chalicelib.domain.people import Role
from chalicelib.errors import FrameTooLarge, PostFailed
from chalicelib.store.connections import ConnectionTable
from chalicelib.store.mailbox_subscribers import MAX_SUBSCRIBERS
from chalicelib.store.tables import ConnectionRow, CourierRow, MailboxRow, RoomRow
from infra.local.tokens import mint_token
from tests.builders import DEPOT
from tests.conftest import SECRET
from tests.functional.conftest import MakeWorld
from tests.functional.world import Someone, World, log_of


def rows(world: World) -> int:
    """What the tables know of connections."""
    heard = sum(
        len(row.subscribers.as_dict() if row.subscribers else ()) for row in MailboxRow.scan()
    )
    return len(list(ConnectionRow.scan())) + len(list(RoomRow.scan())) + heard


def test_a_courier_and_a_customer_each_have_a_door(world: World) -> None:
    """S0-01, S0-02: by header, S0-03: or by query"""
    dan, cara = world.courier(), world.customer()
    assert world.connect(dan, "courier").status == 200
    assert world.connect(cara, "customer").status == 200
    assert world.connect(None, "courier", query={"token": dan.token}).status == 200


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.MERCHANT, Role.ADMIN])
def test_another_role_is_refused_at_the_handshake(world: World, role: Role) -> None:
    """S0-03: 403, whatever `?role=` claims"""
    somebody = world.someone(role, "x")
    assert world.connect(somebody, "courier", query={"role": "courier"}).status == 403
    assert rows(world) == 0


def test_no_token_or_a_bad_one_is_refused_at_the_handshake(world: World) -> None:
    """S0-03: 401"""
    late = world.someone(Role.COURIER, "dan", valid_s=-11)
    assert world.connect(None, "courier").status == 401
    assert world.connect(None, "courier", query={"token": "x"}).status == 401
    assert world.connect(late).status == 401
    assert world.connect(None, "courier", query={"role": "courier"}).status == 401
    assert rows(world) == 0


def test_a_token_without_a_role_opens_nothing(world: World) -> None:
    """Ambiguity n: 403"""
    nobody = Someone("x", Role.COURIER, mint_token(SECRET, None, "x"))
    assert world.connect(nobody).status == 403


@pytest.mark.parametrize("contract", ["", "nonsense", "Courier"])
def test_a_door_that_is_none_is_not_found(world: World, contract: str) -> None:
    assert world.connect(None, contract, query={"contract": contract}).status == 404


def test_nothing_is_posted_before_the_handshake_is_over(world: World) -> None:
    """P-01: the greeting comes by a wakeup, after $connect has returned."""
    dan = world.courier()
    world.place(world.customer())
    socket = world.connect(dan, greet=False)
    assert world.gateway.posted == world.gateway.refused == []
    world.pump()
    assert [frame["event"] for frame in socket.take()] == ["order.assigned"]


def test_a_greeting_that_comes_too_early_comes_again(world: World) -> None:
    """P-01: until $connect has returned, a post is answered with 410."""
    dan = world.courier()
    world.place(world.customer())
    socket = world.connect(dan, greet=False)
    world.gateway.drop(socket.id)
    world.pump()
    assert socket.take() == []
    world.gateway.connect(socket.id)
    world.pass_time(1)
    assert [frame["event"] for frame in socket.take()] == ["order.assigned"]


def test_every_socket_of_a_person_hears_everything(world: World) -> None:
    """S0-06"""
    cara = world.customer()
    first, second = world.connect(cara), world.connect(cara)
    world.courier()
    world.place(cara)
    assert first.take() == second.take() != []


def test_nobody_hears_what_is_another_s(world: World) -> None:
    """S0-15, S0-07: to the chosen courier and the order's own customer only"""
    dan, eve = world.courier("dan"), world.courier("eve", at=(DEPOT[0] + 0.02, DEPOT[1]))
    cara, bob = world.customer("cara"), world.customer("bob")
    sockets = {who.id: world.connect(who) for who in (dan, eve, cara, bob)}
    world.place(cara)
    heard = {id_: len(socket.take()) for id_, socket in sockets.items()}
    assert heard == {"dan": 1, "eve": 0, "cara": 1, "bob": 0}


def test_a_connection_that_is_gone_is_forgotten_and_the_others_are_served(world: World) -> None:
    """P-02"""
    cara = world.customer()
    gone, there = world.connect(cara), world.connect(cara)
    gone.lose()
    world.courier()
    world.place(cara)
    assert len(there.take()) == 1
    assert list(MailboxRow.get("cara").subscribers.as_dict()) == [there.id]
    assert world.waybill.connections.get_connection(gone.id) is None
    assert world.waybill.connections.get_connection(there.id) is not None


def test_a_disconnect_takes_every_trace_away(world: World) -> None:
    dan = world.courier()
    socket = world.connect(dan)
    assert rows(world) == 2
    socket.close()
    socket.close()
    assert rows(world) == 0
    assert not CourierRow.get("dan").sockets


def test_a_lost_disconnect_is_found_by_the_sweep(world: World) -> None:
    """P-06"""
    lost, there = world.connect(world.customer("bob")), world.connect(world.customer("cara"))
    lost.lose()
    world.gateway.looked_at.clear()  # their greetings looked, too
    world.sweep()
    assert world.gateway.looked_at == []
    world.clock.advance(CHECK_INTERVAL.total_seconds())
    world.sweep()
    assert sorted(world.gateway.looked_at) == sorted([lost.id, there.id])
    assert {hit.connection_id for hit in ConnectionRow.scan()} == {there.id}
    world.gateway.looked_at.clear()
    world.sweep()
    assert world.gateway.looked_at == []


def test_rows_past_their_age_are_ignored_before_they_are_deleted(world: World) -> None:
    """P-07: TTL deletes late."""
    cara = world.customer()
    old = world.connect(cara)
    world.clock.advance(MAX_CONNECTION_AGE.total_seconds())
    assert rows(world) == 2
    assert world.waybill.connections.get_connection(old.id) is None
    assert ConnectionTable().list_subscribers(name_person_room("cara"), world.clock.now) == []
    world.courier()
    world.place(cara)
    assert old.say({"event": "x"}) == []
    assert world.gateway.posted == []
    assert MailboxRow.get("cara").subscribers.as_dict() == {}


def test_of_a_hundred_sockets_the_longest_silent_gives_way_to_one_more(world: World) -> None:
    cara = world.customer()
    sockets = [world.connect(cara) for _ in range(MAX_SUBSCRIBERS)]
    for socket in (*sockets[:7], *sockets[8:]):
        socket.say({"event": "x"})
        socket.take()
    sockets.append(world.connect(cara))
    (told,) = sockets[7].take()
    assert (told["event"], "too many connections" in told["data"]["message"]) == ("error", True)
    assert world.gateway.closed == [sockets[7].id]
    assert world.waybill.connections.get_connection(sockets[7].id) is None
    world.courier()
    world.place(cara)
    assert [len(socket.take()) for socket in sockets] == [1] * 7 + [0] + [1] * (MAX_SUBSCRIBERS - 7)


def test_whoever_lost_a_hundred_sockets_is_never_locked_out(world: World) -> None:
    cara = world.customer()
    ghosts = [world.connect(cara) for _ in range(MAX_SUBSCRIBERS)]
    alive = ghosts.pop(50)
    for ghost in ghosts:
        ghost.lose()
    sockets = [world.connect(cara) for _ in range(3)]
    assert world.gateway.closed == []
    world.courier()
    world.place(cara)
    assert [len(socket.take()) for socket in (alive, *sockets)] == [1] * 4


def test_newcomers_at_once_make_a_place_each(make_world: MakeWorld) -> None:
    world = make_world()
    cara = world.customer()
    sockets = [world.connect(cara) for _ in range(MAX_SUBSCRIBERS)]
    new = [world.connect(cara, greet=False) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: world.waybill.welcome.greet_connection(one.id), new))
    world.pass_time(3)
    listening = MailboxRow.get("cara").subscribers.as_dict()
    assert set(listening) >= {one.id for one in new}
    assert len(listening) == MAX_SUBSCRIBERS
    assert world.gateway.closed == [socket.id for socket in sockets[:4]]


def test_a_restaurants_owners_give_way_to_each_other(world: World) -> None:
    def owner(id_: str) -> Someone:
        return world.someone(Role.MERCHANT, id_, restaurant_ids=["r1"])

    first = world.connect(owner("o-0"), "food")
    others = [world.connect(owner(f"o-{n}"), "food") for n in range(1, MAX_SUBSCRIBERS + 1)]
    assert world.gateway.closed == [first.id]
    assert first.frames[-1]["event"] == "error"
    box = MailboxRow.get("restaurant#r1").subscribers.as_dict()
    assert set(box) == {socket.id for socket in others}
    assert world.waybill.connections.get_connection(first.id) is None


def test_events_past_their_age_are_ignored_before_they_are_deleted(world: World) -> None:
    """P-07: what waited for more than 24 h is not told."""
    cara = world.customer()
    world.place(cara)
    world.clock.advance(timedelta(hours=24).total_seconds())
    assert len(log_of("cara")) == 2
    assert world.connect(cara).take() == []


def test_a_frame_that_is_too_large_stops_nobody(world: World) -> None:
    """P-03: 413 is logged, others still served, and what comes after it too"""
    cara = world.customer()
    small, other = world.connect(cara), world.connect(cara)
    world.gateway.fail(small.id, FrameTooLarge())
    dan = world.courier()
    order = world.place(cara)
    world.step("accept", order["id"], dan)
    assert [frame["data"]["status"] for frame in small.take()] == ["accepted"]
    assert [frame["data"]["status"] for frame in other.take()] == ["assigned", "accepted"]


def test_a_post_that_fails_for_now_is_made_again_by_the_wakeup(world: World) -> None:
    """P-03: others are served at once; the same frame comes again within a minute"""
    cara, dan = world.customer(), world.courier()
    broken, other = world.connect(cara), world.connect(cara)
    world.gateway.fail(broken.id, PostFailed(), PostFailed())
    order = world.place(cara)
    assert len(other.take()) == 1
    assert broken.take() == []
    world.step("accept", order["id"], dan)
    world.pass_time(60)
    assert [frame["data"]["status"] for frame in broken.take()] == ["assigned", "accepted"]
    assert "accepted" in [frame["data"]["status"] for frame in other.take()]
    assert world.queue.dead == []


def test_messages_of_a_connection_that_has_ended_are_dropped(world: World) -> None:
    socket = world.connect(world.courier())
    socket.close()
    assert socket.say({"event": "location.update", "data": {"lat": 1, "lng": 1}}) == []
