"""Events on their way to endpoints, in virtual time: the real sender over tables in memory, a queue
that shows a message again whose handler was killed, and receivers that do as they are told."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from chalicelib.domain.events import Event, Outbox
from chalicelib.domain.messaging.mailboxes import Mailbox
from chalicelib.domain.webhooks.delivery import (
    Answer,
    Delivery,
    SendDue,
    decode_send,
    encode_send,
    make_reminder_id,
)
from chalicelib.domain.webhooks.endpoint import Endpoint, enable_endpoint
from chalicelib.errors import NotFound, Stale, Unavailable
from chalicelib.services.messaging.outbox import OutboxWriter
from chalicelib.services.webhooks.endpoint_health import EndpointHealth
from chalicelib.services.webhooks.reminders import WebhookReminders
from chalicelib.services.webhooks.sending import WebhookSender
from tests.builders import NOW
from tests.fakes import Clock
from tests.unit.webhooks.endpoints import make_endpoint

VISIBILITY = timedelta(seconds=60)
SWEEP = timedelta(seconds=15)
MAX_DELAY = timedelta(minutes=15)
OK = Answer(status=200, ms=20)
FAILED = Answer(status=500, text="no", ms=20)
HANGS = Answer(error="timed_out", ms=15_000)


class Killed(BaseException):
    """The process is gone."""


def do_nothing(where: str) -> None:
    """Kill nobody."""


@dataclass
class Received:
    """What a receiver got."""

    at: datetime
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Town:
    """See the module. `answer` says what a receiver answers; `kill` raises Killed where it likes;
    `jitter` is what the dice show."""

    answer: Callable[[Received], Answer] = lambda received: OK
    kill: Callable[[str], None] = do_nothing
    dice: Callable[[], float] = lambda: 0.5
    clock: Clock = field(default_factory=Clock)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    deliveries: dict[tuple[str, int], Delivery] = field(default_factory=dict)
    events: dict[str, list[Event]] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    told: list[Event] = field(default_factory=list)
    failing_s: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    reminders: dict[str, tuple[datetime, SendDue]] = field(default_factory=dict)
    messages: list[tuple[datetime, int, str]] = field(default_factory=list)
    next_seq: int = 1  # of the logs' heads; what is not there below it has ended
    looks_until_written: int = 0  # of the log, whose holder has sent the messages already

    def __post_init__(self) -> None:
        self._numbers = 0
        self._swept_at = NOW
        store: Any = self
        writer = OutboxWriter(cast(Any, Relay(self)), cast(Any, NoWakeups()), self.clock)
        self.sender = WebhookSender(
            store,
            store,
            store,
            store,
            store,
            render_body,
            EndpointHealth(store, writer, lambda s, _: self.failing_s.append(s), self.clock),
            self.clock,
            lambda: self.dice(),
            self.clock.advance,
        )
        self._reminders = WebhookReminders(store, store)

    # What tests do

    def add_endpoint(self, id_: str = "1", **fields: Any) -> Endpoint:
        """Add an endpoint."""
        self.endpoints[id_] = make_endpoint(id_, **{"url": f"https://{id_}.example/", **fields})
        return self.endpoints[id_]

    def tell(self, endpoint_id: str = "1", n: int = 1) -> None:
        """Append events to an endpoint's log, and put them on the queue."""
        log = self.events.setdefault(endpoint_id, [])
        for _ in range(n):
            seq = len(log) + 1
            to = f"webhook#{endpoint_id}"
            log.append(Event("order.placed", to, f"order#{seq}", 1, 0, self.clock(), seq=seq))
            self._enqueue(encode_send(SendDue(endpoint_id, seq)), timedelta(0))

    def run(self, for_: timedelta = timedelta(days=30)) -> None:
        """Let time pass, until nothing is left to do or it is over."""
        until = self.clock.now + for_
        while (at := self._find_next()) is not None and at <= until:
            self.clock.now = max(self.clock.now, at)
            self._sweep()
            while self.messages and self.messages[0][0] <= self.clock.now:
                self._handle(heapq.heappop(self.messages)[2])
        self.clock.now = max(self.clock.now, until) if for_ < timedelta(days=30) else self.clock.now

    def delivery(self, seq: int = 1, endpoint_id: str = "1") -> Delivery:
        """A delivery as it is stored."""
        return self.deliveries[(endpoint_id, seq)]

    def ids(self) -> list[str]:
        """The webhook-ids that were received, in order."""
        return [one.id for one in self.received]

    def _find_next(self) -> datetime | None:
        times = [at for at, _ in self.reminders.values()]
        if times:  # the sweep comes every 15 s, and lists what is due by then
            times = [max(min(times), self._swept_at + SWEEP)]
        return min([*times, *(at for at, *_ in self.messages[:1])], default=None)

    def _sweep(self) -> None:
        due = [id_ for id_, (at, _) in self.reminders.items() if at <= self.clock.now]
        if due and self.clock.now >= self._swept_at + SWEEP:
            self._swept_at = self.clock.now
            try:
                assert self._reminders.send_reminded([*due, "socket="]) == ["socket="]
            except Killed:
                self.counts["killed"] += 1

    def _handle(self, body: str) -> None:
        try:
            self.sender.send_event(decode_send(body))
        except Killed:
            self.counts["killed"] += 1
            self._enqueue(body, VISIBILITY)
        except Unavailable:
            self._enqueue(body, VISIBILITY)

    def _enqueue(self, body: str, delay: timedelta) -> None:
        assert timedelta(0) <= delay <= MAX_DELAY
        self._numbers += 1
        heapq.heappush(self.messages, (self.clock.now + delay, self._numbers, body))

    # EndpointStore

    def get_endpoint(self, endpoint_id: str) -> Endpoint:
        self.counts["get_endpoint"] += 1
        if endpoint_id not in self.endpoints:
            raise NotFound("gone")
        return self.endpoints[endpoint_id]

    def save_endpoint(self, endpoint: Endpoint) -> None:
        self.kill("save_endpoint")
        if self.endpoints[endpoint.id].version != endpoint.version - 1:
            raise Stale
        self.counts["save_endpoint"] += 1
        self.endpoints[endpoint.id] = _copy(endpoint, Endpoint)

    # DeliveryStore

    def find_delivery(self, endpoint_id: str, seq: int) -> Delivery | None:
        return self.deliveries.get((endpoint_id, seq))

    def save_delivery(self, delivery: Delivery) -> None:
        self.kill("before_note")
        key = (delivery.endpoint_id, delivery.seq)
        stored = self.deliveries.get(key)
        if (stored.version if stored else 0) != delivery.version - 1:
            raise Stale
        self.counts["save_delivery"] += 1
        self.deliveries[key] = _copy(delivery, Delivery)
        self.kill("after_note")

    def put_reminder(self, send: SendDue, at: datetime) -> None:
        assert at - self.clock.now > MAX_DELAY
        self.reminders[make_reminder_id(send)] = at, send
        self.kill("after_reminder")

    def delete_reminders(self, sends: Iterable[SendDue]) -> None:
        self.kill("before_delete")
        for send in sends:
            self.reminders.pop(make_reminder_id(send), None)

    # MailboxStore

    def get_mailbox(self, person_id: str) -> Mailbox:
        if not self.looks_until_written:
            return Mailbox(person_id, next_seq=self.next_seq)
        self.looks_until_written -= 1
        return Mailbox(person_id, leased_until=self.clock.now + timedelta(seconds=10))

    def list_events_from(self, mailbox: Mailbox, first_seq: int, limit: int) -> list[Event]:
        if mailbox.leased_until:
            return []
        log = self.events.get(mailbox.person_id.removeprefix("webhook#"), [])
        return log[first_seq - 1 : first_seq - 1 + limit]

    # WebhookQueue

    def send_sends(self, sends: Iterable[tuple[SendDue, timedelta]]) -> None:
        for send, delay in sends:
            self._enqueue(encode_send(send), delay)
        self.kill("after_queue")

    # WebhookPoster

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.kill("before_post")
        one = Received(self.clock(), url, headers, body)
        self.received.append(one)
        answer = self.answer(one)
        self.clock.advance(answer.ms / 1000 if answer is HANGS else 0)
        self.kill("after_post")
        return answer


class Relay:
    """An outbox is delivered as soon as it is written."""

    def __init__(self, town: Town) -> None:
        self._town = town

    def keep_undelivered(self, before: Outbox, entries: Any, now: datetime) -> Any:
        return entries

    def list_subscribed_endpoints(self, outbox: Outbox) -> tuple[str, ...]:
        return ()

    def deliver_now(self, outbox: Outbox) -> None:
        self._town.told.extend(outbox.entries[-1].events)


class NoWakeups:
    """A queue of wakeups."""

    def send_wakeups(self, wakeups: Any) -> None:
        pass


def render_body(event: Event) -> bytes:
    """A body that says which event it is of."""
    return f'{{"type":"{event.type}","data":{{"seq":{event.seq}}}}}'.encode()


def _copy(value: Any, kind: type[Any]) -> Any:
    """The value as a table gives it back."""
    return msgspec.json.decode(msgspec.json.encode(value), type=kind)


def enable(town: Town, endpoint_id: str = "1") -> None:
    """Write nothing but that an endpoint may be sent to again."""
    endpoint = town.endpoints[endpoint_id]
    town.endpoints[endpoint_id] = replace(enable_endpoint(endpoint), version=endpoint.version + 1)
