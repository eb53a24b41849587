"""Whether an order can be had is broadcast, maybe late: what a courier hears last is so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.domain import events
from chalicelib.domain.messaging.connections import Subscriber, name_person_room
from chalicelib.domain.messaging.wakeups import FanOutDue
from chalicelib.domain.orders.drafts import draft_order_event
from chalicelib.domain.orders.model import Order
from chalicelib.store.connections import ConnectionTable
from chalicelib.store.tables import RoomRow
from tests.functional.conftest import MakeWorld
from tests.functional.kitchen import Kitchen, Plain, a_driver
from tests.functional.rides import Client, a_rider, request
from tests.functional.rides import a_driver as a_ride_driver
from tests.functional.world import World

CROWD = 130


@pytest.fixture
def kitchen(world: World) -> Kitchen:
    return Kitchen(world)


def a_crowd(world: World) -> list[str]:
    """So many more drivers in the pool: the ids of their sockets."""
    Plain(world, a_driver(world, "999"))
    (row,) = RoomRow.query("pool#food")
    ids = [f"crowd-{n}=" for n in range(CROWD)]
    for n, id_ in enumerate(ids):
        row.connection_id, row.person_id = id_, str(1000 + n)
        row.save()
        world.gateway.connect(id_)
    return ids


def heard(world: World, connection_id: str) -> list[str]:
    """The names of what came, in order."""
    return [json.loads(text)["event"] for text in world.gateway.frames(connection_id)]


def test_a_share_of_a_crowd_that_is_told_late_is_not_told_what_is_over(kitchen: Kitchen) -> None:
    """The wakeups of both broadcasts come in the other order."""
    world = kitchen.world
    crowd, winner = a_crowd(world), Plain(world, a_driver(world, "456"))
    order_id = kitchen.ready()
    winner.emit("accept-order", {"orderId": order_id})
    late = [m.wakeup for m in world.queue.waiting if isinstance(m.wakeup, FanOutDue)]
    assert {wakeup.event.type for wakeup in late} == {events.ORDER_OPENED, events.ORDER_TAKEN}
    for wakeup in reversed(late):
        world.waybill.wakeup_handler.handle_wakeup(wakeup)
        world.waybill.wakeup_handler.handle_wakeup(wakeup)  # the queue may deliver twice
    for id_ in crowd:
        assert heard(world, id_)[-1] == "order-taken"
        assert "new-available-order" not in heard(world, id_)[1:]


def test_who_was_told_while_another_took_it_hears_that_it_is_taken(kitchen: Kitchen) -> None:
    """The first to hear accepts before the others are posted to: they hear it the wrong way round,
    and once more."""
    world = kitchen.world
    drivers = [Plain(world, a_driver(world, id_)) for id_ in ("456", "457", "458")]
    taken_by: list[str] = []

    def accept_at_once(connection_id: str, frame: str) -> None:
        if "new-available-order" in frame and not taken_by:
            taken_by.append(connection_id)
            (quick,) = [d for d in drivers if d.socket.id == connection_id]
            order_id = json.loads(frame)["data"]["order"]["id"]
            quick.emit("accept-order", {"orderId": order_id})

    world.gateway.before_post = accept_at_once
    kitchen.ready()
    for driver in drivers:
        if driver.socket.id in taken_by:
            assert "order-taken" not in heard(world, driver.socket.id)
        else:
            assert heard(world, driver.socket.id)[-1] == "order-taken"


def called(driver: Client) -> list[str]:
    return [f["event"] for f in driver.socket.frames if f["event"].startswith(("new_", "ride_req"))]


def say(world: World, type_: str, order: Order, *drivers: Client) -> None:
    """A broadcast's wakeup comes, some time after it was sent."""
    found: list[Subscriber] = []
    for driver in drivers:
        found += ConnectionTable().list_subscribers(name_person_room(driver.id), world.clock.now)
    event = draft_order_event(order, type_, "", world.clock.now, details=order.details)
    world.waybill.wakeup_handler.handle_wakeup(FanOutDue(event, tuple(found)))


def test_a_late_call_is_heard_only_by_those_who_may_still_take_the_ride(
    make_world: MakeWorld,
) -> None:
    world = make_world(settings={"reallocate_on_driver_cancel": True})
    rider = a_rider(world)
    dora, emil = a_ride_driver(world, "dora"), a_ride_driver(world, "emil")
    ride_id = request(rider)
    open_ = world.order(ride_id)
    dora.did("accept_ride", ride_id=ride_id)
    before = called(emil)
    say(world, events.ORDER_BROADCAST, open_, dora, emil)
    assert called(emil) == before == ["new_ride_request", "ride_request_closed"]
    dora.did("cancel_ride", ride_id=ride_id)  # it is called out again, but not to her
    again = world.order(ride_id)
    assert called(emil)[-1] == "new_ride_request"
    hers = called(dora)
    say(world, events.ORDER_BROADCAST, again, dora)
    assert called(dora) == hers
    his = called(emil)
    say(world, events.BROADCAST_CLOSED, open_, emil)  # of the first time: untrue by now
    assert called(emil) == his


def test_who_is_called_while_another_takes_the_ride_hears_that_it_is_closed(world: World) -> None:
    rider = a_rider(world)
    drivers = [a_ride_driver(world, id_) for id_ in ("dora", "emil", "finn")]
    taken: list[Any] = []

    def accept_at_once(connection_id: str, frame: str) -> None:
        if "new_ride_request" in frame and not taken:
            (quick,) = [d for d in drivers if d.socket.id == connection_id]
            taken.append(quick)
            quick.did("accept_ride", ride_id=json.loads(frame)["data"]["ride_id"])

    world.gateway.before_post = accept_at_once
    request(rider)
    for driver in drivers:
        if driver not in taken:
            assert called(driver)[-1] == "ride_request_closed"
