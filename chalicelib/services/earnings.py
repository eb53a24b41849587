"""What couriers earn: booked once for each order delivered, whoever dies when."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.domain import events, wallets
from chalicelib.domain.events import Entry, Event, Outbox
from chalicelib.domain.orders import Order, Status
from chalicelib.domain.payouts import Payout
from chalicelib.domain.wallets import Change, Wallet
from chalicelib.services.ports import Clock, OrderStore, WalletStore
from chalicelib.services.publishing import Publishing


class Wallets:
    """The one way a wallet is written."""

    def __init__(self, store: WalletStore, publishing: Publishing) -> None:
        self._store = store
        self._publishing = publishing

    def get(self, courier_id: str) -> Wallet:
        """How a courier's wallet stands."""
        return self._store.get(courier_id)

    def has(self, courier_id: str, key: str) -> bool:
        """Whether something is booked already."""
        return self._store.has(courier_id, key)

    def commit(self, before: Wallet, change: Change, payout: Payout | None = None) -> None:
        """Write a change and tell of it. Raises Stale if it has to be thought over again."""

        def write(entries: tuple[Entry, ...]) -> None:
            wallet = replace(change.wallet, outbox=entries)
            self._store.book(before, replace(change, wallet=wallet), payout)

        self._publishing.commit(before.told, change.wallet.told, write)


class Earnings:
    """Books what delivered orders earn."""

    def __init__(
        self, wallets: Wallets, orders: OrderStore, publishing: Publishing, clock: Clock
    ) -> None:
        self._wallets = wallets
        self._orders = orders
        self._publishing = publishing
        self._clock = clock

    def settle(self, outbox: Outbox) -> None:
        """Book the earning of an order whose outbox tells of its delivery."""
        for event in (event for entry in outbox.entries for event in entry.events):
            if event.type == events.ORDER_DELIVERED:
                self._book_once(event)
                return

    def _book_once(self, delivered: Event) -> None:
        """Book the earning of an order, if the ledger does not have it."""
        courier, key = delivered.courier, wallets.earning_key(delivered.order_id)
        if courier is None or not self._wallets.has(courier.id, key):
            self.book(self._orders.get(delivered.order_id))

    def follow(self, before: Order | None, after: Order) -> None:
        """Book the earning of an order that was just delivered."""
        if before is None or before.status is not after.status:
            self.book(after, first=True)

    def book(self, order: Order, first: bool = False) -> None:
        """Book the earning of a delivered order: once, however often it is asked for. `first`:
        most likely nobody has, so that the write itself may find out."""
        courier_id = order.courier_id
        if order.status is not Status.DONE or courier_id is None:
            return

        key = wallets.earning_key(order.id)
        unlooked = first

        def once() -> None:
            nonlocal unlooked
            if not unlooked and self._wallets.has(courier_id, key):
                return
            unlooked = False
            wallet = self._wallets.get(courier_id)
            self._wallets.commit(wallet, wallets.earn(wallet, order, self._clock()))

        self._publishing.retrying(once)
