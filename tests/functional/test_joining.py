"""Whoever is told that they are connected hears: from the place where the mailbox was then,
whatever happens while they are being let in, on every mailbox and contract."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from chalicelib.domain.messaging.connections import Connection, name_person_room, name_pool_room
from chalicelib.domain.people import Role
from chalicelib.store.connections import ConnectionTable
from chalicelib.store.mailboxes import MailboxTable
from chalicelib.store.orders import OrderTable
from chalicelib.store.tables import CourierRow
from tests.builders import DEPOT
from tests.faults import Crash, CrashingProxy, answers_lost
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.feeds import a_feed, a_profile, types_of
from tests.functional.kitchen import HANDSHAKE, Kitchen, Packets, Plain, an_owner, names, placed
from tests.functional.rides import PICKUP, WISH, enter, register
from tests.functional.world import Socket, Someone, World


def statuses(socket: Socket) -> list[str]:
    return [frame["data"]["status"] for frame in socket.frames]


def greet_of(world: World) -> Any:
    """Take the greeting of the connection that opened last out of the queue."""
    return world.queue.waiting.pop()


@pytest.mark.parametrize("apart_s", [-60, 0, 60])
def test_what_is_told_between_opening_and_greeting_is_told_to_both(
    world: World, apart_s: int
) -> None:
    """Also where API Gateway's clock and ours are a minute apart."""
    cara, dan = world.customer("cara"), world.courier("dan")
    one = world.connect(cara)
    order = world.place(cara)["id"]
    world.clock.now += timedelta(seconds=apart_s)
    two = world.connect(cara, greet=False)
    world.clock.now -= timedelta(seconds=apart_s)
    greet = greet_of(world)
    world.step("accept", order, dan)
    assert (statuses(one), statuses(two)) == (["assigned", "accepted"], [])
    world.waybill.wakeup_handler.handle_wakeup(greet.wakeup)
    world.step("arrived", order, dan)
    assert statuses(two) == ["accepted", "arrived"]
    assert statuses(one) == ["assigned", "accepted", "arrived"]


def test_what_happened_before_and_is_told_after_opening_is_told_to_both(
    make_world: MakeWorld, dynamo: Engine
) -> None:
    """Whoever accepted died, and the relay comes by its wakeup."""
    orders = CrashingProxy(OrderTable(dynamo.connection))
    world = make_world(orders=orders)
    cara, dan = world.customer("cara"), world.courier("dan")
    one = world.connect(cara)
    order = world.place(cara)["id"]
    world.pass_time(6)
    orders.crash_at("after", "commit_order")
    with pytest.raises(Crash):
        world.step("accept", order, dan)
    world.clock.advance(4.5)
    two = world.connect(cara, greet=False)
    greet = greet_of(world)
    world.pass_time(1)
    assert statuses(one) == ["assigned", "accepted"]
    world.waybill.wakeup_handler.handle_wakeup(greet.wakeup)
    world.pass_time(60)
    assert statuses(two) == ["accepted"]


@pytest.mark.parametrize(
    ("when", "call"), [("after", "update_connection"), ("before", "add_to_room")]
)
def test_a_greeting_that_died_half_way_lets_in_at_the_same_place(
    make_world: MakeWorld, when: str, call: str
) -> None:
    connections = CrashingProxy(ConnectionTable())
    world = make_world(connections=connections)
    cara, dan = world.customer("cara"), world.courier("dan")
    one = world.connect(cara)
    order = world.place(cara)["id"]
    world.pass_time(6)
    two = world.connect(cara, greet=False)
    greet = greet_of(world)
    connections.crash_at(when, call)
    with pytest.raises(Crash):
        world.waybill.wakeup_handler.handle_wakeup(greet.wakeup)
    world.clock.advance(1)
    world.step("accept", order, dan)
    world.pass_time(20)
    world.waybill.wakeup_handler.handle_wakeup(
        greet.wakeup
    )  # it was never deleted: SQS brings it again
    world.pass_time(60)
    world.step("arrived", order, dan)
    world.pass_time(30)
    assert statuses(one) == ["assigned", "accepted", "arrived"]
    assert statuses(two) == ["accepted", "arrived"]


def test_a_greeting_that_comes_again_repeats_nothing(world: World) -> None:
    cara, dan = world.customer("cara"), world.courier("dan")
    world.connect(cara)
    order = world.place(cara)["id"]
    two = world.connect(cara, greet=False)
    greet = greet_of(world)
    world.step("accept", order, dan)
    for _ in range(3):
        world.waybill.wakeup_handler.handle_wakeup(greet.wakeup)
    assert statuses(two) == ["accepted"]


Tablet = Callable[[World, Someone], Any]


def plain(world: World, owner: Someone) -> Socket:
    return world.connect(owner, "food", greet=False)


def socketio(world: World, owner: Someone) -> Socket:
    socket = world.connect(None, "socketio", greet=False, query=HANDSHAKE)
    socket.say(f'40/orders,{{"token":"{owner.token}"}}')
    return socket


def mentions(socket: Socket, name: str) -> int:
    return sum(f'"{name}"' in text for text in socket.texts)


@pytest.mark.parametrize("tablet", [plain, socketio])
@pytest.mark.parametrize("owner_id", ["77", "78"])
@pytest.mark.parametrize("restaurants", [("789",), ("789", "790", "791")])
def test_a_tablet_that_opens_an_instant_before_an_order_hears_of_it(
    world: World, tablet: Tablet, owner_id: str, restaurants: tuple[str, ...]
) -> None:
    """Another tablet of the restaurant, its owner's or another owner's, is told meanwhile."""
    one = Plain(world, an_owner(world, *restaurants))
    two = tablet(world, an_owner(world, *restaurants, id_=owner_id))
    world.clock.advance(0.2)
    for restaurant in restaurants:
        placed(world, world.customer("123"), restaurant)
    assert names(one.heard()) == ["new-order"] * len(restaurants)
    world.pass_time(60)
    assert mentions(two, "new-order") == len(restaurants)
    placed(world, world.customer("123"), restaurants[-1])
    assert mentions(two, "new-order") == len(restaurants) + 1


def while_posting_to(world: World, socket: Socket, do: Callable[[], object]) -> None:
    """Do something once, in the middle of the next post to a socket."""

    def meanwhile(connection_id: str, frame: str) -> None:
        if connection_id == socket.id:
            world.gateway.before_post = lambda *_: None
            do()

    world.gateway.before_post = meanwhile


def test_whoever_authenticates_while_another_is_told_hears_it_too(world: World) -> None:
    """Contract rides: the teller is about to post to the first when the second says who it is."""
    cara = world.someone(Role.CUSTOMER, "cara")
    register(world, cara)
    one = enter(world, cara)
    dan = world.courier("dan")
    register(world, dan)
    driver = enter(world, dan)
    driver.did("go_online")
    driver.did("update_location", **PICKUP)
    ride = one.did("request_ride", **WISH)["ride_id"]
    world.pass_time(20)
    late = world.connect(None, "rides")
    message = {"event": "authenticate", "data": {"token": cara.token}}
    while_posting_to(world, one.socket, lambda: late.say(message))
    driver.did("accept_ride", ride_id=ride)
    world.pass_time(60)
    heard = [f["event"] for f in late.frames if f["event"] != "server_message"]
    assert heard == ["authenticate_response", "ride_status_update"]
    assert one.statuses() == ["arrivingToPickup"]


def test_whoever_subscribes_while_another_is_told_hears_it_too(world: World) -> None:
    """Contract feed, and of each type by itself."""
    cara, dan = a_profile(world, world.customer("cara")), world.courier("dan")
    one = a_feed(world, cara, "delivery_accepted", "order_created")
    two = a_feed(world, cara, "order_created")
    order = world.place(cara)["id"]
    world.pass_time(6)
    subscribe = {"type": "subscribe", "events": ["delivery_accepted", "delivery_completed"]}
    while_posting_to(world, one, lambda: two.say(subscribe))
    for verb in ("accept", "arrived", "picked", "delivered"):
        world.step(verb, order, dan)
    world.pass_time(60)
    assert types_of(one.frames) == ["order_created", "delivery_accepted"]
    assert types_of(two.frames) == ["order_created", "delivery_accepted", "delivery_completed"]


def test_a_tablet_that_connects_while_another_is_told_hears_it_too(world: World) -> None:
    kitchen = Kitchen(world)
    one = Plain(world, kitchen.owner)
    opened: list[Socket] = []

    def connect() -> None:
        opened.append(world.connect(an_owner(world, id_="78"), "food", greet=False))
        world.waybill.wakeup_handler.handle_wakeup(greet_of(world).wakeup)

    while_posting_to(world, one.socket, connect)
    kitchen.place()
    world.pass_time(60)
    assert names(one.heard()) == ["new-order"]
    assert mentions(opened[0], "new-order") == 1


def is_admission(before: Any, after: Any) -> bool:
    return bool(after.person_id and not before.person_id)


class CrashingAdmission(CrashingProxy):
    """Connections that crash once, right after the row of an admitted one is written."""

    def __init__(self, part: Any) -> None:
        super().__init__(part)
        self.armed = True

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = super().__getattr__(name)
        if name != "update_connection":
            return call

        def update(before: Any, after: Any) -> Any:
            written = call(before, after)
            if self.armed and is_admission(before, after):
                self.armed = False
                raise Crash
            return written

        return update


def test_whoever_is_admitted_in_band_is_let_in_though_the_process_dies(
    make_world: MakeWorld,
) -> None:
    """Contract rides."""
    world = make_world(connections=CrashingAdmission(ConnectionTable()))
    cara = world.someone(Role.CUSTOMER, "cara")
    register(world, cara)
    socket = world.connect(None, "rides")
    message = {"event": "authenticate", "data": {"token": cara.token}}
    with pytest.raises(Crash):
        socket.say(message)
    world.pass_time(1)
    assert socket.say(message)[-1]["data"]["status"] == "success"
    ride = socket.say({"event": "request_ride", "data": WISH})[-1]["data"]["ride_id"]
    assert world.order(ride).details.pickup.point == DEPOT
    world.pass_time(400)
    world.sweep()
    world.pass_time(60)
    assert socket.frames[-1]["data"]["status"] == "canceled"
    assert MailboxTable().get_mailbox("cara").list_subscribers(world.clock.now)


def test_whoever_is_admitted_over_socketio_is_let_in_though_the_process_dies(
    make_world: MakeWorld,
) -> None:
    world = make_world(connections=CrashingAdmission(ConnectionTable()))
    kitchen = Kitchen(world)
    client = Packets(world)
    with pytest.raises(Crash):
        client.connect({"token": kitchen.customer.token})
    world.pass_time(40)
    order = kitchen.place()
    kitchen.update(order, "confirmed")
    world.pass_time(60)
    assert "order-status-updated" in names(client.heard()) or mentions(client.socket, "confirmed")


def test_an_admission_whose_answer_got_lost_is_let_in(world: World) -> None:
    cara = world.someone(Role.CUSTOMER, "cara")
    register(world, cara)
    socket = world.connect(None, "rides")
    with answers_lost(world.engine.connection.client, "PutItem"):
        socket.say({"event": "authenticate", "data": {"token": cara.token}})
    world.pass_time(60)
    assert MailboxTable().get_mailbox("cara").list_subscribers(world.clock.now)


def test_an_admission_whose_wakeup_can_not_be_sent_is_refused_and_writes_nothing(
    world: World,
) -> None:
    cara = world.someone(Role.CUSTOMER, "cara")
    register(world, cara)
    socket = world.connect(None, "rides")
    message = {"event": "authenticate", "data": {"token": cara.token}}
    world.queue.down = True
    assert socket.say(message)[-1]["data"]["status"] != "success"
    world.queue.down = False
    assert MailboxTable().get_mailbox("cara").subscribers == ()
    assert enter(world, cara).socket.frames[-1]["data"]["status"] == "success"


def test_whoever_was_told_subscribed_hears_though_the_process_dies(make_world: MakeWorld) -> None:
    """Contract feed: between the answer and the joining with what was asked for."""
    connections = CrashingProxy(ConnectionTable())
    world = make_world(connections=connections)
    cara = a_profile(world, world.customer("cara"))
    socket = a_feed(world, cara)
    connections.crash_at("before", "add_to_room")
    with pytest.raises(Crash):
        socket.say({"type": "subscribe", "events": ["order_created"]})
    assert socket.frames[-1]["type"] == "subscription_updated"
    world.pass_time(40)
    world.place(cara)
    assert types_of(socket.frames) == ["order_created"]


def test_who_joins_again_after_a_sign_of_life_arrives_but_once(world: World) -> None:
    """The row is another version by then; what it was delivered since is not delivered again."""
    cara = a_profile(world, world.customer("cara"))
    one = a_feed(world, cara, "order_created")
    world.place(cara)
    store = ConnectionTable()
    connection = store.get_connection(one.id, world.clock.now)
    assert connection is not None
    newer = replace(connection, version=connection.version + 2)
    store.add_to_room(name_person_room("cara"), newer)
    store.add_to_room(
        name_person_room("cara"), replace(newer, version=newer.version - 1, subscriptions=())
    )
    box = MailboxTable().get_mailbox("cara")
    assert box.pending == ()
    assert [one.subscriber.subscriptions for one in box.subscribers] == [newer.subscriptions]
    store.add_to_room(
        name_person_room("cara"), replace(newer, version=newer.version + 1, subscriptions=())
    )
    assert len(MailboxTable().get_mailbox("cara").pending) == 1


def test_a_greeting_that_overlaps_a_disconnect_leaves_no_ghost(world: World) -> None:
    """It joins again what the disconnect has just left."""
    dan = world.courier("dan")
    socket = world.connect(dan)
    connection = world.waybill.connections.get_connection(socket.id)
    assert connection is not None
    join_again = partial(world.waybill.connections.join_rooms, connection)
    close = ConnectionTable.delete_connection

    class Slow(ConnectionTable):
        def delete_connection(self, connection_id: str) -> None:
            join_again()
            close(self, connection_id)

    vars(world.waybill.connections)["_connections"] = Slow()
    socket.close()
    assert MailboxTable().get_mailbox("dan").subscribers == ()
    assert not CourierRow.get("dan").sockets


class Interleaved:
    """Stands before stores; before the call numbered `at`, from 0, of all together something else
    happens, once."""

    def __init__(self, at: int, meanwhile: Callable[[], None]) -> None:
        self._calls_left = at
        self._meanwhile = meanwhile

    def before(self, part: Any) -> Any:
        outer = self

        class Proxy:
            def __getattr__(self, name: str) -> Callable[..., Any]:
                return partial(outer._call, getattr(part, name))

        return Proxy()

    @property
    def happened(self) -> bool:
        return self._calls_left < 0

    def _call(self, call: Callable[..., Any], *args: Any) -> Any:
        self._calls_left -= 1
        if self._calls_left == -1:
            self._meanwhile()
        return call(*args)


@pytest.mark.parametrize("at", range(6))
def test_a_greeting_at_any_call_of_a_disconnect_leaves_no_ghost(world: World, at: int) -> None:
    """It leaves all rooms, and the courier's row, though it is let in again in between."""
    dan = world.courier("dan")
    socket = world.connect(dan, "food")
    registry = world.waybill.connections
    connection = registry.get_connection(socket.id)
    assert connection is not None
    room = name_pool_room("food")
    assert room in connection.rooms
    interleaved = Interleaved(at, partial(registry.join_rooms, connection))
    for name in ("_connections", "_couriers"):
        vars(registry)[name] = interleaved.before(vars(registry)[name])
    socket.close()
    assert interleaved.happened
    assert ConnectionTable().get_at_any_age(socket.id) is None
    assert MailboxTable().get_mailbox("dan").subscribers == ()
    assert ConnectionTable().list_subscribers(room, world.clock()) == []
    assert not CourierRow.get("dan").sockets


def test_a_greeting_that_dies_after_a_disconnect_leaves_no_open_socket(
    make_world: MakeWorld,
) -> None:
    """It was frozen as it began to join, and dies once its courier's row has the socket again."""

    class Dying(ConnectionTable):
        def add_to_room(self, room: str, connection: Connection) -> None:
            sockets = CourierRow.get("dan").sockets
            socket.close()
            CourierRow("dan").update(actions=[CourierRow.sockets.set(sockets)])
            raise Crash

    world = make_world(connections=Dying())
    socket = world.connect(world.courier("dan"), greet=False)
    greet = greet_of(world)
    with pytest.raises(Crash):
        world.waybill.wakeup_handler.handle_wakeup(greet.wakeup)
    assert CourierRow.get("dan").sockets
    world.waybill.wakeup_handler.handle_wakeup(greet.wakeup)
    assert not CourierRow.get("dan").sockets
