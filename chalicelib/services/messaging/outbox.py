"""Commit, then deliver: the one way an aggregate that is its own outbox is written.

 1. wakeup   The relay wakeup goes onto the queue. If that fails, nothing was written.
 2. commit   The aggregate is written with its entries in it, in one write.
 3. deliver  The newest entry is delivered at once. Failing here harms nobody.

Whoever dies after step 1 is made up for by the wakeup. It may also come before the commit, or find
that the commit never came: it waits until COMMIT_WITHIN has passed, and then ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec.structs import replace

from chalicelib.domain.events import (
    FOLLOWED_UP,
    NOBODY,
    Entry,
    Event,
    Outbox,
    is_loss_to_another,
)
from chalicelib.domain.messaging.wakeups import RelayDue, Wakeup
from chalicelib.domain.retries import Retries
from chalicelib.services.messaging.endpoints import MAX_ENDPOINTS_AT_ONCE
from chalicelib.services.messaging.relay import OutboxRelay
from chalicelib.services.ports import Clock, WakeupSender

T = TypeVar("T")

RELAY_AFTER = timedelta(seconds=5)  # the commit and its delivery are mostly done by then
COMMIT_WITHIN = timedelta(seconds=30)  # longer than an invocation that may yet commit lives


def is_followed_up(events: Sequence[Event]) -> bool:
    """Say whether something follows from some of these events that the relay wakeup must see to,
    whoever has been delivered to: then there is no shortcut past the aggregate."""
    return any(event.type in FOLLOWED_UP or is_loss_to_another(event) for event in events)


def add_endpoints(people: tuple[str, ...], endpoints: tuple[str, ...]) -> tuple[str, ...]:
    """Add the mailboxes of endpoints to the recipients that a relay wakeup names. Of too many it
    names nobody: then there is no shortcut."""
    return (*people, *endpoints) if len(endpoints) <= MAX_ENDPOINTS_AT_ONCE else ()


def make_relay_wakeup(
    stream: str,
    version: int,
    events: Sequence[Event],
    now: datetime,
    endpoints: tuple[str, ...] = (),
    ends: bool = False,
) -> tuple[Wakeup, timedelta]:
    """Make the wakeup that a commit of `version`, with these events, relies on. `endpoints` are the
    mailboxes of those that are told as well. Of a version that `ends` its order there is no
    shortcut: the order is to be summarized.

    The recipients are named all the same. Later versions may have others, and whoever can't be
    posted to now is tried again by this wakeup alone."""
    people = tuple(dict.fromkeys(event.to for event in events if event.to != NOBODY))
    awaited_until = now + COMMIT_WITHIN
    if ends or is_followed_up(events):
        wakeup = RelayDue(stream, version, awaited_until, ends=ends, others=people)
    else:
        recipients = add_endpoints(people, endpoints) if people else ()
        wakeup = RelayDue(stream, version, awaited_until, recipients=recipients)
    return wakeup, RELAY_AFTER


class OutboxWriter:
    """Writes aggregates that are their own outboxes."""

    def __init__(
        self, relay: OutboxRelay, queue: WakeupSender, clock: Clock, retries: Retries | None = None
    ) -> None:
        self._retries = retries or Retries()
        self._relay = relay
        self._queue = queue
        self._clock = clock

    def commit_outbox(
        self, before: Outbox, after: Outbox, write: Callable[[tuple[Entry, ...]], None]
    ) -> None:
        """Let `write` write the aggregate with the outbox entries it is given, then deliver the
        newest. Raises Stale (nothing was written) or Unavailable."""
        now = self._clock()
        entries = self._relay.keep_undelivered(before, after.entries, now)
        events = entries[-1].events if entries else ()
        endpoints = self._relay.list_subscribed_endpoints(after)
        wakeup = make_relay_wakeup(after.stream, after.newest_version, events, now, endpoints)
        self._queue.send_wakeups([wakeup])
        write(entries)
        self._relay.deliver_now(replace(after, entries=entries))

    def retry_change(self, change: Callable[[], T]) -> T:
        """Call `change` again, after a pause, whenever another write came first. `change` must look
        first whether it is done: of a write whose answer got lost, and after which another wrote,
        that is the only sign. Raises Unavailable if it is beaten for too long."""
        return self._retries.retry_while_stale(change)
