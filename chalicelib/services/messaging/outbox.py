"""One change of a wallet, a payout or a payment, as order_commits.py does it for orders.

The wakeup goes out first, state and events are one write, and everybody is told at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from chalicelib.domain.events import Entry, Outbox
from chalicelib.domain.messaging.wakeups import RelayDue as RelayWakeup
from chalicelib.domain.retries import Retries
from chalicelib.services.dispatch.order_commits import COMMIT_WITHIN, RELAY_AFTER, relay_shortcut
from chalicelib.services.messaging.relay import OutboxRelay
from chalicelib.services.ports import Clock, WakeupSender

T = TypeVar("T")


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
        """Let `write` write the aggregate with the outbox entries it is given, then tell of it.

        Raises Stale (nothing was written) or Unavailable.
        """
        now = self._clock()
        entries = self._relay.keep_undelivered(before, after.entries, now)
        told = entries[-1].events if entries else ()
        wakeup = RelayWakeup(
            after.stream, after.newest_version, now + COMMIT_WITHIN, recipients=relay_shortcut(told)
        )
        self._queue.send_wakeups([(wakeup, RELAY_AFTER)])
        write(entries)
        self._relay.deliver_now(Outbox(after.stream, after.details, entries))

    def retry_change(self, change: Callable[[], T]) -> T:
        """Do it again, after a pause, whenever it was beaten to the write. `change` looks first
        whether it is done: of a write whose answer got lost, and after which another wrote, that
        is the only sign. Raises Unavailable if it is beaten for too long."""
        return self._retries.retry_while_stale(change)
