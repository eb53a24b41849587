"""What may happen while a device is told what is kept: nothing of it gets lost, whatever does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chalicelib.domain import events
from chalicelib.domain.events import Entry, Event, Outbox
from chalicelib.domain.messaging.wakeups import GreetingDue
from chalicelib.errors import PostFailed
from chalicelib.store.connections import ConnectionTable
from chalicelib.store.mailboxes import MailboxTable
from tests.faults import Crash, CrashingProxy
from tests.functional.conftest import MakeWorld
from tests.functional.devices import PARTIES, Customer, Device, Driver, Party, Reader, Tablet
from tests.functional.feeds import an_auth
from tests.functional.test_joining import greet_of
from tests.functional.world import Socket, World


@pytest.fixture(params=PARTIES, ids=lambda kind: kind.__name__.lower())
def party(request: pytest.FixtureRequest, world: World) -> Party:
    kind: Callable[[World], Party] = request.param
    return kind(world)


def at_post(world: World, number: int, do: Callable[[], object]) -> list[int]:
    """Do something once, ahead of the post with this number, from 0, to the newest connection;
    returns how many there were."""
    posts: list[int] = []
    newest = f"socket-{world._sockets + 1}="  # the one that opens next

    def meanwhile(connection_id: str, frame: str) -> None:
        if connection_id == newest:
            posts.append(len(posts))
            if len(posts) == number + 1:
                do()

    world.gateway.before_post = meanwhile
    return posts


@pytest.mark.parametrize(("number", "asked"), [(0, "now"), (1, "now"), (1, "before")])
def test_what_is_appended_while_a_device_is_let_in_reaches_it(
    party: Party, number: int, asked: str
) -> None:
    """Whatever it has been told by then, and whichever mailbox it joins."""
    if isinstance(party, Tablet):
        number += 1  # before it asks, it is sent a packet
    whole = party.connect("now")
    party.happen()
    before = len(whole.told)
    position = "now" if asked == "now" else whole.answer.data["to"]
    at_post(party.world, number, party.happen)
    late = party.connect(position)
    party.world.pass_time(60)
    since = party.lasting(whole.told[before if asked == "now" else 0 :])
    places = [frame.pos for frame in party.lasting(late.told)]
    assert list(dict.fromkeys(places)) == [frame.pos for frame in since]
    assert len([f for f in late.frames if f.name == "resumed"]) == 1


class LateDriver(Driver):
    """A driver whose connections hold no position."""

    def connect(self, position: str) -> Device:
        return Device(self.world.connect(self.someone, "drivers"))


@pytest.mark.parametrize("number", range(2))
def test_what_is_appended_while_a_driver_is_let_in_reaches_them(world: World, number: int) -> None:
    """Whose connection holds no position. The other contracts are in test_joining.py."""
    party = LateDriver(world)
    whole = party.connect("")
    at_post(world, number, party.happen)
    late = party.connect("")
    world.pass_time(60)
    assert late.frames[-1].name == "order_timeout"
    assert late.frames[-1] == whole.frames[-1]


CRASHES: dict[str, tuple[str, str, str]] = {
    "before_claim": ("connections", "before", "update_connection"),
    "after_claim": ("connections", "after", "update_connection"),
    "before_joining": ("connections", "before", "add_to_room"),
    "after_joining": ("connections", "after", "add_to_room"),
    "before_reading": ("mailboxes", "before", "iterate_events_from"),
    "before_lease": ("mailboxes", "before", "acquire_lease"),
    "after_lease": ("mailboxes", "after", "acquire_lease"),
}


class Stage:
    """cara's phone has heard all; what tells her tablet can die."""

    def __init__(self, make_world: MakeWorld) -> None:
        self.parts = {
            "connections": CrashingProxy(ConnectionTable()),
            "mailboxes": CrashingProxy(MailboxTable()),
        }
        self.world: World = make_world(**self.parts)
        self.party = Customer(self.world)
        self.phone = self.party.connect("now")
        self.party.happen()
        self.world.pass_time(60)

    def open(self) -> tuple[Device, Any]:
        """Open the tablet, from before all this; its greeting is still to come."""
        query = {"from": self.phone.answer.data["to"]}
        socket = self.world.connect(self.party.someone, greet=False, query=query)
        return Device(socket), partial(
            self.world.waybill.wakeup_handler.handle_wakeup, greet_of(self.world).wakeup
        )

    def check(self, tablet: Device) -> None:
        """See that the tablet has heard all, the rest of it in order."""
        whole = self.phone.told
        assert {frame.pos: frame for frame in tablet.told} == {frame.pos: frame for frame in whole}
        assert tablet.told[-len(whole) :] == whole or len(tablet.told) > len(whole)


@pytest.mark.parametrize("name", CRASHES)
def test_whoever_dies_while_a_device_is_told_is_made_up_for(
    make_world: MakeWorld, name: str
) -> None:
    stage = Stage(make_world)
    tablet, greet = stage.open()
    part, when, call = CRASHES[name]
    stage.parts[part].crash_at(when, call)
    with pytest.raises(Crash):
        greet()
    stage.world.clock.advance(28)
    greet()  # SQS brings it again
    stage.world.pass_time(60)
    stage.check(tablet)
    stage.world.courier("dan")
    stage.party.happen()
    stage.check(tablet)


@pytest.mark.parametrize("number", [0, 4])
def test_a_post_that_fails_or_dies_is_repeated_with_the_same_position(
    make_world: MakeWorld, number: int
) -> None:
    for error in (PostFailed("not now"), Crash()):
        stage = Stage(make_world)

        def fail(error: BaseException = error) -> None:
            raise error

        at_post(stage.world, number, fail)
        tablet, greet = stage.open()
        with suppress(type(error)):
            greet()
        stage.world.clock.advance(28)
        greet()
        stage.world.pass_time(60)
        stage.check(tablet)


def test_what_takes_long_is_told_by_one_after_the_other(world: World) -> None:
    """No function has time for all of it; nothing is told twice, and nobody else waits."""
    party = Customer(world)
    phone = party.connect("now")
    for _ in range(3):
        world.courier("dan")
        party.happen()
    newest = f"socket-{world._sockets + 1}="

    def be_slow(connection_id: str, frame: str) -> None:
        if connection_id == newest:
            world.clock.advance(4)

    world.gateway.before_post = be_slow
    tablet = party.connect(phone.answer.data["to"])
    assert 0 < len(tablet.told) < len(phone.told)
    world.pass_time(120)
    assert tablet.told == phone.told
    assert tablet.answer.name == "resumed"


def test_only_one_is_at_it(world: World) -> None:
    party = Customer(world)
    phone = party.connect("now")
    party.happen()
    query = {"from": phone.answer.data["to"]}
    opened: list[Socket] = []
    greets: list[Any] = []

    def greet_too() -> None:
        world.waybill.wakeup_handler.handle_wakeup(greets[0].wakeup)

    at_post(world, 2, greet_too)
    opened.append(world.connect(party.someone, greet=False, query=query))
    greets.append(greet_of(world))
    world.waybill.wakeup_handler.handle_wakeup(greets[0].wakeup)
    world.pass_time(60)
    assert Device(opened[0]).told == phone.told


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_who_subscribes_to_more_while_being_told_is_told_all_of_it_in_order(
    world: World, number: int
) -> None:
    """By one after the other: of two side by side, one would have positions ahead of what the other
    has not told yet, and a link that is cut then would lose that."""
    party = Reader(world)
    names = ["order_created", "delivery_accepted"]
    whole = party.connect("now")
    whole.socket.say({"type": "subscribe", "events": names})
    for _ in range(3):
        dan = world.courier("dan")
        order = world.place(party.someone)["id"]
        world.step("accept", order, dan)
        world.call("POST", f"/v1/orders/{order}/cancel", {}, party.someone)
    more = {"type": "subscribe", "events": names[1:]}
    at_post(world, number, lambda: socket.say(more))
    socket = world.connect(None, "feed")
    socket.say(an_auth(party.someone, **{"from": whole.answer.data["to"]}))
    socket.say({"type": "subscribe", "events": names[:1]})
    world.pass_time(60)
    late = Device(socket)
    assert len([frame for frame in late.frames if frame.name == "resumed"]) == 1
    assert len(whole.told) == 6
    assert late.told[-6:] == whole.told


class Meanwhile(MailboxTable):
    """Lets something happen once, just before a lease is taken."""

    then: Callable[[], object] | None = None

    def acquire_lease(self, *args: Any) -> Any:
        then, self.then = self.then, None
        if then:
            then()
        return super().acquire_lease(*args)


def test_a_greeting_lets_nobody_in_who_is_still_to_be_told(make_world: MakeWorld) -> None:
    """The client subscribes as the greeting, which knows of nothing to tell yet, takes the lease;
    and whoever handles that dies before it is told anything."""
    mailboxes, connections = Meanwhile(), CrashingProxy(ConnectionTable())
    world = make_world(mailboxes=mailboxes, connections=connections)
    party = Reader(world)
    phone = party.connect("now")
    party.happen()
    socket = world.connect(None, "feed")
    connections.crash_at("before", "add_to_room")
    with suppress(Crash):
        socket.say(an_auth(party.someone, **{"from": phone.answer.data["to"]}))

    def subscribe_and_die() -> None:
        connections.crash_at("after", "update_connection")
        with suppress(Crash):
            socket.say({"type": "subscribe", "events": ["order_created"]})

    mailboxes.then = subscribe_and_die
    with suppress(Crash):
        world.waybill.wakeup_handler.handle_wakeup(GreetingDue(socket.id))
    party.happen()
    world.pass_time(120)
    tablet = Device(socket)
    names = [frame.name for frame in tablet.frames]
    assert names == ["authenticated", "resumed", "order_created", "order_created"]
    assert tablet.told == phone.told


def test_a_position_of_what_is_posted_and_not_written_yet_is_no_gap(
    make_world: MakeWorld,
) -> None:
    """Whoever posted it died: a successor gives it the same place."""
    stage = Stage(make_world)
    world, party = stage.world, stage.party
    courier = world.courier("dan")
    order = world.place(party.someone)["id"]
    written = stage.phone.places[-1]
    stage.parts["mailboxes"].crash_at("before", "release_lease")
    with pytest.raises(Crash):
        world.step("accept", order, courier)
    ahead = stage.phone.places[-1]
    assert ahead != written
    tablet = party.connect(ahead)
    assert not tablet.frames
    world.pass_time(60)
    world.step("arrived", order, courier)
    assert tablet.answer.name == "resumed"
    assert tablet.told == stage.phone.told[-1:]


def test_a_device_that_falls_far_behind_is_closed_and_comes_back(world: World) -> None:
    party = Customer(world)
    device = party.connect("now")
    world.gateway.fail(device.socket.id, *[PostFailed("not now")] * 100)
    party.happen()
    world.pass_time(timedelta(minutes=3).total_seconds())
    assert device.socket.id in world.gateway.closed
    back = party.connect(device.answer.data["to"])
    assert back.answer.name == "resumed"
    assert len(back.told) > 3


def test_more_than_a_mailbox_delivers_at_once_is_told_to_the_last(world: World) -> None:
    """Nothing is passed over, as it is for those who hold no position."""
    party = Reader(world)
    cara = party.someone
    position = party.connect("now").answer.data["to"]
    mailboxes = vars(world.waybill.welcome)["_mailboxes"]
    now = world.clock.now
    for version in range(1, 13):
        facts = tuple(
            Event(
                events.WEBHOOK_DISABLED,
                cara.id,
                "x#1",
                version,
                n,
                now,
                data={"endpoint_id": f"{version}.{n}", "reason": "test"},
            )
            for n in range(100)
        )
        mailboxes.deliver_outbox(cara.id, Outbox("x#1", None, (Entry(version, now, facts),)))
    device = Device(world.connect(None, "feed"))
    device.socket.say(an_auth(cara, **{"from": position}))
    device.socket.say({"type": "subscribe", "events": ["webhook_disabled"]})
    ids = [frame.data["endpoint_id"] for frame in device.told]
    assert ids == [f"{version}.{n}" for version in range(1, 13) for n in range(100)]


def test_a_device_whose_wakeups_are_lost_is_found_by_the_sweep(world: World) -> None:
    """It is in none of its mailboxes yet."""
    party = Tablet(world)
    phone = party.connect("now")
    party.happen()
    lost = [PostFailed("not now")]
    newest = f"socket-{world._sockets + 1}="
    world.gateway.before_post = lambda id_, frame: (
        world.gateway.fail(id_, *lost) if id_ == newest and "resumed" in frame and lost else None
    )
    late = party.connect(phone.answer.data["to"])
    world.queue.waiting.clear()
    lost.clear()
    assert not late.told
    for _ in range(45):
        world.pass_time(60)
        for device in (phone, late):
            device.socket.say("3")
        world.sweep()
    assert late.told == phone.told
