"""What couriers earn: booked once for each order delivered, whoever dies when."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.events import Entry, Outbox
from chalicelib.domain.money import wallets
from chalicelib.domain.money.payouts import Payout
from chalicelib.domain.money.wallets import Wallet, WalletChange
from chalicelib.domain.orders.model import Order, Status
from chalicelib.services.messaging.outbox import OutboxWriter
from chalicelib.services.ports import Clock, OrderStore, WalletStore


class WalletService:
    """The one way a wallet is written."""

    def __init__(self, store: WalletStore, publishing: OutboxWriter) -> None:
        self._store = store
        self._publishing = publishing

    def get_wallet(self, courier_id: str) -> Wallet:
        """How a courier's wallet stands."""
        return self._store.get_wallet(courier_id)

    def has_booking(self, wallet: Wallet, key: str) -> bool:
        """Whether something is booked, as of a wallet that was read."""
        return self._store.has_booking(wallet, key)

    def commit_change(
        self, before: Wallet, change: WalletChange, payout: Payout | None = None
    ) -> None:
        """Write a change and tell of it. Raises Stale if it has to be thought over again."""

        def write(entries: tuple[Entry, ...]) -> None:
            self._store.commit_wallet(before, replace(change.wallet, entries=entries), payout)

        self._publishing.commit_outbox(before.outbox, change.wallet.outbox, write)


class Earnings:
    """Books what delivered orders earn."""

    def __init__(
        self, wallets: WalletService, orders: OrderStore, publishing: OutboxWriter, clock: Clock
    ) -> None:
        self._wallets = wallets
        self._orders = orders
        self._publishing = publishing
        self._clock = clock

    def book_if_delivered(self, outbox: Outbox) -> None:
        """Book the earning of an order whose outbox tells of its delivery, if nobody has."""
        delivered = outbox.find_event(events.ORDER_DELIVERED)
        if delivered is None:
            return
        courier, key = delivered.courier, wallets.make_earning_key(delivered.order_id)
        if courier is None or not self._wallets.has_booking(
            self._wallets.get_wallet(courier.id), key
        ):
            self.book_earning(self._orders.get_order(delivered.order_id))

    def on_committed(self, before: Order | None, after: Order) -> None:
        """Book the earning of an order that was just delivered."""
        if before is None or before.status is not after.status:
            self.book_earning(after)

    def book_earning(self, order: Order) -> None:
        """Book the earning of a delivered order: once, however often it is asked for, and by
        however many at once.

        Nobody may take it for not booked without looking, not even whoever has just delivered it:
        a wakeup of an earlier step, or of a try that failed, may have come a moment before.
        """
        courier_id = order.courier_id
        if order.status is not Status.DONE or courier_id is None:
            return

        key = wallets.make_earning_key(order.id)

        def once() -> None:
            wallet = self._wallets.get_wallet(courier_id)
            if not self._wallets.has_booking(wallet, key):
                self._wallets.commit_change(
                    wallet, wallets.book_earning(wallet, order, self._clock())
                )

        self._publishing.retry_change(once)
