"""What stands in for the outside: a clock that is set, a gateway and a queue that remember."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

from chalicelib.domain.ids import make_id
from chalicelib.domain.messaging.wakeups import Wakeup, decode_wakeup, encode_wakeup
from chalicelib.errors import FrameTooLarge, Gone, PostFailed, Unavailable
from infra.resources.tables import MAX_RECEIVES, VISIBILITY_TIMEOUT_S
from tests.builders import NOW

MAX_DELAY_S = 15 * 60
VISIBILITY_TIMEOUT = timedelta(seconds=VISIBILITY_TIMEOUT_S)


class Clock:
    """The time is what it was last set to."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


class DistinctIds:
    """Ids as make_id makes them, each only once.

    A clock that stands still draws them all from one millisecond, where two of 24 meet in every
    fifteenth run. Two equal orders of one microsecond that meet are one to Waybill: it takes the
    other for its own, whose answer got lost. With a clock that goes there are no two.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._drawn: set[int] = set()
        self._drawing = threading.Lock()

    def __call__(self) -> int:
        with self._drawing:
            drawn = (make_id(self._clock()) for _ in range(1000))
            id_ = next(id_ for id_ in drawn if id_ not in self._drawn)
            self._drawn.add(id_)
            return id_


class RecordingGateway:
    """Implements services.ports.Gateway. Keeps every frame; can fail as the real one does.

    `connect` and `drop` say which connections there are: any other is Gone. `fail(id, error, …)`
    makes the next posts to a connection raise these errors in turn; `before_post` runs ahead of
    every post.
    """

    def __init__(self) -> None:
        self.posted: list[tuple[str, str]] = []
        self.refused: list[tuple[str, str]] = []  # posts to connections that are not there
        self.closed: list[str] = []
        self.looked_at: list[str] = []  # ids that `alive` was asked for
        self.active: dict[str, int] = {}  # in what order something came from, or went to them
        self.cannot_close: set[str] = set()  # closing these fails
        self.before_post: Callable[[str, str], None] = lambda connection_id, frame: None
        self._open: set[str] = set()
        self._failures: dict[str, list[BaseException]] = defaultdict(list)
        self._busy: set[str] = set()
        self._lock = threading.Lock()
        self.overlaps = 0  # posts that began before another to the same connection had ended

    def connect(self, connection_id: str) -> None:
        """From now on the connection is there."""
        self._open.add(connection_id)
        self.touch(connection_id)

    def touch(self, connection_id: str) -> None:
        """Something came from it, or went to it."""
        self.active[connection_id] = max(self.active.values(), default=0) + 1

    def drop(self, connection_id: str) -> None:
        """From now on it is gone, and nobody was told."""
        self._open.discard(connection_id)

    def fail(self, connection_id: str, *errors: BaseException) -> None:
        """Let the next posts to a connection raise these, one each."""
        self._failures[connection_id].extend(errors)

    def post_frame(self, connection_id: str, frame: str) -> None:
        self.before_post(connection_id, frame)
        with self._lock:
            if connection_id not in self._open:
                self.refused.append((connection_id, frame))
                raise Gone(connection_id)
            if self._failures[connection_id]:
                raise self._failures[connection_id].pop(0)
            self.overlaps += connection_id in self._busy
            self._busy.add(connection_id)
        with self._lock:
            self.posted.append((connection_id, frame))
            self.touch(connection_id)
            self._busy.discard(connection_id)

    def post_frames(self, posts: Sequence[tuple[str, str]]) -> list[Exception | None]:
        return [failure_of(self.post_frame, id_, frame) for id_, frame in posts]

    def is_connected(self, connection_id: str) -> bool:
        self.looked_at.append(connection_id)
        return connection_id in self._open

    def get_last_active(self, connection_id: str) -> datetime | None:
        if connection_id not in self._open:
            raise Gone(connection_id)
        return NOW + timedelta(milliseconds=self.active[connection_id])

    def close_connection(self, connection_id: str) -> None:
        if connection_id in self.cannot_close:
            raise PostFailed("@connections answered 403")
        self.closed.append(connection_id)
        self._open.discard(connection_id)

    def frames(self, connection_id: str) -> list[str]:
        """The frames of one connection, in the order they arrived."""
        return [frame for id_, frame in list(self.posted) if id_ == connection_id]


def failure_of(post: Callable[[str, str], None], id_: str, frame: str) -> Exception | None:
    """What a post raises of what posting may raise."""
    try:
        post(id_, frame)
    except (Gone, PostFailed, FrameTooLarge) as error:
        return error
    return None


@dataclass(order=True)
class Message:
    """One message in the queue."""

    due: datetime
    number: int
    body: str = field(compare=False)
    receives: int = field(default=0, compare=False)

    @property
    def wakeup(self) -> Wakeup:
        return decode_wakeup(self.body)


class RecordingQueue:
    """Implements services.ports.Queue as SQS does, by a clock that is set: delays in whole
    seconds, 15 minutes at most, redelivery and dead letters as the queue is made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.waiting: list[Message] = []
        self.dead: list[Message] = []
        self.sent: list[tuple[Wakeup, timedelta]] = []
        self.calls = 0
        self.down = False  # every call raises Unavailable

    def send_wakeups(self, wakeups: Iterable[tuple[Wakeup, timedelta]]) -> None:
        if self.down:
            raise Unavailable("The queue is down.")
        given = list(wakeups)
        with self._lock:
            self.calls += bool(given)  # of nothing, SQS is told nothing
            for wakeup, delay in given:
                delay_s = ceil(max(0.0, min(delay.total_seconds(), MAX_DELAY_S)))
                due = self._clock() + timedelta(seconds=delay_s)
                self.sent.append((wakeup, delay))
                self.waiting.append(Message(due, len(self.sent), encode_wakeup(wakeup)))

    def take(self) -> Message | None:
        """The next message that is due, or None."""
        with self._lock:
            due = [message for message in self.waiting if message.due <= self._clock()]
            if not due:
                return None
            first = min(due)
            self.waiting.remove(first)
            return first

    def again(self, message: Message) -> None:
        """It failed: it comes again, or ends among the dead letters."""
        message.receives += 1
        with self._lock:
            if message.receives >= MAX_RECEIVES:
                self.dead.append(message)
                return
            message.due = self._clock() + VISIBILITY_TIMEOUT
            self.waiting.append(message)

    def next_due(self) -> datetime | None:
        """When the next message is due, if any waits."""
        with self._lock:
            return min((message.due for message in self.waiting), default=None)
