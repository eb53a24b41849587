"""What an order owes its courier beside the earning: booked once, whichever Lambda dies at which
line.

The order is written first, and says what it owes; the wallet follows. Two see to that: whoever has
written the order, as soon as that is committed, and the wakeup that was sent before the commit.
Both may book, at the same time; the wallet lets one of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.domain import events
from chalicelib.domain.events import Outbox
from chalicelib.domain.money import wallets
from chalicelib.domain.money.debts import list_debts, list_new_debts
from chalicelib.domain.money.wallets import Debt
from chalicelib.domain.orders.model import Order
from chalicelib.services.messaging.outbox import OutboxWriter
from chalicelib.services.money.wallets import WalletService
from chalicelib.services.ports import Clock, OrderStore


class Debts:
    """Books what orders owe their couriers."""

    def __init__(
        self, wallets: WalletService, orders: OrderStore, outbox_writer: OutboxWriter, clock: Clock
    ) -> None:
        self._wallets = wallets
        self._orders = orders
        self._outbox_writer = outbox_writer
        self._clock = clock

    def on_committed(self, before: Order | None, after: Order) -> None:
        """Book what a commit has added to what an order owes."""
        self._book_debts(after.courier_id, list_new_debts(before, after))

    def book_if_due(self, outbox: Outbox) -> None:
        """Book what an order owes by its outbox, unless it is booked."""
        owing = outbox.find_event(events.ORDER_CHARGED) or outbox.find_event(events.ORDER_TIPPED)
        if owing is not None:
            order = self._orders.get_order(owing.order_id)
            self._book_debts(order.courier_id, list_debts(order))

    def _book_debts(self, courier_id: str | None, debts: Sequence[Debt]) -> None:
        """Book those debts that are not booked, however often and by however many this is called.

        Each try looks again: of a write whose answer got lost, after which another wrote, the
        ledger is the only sign.
        """
        if courier_id is None or not debts:
            return

        def book_missing() -> None:
            wallet = self._wallets.get_wallet(courier_id)
            missing = [debt for debt in debts if not self._wallets.has_booking(wallet, debt.key)]
            if missing:
                after = wallets.book_debts(wallet, missing, self._clock())
                self._wallets.commit_wallet(wallet, after)

        self._outbox_writer.retry_change(book_missing)
