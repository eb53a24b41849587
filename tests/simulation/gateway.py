"""API Gateway's @connections, and the sockets at its other end, some of them troubled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Subscriber
from chalicelib.errors import Gone, PostFailed
from tests.simulation.faults import GIVES_UP, TROUBLES, Fate, Faults
from tests.simulation.scheduler import Scheduler
from tests.simulation.threads import submit

STALLED_S = (2.0, 4.5)  # until a post to a stalled socket is given up
FOR_EVER_S = 1e9


class Telling(str):
    """A frame that words an event: what a contract made of it, for one listener."""

    event: Event
    listener: Subscriber

    @classmethod
    def of(cls, frame: str, event: Event, listener: Subscriber) -> Telling:
        """Make a frame that knows what it tells."""
        telling = cls(frame)
        telling.event, telling.listener = event, listener
        return telling


@dataclass(frozen=True)
class Heard:
    """One frame that arrived, and when its post began."""

    at_s: float
    frame: str
    begun_s: float

    @property
    def frozen(self) -> bool:
        """Whether its process was frozen while it posted: the frame can't be taken back then,
        whatever others did meanwhile."""
        return self.at_s - self.begun_s > STALLED_S[1]

    @property
    def event(self) -> Event | None:
        """The event that it words, if any."""
        return self.frame.event if isinstance(self.frame, Telling) else None


@dataclass(frozen=True)
class Trouble:
    """From when to when posts to a socket fail, and how."""

    kind: str
    from_s: float
    until_s: float


@dataclass(eq=False)
class Socket:
    """One WebSocket. `admitted_s` is when its client was told that it is in; the gateway knows it
    until `gone_s`, which may be a while after it has really ended."""

    id: str
    person_id: str
    contract: str
    opened_s: float
    admitted_s: float | None = None
    closed_s: float | None = None
    gone_s: float | None = None
    hears: tuple[str, ...] | None = None  # the types that it asked for; None: all
    holds_position: bool = False  # its client does
    troubles: list[Trouble] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    lost: list[Heard] = field(default_factory=list)  # posted when its client had left already

    @property
    def open(self) -> bool:
        """Whether the client is still there."""
        return self.closed_s is None

    def trouble(self, at_s: float) -> Trouble | None:
        """Find what is wrong with the socket at a time."""
        return next((one for one in self.troubles if one.from_s <= at_s < one.until_s), None)

    def frames(self) -> list[str]:
        """List the frames so far."""
        return [one.frame for one in self.heard]


class Gateway:
    """Implements services.ports.Gateway."""

    def __init__(
        self, scheduler: Scheduler, faults: Faults, fate: Fate, trace: Callable[..., None]
    ) -> None:
        self._scheduler = scheduler
        self._faults = faults
        self._fate = fate
        self._trace = trace
        self.sockets: dict[str, Socket] = {}
        self.outage: Trouble | None = None

    # What clients do

    def accept(self, socket: Socket) -> None:
        """Open a socket: its handshake was answered with 101."""
        self.sockets[socket.id] = socket
        now_s, dice = self._scheduler.now_s, self._faults.dice
        if self._faults.strikes("bad_socket"):
            from_s = now_s + dice.uniform(0, 20)
            for_ever = self._faults.strikes("bad_for_ever")
            until_s = FOR_EVER_S if for_ever else from_s + dice.uniform(5, 60)
            trouble = Trouble(dice.choice(TROUBLES), from_s, until_s)
            socket.troubles.append(trouble)
            self._trace("trouble", socket.id, trouble.kind, round(from_s, 1), round(until_s, 1))

    def hang_up(self, socket: Socket, polite: bool) -> None:
        """Leave a socket, as its client. Unless that is polite, the gateway finds out later."""
        now_s = self._scheduler.now_s
        if socket.closed_s is None:
            socket.closed_s = now_s
            socket.gone_s = now_s if polite else now_s + self._faults.dice.uniform(0, 8)

    # What Waybill does

    def post_frame(self, connection_id: str, frame: str) -> None:
        begun_s = self._scheduler.now_s
        self._fate.spend("post")
        socket = self._known(connection_id)
        trouble = socket.trouble(self._scheduler.now_s) or self._outage()
        if trouble:
            self._fail(trouble)
        if self._faults.strikes("refused_post"):
            raise PostFailed("429 Too Many Requests")
        arrived = socket.heard if socket.open else socket.lost
        arrived.append(Heard(self._scheduler.now_s, frame, begun_s))
        self._trace("heard" if socket.open else "lost", socket.id, frame)
        if self._faults.strikes("lost_answer") and self._faults.dice.random() < GIVES_UP:
            raise PostFailed("no answer")
        self._fate.may_die("after", "post")

    def post_frames(self, posts: Sequence[tuple[str, str]]) -> list[Exception | None]:
        def failure_of(connection_id: str, frame: str) -> Exception | None:
            try:
                self.post_frame(connection_id, frame)
            except (Gone, PostFailed) as error:
                return error
            return None

        jobs = [
            submit(self._scheduler, self._faults.dice, lambda one=one: failure_of(*one))  # type: ignore[misc]
            for one in posts
        ]
        return [job.result() for job in jobs]

    def is_connected(self, connection_id: str) -> bool:
        """Tell whether a connection is there; one that can't be looked at counts as alive."""
        self._fate.spend("look at a connection")
        try:
            self._known(connection_id)
        except Gone:
            return False
        return True

    def get_last_active(self, connection_id: str) -> datetime | None:
        """Tell nothing: nobody has a hundred connections here. Raises Gone."""
        self._fate.spend("look at a connection")
        self._known(connection_id)
        return None

    def close_connection(self, connection_id: str) -> None:
        self._fate.spend("close a connection")
        if outage := self._outage():
            self._fail(outage)
        socket = self.sockets.get(connection_id)
        if socket and socket.open:
            socket.closed_s = socket.gone_s = self._scheduler.now_s
            self._trace("closed by Waybill", socket.id)

    def _known(self, connection_id: str) -> Socket:
        socket = self.sockets.get(connection_id)
        if socket is None or (socket.gone_s is not None and socket.gone_s <= self._scheduler.now_s):
            raise Gone(connection_id)
        return socket

    def _outage(self) -> Trouble | None:
        now_s, outage = self._scheduler.now_s, self.outage
        return outage if outage and outage.from_s <= now_s < outage.until_s else None

    def _fail(self, trouble: Trouble) -> None:
        if trouble.kind == "stalled":
            self._scheduler.sleep(self._faults.dice.uniform(*STALLED_S))
        raise PostFailed(trouble.kind)
