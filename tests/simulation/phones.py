"""Phones and tablets: sockets that come and go, each in the way of its contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chalicelib.contracts.feed.events import TYPE_BY_NAME
from chalicelib.domain.messaging.positions import NOW
from chalicelib.domain.people import Role
from tests.simulation.gateway import Socket
from tests.simulation.positions import find_position
from tests.simulation.town import Person, Town

LOOKS_EVERY_S = 0.25
ANSWERED_WITHIN_S = 8.0
HEARTBEAT_S = 240.0  # of a feed's client, who has ten minutes here
FEED = tuple(TYPE_BY_NAME)  # a feed's phone subscribes to all there is


@dataclass(eq=False)
class Phone:
    """One device of somebody: it connects, stays for a while, leaves politely or not."""

    town: Town
    person: Person
    contract: str
    socket: Socket | None = None
    sockets: list[Socket] = field(default_factory=list)  # all that it had
    holds_position: bool = False

    @property
    def connected(self) -> bool:
        return self.socket is not None and self.socket.open

    def live(self) -> None:
        """Come and go until the quiet; then come once more, and stay."""
        town, dice = self.town, self.town.dice
        self._wait(dice.uniform(0, 6))
        while town.scheduler.now_s < town.plan.active_s:
            self.connect()
            self._stay(dice.uniform(3, 30))
            if dice.random() < 0.75:
                self.hang_up(dice.random() < 0.6)
                self._wait(dice.uniform(0, 8))
        while town.scheduler.now_s < town.plan.active_s + town.plan.quiet_s:
            if not self.connected:
                self.connect()
            self._stay(HEARTBEAT_S)
            if self.connected and self.contract == "feed":
                self._say({"type": "heartbeat"})

    def connect(self) -> None:
        """Open a socket and get in; a client that is not let in within its time hangs up."""
        number = self.town.new_id() % 10_000
        id_ = f"{self.person.id}-{self.contract}-{number}"
        in_band = self.contract in IN_BAND
        query = {"contract": self.contract, **({"EIO": "4"} if self.contract == "socketio" else {})}
        if self.holds_position:
            query["from"] = find_position(self.sockets) or NOW
        answer = self.town.connect(id_, query, None if in_band else self.person.token)
        if answer.status != 200:
            return
        now_s = self.town.scheduler.now_s
        self.socket = Socket(
            id_, self.person.id, self.contract, now_s, holds_position=self.holds_position
        )
        self.sockets.append(self.socket)
        self.town.gateway.accept(self.socket)
        self.town.history.trace("opened", id_)
        if not in_band:
            self.socket.admitted_s = now_s
        elif not IN_BAND[self.contract](self):
            self.hang_up(polite=True)

    def hang_up(self, polite: bool) -> None:
        """Leave. Whoever loses the network says nothing, and so does the gateway, sometimes."""
        socket = self.socket
        if socket is None or not socket.open:
            return
        self.town.gateway.hang_up(socket, polite)
        self.town.history.trace("hung up", socket.id, "politely" if polite else "silently")
        if polite or self.town.dice.random() < 0.5:
            self.town.disconnect(socket.id)

    def heard(self, *types: str) -> list[int]:
        """List the orders that the phone heard of by these types of event, on all its sockets."""
        events = [heard.event for socket in self.sockets for heard in socket.heard]
        return [event.order_id for event in events if event is not None and event.type in types]

    # Getting in

    def authenticate(self) -> bool:
        """Authenticate as spec 001 has it, again where nothing comes."""
        for _ in range(3):
            self._say({"event": "authenticate", "data": {"token": self.person.token}})
            if self._hears("authenticate_response", '"success"'):
                return self._admitted()
        return False

    def join_namespace(self) -> bool:
        """Await the open packet of Socket.IO, then CONNECT (spec 002)."""
        if not self._hears("0{"):
            return False
        self._say(f'40/orders,{{"token":"{self.person.token}"}}')
        return self._hears("40/orders") and self._admitted()

    def subscribe(self) -> bool:
        """Authenticate, for which spec 003 gives one chance, then subscribe."""
        word = {Role.COURIER: "delivery_boy", Role.MERCHANT: "shop"}.get(
            self.person.role, self.person.role.value
        )
        auth = {"type": "auth", "token": self.person.token, "user_id": self.person.id}
        self._say({**auth, "user_role": word})
        if not self._hears('"authenticated"'):
            return False
        for _ in range(3):
            self._say({"type": "subscribe", "events": list(FEED)})
            if self._hears('"subscription_updated"'):
                assert self.socket is not None
                self.socket.hears = tuple(TYPE_BY_NAME[name] for name in FEED)
                return self._admitted()
        return False

    def _admitted(self) -> bool:
        assert self.socket is not None
        self.socket.admitted_s = self.town.scheduler.now_s
        self.town.history.trace("admitted", self.socket.id)
        return True

    def _say(self, message: Any) -> None:
        if self.connected:
            assert self.socket is not None
            self.town.say(self.socket.id, message)

    def _hears(self, *texts: str) -> bool:
        """Wait for a frame with all of these texts in it."""
        return self._wait_until(
            lambda: any(all(t in frame for t in texts) for frame in self._frames()),
            ANSWERED_WITHIN_S,
        )

    def _frames(self) -> list[str]:
        return self.socket.frames() if self.socket else []

    def _stay(self, seconds: float) -> None:
        """Stay connected for a while, or until the other side hangs up."""
        self._wait_until(lambda: not self.connected, seconds)

    def _wait_until(self, come: Callable[[], bool], seconds: float) -> bool:
        until_s = self.town.scheduler.now_s + seconds
        while not come():
            left_s = until_s - self.town.scheduler.now_s
            if left_s <= 0:
                return False
            self._wait(min(left_s, max(LOOKS_EVERY_S, seconds / 20)))
        return True

    def _wait(self, seconds: float) -> None:
        self.town.scheduler.sleep(seconds)


# How a contract lets in whoever says who they are on the socket itself.
IN_BAND: dict[str, Callable[[Phone], bool]] = {
    "rides": Phone.authenticate,
    "socketio": Phone.join_namespace,
    "feed": Phone.subscribe,
}
