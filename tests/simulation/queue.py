"""SQS, and the Lambda that it feeds: delays in whole seconds, copies, late ones, redelivery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil
from typing import Any

from chalicelib.domain.messaging.wakeups import Wakeup, encode_wakeup
from chalicelib.errors import Unavailable
from infra.resources import tables
from tests.simulation.faults import GIVES_UP, Fate, Faults
from tests.simulation.scheduler import Scheduler

MAX_DELAY_S = 900  # AWS quota
POLLED_WITHIN_S = 0.05  # what comes meanwhile is in the same batch
Consumer = Callable[[list[dict[str, Any]]], set[str] | None]
"""Handles the records of one batch: the ids of those that failed, None where no answer came."""


@dataclass(eq=False)
class Message:
    """One message, until it is deleted."""

    id: str
    body: str
    sent_s: float
    receives: int = 0
    deleted: bool = False


@dataclass
class Queue:
    """Implements services.ports.Queue. `consume` is the Lambda at its end."""

    scheduler: Scheduler
    faults: Faults
    fate: Fate
    trace: Callable[..., None]
    batch_size: int
    consume: Consumer = lambda records: set()
    sent: Counter[str] = field(default_factory=Counter)  # by kind of wakeup
    waiting: dict[str, Message] = field(default_factory=dict)
    dead: list[Message] = field(default_factory=list)
    expired: list[Message] = field(default_factory=list)
    _visible: list[Message] = field(default_factory=list)
    _messages: int = 0

    def send_wakeups(self, wakeups: Iterable[tuple[Wakeup, timedelta]]) -> None:
        """Take them all, or none. Raises Unavailable, also where they were taken and no answer
        came."""
        entries = [(wakeup, delay) for wakeup, delay in wakeups]
        self.fate.spend("send")
        if self.faults.strikes("failure"):
            self.fate.hurt()
            raise Unavailable("queue")
        self._take(entries)
        if self.faults.strikes("lost_answer"):
            if self.faults.dice.random() < GIVES_UP:
                self.fate.hurt()
                raise Unavailable("queue")
            self.scheduler.sleep(self.faults.dice.uniform(0.05, 5))
            self._take(entries)  # the SDK asks again
        self.fate.may_die("after", "send")

    def _take(self, entries: Iterable[tuple[Wakeup, timedelta]]) -> None:
        for wakeup, delay in entries:
            kind = type(wakeup).__name__
            self.sent[kind] += 1
            seconds = ceil(min(max(delay.total_seconds(), 0), MAX_DELAY_S))
            body = encode_wakeup(wakeup)
            self.trace("sent", body, seconds)
            for _ in range(2 if self.faults.strikes("twice") else 1):
                late_s = self.faults.dice.uniform(0, 4) if self.faults.strikes("late") else 0.0
                self._messages += 1
                message = Message(str(self._messages), body, self.scheduler.now_s)
                self.waiting[message.id] = message
                self._show(message, seconds + late_s)

    def _show(self, message: Message, after_s: float) -> None:
        def show() -> None:
            if message.deleted:
                return
            self._visible.append(message)
            self.scheduler.sleep(self.faults.dice.uniform(0, POLLED_WITHIN_S))
            self._poll()

        self.scheduler.begin(show, after_s)

    def _poll(self) -> None:
        """Give a Lambda what is there: the poller is quick, so that a batch is seldom full."""
        batch, self._visible = self._visible[: self.batch_size], self._visible[self.batch_size :]
        batch = [message for message in batch if not message.deleted]
        now_s = self.scheduler.now_s
        fresh = [message for message in batch if not self._ends(message, now_s)]
        for message in fresh:
            message.receives += 1
            self._show(message, tables.VISIBILITY_TIMEOUT_S)  # unless it is deleted by then
        if not fresh:
            return
        failed = self.consume([{"messageId": m.id, "body": m.body} for m in fresh])
        for message in fresh:
            if failed is not None and message.id not in failed:
                self._delete(message)

    def _ends(self, message: Message, now_s: float) -> bool:
        """End a message that is too old, or was received too often. Returns whether it was."""
        if now_s - message.sent_s > tables.RETENTION_S:
            self.expired.append(message)
        elif message.receives >= tables.MAX_RECEIVES:
            self.dead.append(message)
        else:
            return False
        self.trace("lost" if message in self.expired else "dead letter", message.body)
        self._delete(message)
        return True

    def _delete(self, message: Message) -> None:
        message.deleted = True
        self.waiting.pop(message.id, None)
