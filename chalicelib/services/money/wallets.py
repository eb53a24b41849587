"""The one way a wallet is written, for whoever changes its balance."""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.domain.events import Entry
from chalicelib.domain.money.payouts import Payout
from chalicelib.domain.money.wallets import Wallet
from chalicelib.domain.request_keys import RequestKey
from chalicelib.services.messaging.outbox import OutboxWriter
from chalicelib.services.ports import WalletStore


class WalletService:
    """Reads wallets, and writes them with their events.

    Look before booking: read the wallet, ask `has_booking`, and commit on the strength of both. In
    this order a booking that another makes in between is never missed: the commit raises Stale.
    """

    def __init__(self, store: WalletStore, outbox_writer: OutboxWriter) -> None:
        self._store = store
        self._outbox_writer = outbox_writer

    def get_wallet(self, courier_id: str) -> Wallet:
        """Get a courier's wallet, strongly consistent."""
        return self._store.get_wallet(courier_id)

    def has_booking(self, wallet: Wallet, key: str) -> bool:
        """Tell whether a key is booked, as of a wallet that was read before."""
        return self._store.has_booking(wallet, key)

    def commit_wallet(
        self,
        before: Wallet,
        after: Wallet,
        payout: Payout | None = None,
        key: RequestKey | None = None,
    ) -> None:
        """Write a wallet with the payout that it is for, if any, and the key of the request for
        that; deliver its events.

        Raises Stale if the wallet changed since `before` was read, or the key is used: read, look
        and decide again.
        """

        def write(entries: tuple[Entry, ...]) -> None:
            self._store.commit_wallet(before, replace(after, entries=entries), payout, key)

        self._outbox_writer.commit_outbox(before.outbox, after.outbox, write)
