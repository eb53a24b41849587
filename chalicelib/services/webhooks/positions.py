"""Positions of couriers for the endpoints that ask for them: nothing is read where none does."""

from __future__ import annotations

from datetime import datetime

from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Courier, Fix
from chalicelib.domain.webhooks.endpoint import name_endpoint_mailbox
from chalicelib.domain.webhooks.event_types import COURIER_POSITION
from chalicelib.domain.webhooks.positions import (
    find_last_sent,
    is_due,
    is_followed,
    make_position,
)
from chalicelib.services.messaging.mailboxes import Mailboxes
from chalicelib.services.ports import Clock, MailboxStore, OrderStore
from chalicelib.services.webhooks.known_endpoints import KnownEndpoints

_MAX_REMEMBERED = 10_000  # of what this process has told: then all of it is forgotten


class PositionTeller:
    """Tells endpoints where couriers are, each of an order once in POSITION_INTERVAL at most.

    The endpoint's head says when that was; what this process knows of it spares the reading.
    """

    def __init__(
        self,
        known: KnownEndpoints,
        orders: OrderStore,
        store: MailboxStore,
        mailboxes: Mailboxes,
        clock: Clock,
    ) -> None:
        self._known = known
        self._store = store
        self._orders = orders
        self._mailboxes = mailboxes
        self._clock = clock
        self._sent: dict[tuple[str, int], datetime] = {}

    def on_fix(self, courier: Courier) -> None:
        """Tell a fix of a courier who has an order to the endpoints that ask and are due. One that
        another is writing to is left out: the next fix comes soon."""
        now, order_id, fix = self._clock(), courier.order_id, courier.fix
        if order_id is None or fix is None:
            return
        asking = [
            endpoint
            for endpoint in self._known.get_registry().endpoints
            if endpoint.wants(COURIER_POSITION)
            and is_due(self._sent.get((endpoint.id, order_id)), now)
        ]
        if not asking:
            return
        order = self._orders.get_order_eventually(order_id)
        if not is_followed(order, courier.id):
            return
        for endpoint in asking:
            if endpoint.hears_of(order.details.merchant_id):
                mailbox = name_endpoint_mailbox(endpoint.id)
                sent_at = self._tell_if_due(mailbox, order, courier, fix, now)
                self._remember((endpoint.id, order_id), sent_at)

    def _tell_if_due(
        self, mailbox: str, order: Order, courier: Courier, fix: Fix, now: datetime
    ) -> datetime | None:
        """Tell an endpoint a position unless it was told one lately; return when the last was."""
        last_sent = find_last_sent(self._store.get_eventually(mailbox), order.id)
        if not is_due(last_sent, now):
            return last_sent
        outbox = make_position(mailbox, order, courier, fix, now)
        lease = self._mailboxes.lease_early(mailbox, outbox)
        if lease is None:
            return last_sent
        last_sent = find_last_sent(lease.box, order.id)
        if not is_due(last_sent, now):
            self._mailboxes.end_early_lease(lease)  # another fix was quicker
            return last_sent
        self._mailboxes.deliver_outbox(mailbox, outbox, lease)
        return now

    def _remember(self, key: tuple[str, int], sent_at: datetime | None) -> None:
        if len(self._sent) >= _MAX_REMEMBERED:
            self._sent.clear()
        if sent_at is not None:
            self._sent[key] = sent_at
