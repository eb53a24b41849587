"""Devices that hold their positions, on every contract, and what happens to whom they are of."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from chalicelib.domain.people import Role
from tests.functional.feeds import a_profile, an_auth
from tests.functional.hails import hail
from tests.functional.kitchen import HANDSHAKE, an_owner, placed
from tests.functional.rides import WISH, enter, register
from tests.functional.world import Socket, Someone, World


class Frame(NamedTuple):
    """A frame as every contract has it: what it is called, what it says, and its position."""

    name: str
    data: Any
    pos: str | None


def read_frame(text: str) -> Frame:
    """Read a frame of any contract."""
    if text.startswith("42"):
        name, data, *rest = json.loads(text[text.index("[") :])
        return Frame(name, data, rest[0]["pos"] if rest else None)
    if not text.startswith("{"):
        return Frame("", None, None)
    frame = json.loads(text)
    name = frame.get("event") or frame.get("event_type") or frame.get("type")
    return Frame(name, frame.get("data", frame), frame.get("pos"))


class Device:
    """A socket that holds its position."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket

    @property
    def frames(self) -> list[Frame]:
        return [read_frame(text) for text in self.socket.texts]

    @property
    def answer(self) -> Frame:
        """The first that says what comes; there is no other."""
        (found,) = (f for f in self.frames if f.name in ("resumed", "gap"))
        return found

    @property
    def told(self) -> list[Frame]:
        """What has a position."""
        return [frame for frame in self.frames if frame.pos]

    @property
    def places(self) -> list[str]:
        return [frame.pos or "" for frame in self.told]


class Party:
    """Somebody on one contract, and something that happens to them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.someone = self.make()

    def make(self) -> Someone:
        raise NotImplementedError

    def connect(self, position: str) -> Device:
        return Device(self.world.connect(self.someone, self.contract, query={"from": position}))

    contract = ""
    lapsing = ""  # the frame that is not told later: an offer that somebody has answered

    def lasting(self, frames: list[Frame]) -> list[Frame]:
        """Those frames that are told later as well."""
        return [frame for frame in frames if frame.name != self.lapsing]

    def happen(self) -> None:
        """Something happens, of which they are told once or more."""
        raise NotImplementedError


class Customer(Party):
    contract = "customer"

    def make(self) -> Someone:
        self.couriers = [self.world.courier("dan")]
        return self.world.customer("cara")

    def happen(self) -> None:
        order = self.world.place(self.someone)["id"]
        self.world.step("accept", order, self.couriers[0])
        for verb in ("arrived", "picked", "delivered"):
            assert self.world.step(verb, order, self.couriers[0]).status == 200
        self.world.pass_time(5)


class Driver(Party):
    contract = "drivers"
    lapsing = "new_order"

    def make(self) -> Someone:
        return self.world.courier("dan")

    def happen(self) -> None:
        order = str(hail(self.world)["id"])
        assert self.world.step("accept", order, self.someone).status == 200
        cancelled = self.world.call("POST", f"/v1/orders/{order}/cancel", {}, self.world.customer())
        assert cancelled.status == 200, cancelled
        self.world.pass_time(5)


class Rider(Party):
    contract = "rides"

    def make(self) -> Someone:
        rita = self.world.someone(Role.CUSTOMER, "rita")
        register(self.world, rita)
        return rita

    def happen(self) -> None:
        client = enter(self.world, self.someone)
        ride = client.did("request_ride", **WISH)["ride_id"]
        client.did("cancel_ride", ride_id=ride)
        client.socket.close()
        self.world.pass_time(5)


class Owner(Party):
    contract = "food"

    def make(self) -> Someone:
        return an_owner(self.world)

    def happen(self) -> None:
        placed(self.world, self.world.customer("123"))
        self.world.pass_time(5)


class Tablet(Owner):
    contract = "socketio"

    def connect(self, position: str) -> Device:
        socket = self.world.connect(None, "socketio", query=HANDSHAKE)
        socket.say(f"40/orders,{json.dumps({'token': self.someone.token, 'from': position})}")
        return Device(socket)


class Reader(Party):
    contract = "feed"

    def make(self) -> Someone:
        return a_profile(self.world, self.world.customer("cara"))

    def connect(self, position: str) -> Device:
        socket = self.world.connect(None, "feed")
        socket.say(an_auth(self.someone, **{"from": position}))
        socket.say({"type": "subscribe", "events": ["order_created"]})
        return Device(socket)

    def happen(self) -> None:
        self.world.place(self.someone)
        self.world.pass_time(1)


PARTIES = (Customer, Driver, Rider, Owner, Tablet, Reader)
