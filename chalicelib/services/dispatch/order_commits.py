"""The one way an order is written: send the wakeups, commit state and events, deliver, notify.

 1. prepare  The wakeups are sent onto the queue, beside whatever else must be read before the
             commit: `RelayDue`, if there are events, and `OfferDue` or `SearchDue`, if the order
             has a new deadline. At the same time the order is put into the lists that it comes
             into, and its history is archived if it ends (history_archive.py). The commit begins
             only once all is there. If it can't be done, the order is not written and the caller
             gets Unavailable.
 2. commit   One conditional write: the order, with the new events among its entries, on the
             condition that its version is still the one that was read. Where the order takes a
             courier, or lets one go, their rows are in the same transaction (store/orders.py). So
             is the lease of the mailbox of a courier to whom it is offered, where that is idle.
 3. release  The courier of an order that is done is let go, by a write of its own.
 4. deliver  Each recipient's mailbox takes the new events in and posts them, side by side.
 5. notify   Listeners hear of the change: the pool, couriers near by, earnings.

An order that ends is summarized for the figures (services/ops) by `RelayDue` alone.

Who dies before 2 has changed nothing: the wakeups find no such version, wait for it until
COMMIT_WITHIN has passed, and end. Who dies after 2 is made up for: `RelayDue` does 3 and 4, and
books what the courier earns, five seconds later; the order's deadline is in its row, where
`OfferDue`, `SearchDue` or the sweep find it. What the pool and couriers near by hear may be lost:
the next look says it again. Every step may be done twice.

Of two who change an order at once one commits. The other gets Stale, reads the order again and
applies its change to that (`retry_change`), or finds that it is done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from chalicelib.domain.events import (
    NOBODY,
    ORDER_CANCELLED,
    ORDER_DELIVERED,
    REFUND_PAID,
    Entry,
    Event,
    Outbox,
    name_order_stream,
)
from chalicelib.domain.messaging.mailboxes import PlannedLease
from chalicelib.domain.messaging.wakeups import (
    LONGEST_DELAY,
    NoShowDue,
    OfferDue,
    RelayDue,
    SearchDue,
    Wakeup,
)
from chalicelib.domain.orders.drafts import draft_order_event, encode_reason
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.outbox import seal
from chalicelib.domain.retries import Retries
from chalicelib.services.dispatch.history_archive import HistoryArchive
from chalicelib.services.messaging.outbox import (
    COMMIT_WITHIN,
    RELAY_AFTER,
    add_endpoints,
    make_relay_wakeup,
)
from chalicelib.services.messaging.planned_leases import HeadsRead, LeasePlanner
from chalicelib.services.messaging.relay import OutboxRelay
from chalicelib.services.ports import Clock, CourierStore, OrderStore, WakeupSender

log = logging.getLogger(__name__)

CommitListener = Callable[[Order | None, Order], None]
"""Hears of each change after its commit: the order before it, None if it is new, and after it."""

ChargeEnd = Callable[[Order | None, Order], tuple[Order, tuple[Event, ...]]]
"""Adds to an order that ends what its end costs, and makes the event of that. Pure."""

DelayedWakeup = tuple[Wakeup, timedelta]

Preparation = Sequence[Future[None]]
"""What must be done before a commit, and is under way: step 1."""


class OrderWriter:
    """Writes orders, and nothing else does.

    `stored` is an order as the database has it, None if it is new; `order` is the same order as it
    is to be. `pool` sends wakeups meanwhile: no task of it may commit an order, as that waits for
    another task of it, and a full pool would wait for itself.
    """

    def __init__(
        self,
        orders: OrderStore,
        couriers: CourierStore,
        relay: OutboxRelay,
        queue: WakeupSender,
        pool: Executor,
        clock: Clock,
        archive: HistoryArchive,
        planner: LeasePlanner,
        charge_end: ChargeEnd,
        listeners: Sequence[CommitListener] = (),
        retries: Retries | None = None,
    ) -> None:
        self._listeners = listeners
        self._charge_end = charge_end
        self._retries = retries or Retries()
        self._orders = orders
        self._couriers = couriers
        self._relay = relay
        self._queue = queue
        self._pool = pool
        self._clock = clock
        self._archive = archive
        self._planner = planner

    def commit_order(
        self,
        stored: Order | None,
        order: Order,
        events: tuple[Event, ...],
        *,
        preparation: Preparation | None = None,
        available_only: bool = True,
        heads: HeadsRead | None = None,
    ) -> Order:
        """Write a change and deliver its events. Returns the order as written.

        `preparation` is this version's, where that has begun already; else it begins now.
        `available_only` False lets the order take a courier who is off duty. `heads` are of the
        mailboxes of couriers to whom it may be offered. Raises Stale, CourierTaken (nothing was
        written) or Unavailable.
        """
        order, events = self._prepare_commit(stored, order, events, preparation)
        planned = self._plan_lease(order, heads)
        is_leased = self._orders.commit_order(
            stored, order, available_only=available_only, lease=planned
        )
        # They are of this version alone.
        order = replace(order, keys=(), unpaid_attempt=None, courier_changes=())
        self._notify(self._release_if_done, stored, order)
        if events:
            lease = self._planner.begin_lease(planned) if planned and is_leased else None
            self._relay.deliver_now(order.outbox, lease)
        for listener in self._listeners:
            self._notify(listener, stored, order)
        return order

    def _prepare_commit(
        self,
        stored: Order | None,
        order: Order,
        events: tuple[Event, ...],
        preparation: Preparation | None,
    ) -> tuple[Order, tuple[Event, ...]]:
        """Do step 1: return the order as it is to be written, with its events sealed in it, and
        the events, once all is there that the commit relies on. Raises Unavailable."""
        if not events and preparation is None:
            events = self._draft_silent_change(stored, order)
        preparation = preparation or self.start_preparation(stored, order, events)
        order, charged = self._charge_end(stored, order)
        events = (*events, *charged)
        order = seal(order, events, order.updated_at)
        with _finish_after(preparation):
            order = replace(order, entries=self._keep_undelivered(stored, order))
            order = self._archive.archive_changes(order)
        return order, events

    def _plan_lease(self, order: Order, heads: HeadsRead | None) -> PlannedLease | None:
        """Plan the lease of the mailbox of the courier to whom an order is offered."""
        if heads is None or order.offer is None:
            return None
        return self._planner.plan_lease(heads, order.offer.courier_id, order.outbox)

    def start_preparation(
        self, stored: Order | None, order: Order, events: tuple[Event, ...]
    ) -> Preparation:
        """Begin what the commit of `order` relies on. Its wakeups are the relay's, for its events,
        and one for the deadline it sets, the end of an offer, the next look or the end of a wait.

        A deadline that is further off than a wakeup can be delayed has none: for hours or weeks it
        would be sent on every 15 minutes. The sweep finds it within a pass."""
        wakeups = self._make_relay_wakeups(stored, order, events)
        wakeups += self._make_deadline_wakeups(stored, order)
        return self._start(wakeups, stored, order)

    def _make_relay_wakeups(
        self, stored: Order | None, order: Order, events: tuple[Event, ...]
    ) -> list[DelayedWakeup]:
        """Make the wakeup that delivers what the commit itself does not; none without events."""
        # Not applied yet, but the wakeup must know of the event: with a shortcut past the order
        # nobody would make up for a fee that is not booked.
        _, charged = self._charge_end(stored, order)
        events = (*events, *charged)
        if not events:
            return []
        stream, now = name_order_stream(order.id), self._clock()
        sealed = seal(order, events, order.updated_at)
        endpoints = self._relay.list_subscribed_endpoints(sealed.outbox)
        ends = order.is_terminal and not (stored and stored.is_terminal)
        version = _compute_next_version(stored)
        return [make_relay_wakeup(stream, version, events, now, endpoints, ends)]

    def _make_deadline_wakeups(self, stored: Order | None, order: Order) -> list[DelayedWakeup]:
        """Make the wakeups of the deadlines that a commit sets."""
        wakeups: list[DelayedWakeup] = []
        deadline_at = order.deadline_at
        if order.offer and order.open_seq:
            if stored is None or stored.open_seq != order.open_seq:
                end = self._make_offer_wakeup(order, order.open_seq, order.offer.expires_at)
                wakeups.append(end)
        elif deadline_at and (stored is None or stored.deadline_at != deadline_at):
            left = deadline_at - self._clock()
            if left <= LONGEST_DELAY or order.status is Status.READY:
                wakeups.append((SearchDue(order.id, deadline_at), left))
        no_show_at = order.no_show_at
        if no_show_at and (stored is None or stored.no_show_at != no_show_at):
            wakeups.append((NoShowDue(order.id, no_show_at), no_show_at - self._clock()))
        return wakeups

    def start_offer_preparation(
        self,
        stored: Order | None,
        order: Order,
        recipients: tuple[str, ...],
        expires_at: datetime,
    ) -> Preparation:
        """Begin what the next offer of an order relies on, before it is known whom it is for.
        `recipients` are all others who will hear of it."""
        relay = RelayDue(
            name_order_stream(order.id),
            _compute_next_version(stored),
            awaited_until=self._clock() + COMMIT_WITHIN,
            # Which events there will be is not known yet: all endpoints that may hear of them.
            recipients=add_endpoints(recipients, self._relay.list_known_endpoints(order.outbox)),
            is_offer=True,
        )
        offer = self._make_offer_wakeup(order, order.offers_made + 1, expires_at)
        return self._start([(relay, RELAY_AFTER), offer], stored, order)

    def _make_offer_wakeup(self, order: Order, seq: int, expires_at: datetime) -> DelayedWakeup:
        return OfferDue(order.id, seq, expires_at), expires_at - self._clock()

    def _start(
        self, wakeups: list[DelayedWakeup], stored: Order | None, order: Order
    ) -> Preparation:
        steps = [self._pool.submit(self._orders.add_to_lists, stored, order)]
        if wakeups:
            steps.append(self._pool.submit(self._queue.send_wakeups, wakeups))
        return steps

    def draft_for_endpoints(self, order: Order, type_: str, **fields: Any) -> tuple[Event, ...]:
        """Draft an event of which no person is told, where there are endpoints. (One that was
        created a moment ago may miss it: while there is none, this costs nothing.) `fields` are
        others of Event."""
        if not self._relay.list_known_endpoints(order.outbox):
            return ()
        return (draft_order_event(order, type_, NOBODY, order.updated_at, **fields),)

    def _draft_silent_change(self, stored: Order | None, order: Order) -> tuple[Event, ...]:
        """Draft the event of a change of which nobody is told: the end of a dormant order, of whose
        placing endpoints have heard, and that a refund is paid."""
        if order.is_terminal and not (stored and stored.is_terminal):
            data = encode_reason(order.reason)
            return self.draft_for_endpoints(order, ORDER_CANCELLED, data=data)
        refund, before = order.refund, stored.refund if stored else None
        if refund and refund.refunded_at and not (before and before.refunded_at):
            data = {"payment_id": refund.payment_id, "amount_minor": refund.amount_minor}
            return self.draft_for_endpoints(order, REFUND_PAID, data=data)
        return ()

    def _keep_undelivered(self, stored: Order | None, order: Order) -> tuple[Entry, ...]:
        """Return the entries that the order is to have: those that it would lose now stay, if they
        are not in every recipient's log yet."""
        if stored is None:
            return order.entries
        return self._relay.keep_undelivered(stored.outbox, order.entries, self._clock())

    def _release_if_done(self, stored: Order | None, order: Order) -> None:
        """Release the courier of an order that is done. Not in the order's own write: that one
        would have to be a transaction, and fail when the courier's row is written meanwhile."""
        if stored and stored.occupied_courier_id and order.status is Status.DONE:
            courier_id = stored.occupied_courier_id
            self._couriers.release_courier(courier_id, order.id, order.updated_at)

    def release_if_delivered(self, outbox: Outbox) -> None:
        """Release the courier of an order whose outbox tells of its delivery, if the one who
        committed the delivery died before it could. Harmless however often."""
        delivered = outbox.find_event(ORDER_DELIVERED)
        if delivered is None:
            return
        contact, order_id = delivered.courier, delivered.order_id
        courier_id = contact.id if contact else self._orders.get_order(order_id).courier_id
        courier = self._couriers.get_courier(courier_id) if courier_id else None
        if courier and courier.holds(order_id):
            self._couriers.release_courier(courier.id, order_id, delivered.at)

    @staticmethod
    def _notify(listener: CommitListener, stored: Order | None, order: Order) -> None:
        """Call a listener and let no failure of it reach the caller: what is committed stays so."""
        try:
            listener(stored, order)
        except Exception:
            log.warning("a listener to order %d failed", order.id, exc_info=True)

    def retry_change(self, order_id: int, change: Callable[[Order], Order]) -> Order:
        """Apply `change` to the order as it is now, and again, after a pause, whenever another
        write came first. Raises Unavailable if that happens for too long."""
        return self._retries.retry_while_stale(lambda: change(self._orders.get_order(order_id)))


@contextmanager
def _finish_after(preparation: Preparation) -> Iterator[None]:
    """Wait for the end of a preparation after a block, however that ends: a function that is frozen
    meanwhile would go on at its next call. Raises Unavailable if it failed: an event that is
    committed without its wakeup would be lost for good if this process died before it is delivered.
    """
    try:
        yield
    finally:
        wait(preparation)
    for step in preparation:
        step.result()


def _compute_next_version(stored: Order | None) -> int:
    return stored.version + 1 if stored else 1
