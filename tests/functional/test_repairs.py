"""Reading repairs what a death left: couriers whom a finished order holds, sockets that hear
nothing, rows of sockets that ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.messaging.connections import (
    CHECK_INTERVAL,
    MAX_CONNECTION_AGE,
    name_person_room,
)
from chalicelib.domain.messaging.wakeups import CloseDue, GreetingDue
from chalicelib.domain.orders.model import Status
from chalicelib.domain.people import Role
from chalicelib.store.connections import ConnectionTable
from chalicelib.store.mailbox_subscribers import remove_subscriber
from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import ConnectionRow, CourierRow
from chalicelib.store.wallets import WalletTable
from tests.builders import DEPOT, north_of
from tests.faults import Crash, CrashingProxy
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.hails import hail
from tests.functional.kitchen import Kitchen
from tests.functional.world import World

CHECK_S = CHECK_INTERVAL.total_seconds()


class Left:
    """dan has delivered; whoever did it for him died, and its wakeups are lost."""

    def __init__(self, make_world: MakeWorld, engine: Engine) -> None:
        orders = CrashingProxy(OrderTable(engine.connection))
        self.world: World = make_world(orders=orders)
        self.engine = engine
        self.dan, self.cara = self.world.courier(), self.world.customer()
        self.socket = self.world.connect(self.dan)
        self.order = self.world.place(self.cara)["id"]
        for verb in ("accept", "arrived", "picked"):
            assert self.world.step(verb, self.order, self.dan).status == 200
        self.world.pass_time(60)
        orders.crash_at("after", "commit_order")
        with pytest.raises(Crash):
            self.world.step("delivered", self.order, self.dan)
        self.world.queue.waiting.clear()
        assert self.held_by() == int(self.order)
        assert self.world.order(self.order).status is Status.DONE

    def held_by(self) -> int | None:
        held = CourierRow.get("dan").order_id
        return None if held is None else int(held)

    @property
    def earned(self) -> int:
        return WalletTable(self.engine.connection).get_wallet("dan").balance_minor


@pytest.fixture
def left(make_world: MakeWorld, dynamo: Engine) -> Left:
    return Left(make_world, dynamo)


READS: dict[str, Callable[[Left], Any]] = {
    "active order": lambda left: left.world.get("/v1/courier/active-order", left.dan),
    "offers, spec 004": lambda left: left.world.waybill.customer_orders.poll_offers("dan"),
    "on duty": lambda left: left.world.courier(),
    "off duty": lambda left: left.world.courier(available=False),
    "a position": lambda left: left.world.post(
        "/v1/courier/location", {"lat": DEPOT[0], "lng": DEPOT[1]}, left.dan
    ),
    "a new socket": lambda left: left.world.connect(left.dan),
}


@pytest.mark.parametrize("what", READS)
def test_whoever_is_held_by_an_order_that_is_done_is_let_go_and_paid(left: Left, what: str) -> None:
    READS[what](left)
    assert left.held_by() is None
    left.world.pass_time(60)
    assert left.earned > 0
    on_duty = what != "off duty"
    placed = left.world.place(left.world.customer("eve"))
    assert placed["status"] == ("assigned" if on_duty else "no_nearby_driver")


def test_reading_again_books_nothing_twice(left: Left) -> None:
    for _ in range(3):
        left.world.get("/v1/courier/active-order", left.dan)
    left.world.pass_time(60)
    once = left.earned
    left.world.get("/v1/courier/active-order", left.dan)
    left.world.pass_time(60)
    assert left.earned == once > 0


def test_a_read_is_answered_though_it_can_not_repair_now(left: Left) -> None:
    """The wakeup goes out first: without it nobody is let go, and the next read tries again."""
    left.world.queue.down = True
    answer = left.world.get("/v1/courier/active-order", left.dan)
    assert (answer.status, answer.body) == (200, {"active": False})
    assert left.held_by() == int(left.order)
    left.world.queue.down = False
    left.world.get("/v1/courier/active-order", left.dan)
    assert left.held_by() is None


def test_an_order_given_by_hand_finds_them_free(left: Left) -> None:
    world = left.world
    other = world.place(world.customer("eve"))["id"]
    body = {"courier_id": "dan"}
    answer = world.post(f"/v1/admin/orders/{other}/assign", body, world.admin())
    assert answer.status == 200, answer
    assert left.held_by() == int(other)


def test_an_order_of_a_pool_can_be_taken(left: Left) -> None:
    ready = Kitchen(left.world).ready()
    left.world.waybill.courier_orders.accept_order(left.dan.actor, ready)
    assert left.held_by() == ready


def test_whoever_still_has_work_is_not_let_go(world: World) -> None:
    dan, cara = world.courier(), world.customer()
    order = world.place(cara)["id"]
    world.step("accept", order, dan)
    for _ in range(2):
        world.get("/v1/courier/active-order", dan)
        world.courier()
    assert CourierRow.get("dan").order_id == int(order)


def test_an_open_socket_has_its_courier_let_go_in_time(left: Left) -> None:
    """Without any read of theirs: by the check of the connection."""
    left.world.clock.advance(CHECK_S)
    left.world.sweep()
    assert left.held_by() is None
    left.world.pass_time(60)
    assert left.earned > 0
    assert left.world.gateway.closed == []


# Sockets


def check(world: World, after_s: float = CHECK_S) -> None:
    world.clock.advance(after_s)
    world.sweep()
    world.pass_time(2)


@pytest.mark.parametrize(
    ("role", "contract"),
    [(Role.CUSTOMER, "customer"), (Role.COURIER, "courier"), (Role.COURIER, "drivers")],
)
def test_a_socket_that_was_never_greeted_is_greeted_by_its_check(
    world: World, role: Role, contract: str
) -> None:
    person = world.someone(role, "5")
    socket = world.connect(person, contract, greet=False)
    world.queue.waiting.clear()
    check(world)
    connection = world.waybill.connections.get_connection(socket.id)
    assert connection is not None
    assert connection.greeted
    listening = ConnectionTable().list_subscribers(name_person_room("5"), world.clock.now)
    assert [one.connection_id for one in listening] == [socket.id]


def test_a_socket_that_does_not_hear_its_mailbox_is_let_in_by_its_check(world: World) -> None:
    """Whoever admitted it wrote its row, and died before it joined."""
    cara = world.customer()
    socket = world.connect(cara)
    remove_subscriber("cara", socket.id)
    world.courier()
    order = world.place(cara)["id"]
    assert socket.take() == []
    check(world)
    assert socket.take() != []
    assert world.post(f"/v1/orders/{order}/retry", by=cara).status in (200, 409)
    world.place(cara)
    assert socket.take() != []


def test_with_heartbeats_every_few_minutes_one_in_half_an_hour_looks_closer(
    make_world: MakeWorld,
) -> None:
    world = make_world(settings={"heartbeat": timedelta(minutes=8)})
    cara = world.customer()
    socket = world.connect(cara)
    remove_subscriber("cara", socket.id)
    world.courier()
    world.place(cara)
    heard = []
    for _ in range(5):
        check(world, 8 * 60)
        heard.append(any(frame["event"] == "order.status" for frame in socket.take()))
    assert heard.index(True) == 3


def test_a_socket_that_hears_is_left_alone(world: World) -> None:
    world.connect(world.customer())
    world.connect(world.courier())
    world.clock.advance(CHECK_S)
    world.queue.sent.clear()
    world.sweep()
    assert not [wakeup for wakeup, _ in world.queue.sent if isinstance(wakeup, GreetingDue)]


def test_a_socket_that_never_said_who_it_is_is_closed_by_its_check(world: World) -> None:
    """Its deadline's wakeup was lost."""
    socket = world.connect(None, "rides")
    world.queue.waiting.clear()
    check(world)
    assert world.gateway.closed == [socket.id]
    assert world.waybill.connections.get_connection(socket.id) is None


@pytest.mark.parametrize("ends", ["lost", "void"])
def test_of_a_socket_that_ended_unheard_nothing_is_left(world: World, ends: str) -> None:
    """Also when its row is void by the time it is looked at: its courier is not connected."""
    dan = world.courier("dan", north_of(DEPOT, 4000))
    socket = world.connect(dan)
    socket.lose()
    if ends == "void":
        world.clock.advance(MAX_CONNECTION_AGE.total_seconds() + 1)
    check(world)
    assert not CourierRow.get("dan").sockets
    assert list(ConnectionRow.scan()) == []


def test_a_connection_is_checked_before_its_row_is_void(world: World) -> None:
    """DynamoDB deletes it soon after, and then nobody knows any more whose it was."""
    dan = world.courier()
    socket = world.connect(dan)
    last = timedelta(0)
    while (row := world.waybill.connections.get_connection(socket.id)) is not None:
        world.clock.advance(15)
        world.sweep()
        if row.check_at:
            last = row.check_at - row.connected_at
        if world.clock.now - row.connected_at > timedelta(hours=2):
            world.gateway.drop(socket.id)
    assert timedelta(hours=2) < last < MAX_CONNECTION_AGE
    assert not CourierRow.get("dan").sockets


# Closing


def test_a_socket_that_can_not_be_closed_now_is_closed_by_a_wakeup(world: World) -> None:
    socket = world.connect(None, "rides")
    world.gateway.cannot_close.add(socket.id)
    world.pass_time(11)
    assert world.waybill.connections.get_connection(socket.id) is None
    assert CloseDue in {type(message.wakeup) for message in world.queue.waiting}
    world.pass_time(60)
    world.gateway.cannot_close.clear()
    world.pass_time(15 * 60)
    assert world.gateway.closed == [socket.id]
    assert world.queue.waiting == world.queue.dead == []


def test_a_socket_that_can_never_be_closed_ends_in_the_dead_letters(world: World) -> None:
    socket = world.connect(None, "rides")
    world.gateway.cannot_close.add(socket.id)
    world.pass_time(4 * 3600)
    assert [type(message.wakeup) for message in world.queue.dead] == [CloseDue]
    assert world.queue.waiting == []


def test_a_message_of_an_unknown_connection_closes_it(world: World) -> None:
    """Its row is gone, and its client would wait for answers for ever."""
    socket = world.connect(world.customer())
    world.waybill.connections.remove_connection(socket.id, "cara")
    assert socket.say({"event": "x"}) == []
    assert world.gateway.closed == [socket.id]


# Waits


def test_a_wait_that_can_not_be_armed_is_not_written(world: World) -> None:
    """The wakeup goes out first, as an offer's does."""
    world.queue.down = True
    body = {"address_from": "a", "address_to": "b", "latitude_from": 1, "longitude_from": 1}
    answer = world.post("/v1/driver-orders", body, world.customer())
    assert answer.status == 503, answer
    assert world.get("/v1/customer/active-order", world.customer()).body == {"active": False}


@pytest.mark.parametrize("lost", [False, True])
def test_each_look_of_a_search_has_one_wakeup_however_many_find_it(
    world: World, lost: bool
) -> None:
    """Sweeps, timers and duplicates meet; the number of wakeups that are out does not grow."""
    order = hail(world)["id"]
    for n in range(12):
        world.pass_time(10)
        if lost and n == 3:
            world.queue.waiting.clear()
        for _ in range(2):
            world.sweep()
    waiting = [m for m in world.queue.waiting if getattr(m.wakeup, "order_id", 0) == order]
    assert len(waiting) == 1
    assert world.order(order).version >= 10
