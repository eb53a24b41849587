"""One change of an order: arm the wakeups, commit state and events in one write, tell at once.

The wakeups go out first. If that fails nothing was written and the caller gets Unavailable; if
the process dies anywhere after, they find what was committed (see services/messaging/mailboxes.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from msgspec.structs import replace

from chalicelib.domain.events import ENTAILING, ORDER_DELIVERED, Event, Outbox, order_stream
from chalicelib.domain.messaging.wakeups import Expire, Search, Wakeup
from chalicelib.domain.messaging.wakeups import Relay as RelayWakeup
from chalicelib.domain.orders import lifecycle
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.retries import Retries
from chalicelib.services.messaging.relay import Relay
from chalicelib.services.ports import Clock, CourierStore, OrderStore, Queue

log = logging.getLogger(__name__)

Follower = Callable[[Order | None, Order], None]
"""Is told of each change after its commit: the order before it, None if it is new, and after."""

RELAY_AFTER = timedelta(seconds=5)
COMMIT_WITHIN = timedelta(seconds=30)  # longer than an invocation that may yet commit lives


def only_to(told: tuple[Event, ...]) -> tuple[str, ...]:
    """Those who are told, where telling them is all that is to be done; else nobody."""
    if any(event.type in ENTAILING for event in told):
        return ()
    return tuple(dict.fromkeys(event.to for event in told))


class Changes:
    """The one way an order is written."""

    def __init__(
        self,
        orders: OrderStore,
        couriers: CourierStore,
        relay: Relay,
        queue: Queue,
        clock: Clock,
        followers: Sequence[Follower] = (),
        retries: Retries | None = None,
    ) -> None:
        self._followers = followers
        self._retries = retries or Retries()
        self._orders = orders
        self._couriers = couriers
        self._relay = relay
        self._queue = queue
        self._clock = clock

    def arm(self, before: Order | None, after: Order, told: tuple[Event, ...]) -> None:
        """Send the wakeups that a commit of `after` relies on: for what it tells, and for the
        deadline it sets, an offer's end or the next look of a search. Raises Unavailable."""
        now, version = self._clock(), before.version + 1 if before else 1
        wakeups: list[tuple[Wakeup, timedelta]] = []
        if told:
            stream, awaited_until = order_stream(after.id), now + COMMIT_WITHIN
            relay = RelayWakeup(stream, version, awaited_until, to=only_to(told))
            wakeups.append((relay, RELAY_AFTER))
        if after.offer:
            due = after.offer.expires_at
            wakeups.append((Expire(after.id, after.offer.seq, due), due - now))
        elif (due_at := after.deadline_at) and (before is None or before.deadline_at != due_at):
            wakeups.append((Search(after.id, due_at), due_at - now))
        self._queue.send(wakeups)

    def commit(
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
        sealed = lifecycle.seal(before, after, told)
        if before:
            kept = self._relay.keeping_untold(before.told, sealed.outbox, self._clock())
            sealed = replace(sealed, outbox=kept)
        if not armed and (told or sealed.offer or sealed.deadline_at):
            self.arm(before, sealed, told)
        self._orders.commit(before, sealed, available_only=available_only)
        self._tell(self._let_go, before, sealed)
        if told:
            self._relay.at_once(sealed.told)
        for follow in self._followers:
            self._tell(follow, before, sealed)
        return sealed

    def _let_go(self, before: Order | None, after: Order) -> None:
        """Free the courier of an order that is done."""
        if before and before.holder and after.status is Status.DONE:
            self._couriers.let_go(before.holder, after.id, after.updated_at)

    def settle(self, outbox: Outbox) -> None:
        """Free the courier of an order whose outbox tells of its delivery, if whoever delivered
        it did not live to."""
        delivered = outbox.told(ORDER_DELIVERED)
        if delivered is None:
            return
        named, order_id = delivered.courier, delivered.order_id
        courier_id = named.id if named else self._orders.get(order_id).courier_id
        courier = self._couriers.get(courier_id) if courier_id else None
        if courier and courier.order_id == order_id:
            self._couriers.let_go(courier.id, order_id, delivered.at)

    @staticmethod
    def _tell(follow: Follower, before: Order | None, sealed: Order) -> None:
        """What followers say may be lost: what is committed is committed."""
        try:
            follow(before, sealed)
        except Exception:
            log.warning("a follower of order %d failed", sealed.id, exc_info=True)

    def retrying(self, order_id: int, change: Callable[[Order], Order]) -> Order:
        """Apply `change` to the order as it is now, again, after a pause, whenever it was beaten to
        the write. Raises Unavailable if that happens for too long."""
        return self._retries.run(lambda: change(self._orders.get(order_id)))
