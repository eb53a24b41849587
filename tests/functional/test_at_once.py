"""Whoever asks for the same thing twice at the same moment is answered as if they had asked twice,
one after the other: wherever between two calls of the first the second comes. So are two who ask
for different things."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import pytest

from chalicelib.domain.details import Contact
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.people import Actor, Role
from chalicelib.domain.request_keys import RequestKey
from chalicelib.errors import CourierTaken, Stale, WaybillError
from chalicelib.store.compression import unpack
from chalicelib.store.courier_rows import list_held
from chalicelib.store.database import bind_tables
from chalicelib.store.tables import CourierRow
from infra.resources.aws_clients import REGION
from tests.builders import DEPOT, north_of
from tests.functional.conftest import PREFIX, Engine
from tests.functional.hails import driver, hail
from tests.functional.kitchen import Kitchen, a_driver
from tests.functional.rides import a_driver as a_rides_driver
from tests.functional.rides import a_ride, a_rider, request
from tests.functional.world import Someone, World
from tests.simulation.dynamo import Dynamo

Ask = Callable[[], object]
Story = Callable[[World], Ask | tuple[Ask, Ask]]
Act = Callable[[World, int], object]
CARA, ADA = Actor("cara", Role.CUSTOMER), Actor("ada", Role.ADMIN)
KEY = RequestKey("cara's", "the same")
DAMAGED, ABSENT = Reason("damaged"), Reason("recipient_absent")


class Crossing:
    """A botocore client of a DynamoDB in memory: `meanwhile` happens just before the call numbered
    `at`, from 0."""

    _request_signer = None  # pynamodb looks whether there are credentials

    def __init__(self) -> None:
        self.engine = Dynamo(PREFIX)
        self._lock = threading.Lock()
        self.at, self.calls = -1, 0
        self.meanwhile: Ask = lambda: None

    def _make_api_call(self, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            nth, self.calls = self.calls, self.calls + 1
        if nth == self.at:
            self.meanwhile()
        with self._lock:
            return self.engine.call(operation, asked)


class Outcome(NamedTuple):
    """What two were answered, how their orders stand then, and which of these each courier has by
    their own row."""

    first: str
    second: str
    orders: Sequence[tuple[Status, Sequence[str]]]
    held: Mapping[str, Sequence[int]]


class Town:
    """A world at the moment before two ask for something, again and again."""

    def __init__(self, story: Story, settings: Mapping[str, Any] | None = None) -> None:
        self._client = Crossing()
        connection = bind_tables(PREFIX, REGION, None, self._client)
        world = World(Engine("memory", None, connection, None, ""), settings)
        asked = story(world)
        self._first, self._second = asked if isinstance(asked, tuple) else (asked, asked)
        tables = self._client.engine.tables
        self._saved = {name: dict(table.items) for name, table in tables.items()}

    def ask_in_turn(self) -> tuple[list[Outcome], int]:
        """Ask one after the other, and the other way round; and count the calls of the first."""
        self._restore()
        first, calls = answer(self._first), self._client.calls
        in_turn = self._look(first, answer(self._second))
        self._restore()
        second = answer(self._second)
        return [in_turn, self._look(answer(self._first), second)], calls

    def ask_at_once(self, calls: int) -> Iterator[tuple[int, Outcome]]:
        """Ask for the first, and for the second just before each of its calls; or after them all,
        where they are fewer this time."""
        for at in range(calls):
            self._restore()
            seconds: list[str] = []
            self._client.at = at
            self._client.meanwhile = lambda seconds=seconds: seconds.append(  # type: ignore[misc]
                answer(self._second)
            )
            first = answer(self._first)
            second = seconds[0] if seconds else answer(self._second)
            yield at, self._look(first, second)

    def _restore(self) -> None:
        for name, table in self._client.engine.tables.items():
            table.clear()
            table.items.update(self._saved[name])
        self._client.at, self._client.calls = -1, 0

    def _look(self, first: str, second: str) -> Outcome:
        orders = list_orders(self._client)
        numbers = {order.id: number for number, order in enumerate(orders)}
        held: dict[str, list[int]] = {}
        for stored in self._client.engine.rows("couriers"):
            row = CourierRow()
            row.deserialize(stored)
            held[row.courier_id] = [numbers[one.order_id] for one in list_held(row)]
        return Outcome(first, second, [(one.status, one.occupied_ids) for one in orders], held)


def list_orders(client: Crossing) -> list[Order]:
    """All orders that there are, the oldest first."""
    orders = (unpack(bytes(row["doc"]["B"]), Order) for row in client.engine.rows("orders"))
    return sorted(orders, key=lambda order: order.id)


def answer(ask: Ask) -> str:
    """What a client is answered: a code, or "done"."""
    try:
        ask()
    except WaybillError as error:
        return error.code
    except (Stale, CourierTaken):
        return "unavailable"
    return "done"


# Deliveries


def delivery(*verbs: str) -> Callable[[World], tuple[World, Someone, int]]:
    """An order of cara's that dan has taken some steps with."""

    def tell(world: World) -> tuple[World, Someone, int]:
        dan = world.courier()
        order_id = world.place(world.customer())["id"]
        for verb in verbs:
            assert world.step(verb, order_id, dan).status == 200
        return world, dan, int(order_id)

    return tell


ON_THE_WAY = ("accept", "arrived", "picked")
DELIVERED = (*ON_THE_WAY, "delivered")


def step(command: Command, *verbs: str) -> Story:
    """The courier takes a step."""

    def tell(world: World) -> Ask:
        world, dan, order_id = delivery(*verbs)(world)
        return lambda: world.waybill.courier_orders.take_step(dan.actor, order_id, command)

    return tell


def accept(world: World) -> Ask:
    world, dan, order_id = delivery()(world)
    return lambda: world.waybill.courier_orders.accept_order(dan.actor, order_id)


def cancel(world: World) -> Ask:
    world, _, order_id = delivery("accept")(world)
    cara = world.customer().actor
    return lambda: world.waybill.customer_orders.cancel_order(cara, order_id, None)


def retry(world: World) -> Ask:
    order_id = int(world.place(world.customer())["id"])
    world.courier()
    cara = world.customer().actor
    return lambda: world.waybill.customer_orders.retry_search(cara, order_id)


def place(world: World) -> Ask:
    world.courier()
    body = {"pickup_address": "1", "dropoff_address": "2", "receiver_phone": "+911234567890"}
    cara = world.customer()

    def ask() -> None:
        sent = world.call("POST", "/v1/orders", body, cara, {"idempotency-key": "the same"})
        assert sent.status in (200, 201), sent

    return ask


def go_on_duty(world: World) -> Ask:
    dan = world.courier(available=False)
    return lambda: world.waybill.courier_status.set_available(dan.actor, True)


def go_off_duty(world: World) -> Ask:
    world, dan, _ = delivery()(world)
    return lambda: world.waybill.courier_status.set_available(dan.actor, False)


# Hands


def hand(act: Callable[[World, Actor, int], object], *verbs: str) -> Story:
    """A dispatcher does something with an order."""

    def tell(world: World) -> Ask:
        world, _, order_id = delivery(*verbs)(world)
        world.courier("eve")
        return lambda: act(world, world.admin().actor, order_id)

    return tell


def pause(world: World) -> Ask:
    dan = world.courier()
    return lambda: world.waybill.pauses.pause_courier(world.admin().actor, dan.id)


# Rides


def accept_ride(world: World) -> Ask:
    rider, dora = a_rider(world), a_rides_driver(world)
    ride_id = int(request(rider))
    return lambda: world.waybill.courier_orders.accept_order(dora.person.actor, ride_id)


def ride(command: Command, until: str = "accepted") -> Story:
    def tell(world: World) -> Ask:
        rider, dora = a_rider(world), a_rides_driver(world)
        ride_id = int(a_ride(rider, dora, until))
        return lambda: world.waybill.courier_orders.take_step(dora.person.actor, ride_id, command)

    return tell


def cancel_ride(world: World) -> Ask:
    rider, dora = a_rider(world), a_rides_driver(world)
    ride_id = int(a_ride(rider, dora))
    return lambda: world.waybill.rides.cancel_ride(rider.person.actor, ride_id, None)


def give_ride_back(world: World) -> Ask:
    rider, dora = a_rider(world), a_rides_driver(world)
    ride_id = int(a_ride(rider, dora))
    return lambda: world.waybill.rides.cancel_ride(dora.person.actor, ride_id, None)


# Meals


def accept_meal(world: World) -> Ask:
    kitchen = Kitchen(world)
    kitchen.drivers(a_driver(world).id)
    order_id = kitchen.ready()
    return lambda: world.waybill.courier_orders.accept_order(a_driver(world).actor, order_id)


def cook(command: Command, *statuses: str) -> Story:
    def tell(world: World) -> Ask:
        kitchen = Kitchen(world)
        order_id = kitchen.place()
        kitchen.update(order_id, *statuses)
        owner = Actor(kitchen.owner.id, Role.MERCHANT, restaurant_ids=("789",))
        return lambda: world.waybill.courier_orders.take_step(owner, order_id, command)

    return tell


def bring_meal(command: Command) -> Story:
    def tell(world: World) -> Ask:
        take, driver = accept_meal(world), a_driver(world)
        take()
        client: Any = world.engine.connection.client
        [order] = list_orders(client)
        return lambda: world.waybill.courier_orders.take_step(driver.actor, order.id, command)

    return tell


# Hails


def accept_hail(world: World) -> Ask:
    dan, _ = driver(world, "dan")
    order_id = int(hail(world)["id"])
    return lambda: world.waybill.courier_orders.accept_order(dan.actor, order_id)


# Money


def after_delivery(act: Callable[[World, Actor, int], object]) -> Story:
    """The customer of an order that is done does something."""

    def tell(world: World) -> Ask:
        world, _, order_id = delivery(*DELIVERED)(world)
        world.pump()
        return lambda: act(world, world.customer().actor, order_id)

    return tell


def have_paid_out(world: World) -> Ask:
    world, dan, _ = delivery(*DELIVERED)(world)
    world.pump()
    payouts = world.waybill.payouts
    return lambda: payouts.request_payout(dan.actor, 1, "DE12", KEY)


# Two who want different things


def two(first: Act, second: Act, *verbs: str) -> Story:
    """Two do something with a delivery."""

    def tell(world: World) -> tuple[Ask, Ask]:
        world, _, order_id = delivery(*verbs)(world)
        world.courier("eve")
        world.courier("fay")
        return partial(first, world, order_id), partial(second, world, order_id)

    return tell


def accept_it(world: World, order_id: int) -> object:
    dan = Actor("dan", Role.COURIER)
    return world.waybill.courier_orders.accept_order(dan, order_id)


def dan_takes(command: Command) -> Act:
    dan = Actor("dan", Role.COURIER)
    return lambda world, id_: world.waybill.courier_orders.take_step(dan, id_, command)


def cancel_it(world: World, order_id: int) -> object:
    return world.waybill.customer_orders.cancel_order(CARA, order_id, None)


def give_to(courier_id: str) -> Act:
    return lambda world, id_: world.waybill.hands.assign_courier(ADA, id_, courier_id)


def pause_dan(world: World, order_id: int) -> object:
    return world.waybill.pauses.pause_courier(ADA, "dan")


def leave_duty(world: World, order_id: int) -> object:
    return world.waybill.courier_status.set_available(Actor("dan", Role.COURIER), False)


def two_drivers(world: World) -> tuple[Ask, Ask]:
    rider = a_rider(world)
    drivers = [a_rides_driver(world, id_).person.actor for id_ in ("dora", "dina")]
    ride_id = int(request(rider))
    accept = world.waybill.courier_orders.accept_order
    return partial(accept, drivers[0], ride_id), partial(accept, drivers[1], ride_id)


# Where several are asked, and have several


def eve_takes(command: Command) -> Act:
    eve = Actor("eve", Role.COURIER)
    return lambda world, id_: world.waybill.courier_orders.take_step(eve, id_, command)


def of_three(first: Act, second: Act) -> Story:
    """Dan and eve are asked; fay is further away."""

    def tell(world: World) -> tuple[Ask, Ask]:
        for name, away_m in (("dan", 0), ("eve", 10), ("fay", 900)):
            world.connect(world.courier(name, north_of(DEPOT, away_m)))
        order_id = int(world.place(world.customer())["id"])
        return partial(first, world, order_id), partial(second, world, order_id)

    return tell


def of_one(asked: Command, other: Command, *verbs: str) -> Story:
    """Dan has accepted an order, and is asked for another."""

    def tell(world: World) -> tuple[Ask, Ask]:
        dan = world.courier()
        has = world.place(world.customer())["id"]
        for verb in ("accept", *verbs):
            assert world.step(verb, has, dan).status == 200
        is_asked = int(world.place(world.customer("bob"))["id"])
        take = world.waybill.courier_orders.take_step
        return partial(take, dan.actor, is_asked, asked), partial(take, dan.actor, int(has), other)

    return tell


STORIES: Mapping[str, Story] = {
    "accept": accept,
    "decline": step(commands.Decline()),
    "arrive": step(commands.Arrive(), "accept"),
    "pick up": step(commands.PickUp(), "accept", "arrived"),
    "reach": step(commands.ReachDropoff(), *ON_THE_WAY),
    "deliver": step(commands.Deliver(), *ON_THE_WAY),
    "give back": step(commands.Release(DAMAGED), "accept"),
    "take back": step(commands.TakeBack(ABSENT), *ON_THE_WAY),
    "leave": step(commands.LeaveBehind(ABSENT), *ON_THE_WAY),
    "discard": step(commands.Discard(DAMAGED), *ON_THE_WAY),
    "cancel": cancel,
    "retry": retry,
    "place": place,
    "go on duty": go_on_duty,
    "go off duty": go_off_duty,
    "assign": hand(lambda w, ada, id_: w.waybill.hands.assign_courier(ada, id_, "eve"), "accept"),
    "release": hand(lambda w, ada, id_: w.waybill.hands.release_order(ada, id_), "accept"),
    "cancel by hand": hand(lambda w, ada, id_: w.waybill.hands.cancel_order(ada, id_), "accept"),
    "fail by hand": hand(lambda w, ada, id_: w.waybill.hands.fail_order(ada, id_), *ON_THE_WAY),
    "pause": pause,
    "accept a ride": accept_ride,
    "arrive for a ride": ride(commands.Arrive()),
    "start a ride": ride(commands.PickUp()),
    "complete a ride": ride(commands.Deliver(), "started"),
    "cancel a ride": cancel_ride,
    "give a ride back": give_ride_back,
    "accept a meal": accept_meal,
    "confirm a meal": cook(commands.Confirm()),
    "have a meal ready": cook(commands.MakeReady(), "confirmed", "preparing"),
    "reject a meal": cook(commands.Reject()),
    "deliver a meal": bring_meal(commands.Deliver()),
    "accept a hail": accept_hail,
    "pay": after_delivery(
        lambda w, cara, id_: w.waybill.payments.pay_order(cara, id_, "upi", "c@bank", None)
    ),
    "pay under a key": after_delivery(
        lambda w, cara, id_: w.waybill.payments.initiate_payment(cara, id_, "upi", "c@bank", KEY)
    ),
    "tip under a key": after_delivery(
        lambda w, cara, id_: w.waybill.tips.tip_order(cara, id_, 1_00, KEY)
    ),
    "rate under a key": after_delivery(
        lambda w, cara, id_: w.waybill.ratings.rate_courier(cara, id_, 5, None, KEY)
    ),
    "have paid out under a key": have_paid_out,
    "accept, decline": two(accept_it, dan_takes(commands.Decline())),
    "decline, accept": two(dan_takes(commands.Decline()), accept_it),
    "accept, cancel": two(accept_it, cancel_it),
    "cancel, pick up": two(cancel_it, dan_takes(commands.PickUp()), "accept", "arrived"),
    "accept, assign": two(accept_it, give_to("eve")),
    "assign, assign": two(give_to("eve"), give_to("fay"), "accept"),
    "assign, give back": two(give_to("eve"), dan_takes(commands.Release(DAMAGED)), "accept"),
    "accept, pause": two(accept_it, pause_dan),
    "accept, leave duty": two(accept_it, leave_duty),
    "leave duty, accept": two(leave_duty, accept_it),
    "two accept a ride": two_drivers,
}


IN_WAVES: Mapping[str, Story] = {
    "two accept": of_three(accept_it, eve_takes(commands.Accept(Contact("eve")))),
    "accept, decline": of_three(accept_it, eve_takes(commands.Decline())),
    "decline, decline": of_three(dan_takes(commands.Decline()), eve_takes(commands.Decline())),
    "decline, give back": of_one(commands.Decline(), commands.Release(DAMAGED)),
    "decline, deliver": of_one(commands.Decline(), commands.Deliver(), *ON_THE_WAY[1:]),
}


@pytest.mark.parametrize("name", STORIES)
def test_at_once_is_as_in_turn(name: str) -> None:
    check(Town(STORIES[name]))


@pytest.mark.parametrize("name", IN_WAVES)
def test_at_once_is_as_in_turn_where_couriers_are_asked_together(name: str) -> None:
    """Two of them at once, who may have two orders each."""
    wave = (5000, 2, 20)
    check(Town(IN_WAVES[name], {"dispatch_waves": (wave, wave), "courier_max_orders": 2}))


def check(town: Town) -> None:
    in_turn, calls = town.ask_in_turn()
    assert in_turn[0].first == "done"
    wrong = [found for found in town.ask_at_once(calls) if found[1] not in in_turn]
    assert not wrong, f"in turn: {in_turn}"
