"""One change of an order: arm the wakeups, commit state and events in one write, tell at once.

The wakeups go out first. If that fails nothing was written and the caller gets Unavailable; if
the process dies anywhere after, they find what was committed (see services/messaging/mailboxes.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from msgspec.structs import replace

from chalicelib.domain.events import ORDER_DELIVERED, Event, Outbox, order_stream
from chalicelib.domain.messaging.wakeups import OfferDue, SearchDue, Wakeup
from chalicelib.domain.messaging.wakeups import RelayDue as RelayWakeup
from chalicelib.domain.orders import lifecycle
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.retries import Retries
from chalicelib.services.messaging.outbox import COMMIT_WITHIN, RELAY_AFTER, relay_shortcut
from chalicelib.services.messaging.relay import OutboxRelay
from chalicelib.services.ports import Clock, CourierStore, OrderStore, WakeupSender

log = logging.getLogger(__name__)

CommitListener = Callable[[Order | None, Order], None]
"""Is told of each change after its commit: the order before it, None if it is new, and after."""


class OrderWriter:
    """The one way an order is written."""

    def __init__(
        self,
        orders: OrderStore,
        couriers: CourierStore,
        relay: OutboxRelay,
        queue: WakeupSender,
        clock: Clock,
        followers: Sequence[CommitListener] = (),
        retries: Retries | None = None,
    ) -> None:
        self._followers = followers
        self._retries = retries or Retries()
        self._orders = orders
        self._couriers = couriers
        self._relay = relay
        self._queue = queue
        self._clock = clock

    def send_wakeups(self, before: Order | None, after: Order, told: tuple[Event, ...]) -> None:
        """Send the wakeups that a commit of `after` relies on: for what it tells, and for the
        deadline it sets, an offer's end or the next look of a search. Raises Unavailable."""
        now, version = self._clock(), before.version + 1 if before else 1
        wakeups: list[tuple[Wakeup, timedelta]] = []
        if told:
            stream, awaited_until = order_stream(after.id), now + COMMIT_WITHIN
            relay = RelayWakeup(stream, version, awaited_until, recipients=relay_shortcut(told))
            wakeups.append((relay, RELAY_AFTER))
        if after.offer:
            due = after.offer.expires_at
            wakeups.append((OfferDue(after.id, after.offer.seq, due), due - now))
        elif (due_at := after.deadline_at) and (before is None or before.deadline_at != due_at):
            wakeups.append((SearchDue(after.id, due_at), due_at - now))
        self._queue.send_wakeups(wakeups)

    def commit_order(
        self,
        before: Order | None,
        after: Order,
        told: tuple[Event, ...],
        *,
        armed: bool = False,
        available_only: bool = True,
    ) -> Order:
        """Write a change and tell of it. Returns the order as written.

        `armed` says that the wakeups for this version are out already. Raises Stale, CourierTaken
        (nothing was written) or Unavailable.
        """
        sealed = lifecycle.seal_order(before, after, told)
        if before:
            kept = self._relay.keep_undelivered(before.outbox, sealed.entries, self._clock())
            sealed = replace(sealed, entries=kept)
        if not armed and (told or sealed.offer or sealed.deadline_at):
            self.send_wakeups(before, sealed, told)
        self._orders.commit_order(before, sealed, available_only=available_only)
        self._notify(self._release_if_done, before, sealed)
        if told:
            self._relay.deliver_now(sealed.outbox)
        for follow in self._followers:
            self._notify(follow, before, sealed)
        return sealed

    def _release_if_done(self, before: Order | None, after: Order) -> None:
        """Free the courier of an order that is done."""
        if before and before.occupied_courier_id and after.status is Status.DONE:
            self._couriers.release_courier(before.occupied_courier_id, after.id, after.updated_at)

    def release_if_delivered(self, outbox: Outbox) -> None:
        """Free the courier of an order whose outbox tells of its delivery, if whoever delivered
        it did not live to."""
        delivered = outbox.find_event(ORDER_DELIVERED)
        if delivered is None:
            return
        named, order_id = delivered.courier, delivered.order_id
        courier_id = named.id if named else self._orders.get_order(order_id).courier_id
        courier = self._couriers.get_courier(courier_id) if courier_id else None
        if courier and courier.order_id == order_id:
            self._couriers.release_courier(courier.id, order_id, delivered.at)

    @staticmethod
    def _notify(follow: CommitListener, before: Order | None, sealed: Order) -> None:
        """What followers say may be lost: what is committed is committed."""
        try:
            follow(before, sealed)
        except Exception:
            log.warning("a follower of order %d failed", sealed.id, exc_info=True)

    def retry_change(self, order_id: int, change: Callable[[Order], Order]) -> Order:
        """Apply `change` to the order as it is now, again, after a pause, whenever it was beaten to
        the write. Raises Unavailable if that happens for too long."""
        return self._retries.retry_while_stale(lambda: change(self._orders.get_order(order_id)))
