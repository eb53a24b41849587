"""What couriers earn: booked once for each order delivered, whichever Lambda dies at which line.

Two find a delivered order: whoever delivered it, as soon as that is committed, and the wakeup that
was sent before the commit. Both may book, at the same time; the wallet lets one of them.
"""

from __future__ import annotations

from chalicelib.domain import events
from chalicelib.domain.events import Outbox
from chalicelib.domain.money import wallets
from chalicelib.domain.orders.model import Order, Status
from chalicelib.services.messaging.outbox import OutboxWriter
from chalicelib.services.money.wallets import WalletService
from chalicelib.services.ports import Clock, OrderStore


class Earnings:
    """Books what delivered orders earn."""

    def __init__(
        self, wallets: WalletService, orders: OrderStore, outbox_writer: OutboxWriter, clock: Clock
    ) -> None:
        self._wallets = wallets
        self._orders = orders
        self._outbox_writer = outbox_writer
        self._clock = clock

    def on_committed(self, before: Order | None, after: Order) -> None:
        """Book the earning of an order whose commit delivered it."""
        if before is None or before.status is not after.status:
            self.book_earning(after)

    def book_if_delivered(self, outbox: Outbox) -> None:
        """Book the earning of an order whose outbox tells of its delivery, unless it is booked."""
        delivered = outbox.find_event(events.ORDER_DELIVERED)
        if delivered is None:
            return
        courier, key = delivered.courier, wallets.make_earning_key(delivered.order_id)
        # Mostly it is booked: to look for it costs less than to read the order.
        if courier is None or not self._is_booked(courier.id, key):
            self.book_earning(self._orders.get_order(delivered.order_id))

    def book_earning(self, order: Order) -> None:
        """Book the earning of a delivered order once, however often and by however many this is
        called. Of any other order it books nothing.

        Nobody may skip the look, not even whoever has just delivered the order: the wakeup of an
        earlier step, or of a try that failed, may have come a moment before. Each try looks again:
        of a write whose answer got lost, after which another wrote, the ledger is the only sign.
        """
        courier_id = order.courier_id
        if order.status is not Status.DONE or courier_id is None:
            return
        key = wallets.make_earning_key(order.id)

        def book_unless_booked() -> None:
            wallet = self._wallets.get_wallet(courier_id)
            if not self._wallets.has_booking(wallet, key):
                after = wallets.book_earning(wallet, order, self._clock())
                self._wallets.commit_wallet(wallet, after)

        self._outbox_writer.retry_change(book_unless_booked)

    def _is_booked(self, courier_id: str, key: str) -> bool:
        return self._wallets.has_booking(self._wallets.get_wallet(courier_id), key)
