"""What a driver's socket hears first (spec 004), and that nothing is said twice or too late."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.messaging.mailboxes import Mailbox
from chalicelib.domain.messaging.wakeups import GreetingDue
from chalicelib.errors import Gone, PostFailed
from chalicelib.store.connections import ConnectionTable
from chalicelib.store.mailboxes import MailboxTable
from tests.builders import DEPOT, north_of
from tests.functional.conftest import MakeWorld
from tests.functional.hails import be_at, driver, hail, pending, types
from tests.functional.world import World

GREETING = ["connection_established", "initial_orders"]
SMALL = {"dispatch_radius_m": 1000.0}


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A small one: looking far costs moto 61 queries."""
    return make_world(settings=SMALL)


def test_the_pending_order_is_in_the_greeting_and_is_not_said_again(world: World) -> None:
    """S4-05: no new_order for what initial_orders has."""
    dan = world.courier("5")
    order = hail(world)
    socket = world.connect(dan, "drivers")
    [established, initial] = socket.take()
    assert established["driver_id"] == 5
    assert [found["id"] for found in initial["orders"]] == [order["id"]]
    world.pass_time(60)
    assert socket.take() == []


def test_the_greeting_comes_before_what_happens_meanwhile(world: World) -> None:
    """S4-05: an order placed between $connect and the greeting is pending, not new."""
    dan = world.courier("5")
    socket = world.connect(dan, "drivers", greet=False)
    hail(world)
    assert socket.take() == []
    world.pass_time(60)
    [_, initial] = socket.take()
    assert len(initial["orders"]) == 1


def test_an_order_that_comes_while_the_greeting_is_said_is_a_new_order(world: World) -> None:
    """S4-05: after initial_orders, whoever was first."""
    dan = world.courier("5")
    socket = world.connect(dan, "drivers", greet=False)
    meanwhile(world, "initial_orders", lambda: hail(world))
    world.pass_time(60)
    frames = socket.take()
    assert [frame["type"] for frame in frames] == [*GREETING, "new_order"]
    assert frames[1]["orders"] == []


def test_an_order_that_the_greeting_tells_first_is_not_told_again(make_world: MakeWorld) -> None:
    """Who placed it could not tell the driver; the wakeup that does comes after the greeting."""
    mailboxes = OutOfReach()
    world = make_world(mailboxes=mailboxes)
    dan = world.courier("5")
    mailboxes.out_of_reach = True
    hail(world)
    mailboxes.out_of_reach = False
    socket = world.connect(dan, "drivers")
    assert len(socket.frames[1]["orders"]) == 1
    world.pass_time(60)
    assert types(socket) == GREETING


def test_what_one_socket_is_told_in_its_greeting_is_still_new_to_another(world: World) -> None:
    """The first could not be posted to for a moment; a second one comes meanwhile."""
    dan, first = driver(world, "5")
    world.gateway.fail(first.id, PostFailed("busy"))
    hail(world)
    second = world.connect(dan, "drivers")
    world.pass_time(60)
    assert types(second) == GREETING
    assert types(first) == ["new_order"]


def test_a_greeting_that_is_repeated_is_said_once(world: World) -> None:
    """A wakeup may come twice."""
    _, socket = driver(world, "5")
    for _ in range(3):
        world.waybill.wakeup_handler.handle_wakeup(GreetingDue(socket.id))
    assert types(socket) == []
    hail(world)
    assert types(socket) == ["new_order"]


def test_a_socket_that_was_greeted_and_not_let_in_is_let_in(make_world: MakeWorld) -> None:
    """The process died between the two; the wakeup comes again."""
    connections = FailingOnce()
    world = make_world(connections=connections)
    dan = world.courier("5")
    connections.fails = True
    socket = world.connect(dan, "drivers")
    assert types(socket) == GREETING
    world.pass_time(31)
    hail(world)
    assert types(socket) == ["new_order"]


def test_a_socket_that_is_gone_before_its_greeting_is_forgotten(world: World) -> None:
    """No error, nothing left to do, and the order goes to nobody's socket."""
    dan = world.courier("5")
    socket = world.connect(dan, "drivers", greet=False)
    socket.lose()
    world.pass_time(300)
    assert world.waybill.connections.get_connection(socket.id) is None
    assert world.queue.waiting == world.queue.dead == []
    world.courier("5")  # where they are by now
    hail(world)
    world.pass_time(10)
    assert world.gateway.frames(socket.id) == []
    assert len(pending(world, dan)) == 1


def test_a_socket_that_closed_before_its_greeting_hears_nothing(world: World) -> None:
    """And its wakeup finds nothing to do."""
    socket = world.connect(world.courier("5"), "drivers", greet=False)
    socket.close()
    world.pass_time(60)
    assert world.gateway.posted == world.gateway.refused == []
    assert world.queue.waiting == world.queue.dead == []


def test_a_socket_whose_handshake_is_not_over_is_greeted_soon(world: World) -> None:
    """AWS: posting before $connect has returned is a 410."""
    dan = world.courier("5")
    socket = world.connect(dan, "drivers", greet=False)
    world.gateway.fail(socket.id, Gone(socket.id))
    world.pass_time(2)
    assert types(socket) == GREETING


def test_an_offer_that_lapses_after_the_greeting_began_is_timed_out(world: World) -> None:
    """It was pending, then it is not: no new_order, one order_timeout, no error."""
    dan = world.courier("5")
    order = hail(world)
    world.queue.waiting.clear()
    socket = world.connect(dan, "drivers", greet=False)

    def lapse() -> None:
        world.clock.advance(301)
        assert pending(world, dan) == []

    meanwhile(world, "initial_orders", lapse)
    world.pump()
    world.pass_time(60)
    frames = socket.take()
    assert [frame["type"] for frame in frames] == [*GREETING, "order_timeout"]
    assert frames[1]["orders"][0]["id"] == frames[2]["order_id"] == order["id"]
    assert world.queue.dead == []


def test_an_offer_that_lapsed_before_the_greeting_is_not_pending(world: World) -> None:
    """The greeting itself finds the lapse; the driver hears of it once."""
    dan = world.courier("5")
    hail(world)
    world.queue.waiting.clear()
    world.clock.advance(301)
    socket = world.connect(dan, "drivers")
    frames = socket.take()
    assert [frame["type"] for frame in frames] == [*GREETING, "order_timeout"]
    assert frames[1]["orders"] == []


@pytest.mark.parametrize("verb", ["accept", "decline"])
def test_an_offer_answered_without_a_socket_is_not_new_later(world: World, verb: str) -> None:
    """No stale offer: it was answered by REST before the socket came."""
    dan = world.courier("5")
    order = hail(world)
    assert world.post(f"/v1/driver/orders/{order['id']}/{verb}", by=dan).status == 200
    socket = world.connect(dan, "drivers")
    frames = socket.take()
    assert [frame["type"] for frame in frames] == GREETING
    assert frames[1]["orders"] == []


def test_an_offer_taken_back_before_the_greeting_is_no_new_order(world: World) -> None:
    """What is queued is told, less the offer that no longer stands."""
    dan, cara = world.courier("5"), world.customer("cara")
    order = hail(world, cara)
    world.post(f"/v1/orders/{order['id']}/cancel", by=cara)
    socket = world.connect(dan, "drivers")
    assert types(socket) == [*GREETING, "order_timeout"]


def test_an_order_offered_again_is_pending_and_its_old_lapse_is_not_told(world: World) -> None:
    """Its order_timeout would take away what initial_orders has just shown."""
    dan = world.courier("5")
    eve = world.courier("6", north_of(DEPOT, 100))
    order = hail(world)
    for _ in range(2):
        world.pass_time(290)
        be_at(world, dan)
        be_at(world, eve, north_of(DEPOT, 100))
        world.pass_time(12)
    world.pass_time(15)
    world.sweep()
    assert world.order(order["id"]).occupied_courier_id == "5"
    socket = world.connect(dan, "drivers")
    frames = socket.take()
    assert [frame["type"] for frame in frames] == GREETING
    assert frames[1]["orders"][0]["id"] == order["id"]


def test_every_socket_of_a_driver_is_greeted_and_hears_all(world: World) -> None:
    """One on each of two phones."""
    dan, first = driver(world, "5")
    second = world.connect(dan, "drivers")
    assert types(second) == GREETING
    assert types(first) == []
    hail(world)
    assert types(first) == types(second) == ["new_order"]


class FailingOnce(ConnectionTable):
    """Fails to let a connection into its room, once, when `fails` is set."""

    fails = False

    def add_to_room(self, room: str, connection: Connection) -> None:
        if self.fails:
            self.fails = False
            raise OSError("out of reach")
        super().add_to_room(room, connection)


class OutOfReach(MailboxTable):
    """Can't be leased while `out_of_reach`."""

    out_of_reach = False

    def acquire_lease(
        self, person_id: str, holder: str, now: datetime, until: datetime, mark: str | None = None
    ) -> Mailbox | None:
        if self.out_of_reach:
            raise OSError("out of reach")
        return super().acquire_lease(person_id, holder, now, until, mark)


def meanwhile(world: World, type_: str, do: Any) -> None:
    """Do something just before the first frame of that type goes out."""

    def before(connection_id: str, frame: str) -> None:
        if type_ in frame:
            world.gateway.before_post = lambda connection_id, frame: None
            do()

    world.gateway.before_post = before
